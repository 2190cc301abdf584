"""A trailing stop: it follows the market in the position's favour alone, by one request a step."""

from typing import Any

import pytest

from schema.head import Message
from schema.orders import OrderCanceled, OrderPendingCancel, OrderRejected, OrderUnconfirmed
from schema.trading import CancelIntent, OrderIntent
from tests.services.engine.engine_desk import Desk, decisions, none_ordered, only, restarted
from tests.services.engine.engine_made import (
    PX,
    SECOND_NS,
    TTL_NS,
    engine,
    instrument,
    quote,
    submitted,
    told,
)

PAUSE_NS = 10 * SECOND_NS
"""Of one second, at the scale of the desk."""


def trailing(wish: str, *, replaces: bool = True, short: bool = False, **listed: Any) -> Desk:
    """Return a desk that holds what a wish says behind its stop."""
    desk = Desk(engine(made=(told(short=short),))).open()
    desk.hear(instrument(cancel_replace=replaces, **listed))
    desk.take(desk.wants(wish))
    return desk


def stop_px(desk: Desk) -> int:
    """Return where the only stop rests that is open."""
    (stop,) = rest(desk)
    return stop.stop_px


def rest(desk: Desk) -> list[OrderIntent]:
    orders = desk.core.state.books.orders.values()
    return [one.intent for one in orders if one.intent.leg == "stop" and not one.place.terminal]


def moved(desk: Desk, px: int) -> OrderIntent:
    """Let the market come to a price, and return the stop that takes the place of the other."""
    desk.pass_time(PAUSE_NS)
    found: OrderIntent = only(desk.hear(quote(desk.now_ns, px)), OrderIntent)
    return found


def sent(desk: Desk, stop: OrderIntent) -> tuple[Message, Message]:
    """Return what the gateway says when it sends a replacement."""
    old = OrderPendingCancel(
        ts_event=desk.now_ns, client_order_id=stop.replaces, symbol=stop.symbol, reason=""
    )
    return old, submitted(stop, desk.now_ns)


def test_a_trailing_stop_begins_at_its_distance_from_the_market() -> None:
    assert stop_px(trailing("qty 0.05 trail=1000")) == PX - 1 - 100_000
    assert stop_px(trailing("qty 0.05 trail_bps=100")) == PX - 1 - 60_000
    assert stop_px(trailing("qty 0.05 trail=1000 stop=59500")) == 5_950_000
    assert stop_px(trailing("qty -0.05 trail=1000", short=True)) == PX + 1 + 100_000


def test_each_step_is_one_decision_and_one_request_without_a_gap() -> None:
    desk = trailing("qty 0.05 trail=1000")
    (old,) = rest(desk)
    desk.pass_time(PAUSE_NS)
    said = desk.hear(quote(desk.now_ns, PX + 50_000))
    (decision,) = decisions(said)
    assert (decision.action, decision.reason) == ("adjust", "trailing stop")
    assert (decision.stop_px, decision.water_px) == (PX - 50_001, PX + 49_999)
    stop = only(said, OrderIntent)
    assert (stop.replaces, stop.qty, stop.stop_px) == (old.client_order_id, 5_000, PX - 50_001)
    assert (stop.leg, stop.reason, stop.reduce_only) == ("stop", "trailing stop", True)
    assert none_ordered(desk.replace(stop))
    assert rest(desk) == [stop]


def test_a_short_is_followed_by_the_ask_downwards() -> None:
    desk = trailing("qty -0.05 trail=1000", short=True)
    stop = moved(desk, PX - 50_000)
    assert (stop.side, stop.stop_px) == ("buy", PX - 49_999 + 100_000)
    assert none_ordered(desk.hear(quote(desk.now_ns, PX - 20_000)))


def test_it_never_follows_the_market_back() -> None:
    desk = trailing("qty 0.05 trail=1000")
    desk.replace(moved(desk, PX + 50_000))
    for px in (PX + 20_000, PX - 20_000, PX + 49_000):
        desk.pass_time(PAUSE_NS)
        assert none_ordered(desk.hear(quote(desk.now_ns, px)))
    assert stop_px(desk) == PX - 50_001


def test_a_step_that_is_too_small_waits_for_more() -> None:
    desk = trailing("qty 0.05 trail=1000")
    desk.pass_time(PAUSE_NS)
    assert none_ordered(desk.hear(quote(desk.now_ns, PX + 2_900)))
    assert moved(desk, PX + 3_100).stop_px == PX + 3_099 - 100_000


def test_between_two_steps_there_is_a_pause_and_the_best_price_counts_behind_it() -> None:
    desk = trailing("qty 0.05 trail=1000")
    desk.replace(moved(desk, PX + 20_000))
    assert none_ordered(desk.hear(quote(desk.now_ns + 1, PX + 50_000)))
    assert none_ordered(desk.hear(quote(desk.now_ns + 2, PX + 30_000)))
    stop = only(desk.pass_time(PAUSE_NS), OrderIntent)
    assert stop.stop_px == PX + 49_999 - 100_000


def test_it_begins_to_trail_once_the_market_has_come_so_far() -> None:
    desk = trailing("qty 0.05 trail=500 trail_from=60600 stop=59000")
    assert stop_px(desk) == 5_900_000
    desk.pass_time(PAUSE_NS)
    assert none_ordered(desk.hear(quote(desk.now_ns, 6_059_000)))
    stop = moved(desk, 6_060_001)
    assert stop.stop_px == 6_060_000 - 50_000


def test_where_no_order_can_be_replaced_it_is_cancelled_and_made_anew() -> None:
    desk = trailing("qty 0.05 trail=1000", replaces=False)
    desk.pass_time(PAUSE_NS)
    cancel = only(desk.hear(quote(desk.now_ns, PX + 50_000)), CancelIntent)
    stop = only(desk.cancel(cancel.client_order_id), OrderIntent)
    assert (stop.stop_px, stop.replaces) == (PX - 50_001, "")


def test_the_same_target_again_leaves_the_stop_where_it_has_come_to() -> None:
    desk = trailing("qty 0.05 trail=1000 stop=59000")
    desk.replace(moved(desk, PX + 50_000))
    said = desk.wants("qty 0.05 trail=1000 stop=59000", PX + 40_000)
    assert {one.action for one in decisions(said)} <= {"hold"}
    assert stop_px(desk) == PX - 50_001


def test_a_wider_trail_does_not_loosen_the_stop() -> None:
    desk = trailing("qty 0.05 trail=1000")
    desk.replace(moved(desk, PX + 50_000))
    desk.take(desk.wants("qty 0.05 trail=2000", PX + 40_000))
    assert stop_px(desk) == PX - 50_001
    desk.take(desk.wants("qty 0.05 stop=59000", PX + 40_000))
    assert stop_px(desk) == 5_900_000


@pytest.mark.parametrize("code", ["REPLACE_TOO_LATE", "UNKNOWN_FILTER"])
def test_a_replacement_that_is_refused_is_done_in_two_steps_only_where_that_is_right(
    code: str,
) -> None:
    desk = trailing("qty 0.05 trail=1000")
    (old,) = rest(desk)
    stop = moved(desk, PX + 50_000)
    said = desk.deny(stop.client_order_id, code)
    if code == "REPLACE_TOO_LATE":
        cancel = only(said, CancelIntent)
        assert cancel.client_order_id == old.client_order_id
        again = only(desk.cancel(old.client_order_id), OrderIntent)
        assert (again.stop_px, again.replaces) == (stop.stop_px, "")
        return
    assert none_ordered(said)  # The old one protects better than none.
    again = only(desk.pass_time(TTL_NS), OrderIntent)
    assert (again.stop_px, again.replaces) == (stop.stop_px, old.client_order_id)


def test_a_new_stop_that_the_exchange_refused_behind_the_old_one_is_made_again_at_once() -> None:
    desk = trailing("qty 0.05 trail=1000")
    stop = moved(desk, PX + 50_000)
    desk.hear(*sent(desk, stop))
    assert none_ordered(desk.tell(OrderCanceled, stop.replaces))
    again = only(desk.tell(OrderRejected, stop.client_order_id, code="-2010"), OrderIntent)
    assert (again.qty, again.stop_px, again.replaces) == (5_000, stop.stop_px, "")


def test_while_its_answer_is_out_nothing_else_is_done() -> None:
    desk = trailing("qty 0.05 trail=1000")
    stop = moved(desk, PX + 50_000)
    desk.hear(*sent(desk, stop))
    desk.tell(OrderUnconfirmed, stop.client_order_id)
    assert none_ordered(desk.hear(quote(desk.now_ns, PX + 90_000)))
    assert none_ordered(desk.pass_time(20 * TTL_NS, PX + 90_000))
    desk.tell(OrderCanceled, stop.replaces)
    again = only(desk.tell(OrderRejected, stop.client_order_id, code="-2013"), OrderIntent)
    assert (again.qty, again.replaces) == (5_000, "")


def test_a_market_that_fell_through_the_stop_that_should_be_is_sold_into() -> None:
    desk = trailing("qty 0.05 trail=1000")
    desk.replace(moved(desk, PX + 20_000))
    desk.hear(quote(desk.now_ns + 1, PX + 150_000))
    desk.hear(quote(desk.now_ns + 2, PX + 20_000))
    said = desk.pass_time(PAUSE_NS, PX + 20_000)
    (moves, ends) = [one for one in decisions(said) if one.action in {"adjust", "exit"}]
    assert (moves.stop_px, ends.reason) == (PX + 49_999, "trailing stop")


def test_what_its_stop_sold_is_told_as_a_trailing_stop() -> None:
    desk = trailing("qty 0.05 trail=1000")
    (stop,) = rest(desk)
    (ends,) = decisions(desk.fill(stop, px=stop.stop_px))
    assert (ends.action, ends.reason) == ("exit", "trailing stop")


@pytest.mark.parametrize("exact", [True, False])
def test_a_restart_goes_on_from_the_best_price_that_its_stop_has_followed(*, exact: bool) -> None:
    desk = trailing("qty 0.05 trail=1000")
    desk.replace(moved(desk, PX + 50_000))
    desk.core = restarted(desk.core, engine(made=()))
    if not exact:
        desk.core.state.windows.waters.clear()
    desk.pass_time(PAUSE_NS)
    assert none_ordered(desk.hear(quote(desk.now_ns, PX - 40_000)))
    assert desk.slot().water_px == PX + 49_999
    assert moved(desk, PX + 60_000).stop_px == PX + 59_999 - 100_000


def test_no_trailing_stop_is_a_half_of_a_pair() -> None:
    desk = trailing("qty 0.05 trail=1000 take=62000", oco=True)
    (stop,) = rest(desk)
    assert stop.oco == ""
    assert decisions(desk.hear(quote(desk.now_ns, 6_200_002)))[-1].reason == "take"


def test_the_position_after_is_not_followed_by_the_best_price_of_the_one_before() -> None:
    desk = trailing("qty 0.05 trail=1000")
    desk.replace(moved(desk, PX + 50_000))
    (stop,) = rest(desk)
    desk.fill(stop, px=stop.stop_px)
    desk.take(desk.wants("qty 0.05 trail=1000"))
    assert stop_px(desk) == PX - 1 - 100_000
