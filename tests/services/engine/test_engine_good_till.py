"""An entry that is good until a time: the gateway ends it, and the engine takes it for over."""

from schema.orders import OrderCanceled
from schema.trading import CancelIntent, OrderIntent
from schema.units import MINUTE_NS
from tests.services.engine.engine_desk import Desk, decisions, none_ordered, only
from tests.services.engine.engine_made import START_NS, TTL_NS, engine, told

UNTIL_NS = START_NS + 10 * MINUTE_NS


def waiting(wish: str = "limit=59900 stop=59000", until_ns: int = UNTIL_NS) -> Desk:
    desk = Desk(engine(made=(told(),))).open()
    desk.take(desk.wants(f"qty 0.05 {wish} good_till={until_ns}"))
    return desk


def test_the_order_says_until_when_it_is_good() -> None:
    for wish in ("limit=59900", "trigger=61000", "trigger=61000 limit=61100"):
        (entry,) = waiting(wish).orders()
        assert (entry.time_in_force, entry.expire_ns) == ("GTD", UNTIL_NS)
    (entry,) = waiting("limit=59900 post_only=1").orders()
    assert (entry.order_type, entry.time_in_force) == ("limit_maker", "GTD")


def test_what_the_gateway_ended_in_time_is_over_and_not_tried_again() -> None:
    desk = waiting()
    (entry,) = desk.orders()
    desk.now_ns = UNTIL_NS
    assert none_ordered(desk.tell(OrderCanceled, entry.client_order_id))
    assert (desk.slot().qty, desk.slot().why) == (0, "its time is over")
    assert none_ordered(desk.pass_time(TTL_NS))


def test_what_was_bought_until_then_is_kept_behind_its_stop() -> None:
    desk = waiting()
    (entry,) = desk.orders()
    desk.fill(entry, 2_000, px=5_990_000)
    desk.now_ns = UNTIL_NS
    stop = only(desk.tell(OrderCanceled, entry.client_order_id), OrderIntent)
    assert (stop.leg, stop.qty) == ("stop", 2_000)


def test_where_nobody_ends_it_the_engine_does_a_little_later() -> None:
    desk = waiting()
    assert none_ordered(desk.pass_time(UNTIL_NS - desk.now_ns))
    assert only(desk.pass_time(TTL_NS), CancelIntent)


def test_a_time_that_is_past_already_is_refused() -> None:
    (refusal,) = decisions(waiting(until_ns=START_NS).said)
    assert (refusal.action, refusal.reason) == ("refuse", "its time is over before it begins")


def test_another_time_is_another_entry() -> None:
    desk = waiting()
    said = desk.wants(f"qty 0.05 limit=59900 stop=59000 good_till={UNTIL_NS + MINUTE_NS}")
    entry = only(desk.cancel(only(said, CancelIntent).client_order_id), OrderIntent)
    assert entry.expire_ns == UNTIL_NS + MINUTE_NS
