"""Laws of steering: whatever the gateway says in whatever order, and however time passes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from schema.lifecycle import Place
from schema.orders import OrderCanceled
from schema.trading import CancelIntent
from tests.services.engine.engine_desk import Desk
from tests.services.engine.engine_made import PX, SECOND_NS, TTL_NS
from tests.services.engine.engine_walk import REDUCING, Doing, Walk, doings, live, position


@settings(max_examples=50, deadline=None)
@given(doings, st.booleans(), st.booleans(), st.booleans())
def test_no_more_is_entered_than_is_wanted_and_no_exit_exceeds_the_position(
    found: list[Doing], short: object, oco: object, replaces: object
) -> None:
    walk = Walk(short=bool(short), oco=bool(oco), replaces=bool(replaces))
    for doing in found:
        before = len(walk.desk.said)
        walk.do(doing)
        walk.check(walk.desk.said[before:])
    cancels = [m.client_order_id for m in walk.desk.said if isinstance(m, CancelIntent)]
    assert set(cancels) <= {order.client_order_id for order in walk.desk.orders()}


def served(desk: Desk) -> None:
    """Answer all that is open, and what that leads to, as an exchange does at once."""
    for _ in range(8):
        said = desk.pass_time(5 * TTL_NS + SECOND_NS, PX)
        for order in live(desk, "entry", *REDUCING):
            if order.place.terminal:  # By what was just told of the other one.
                continue
            if order.cancel_asked:
                said += desk.cancel(order.intent.client_order_id)
            elif order.place == Place():
                said += desk.take([order.intent])
        desk.take(said)


@settings(max_examples=25, deadline=None)
@given(doings, st.booleans(), st.booleans())
def test_in_the_end_it_holds_what_is_wanted_behind_one_stop(
    found: list[Doing], oco: object, replaces: object
) -> None:
    walk = Walk(short=True, oco=bool(oco), replaces=bool(replaces))
    for doing in found:
        walk.do(doing)
    desk = walk.desk
    for order in live(desk, "entry", *REDUCING):
        desk.tell(OrderCanceled, order.intent.client_order_id)
    walk.px = PX
    desk.command("resume", "told", "why")
    desk.wants("flat", PX)
    served(desk)
    assert position(desk) == 0
    desk.wants("qty 0.05 stop=59000", PX)
    served(desk)
    assert position(desk) == 5_000
    (stop,) = live(desk, "entry", *REDUCING)
    assert (stop.intent.leg, stop.left, stop.intent.stop_px) == ("stop", 5_000, 5_900_000)
    desk.wants("qty 0.05 stop=59000 take=62000", PX)
    served(desk)
    legs = {order.intent.client_order_id: order for order in live(desk, "entry", *REDUCING)}
    assert [(order.intent.leg, order.left) for order in legs.values()][: 1 + bool(oco)] == [
        ("stop", 5_000), ("target", 5_000),
    ][: len(legs)]  # fmt: skip
    assert len(legs) == 1 + bool(oco)
    assert not oco or all(order.intent.oco in legs for order in legs.values())
