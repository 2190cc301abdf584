"""Instruments: the exchange's filters, read from its own text and held against orders."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.instruments import VENUE_TYPES, check
from schema.listing import instrument_of
from schema.market import Instrument
from schema.trading import OrderIntent

PRICE = {
    "filterType": "PRICE_FILTER",
    "minPrice": "0.01000000",
    "maxPrice": "1000000.00000000",
    "tickSize": "0.01000000",
}
LOT = {
    "filterType": "LOT_SIZE",
    "minQty": "0.00001000",
    "maxQty": "9000.00000000",
    "stepSize": "0.00001000",
}
MARKET_LOT = {
    "filterType": "MARKET_LOT_SIZE",
    "minQty": "0.00000000",
    "maxQty": "100.00000000",
    "stepSize": "0.00000000",
}
NOTIONAL = {"filterType": "NOTIONAL", "minNotional": "5.00", "maxNotional": "9000000.00000000"}


def listed(*filters: dict[str, Any], **fields: Any) -> dict[str, Any]:
    entry = {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT"}
    return entry | {"filters": filters or (PRICE, LOT, MARKET_LOT, NOTIONAL)} | fields


BTC: Instrument = instrument_of(listed(orderTypes=list(VENUE_TYPES.values())), 1)


def intent(**fields: Any) -> OrderIntent:
    order = OrderIntent(
        ts_event=1,
        client_order_id="0" * 32,
        strategy="sma",
        symbol="BTC/USDT",
        side="buy",
        order_type="limit",
        qty=1000,
        px_exp=2,
        qty_exp=5,
        limit_px=6_000_000,
    )
    return msgspec.structs.replace(order, **fields)


def test_a_listing_becomes_an_instrument() -> None:
    assert (BTC.symbol, BTC.venue_symbol) == ("BTC/USDT", "BTCUSDT")
    assert (BTC.px_exp, BTC.qty_exp, BTC.quote_exp) == (2, 5, 7)
    assert (BTC.tick, BTC.lot, BTC.min_px, BTC.max_px) == (1, 1, 1, 100_000_000)
    assert (BTC.min_qty, BTC.max_qty, BTC.market_max_qty) == (1, 900_000_000, 10_000_000)
    assert (BTC.min_notional, BTC.max_notional) == (50_000_000, 90_000_000_000_000)


def test_the_older_name_of_the_notional_filter_is_read_too() -> None:
    old = {"filterType": "MIN_NOTIONAL", "minNotional": "10.00000000"}
    assert instrument_of(listed(PRICE, LOT, old), 1).min_notional == 100_000_000


def test_a_bound_with_more_decimals_is_rounded_to_the_strict_side() -> None:
    price = PRICE | {"minPrice": "0.01500000", "maxPrice": "9.99900000"}
    found = instrument_of(listed(price, LOT), 1)
    assert (found.min_px, found.max_px) == (2, 999)


def test_a_maximum_beyond_64_bits_is_none() -> None:
    lot = LOT | {"maxQty": "92233720368547758.00"}
    assert instrument_of(listed(PRICE, lot), 1).max_qty == 0


def test_a_step_of_zero_asks_for_none() -> None:
    found = instrument_of(listed(PRICE | {"tickSize": "0.00000000"}, LOT), 1)
    assert (found.tick, found.px_exp) == (0, 8)
    assert check(found, intent(px_exp=8, limit_px=1_000_000_123)) is None


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (listed(PRICE), "BTC/USDT: expected 'LOT_SIZE' in its listing, found none"),
        (listed(LOT), "expected 'PRICE_FILTER'"),
        (listed({"filterType": "PRICE_FILTER"}, LOT), "expected 'tickSize'"),
        (listed(PRICE | {"tickSize": "1e-2"}, LOT), "BTC/USDT: '1e-2': expected a plain decimal"),
        (
            listed(PRICE, LOT | {"stepSize": None}),
            "BTC/USDT: stepSize is None: expected decimal text",
        ),
        (listed(PRICE | {"minPrice": 0.01}, LOT), "minPrice is 0.01: expected decimal text"),
        (listed(PRICE) | {"filters": None}, "BTC/USDT: 'NoneType'"),
        (listed(PRICE) | {"filters": [{}]}, "BTC/USDT: expected 'filterType'"),
        ({}, "expected 'filters' in its listing"),
        (listed(PRICE, LOT | {"maxQty": "NaN"}), "'NaN': expected a plain decimal"),
    ],
)
def test_a_listing_that_cannot_be_read_is_refused(entry: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        instrument_of(entry, 1)


PASSING = [
    {},
    {"time_in_force": "IOC"},
    {"order_type": "limit_maker"},
    {"order_type": "market", "limit_px": 0, "ref_px": 6_000_000},
    {"order_type": "stop", "side": "sell", "limit_px": 0, "stop_px": 5_900_000},
    {"order_type": "stop_limit", "stop_px": 5_900_000},
]


@pytest.mark.parametrize("fields", PASSING)
def test_an_order_within_the_filters_passes(fields: dict[str, Any]) -> None:
    assert check(BTC, intent(**fields)) is None


REFUSED = [
    ("INSTRUMENT_NOT_FOUND", {"symbol": "ETH/USDT"}, "symbol=ETH/USDT"),
    ("UNSUPPORTED_TIME_IN_FORCE", {"order_type": "limit_maker", "time_in_force": "IOC"}, "IOC"),
    (
        "UNSUPPORTED_TIME_IN_FORCE",
        {"order_type": "market", "limit_px": 0, "time_in_force": "FOK"},
        "order_type=market",
    ),
    ("VALIDATION_FAILED", {"px_exp": 3}, "exponents="),
    ("VALIDATION_FAILED", {"limit_px": 0}, "limit_px=0.00"),
    ("VALIDATION_FAILED", {"limit_px": -1}, "limit_px=-0.01"),
    ("VALIDATION_FAILED", {"order_type": "market"}, "limit_px=60000.00"),
    ("VALIDATION_FAILED", {"order_type": "stop", "limit_px": 0}, "stop_px=0.00"),
    ("VALIDATION_FAILED", {"stop_px": 1}, "stop_px=0.01"),
    ("VALIDATION_FAILED", {"limit_px": 100_000_001}, "range=0.01..1000000.00"),
    ("QUANTITY_BELOW_MINIMUM", {"qty": 0}, "qty=0.00000"),
    ("QUANTITY_BELOW_MINIMUM", {"qty": -5}, "min=0.00001"),
    ("QUANTITY_EXCEEDS_MAXIMUM", {"qty": 900_000_001}, "max=9000.00000"),
    (
        "QUANTITY_EXCEEDS_MAXIMUM",
        {"order_type": "market", "limit_px": 0, "qty": 10_000_001, "ref_px": 1},
        "max=100.00000",
    ),
    ("NOTIONAL_BELOW_MINIMUM", {"qty": 8}, "notional=4.8000000 min=5.0000000"),
    ("NOTIONAL_EXCEEDS_MAXIMUM", {"qty": 15_000_001}, "max=9000000.0000000"),
    ("NOTIONAL_EXCEEDS_MAXIMUM", {"qty": 900_000_000, "limit_px": 100_000_000}, "max=9000000"),
    ("VALIDATION_FAILED", {"order_type": "market", "limit_px": 0}, "ref_px=0"),
]


@pytest.mark.parametrize(("code", "fields", "says"), REFUSED)
def test_an_order_outside_the_filters_is_refused(
    code: str, fields: dict[str, Any], says: str
) -> None:
    denial = check(BTC, intent(**fields))
    assert denial is not None
    assert denial.code == code
    assert says in denial.detail


COARSE = msgspec.structs.replace(BTC, tick=10, lot=100, order_types=("LIMIT",))


@pytest.mark.parametrize(
    ("instrument", "fields", "code"),
    [
        (COARSE, {"limit_px": 6_000_001}, "VALIDATION_FAILED"),
        (COARSE, {"qty": 1001}, "VALIDATION_FAILED"),
        (COARSE, {"order_type": "limit_maker"}, "UNSUPPORTED_ORDER_TYPE"),
        (msgspec.structs.replace(BTC, status="BREAK"), {}, "TRADING_HALTED"),
        (
            msgspec.structs.replace(BTC, max_qty=0, max_notional=0),
            {"qty": 2**62, "limit_px": 10**8},
            "NOTIONAL_EXCEEDS_MAXIMUM",
        ),
    ],
)
def test_other_instruments_refuse_otherwise(
    instrument: Instrument, fields: dict[str, Any], code: str
) -> None:
    denial = check(instrument, intent(**fields))
    assert denial is not None
    assert denial.code == code


@given(st.integers(-(2**63), 2**63), st.integers(-(2**63), 2**63))
def test_no_number_makes_the_check_raise(qty: int, px: int) -> None:
    denial = check(BTC, intent(qty=qty, limit_px=px))
    fits = 0 < px <= BTC.max_px and 0 < qty <= BTC.max_qty
    assert fits or denial is not None
