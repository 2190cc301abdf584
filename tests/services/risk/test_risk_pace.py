"""How quickly is traded: cancels, messages, fills, round trips, and the same order twice."""

from typing import Any

import pytest

from schema.orders import OrderCanceled, OrderDenied
from schema.trading import CancelIntent, LimitBreached
from schema.units import DAY_NS, SECOND_NS
from tests.services.risk.risk_desk import BTC, ETH, MARK, NOON_NS, ONE, SELL, Desk

LIMIT: dict[str, Any] = {"order_type": "limit", "limit_px": MARK}


def cancel(desk: Desk) -> None:
    desk.tell(
        CancelIntent(ts_event=desk.now_ns, client_order_id="a" * 32, strategy="t", symbol=BTC)
    )


def told(desk: Desk) -> list[tuple[str, str, bool]]:
    found = [one for one in desk.said if isinstance(one, LimitBreached)]
    return [(one.limit_name, one.scope, one.latched) for one in found]


def test_too_many_cancels_stop_new_risk_and_no_cancel() -> None:
    desk = Desk(max_cancel_rate=3).open()
    desk.buy(ONE)
    for _ in range(3):
        cancel(desk)
    found = desk.ask(ONE)
    assert (found.code, found.detail) == (
        "RATE_LIMIT_EXCEEDED", "max_cancel_rate=3 window_ms=10000",
    )  # fmt: skip
    cancel(desk)
    assert told(desk) == [("max_cancel_rate", "account", False)]
    assert desk.ask(ONE, **SELL).approved
    desk.wait(10)
    desk.quote()
    assert desk.ask(ONE).approved


def test_messages_of_a_day_are_counted_until_midnight() -> None:
    desk = Desk(max_msgs_per_day=2).open()
    assert desk.ask(ONE).approved
    cancel(desk)
    assert desk.ask(ONE).detail == "msgs=2 max_msgs_per_day=2"
    desk.now_ns = NOON_NS // DAY_NS * DAY_NS + DAY_NS
    desk.quote()
    assert desk.ask(ONE).approved


def test_orders_must_fill_now_and_then() -> None:
    desk = Desk(max_order_to_fill_ratio=2).open()
    first = desk.submit(ONE, **LIMIT)
    assert desk.ask(ONE, **LIMIT).approved
    assert desk.ask(ONE).detail == "orders=2 fills=0 max_order_to_fill_ratio=2"
    desk.fill(first, ONE // 2)
    desk.fill(first, ONE // 2)
    assert desk.ask(ONE).approved


def test_a_strategy_that_goes_round_and_round_pauses() -> None:
    desk = Desk(max_round_trips=2, round_trip_window_ms=60_000).open()
    for _ in range(2):
        desk.buy(ONE)
        desk.fill(desk.submit(ONE, **SELL), ONE)
    assert desk.ask(ONE).detail == "max_round_trips=2 round_trip_window_ms=60000"
    assert told(desk) == [("max_round_trips", "t", False)]
    assert desk.ask(ONE, client_order_id="f" * 32, strategy="u").approved
    desk.wait(60)
    desk.quote()
    assert desk.ask(ONE).approved


def test_half_a_way_back_is_no_round_trip() -> None:
    desk = Desk(max_round_trips=1).open()
    desk.buy(2 * ONE)
    desk.fill(desk.submit(ONE, **SELL), ONE)
    assert desk.ask(ONE).approved


def test_the_same_order_is_refused_for_a_while() -> None:
    desk = Desk(duplicate_order_window_ms=500).open()
    first = desk.intent(ONE, **LIMIT)
    assert desk.verdict(first).approved
    found = desk.ask(ONE, **LIMIT)
    assert found.code == "DUPLICATE_ORDER"
    assert found.detail == (
        f"age_ms=0 duplicate_order_window_ms=500 client_order_id={first.client_order_id}"
    )
    for other in (
        {"qty": ONE // 2, **LIMIT},
        {"order_type": "limit", "limit_px": MARK - 1},
        {"symbol": ETH, **LIMIT},
        {"strategy": "other", **LIMIT},
    ):
        assert desk.ask(**other).approved
    desk.wait(0.5)
    assert desk.ask(ONE, **LIMIT).approved


@pytest.mark.parametrize("sent", [False, True])
def test_an_order_that_came_to_nothing_may_be_asked_for_again(*, sent: bool) -> None:
    desk = Desk(duplicate_order_window_ms=500).open()
    order = desk.submit(ONE, **LIMIT) if sent else desk.intent(ONE, **LIMIT)
    of: dict[str, Any] = {
        "ts_event": 1, "client_order_id": order.client_order_id, "symbol": BTC,
    }  # fmt: skip
    if sent:
        desk.tell(OrderCanceled(**of))
    else:
        desk.verdict(order)
        desk.tell(OrderDenied(**of, code="X", detail="", by="gateway"))
    assert desk.ask(ONE, **LIMIT).approved


def test_a_reduction_is_never_a_duplicate() -> None:
    desk = Desk(duplicate_order_window_ms=500).open()
    desk.buy(2 * ONE)
    assert desk.ask(ONE, **SELL).approved
    assert desk.ask(ONE, **SELL).approved


def test_what_is_told_of_a_pace_is_told_once_in_its_window() -> None:
    desk = Desk(max_cancel_rate=1).open()
    for _ in range(25):
        cancel(desk)
        desk.wait(1)
    assert len(told(desk)) == 3
    assert desk.risk.state.windows.told == {"max_cancel_rate account": NOON_NS + 20 * SECOND_NS}
