"""Orders that are good until a time: ended by the gateway, whatever else goes on."""

from collections.abc import Iterator
from typing import Any

import pytest

from schema.exchange import AskOrder, SendCancel, SendOrder
from schema.lifecycle import State
from schema.orders import OrderDenied, OrderPendingCancel
from schema.trading import OrderIntent
from services.gateway.wire import order_params
from tests.services.gateway.gateway_desk import Desk, opened
from tests.services.gateway.gateway_words import MS

MINUTE_NS = 60_000 * MS


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from opened()


def dated(desk: Desk, **fields: Any) -> OrderIntent:
    """Return a limit that is good for a minute of market time."""
    own: dict[str, Any] = {"time_in_force": "GTD", "expire_ns": desk.now_ns + MINUTE_NS}
    return desk.limit(**(own | fields))


def test_it_is_cancelled_when_its_time_is_over_and_not_before(desk: Desk) -> None:
    order = desk.place(dated(desk))
    desk.live_ms(5_900)
    assert desk.waits(SendCancel) == 0
    desk.live_ms(200)
    assert desk.of(OrderPendingCancel)[0].reason == "GTD: its time is over"
    desk.put(desk.account.answer(desk.take(SendCancel)))
    assert desk.standing(order) is State.CANCELED


def test_a_timer_ends_it_to_the_moment(desk: Desk) -> None:
    order = desk.place(dated(desk))
    desk.pass_ms(6_000)
    (said,) = desk.of(OrderPendingCancel)
    assert said.ts_event == order.expire_ns


@pytest.mark.parametrize("grade", ["exact", "folded"])
@pytest.mark.parametrize("away_ms", [0, 10_000])
def test_it_is_ended_after_a_restart_too(desk: Desk, grade: str, away_ms: int) -> None:
    order = desk.place(dated(desk))
    desk.now_ns += away_ms * 10 * MS
    desk.restart(grade)
    desk.live_ms(7_000, also=(SendCancel,))
    assert desk.standing(order) is State.CANCELED


@pytest.mark.parametrize("level", ["REDUCING", "HALTED"])
def test_kill_levels_let_it_run_out(desk: Desk, level: str) -> None:
    desk.bought()
    order = desk.place(dated(desk, side="sell", reduce_only=True, limit_px=5_500_000, leg="exit"))
    desk.command("kill", level, "why")
    desk.live_ms(6_200, also=(SendCancel,))
    assert desk.standing(order) is State.CANCELED


def test_a_cancel_that_the_exchange_refuses_is_tried_until_it_is_done(desk: Desk) -> None:
    order = desk.place(dated(desk))
    desk.pass_ms(6_000)
    for _ in range(2):
        cancel = desk.take(SendCancel)
        from_nobody = type(desk.account)().answer(cancel)
        desk.put(from_nobody)
        desk.put(desk.account.answer(desk.take(AskOrder)))
        assert desk.standing(order) is State.PENDING_CANCEL
        desk.live_ms(6_000)
    desk.put(desk.account.answer(desk.take(SendCancel)))
    assert desk.standing(order) is State.CANCELED


def test_what_trades_before_its_end_is_kept(desk: Desk) -> None:
    order = desk.place(dated(desk))
    desk.fill(order, "0.00400")
    desk.live_ms(6_200, also=(SendCancel,))
    assert desk.standing(order) is State.CANCELED
    assert desk.books.positions["BTC/USDT"].n == 400


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"expire_ns": 0}, "EXPIRE_TIME_IN_PAST"),
        ({"expire_ns": 1}, "EXPIRE_TIME_IN_PAST"),
        ({"order_type": "market", "limit_px": 0}, "UNSUPPORTED_TIME_IN_FORCE"),
        ({"time_in_force": "GTC"}, "UNSUPPORTED_TIME_IN_FORCE"),
        ({"time_in_force": "IOC"}, "UNSUPPORTED_TIME_IN_FORCE"),
    ],
)
def test_what_has_no_such_time_is_denied(desk: Desk, fields: dict[str, Any], code: str) -> None:
    desk.approve(dated(desk, **fields))
    assert [said.code for said in desk.of(OrderDenied)] == [code]


def test_one_whose_time_passes_while_it_waits_is_denied(desk: Desk) -> None:
    order = dated(desk, expire_ns=desk.now_ns + 1_000 * MS)
    desk.put(order)
    desk.pass_ms(200)
    desk.put(desk.verdict(order))
    assert [said.code for said in desk.of(OrderDenied)] == ["EXPIRE_TIME_IN_PAST"]
    assert desk.waits(SendOrder) == 0


def test_the_exchange_is_told_good_till_cancelled(desk: Desk) -> None:
    assert order_params(dated(desk))["timeInForce"] == "GTC"
