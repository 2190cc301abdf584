"""Limits on what all symbols come to together, on counts, units, and entries without a stop."""

from typing import Any

import pytest
from msgspec import structs

from schema.trading import LimitBreached
from tests.services.risk.risk_desk import (
    BTC,
    ETH,
    MARK,
    ONE,
    SELL,
    Desk,
    deposit,
    instrument,
    quote,
)

LIMIT: dict[str, Any] = {"order_type": "limit", "limit_px": MARK}


def test_longs_and_shorts_count_against_each_other_in_the_net() -> None:
    desk = Desk(max_net_exposure=12_000).open()
    desk.tell(deposit(10, "ETH"))
    assert desk.ask(2 * ONE, **LIMIT).approved
    found = desk.ask(ONE, symbol=ETH, **LIMIT)
    assert (found.code, "net=15000 max_net_exposure=12000" in found.detail) == (
        "MAX_NET_EXPOSURE_EXCEEDED", True,
    )  # fmt: skip
    short = {"symbol": ETH, **SELL, **LIMIT}
    assert desk.ask(2 * ONE, **short).approved
    # A short that is on its way lowers nothing yet: the buy may come first.
    assert desk.ask(ONE, **LIMIT).code == "MAX_NET_EXPOSURE_EXCEEDED"
    assert desk.ask(ONE, **short).code == "MAX_NET_EXPOSURE_EXCEEDED"


def test_a_short_that_is_held_makes_room_in_the_net() -> None:
    desk = Desk(max_net_exposure=12_000).open()
    desk.tell(deposit(10, "ETH"))
    desk.fill(desk.submit(2 * ONE, symbol=ETH, **SELL, **LIMIT), 2 * ONE)
    assert desk.ask(4 * ONE, **LIMIT).approved


def test_leverage_is_of_the_equity_as_last_seen() -> None:
    desk = Desk(max_leverage=0.5).open(cash=30_000)
    assert desk.ask(2 * ONE, **LIMIT).approved
    found = desk.ask(2 * ONE, symbol=ETH, **LIMIT)
    assert found.code == "MAX_LEVERAGE_EXCEEDED"
    assert "leverage=0.67 max_leverage=0.5" in found.detail
    assert desk.ask(ONE, symbol=ETH, **LIMIT).approved


def test_so_many_orders_may_be_open_on_their_way_and_in_doubt() -> None:
    desk = Desk(max_open_orders=2).open()
    desk.submit(ONE, **LIMIT)
    assert desk.ask(ONE, **LIMIT).approved
    found = desk.ask(ONE // 10, **LIMIT)
    assert (found.code, found.detail) == (
        "MAX_OPEN_ORDERS_EXCEEDED", "open_orders=3 max_open_orders=2",
    )  # fmt: skip


def test_so_many_symbols_may_be_held() -> None:
    desk = Desk(max_open_positions=1).open()
    first = desk.submit(ONE, **LIMIT)
    assert desk.ask(ONE, symbol=ETH, **LIMIT).code == "MAX_OPEN_POSITIONS_EXCEEDED"
    assert desk.ask(ONE, **LIMIT).approved
    desk.fill(first, ONE)
    assert desk.ask(ONE, **SELL).approved
    assert desk.ask(ONE, symbol=ETH, **LIMIT).code == "MAX_OPEN_POSITIONS_EXCEEDED"


def test_what_a_fee_in_coins_leaves_is_no_position_that_is_held() -> None:
    desk = Desk(max_open_positions=1).open()
    desk.buy(ONE)
    sale = desk.submit(ONE - 1_000, **SELL)
    assert desk.ask(ONE, symbol=ETH, **LIMIT).code == "MAX_OPEN_POSITIONS_EXCEEDED"
    desk.fill(sale, ONE - 1_000)
    assert desk.ask(ONE, symbol=ETH, **LIMIT).approved


def test_an_order_has_so_many_units_at_most() -> None:
    desk = Desk(max_order_qty=("BTC/USDT 0.1",)).open()
    assert desk.ask(ONE).approved
    found = desk.ask(ONE + 1000)
    assert (found.code, found.detail) == (
        "QUANTITY_EXCEEDS_MAXIMUM", "qty=0.10001000 max_order_qty=0.1",
    )  # fmt: skip
    assert desk.ask(2 * ONE, symbol=ETH).approved


def test_a_market_that_is_torn_open_takes_no_market_order() -> None:
    desk = Desk().open()
    desk.buy(ONE)
    wide = structs.replace(
        quote(BTC, MARK, desk.now_ns), bid_px=MARK * 95 // 100, ask_px=MARK * 105 // 100
    )
    desk.tell(wide)
    found = desk.ask(ONE)
    assert (found.code, found.detail) == (
        "PRICE_OUTSIDE_COLLAR", "px=52500.00 reference=50000.00 collar_bps=300",
    )  # fmt: skip
    assert desk.ask(ONE, **LIMIT).approved
    assert desk.ask(ONE, **SELL).approved


def test_an_entry_must_name_where_it_is_given_up_where_that_is_asked_for() -> None:
    desk = Desk(protective_stop_required=True).open()
    found = desk.ask(ONE)
    assert found.code == "PROTECTIVE_STOP_REQUIRED"
    assert desk.ask(ONE, protect_px=MARK * 9 // 10).approved
    assert Desk().open().ask(ONE).approved


@pytest.mark.parametrize("stopped", [False, True])
def test_a_position_without_a_stop_is_told_of_once_after_its_grace(*, stopped: bool) -> None:
    desk = Desk(protective_stop_required=True, protective_stop_grace_s=30).open()
    desk.fill(desk.submit(ONE, protect_px=MARK * 9 // 10), ONE)
    if stopped:
        desk.submit(ONE, side="sell", order_type="stop", stop_px=MARK * 9 // 10, leg="stop")
    for _ in range(40):
        desk.wait(1)
        desk.quote()
    found = [one for one in desk.said if isinstance(one, LimitBreached)]
    assert [(one.limit_name, one.scope, one.observed) for one in found] == (
        [] if stopped else [("protective_stop_required", BTC, "30 s without a stop")]
    )


def test_what_no_exchange_would_take_needs_no_stop() -> None:
    desk = Desk(protective_stop_required=True, protective_stop_grace_s=1).open()
    desk.fill(desk.submit(ONE, protect_px=MARK * 9 // 10), ONE)
    desk.fill(desk.submit(ONE - 1000, **SELL), ONE - 1000)
    for _ in range(5):
        desk.wait(1)
        desk.quote()
    assert not [one for one in desk.said if isinstance(one, LimitBreached)]
    desk.tell(instrument(min_notional=0))
    desk.wait(2)
    desk.quote()
    desk.wait(2)
    desk.quote()
    assert [one for one in desk.said if isinstance(one, LimitBreached)]
