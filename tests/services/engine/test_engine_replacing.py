"""One order in another's place: moves of stops, takes and waiting entries, and their races."""

import pytest

from schema.orders import (
    OrderAccepted,
    OrderCanceled,
    OrderCancelRejected,
    OrderPendingCancel,
    OrderRejected,
    OrderUnconfirmed,
)
from schema.strategy import Offer
from schema.trading import CancelIntent, OrderIntent
from tests.services.engine.engine_desk import Desk, decisions, none_ordered, only
from tests.services.engine.engine_made import (
    PX,
    TTL_NS,
    engine,
    instrument,
    submitted,
    told,
    written,
)

WAITS = "qty 0.05 limit=59900"
CHASED = "qty 0.05 limit=59950"
HELD = "qty 0.05 stop=59000"


def desk_of(wish: str = "", *made: Offer) -> Desk:
    """Return a desk whose exchange lets orders be replaced, with one wish done."""
    desk = Desk(engine(made=made or (told(),))).open()
    desk.hear(instrument(cancel_replace=True, oco=True))
    if wish:
        desk.take(desk.wants(wish))
    return desk


def way(desk: Desk, new: OrderIntent) -> None:
    """Let the gateway send a replacement; its answer is out."""
    desk.tell(OrderPendingCancel, new.replaces)
    desk.hear(submitted(new, desk.now_ns))


def open_legs(desk: Desk) -> list[tuple[str, int]]:
    orders = desk.core.state.books.orders.values()
    return [(one.intent.leg, one.left) for one in orders if not one.place.terminal]


def test_another_stop_takes_the_place_of_the_one_at_the_exchange() -> None:
    desk = desk_of(HELD)
    stop = only(desk.wants("qty 0.05 stop=59500"), OrderIntent)
    assert (stop.leg, stop.stop_px, stop.qty) == ("stop", 5_950_000, 5_000)
    assert stop.replaces == desk.orders()[1].client_order_id
    desk.replace(stop)
    assert open_legs(desk) == [("stop", 5_000)]


def test_another_take_alone_takes_the_place_of_the_one_at_the_exchange() -> None:
    desk = desk_of("qty 0.05 take=61000")
    take = only(desk.wants("qty 0.05 take=62000"), OrderIntent)
    assert (take.leg, take.limit_px, bool(take.replaces)) == ("target", 6_200_000, True)


def test_a_half_of_a_pair_is_never_replaced() -> None:
    desk = desk_of("qty 0.05 stop=59000 take=61000")
    said = desk.wants("qty 0.05 stop=59500 take=61000")
    assert only(said, CancelIntent)
    assert not [one for one in said if isinstance(one, OrderIntent)]


def test_a_part_is_sold_beside_the_stop_of_the_rest() -> None:
    desk = desk_of(HELD)
    stop = only(desk.wants("qty 0.02 stop=59000"), OrderIntent)
    assert (stop.leg, stop.qty, bool(stop.replaces)) == ("stop", 2_000, True)
    leaves = only(desk.replace(stop), OrderIntent)
    assert (leaves.leg, leaves.qty) == ("exit", 3_000)
    assert open_legs(desk) == [("stop", 2_000), ("exit", 3_000)]
    desk.accept(leaves)
    assert none_ordered(desk.fill(leaves))
    assert open_legs(desk) == [("stop", 2_000)]


def test_a_stop_that_was_replaced_too_late_for_a_part_is_cancelled_first() -> None:
    desk = desk_of(HELD)
    stop = only(desk.wants("qty 0.02 stop=59000"), OrderIntent)
    cancel = only(desk.deny(stop.client_order_id, "REPLACE_TOO_LATE"), CancelIntent)
    leaves = only(desk.cancel(cancel.client_order_id), OrderIntent)
    assert (leaves.leg, leaves.qty) == ("exit", 3_000)


def test_an_old_stop_that_was_filled_before_leaves_nothing_to_protect() -> None:
    desk = desk_of(HELD)
    old = desk.orders()[-1]
    new = only(desk.wants("qty 0.05 stop=59500"), OrderIntent)
    way(desk, new)
    (ends,) = decisions(desk.fill(old, px=5_900_000))
    assert (ends.action, ends.reason) == ("exit", "stop")
    assert none_ordered(desk.tell(OrderRejected, new.client_order_id, code="-2022"))
    assert open_legs(desk) == []


def test_an_old_stop_that_was_partly_filled_stays_with_what_is_left() -> None:
    desk = desk_of(HELD)
    old = desk.orders()[-1]
    new = only(desk.wants("qty 0.05 stop=59500"), OrderIntent)
    way(desk, new)
    assert none_ordered(desk.fill(old, 2_000, px=5_900_000))
    desk.tell(OrderCancelRejected, old.client_order_id)
    said = desk.tell(OrderRejected, new.client_order_id, code="-2022")
    said += desk.pass_time(TTL_NS)
    assert only(said, CancelIntent).client_order_id == old.client_order_id
    again = only(desk.cancel(old.client_order_id), OrderIntent)
    assert (again.leg, again.qty, again.stop_px) == ("stop", 3_000, 5_950_000)


def test_two_fates_are_told_apart_by_the_evidence_of_each() -> None:
    desk = desk_of(HELD)
    old = desk.orders()[-1]
    new = only(desk.wants("qty 0.05 stop=59500"), OrderIntent)
    way(desk, new)
    desk.tell(OrderUnconfirmed, new.client_order_id)
    desk.tell(OrderAccepted, new.client_order_id, venue_order_id="2")
    assert none_ordered(desk.pass_time(TTL_NS))  # What it replaced is still asked for.
    assert none_ordered(desk.tell(OrderCanceled, old.client_order_id))
    assert open_legs(desk) == [("stop", 5_000)]


def test_both_orders_alive_against_all_rules_become_one() -> None:
    desk = desk_of(HELD)
    old = desk.orders()[-1]
    new = only(desk.wants("qty 0.05 stop=59500"), OrderIntent)
    said = desk.accept(new)
    assert only(said, CancelIntent).client_order_id == old.client_order_id


def test_a_replacement_that_was_never_answered_is_made_again() -> None:
    desk = desk_of(HELD)
    old = desk.orders()[-1]
    new = only(desk.wants("qty 0.05 stop=59500"), OrderIntent)
    (again,) = [one for one in desk.pass_time(25 * TTL_NS, PX) if isinstance(one, OrderIntent)]
    assert (again.replaces, again.stop_px) == (old.client_order_id, new.stop_px)


def test_flat_is_wanted_while_a_replacement_is_on_its_way() -> None:
    desk = desk_of(HELD)
    new = only(desk.wants("qty 0.05 stop=59500"), OrderIntent)
    way(desk, new)
    assert none_ordered(desk.wants("flat"))
    desk.tell(OrderCanceled, new.replaces)
    said = desk.tell(OrderAccepted, new.client_order_id, venue_order_id="2")
    leaves = only(desk.cancel(only(said, CancelIntent).client_order_id), OrderIntent)
    assert (leaves.leg, leaves.qty) == ("exit", 5_000)


def test_an_entry_that_waits_is_chased_by_one_request() -> None:
    desk = desk_of(WAITS)
    (old,) = desk.orders()
    new = only(desk.wants(CHASED), OrderIntent)
    assert (new.leg, new.limit_px, new.qty) == ("entry", 5_995_000, 5_000)
    assert new.replaces == old.client_order_id
    assert none_ordered(desk.replace(new))
    assert open_legs(desk) == [("entry", 5_000)]
    desk.fill(new, px=5_995_000)
    assert position(desk) == 5_000


def test_an_entry_on_the_other_side_is_cancelled_first() -> None:
    desk = Desk(engine(made=(told(short=True),))).open()
    desk.hear(instrument(cancel_replace=True))
    desk.take(desk.wants(WAITS))
    said = desk.wants("qty -0.05 limit=60100")
    assert only(said, CancelIntent)
    assert not [one for one in said if isinstance(one, OrderIntent)]


@pytest.mark.parametrize("filled", [2_000, 5_000])
def test_what_was_bought_while_it_was_chased_is_kept_and_never_bought_twice(filled: int) -> None:
    desk = desk_of(WAITS)
    (old,) = desk.orders()
    new = only(desk.wants(CHASED + " stop=59000"), OrderIntent)
    desk.fill(old, filled, px=5_990_000)
    said = desk.deny(new.client_order_id, "REPLACE_TOO_LATE")
    for _ in range(4):
        said = desk.take(said) or desk.pass_time(3 * TTL_NS)
        for order in list(desk.core.state.books.orders.values()):
            if order.cancel_asked and not order.place.terminal:
                said += desk.cancel(order.intent.client_order_id)
        desk.take(said)
    bought = [one for one in desk.orders() if one.leg == "entry"]
    books = desk.core.state.books
    entered = sum(books.orders[one.client_order_id].filled for one in bought)
    waits = sum(books.orders[one.client_order_id].left for one in bought)
    assert entered == position(desk)
    assert entered + waits <= 5_000
    assert ("stop", entered) in open_legs(desk)


def test_a_chase_that_risk_denies_gives_the_old_entry_up_and_asks_once_more() -> None:
    desk = desk_of(WAITS)
    new = only(desk.wants(CHASED), OrderIntent)
    assert none_ordered(desk.deny(new.client_order_id, "MAX_POSITION_EXCEEDED"))
    cancel = only(desk.pass_time(TTL_NS), CancelIntent)
    again = only(desk.cancel(cancel.client_order_id), OrderIntent)
    assert again.replaces == ""
    desk.deny(again.client_order_id, "MAX_POSITION_EXCEEDED")
    assert (desk.slot().qty, open_legs(desk)) == (0, [])


LISTENS = """
class Listens(Strategy):
    class State(State):
        denied: list[str] = []

    def on_forecast(self, forecast, view):
        return Target.qty(0.05, limit=float(forecast.source.rstrip(":")))

    def on_denied(self, denial, view):
        self.state.denied.append(denial.code)
"""


def test_a_replacement_that_came_too_late_is_no_news_to_a_strategy() -> None:
    desk = desk_of("", written("listens", LISTENS))
    desk.take(desk.wants("59900:"))
    new = only(desk.wants("59950:"), OrderIntent)
    desk.deny(new.client_order_id, "REPLACE_TOO_LATE")
    assert b"TOO_LATE" not in b"".join(desk.core.state.books.memory.values())


def position(desk: Desk) -> int:
    return int(desk.held() * 10**5)


def test_many_moves_leave_few_orders_in_the_books() -> None:
    desk = desk_of(HELD)
    for n in range(30):
        desk.replace(only(desk.wants(f"qty 0.05 stop={59_001 + n}"), OrderIntent))
    assert len(desk.core.state.books.orders) <= 4
    assert not [one for one in desk.said if isinstance(one, CancelIntent)]
