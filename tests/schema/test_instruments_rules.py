"""What the exchange counts and averages, held against orders; and whether an entry can be left."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schema.instruments import Standing, check, leaves_an_exit, market_least, market_step
from schema.market import Instrument
from schema.units import notional
from tests.schema.test_instruments import BTC, intent

BANDED = replace(BTC, band_exp=1, bid_up=20, bid_down=5, ask_up=30, ask_down=9)
COUNTED = replace(BTC, max_orders=10, max_algo_orders=3, max_order_lists=2, max_position=500_000)
AT_MARKET: dict[str, Any] = {"order_type": "market", "limit_px": 0, "ref_px": 6_000_000}
STOP: dict[str, Any] = {"order_type": "stop", "limit_px": 0, "side": "sell", "stop_px": 5_900_000}
TARGET: dict[str, Any] = {
    "order_type": "take_profit",
    "limit_px": 0,
    "side": "sell",
    "stop_px": 6_900_000,
    "leg": "target",
    "oco": "1" * 32,
}


def code(instrument: Instrument, fields: dict[str, Any], **more: Any) -> str:
    denial = check(instrument, intent(**fields), **more)
    return denial.code if denial else ""


@pytest.mark.parametrize(
    ("side", "low", "high"), [("buy", 3_000_000, 12_000_000), ("sell", 5_400_000, 18_000_000)]
)
def test_a_price_has_to_lie_within_the_band_of_its_side(side: str, low: int, high: int) -> None:
    for px, expected in (
        (low, ""),
        (low - 1, "PRICE_OUTSIDE_COLLAR"),
        (high, ""),
        (high + 1, "PRICE_OUTSIDE_COLLAR"),
    ):
        fields = {"side": side, "limit_px": px}
        assert code(BANDED, fields, reference_px=6_000_000) == expected
        assert code(BANDED, fields) == ""


def test_a_price_outside_the_band_is_told_with_the_band() -> None:
    denial = check(BANDED, intent(limit_px=12_000_001), reference_px=6_000_000)
    assert denial is not None
    assert denial.detail == "limit_px=120000.01 reference=60000.00 multiple=0.5..2.0"


def test_a_trigger_and_a_market_order_have_no_price_for_the_band() -> None:
    for fields in (AT_MARKET, STOP):
        assert code(BANDED, fields, reference_px=60_000) in {"", "NOTIONAL_BELOW_MINIMUM"}


@pytest.mark.parametrize(
    ("fields", "standing", "expected"),
    [
        ({}, Standing(orders=9), ""),
        ({}, Standing(orders=10), "orders=10 more=1 max=10"),
        ({}, Standing(algo_orders=3), ""),
        (STOP, Standing(algo_orders=2), ""),
        (STOP, Standing(algo_orders=3), "algo_orders=3 more=1 max=3"),
        (STOP | {"oco": "1" * 32}, Standing(orders=9), "orders=9 more=2 max=10"),
        (STOP | {"oco": "1" * 32}, Standing(lists=2), "order_lists=2 more=1 max=2"),
        (TARGET, Standing(algo_orders=2), "algo_orders=2 more=2 max=3"),
        ({}, Standing(position=400_000, buys=99_000), ""),
        ({}, Standing(position=400_000, buys=99_001), "max=5.00000"),
        (STOP, Standing(position=900_000), ""),
    ],
)
def test_what_stands_already_is_counted_with_the_order(
    fields: dict[str, Any], standing: Standing, expected: str
) -> None:
    denial = check(COUNTED, intent(**fields), standing=standing)
    assert (denial is None) == (not expected)
    assert denial is None or expected in denial.detail


def test_an_exchange_that_names_no_maximum_counts_nothing() -> None:
    many = Standing(10**6, 10**6, 10**6, 10**15, 10**15)
    assert code(BTC, {}, standing=many) == ""


def test_a_market_order_has_a_step_and_a_minimum_of_its_own() -> None:
    own = replace(BTC, lot=4, market_lot=6, min_qty=4, market_min_qty=24)
    assert (market_step(own), market_least(own)) == (12, 24)
    assert market_step(replace(own, market_lot=0)) == 4
    assert code(own, {"qty": 1_004}) == ""
    assert code(own, AT_MARKET | {"qty": 1_004}) == "VALIDATION_FAILED"
    assert code(own, AT_MARKET | {"qty": 1_008}) == ""
    assert code(own, AT_MARKET | {"qty": 12}) == "QUANTITY_BELOW_MINIMUM"


def test_the_worth_of_market_orders_is_that_of_the_market_and_may_be_spared() -> None:
    small, large = AT_MARKET | {"qty": 8}, AT_MARKET | {"qty": 9_000_000}
    narrow = replace(BTC, max_notional=10**12)
    assert code(BTC, small, reference_px=6_500_000) == ""
    assert code(BTC, small, reference_px=6_000_000) == "NOTIONAL_BELOW_MINIMUM"
    assert code(replace(BTC, min_spares_market=True), small) == ""
    assert code(narrow, large) == "NOTIONAL_EXCEEDS_MAXIMUM"
    assert code(replace(narrow, max_spares_market=True), large) == ""
    assert code(replace(BTC, min_spares_market=True), {"qty": 8}) == "NOTIONAL_BELOW_MINIMUM"


@pytest.mark.parametrize(
    ("fields", "held", "says"),
    [
        ({"qty": 1000}, 0, ""),
        ({"qty": 9}, 0, "exit_notional=4.5600000 min=5.0000000 exit_px=57000.00"),
        ({"qty": 10}, 0, ""),
        ({"qty": 9}, 1000, ""),
        ({"qty": 10, "protect_px": 5_990_000}, 0, ""),
        ({"qty": 10, "protect_px": 3_000_000}, 0, "exit_px=30000.00"),
        ({"qty": 9, "reduce_only": True}, 0, ""),
        ({"qty": 9, "leg": "exit"}, 0, ""),
        ({"qty": 1}, 0, "exit_qty=0.00000 min=0.00001"),
        ({"qty": 9, "side": "sell"}, 0, ""),
        ({"qty": 8, "side": "sell", "protect_px": 6_600_000}, 0, "exit_notional=4.5600000"),
    ],
)
def test_an_entry_whose_exit_would_be_too_small_is_refused(
    fields: dict[str, Any], held: int, says: str
) -> None:
    denial = leaves_an_exit(BTC, intent(**fields), held=held)
    if says and denial is not None:
        assert denial.code == "NOTIONAL_BELOW_MINIMUM"
        assert says in denial.detail
    assert (denial is None) == (not says)


@given(st.integers(1, 10**7), st.integers(1, 10**8), st.integers(0, 10**6))
def test_an_entry_that_leaves_an_exit_can_be_closed_at_its_stop(
    qty: int, px: int, below: int
) -> None:
    wanted = intent(qty=qty, limit_px=px, protect_px=max(1, px - below))
    if leaves_an_exit(BTC, wanted) is None:
        sold = qty * 998 // 1000
        stop = intent(qty=sold, **{**STOP, "stop_px": wanted.protect_px}, reduce_only=True)
        denial = check(BTC, stop)
        exp = BTC.px_exp + BTC.qty_exp
        assert notional(wanted.protect_px, sold, exp, BTC.quote_exp) >= BTC.min_notional
        assert denial is None or "EXCEEDS_MAXIMUM" in denial.code
