"""Brackets and entries that wait: what the engine says, and what it does when something comes."""

from typing import Any

import msgspec

from schema.orders import OrderExpired, OrderRejected, OrderTriggered
from schema.trading import CancelIntent, Decision, OrderIntent
from tests.services.engine.engine_desk import Desk, none_ordered, only, restarted
from tests.services.engine.engine_made import PX, SECOND_NS, TTL_NS, engine, instrument, told
from tests.services.engine.engine_made import submitted as sent

WISH = "qty 0.1 stop=59000 take=62000"
HELD = 10_000


def made(*, oco: bool = True, **changes: Any) -> Desk:
    desk = Desk(engine(made=(told(**changes),))).open()
    desk.hear(instrument(oco=oco))
    return desk


def orders(said: Any) -> list[OrderIntent]:
    return [m for m in said if isinstance(m, OrderIntent)]


def entered(desk: Desk, wish: str = WISH) -> list[OrderIntent]:
    """Enter and fill; return what is said to protect it, not answered yet."""
    entry = only(desk.wants(wish), OrderIntent)
    desk.accept(entry)
    return orders(desk.fill(entry))


def bracketed(desk: Desk, wish: str = WISH) -> tuple[OrderIntent, OrderIntent]:
    """Return stop and target of a position, both accepted."""
    stop, target = entered(desk, wish)
    desk.accept(stop)
    desk.accept(target)
    return stop, target


def test_stop_and_take_are_said_in_one_turn_and_each_names_the_other() -> None:
    stop, target = entered(made())
    assert (stop.leg, stop.order_type, stop.stop_px, stop.limit_px) == (
        "stop", "stop", 5_900_000, 0,
    )  # fmt: skip
    assert (target.leg, target.order_type, target.limit_px, target.stop_px) == (
        "target", "limit_maker", 6_200_000, 0,
    )  # fmt: skip
    assert (stop.oco, target.oco) == (target.client_order_id, stop.client_order_id)
    for leg in (stop, target):
        assert (leg.side, leg.qty, leg.reduce_only, leg.time_in_force) == (
            "sell", HELD, True, "GTC",
        )  # fmt: skip


def test_where_the_exchange_takes_no_pairs_the_stop_rests_alone() -> None:
    (stop,) = entered(made(oco=False))
    assert (stop.leg, stop.oco) == ("stop", "")


def test_a_pair_whose_target_passes_no_filter_is_a_stop_alone() -> None:
    desk = made()
    desk.hear(instrument(oco=True, max_px=6_150_000))
    (stop,) = entered(desk)
    assert (stop.leg, stop.oco) == ("stop", "")
    desk.accept(stop)
    assert none_ordered(desk.pass_time(10 * TTL_NS, PX))


def test_a_short_has_a_stop_that_rests_and_a_take_that_is_watched() -> None:
    desk = made(short=True)
    (stop,) = entered(desk, "qty -0.1 stop=61000 take=58000")
    assert (stop.leg, stop.side, stop.oco) == ("stop", "buy", "")
    desk.accept(stop)
    cancel = only(desk.pass_time(SECOND_NS, 5_799_000), CancelIntent)
    assert cancel.client_order_id == stop.client_order_id


def test_a_take_alone_rests_as_a_limit_that_only_reduces() -> None:
    (target,) = entered(made(oco=False), "qty 0.1 take=62000")
    assert (target.leg, target.order_type, target.limit_px) == ("target", "limit", 6_200_000)
    assert (target.side, target.qty, target.reduce_only, target.oco) == ("sell", HELD, True, "")


def test_an_entry_names_the_price_at_which_it_is_given_up() -> None:
    desk = made()
    assert only(desk.wants(WISH), OrderIntent).protect_px == 5_900_000
    assert only(made().wants("qty 0.1"), OrderIntent).protect_px == 0
    stop, target = bracketed(made())
    assert (stop.protect_px, target.protect_px) == (0, 0)


def test_a_trailing_stop_replaces_the_pair_by_one_cancel() -> None:
    desk = made()
    stop, target = bracketed(desk)
    cancel = only(desk.wants("qty 0.1 stop=59500 take=62000"), CancelIntent)
    assert cancel.client_order_id == stop.client_order_id
    assert none_ordered(desk.cancel(stop.client_order_id))  # The other one is still open.
    again = orders(desk.cancel(target.client_order_id))
    assert [(m.leg, m.stop_px or m.limit_px) for m in again] == [
        ("stop", 5_950_000), ("target", 6_200_000),
    ]  # fmt: skip
    for n in range(20):
        for leg in again:
            desk.accept(leg)
        desk.wants(f"qty 0.1 stop={59_501 + n} take=62000")
        desk.cancel(again[0].client_order_id)
        again = orders(desk.cancel(again[1].client_order_id))
    assert len(desk.core.state.books.orders) == 3  # The entry and the newest pair.


def test_a_target_that_fills_ends_the_position_as_a_take() -> None:
    desk = made()
    stop, target = bracketed(desk)
    assert none_ordered(desk.tell(OrderExpired, stop.client_order_id))
    said = desk.fill(target, px=6_200_000)
    assert (only(said, Decision).action, only(said, Decision).reason) == ("exit", "take")
    assert none_ordered(said)
    assert none_ordered(desk.pass_time(30 * TTL_NS, 6_200_000))
    assert desk.held() == 0


def test_a_target_that_stops_half_way_is_protected_anew_in_time() -> None:
    desk = made()
    stop, target = bracketed(desk)
    desk.tell(OrderExpired, stop.client_order_id)
    assert none_ordered(desk.fill(target, HELD // 2, px=6_200_000))
    cancel = only(desk.pass_time(TTL_NS, 6_190_000), CancelIntent)
    assert cancel.client_order_id == target.client_order_id
    said = orders(desk.cancel(target.client_order_id))
    assert [(m.leg, m.qty) for m in said] == [("stop", HELD // 2), ("target", HELD // 2)]


def test_a_stop_that_is_done_ends_the_position_and_the_target_goes() -> None:
    desk = made()
    stop, target = bracketed(desk)
    desk.tell(OrderExpired, target.client_order_id)
    desk.tell(OrderTriggered, stop.client_order_id)
    said = desk.fill(stop, px=5_899_000)
    assert only(said, Decision).reason == "stop"
    assert none_ordered(desk.pass_time(30 * TTL_NS, PX))


def test_a_pair_that_is_denied_leaves_a_stop_alone_and_a_take_that_is_watched() -> None:
    desk = made()
    stop, target = entered(desk)
    assert none_ordered(desk.deny(stop.client_order_id))
    lone = only(desk.deny(target.client_order_id, "CONTINGENT_DENIED"), OrderIntent)
    assert (lone.leg, lone.order_type, lone.oco) == ("stop", "stop", "")
    desk.accept(lone)
    assert none_ordered(desk.pass_time(30 * TTL_NS, PX))
    assert only(desk.pass_time(SECOND_NS, 6_200_100), CancelIntent).reason
    exit_ = only(desk.cancel(lone.client_order_id), OrderIntent)
    assert (exit_.leg, exit_.order_type) == ("exit", "market")


def test_a_pair_that_is_refused_because_the_price_is_there_closes_at_once() -> None:
    desk = made()
    stop, target = entered(desk)
    for leg in (stop, target):
        desk.hear(sent(leg, desk.now_ns))
    desk.pass_time(0, 6_200_100)
    for leg in (stop, target):
        said = desk.tell(OrderRejected, leg.client_order_id, code="-2010")
    assert [m.leg for m in orders(said)] == ["exit"]
    assert desk.slot().qty == 0


def test_a_lone_stop_of_the_gateway_is_taken_as_the_slots_and_becomes_a_pair() -> None:
    desk = made()
    entry = only(desk.wants(WISH), OrderIntent)
    desk.accept(entry)
    stop, target = orders(desk.fill(entry))
    own = msgspec.structs.replace(
        stop, client_order_id="f" * 32, oco="", parent=entry.client_order_id
    )
    desk = _revived(desk, stop, target)
    record = sent(own, desk.now_ns)
    verdict = msgspec.structs.replace(record.verdict, by="gateway")
    desk.hear(msgspec.structs.replace(record, verdict=verdict))
    cancel = only(desk.accept(own), CancelIntent)
    assert cancel.client_order_id == own.client_order_id
    assert [m.leg for m in orders(desk.cancel(own.client_order_id))] == ["stop", "target"]


def _revived(desk: Desk, *lost: OrderIntent) -> Desk:
    # Back from a power cut that took what was said last.
    for intent in lost:
        del desk.core.state.books.orders[intent.client_order_id]
    desk.core = restarted(desk.core, engine(made=()))
    return desk


def test_a_strategy_that_is_paused_keeps_its_bracket_and_follows_no_more() -> None:
    desk = made()
    stop, target = bracketed(desk)
    desk.command("pause", "told", "to look")
    assert none_ordered(desk.pass_time(30 * TTL_NS, PX))
    desk.tell(OrderExpired, stop.client_order_id)
    desk.fill(target, HELD // 2, px=6_200_000)
    cancel = only(desk.pass_time(TTL_NS, 6_190_000), CancelIntent)
    assert len(orders(desk.cancel(cancel.client_order_id))) == 2


def test_a_stop_with_a_limit_that_does_not_fill_gives_way_to_the_market() -> None:
    desk = made()
    (stop,) = entered(desk, "qty 0.1 stop=59000 stop_limit=58900")
    assert (stop.order_type, stop.stop_px, stop.limit_px) == ("stop_limit", 5_900_000, 5_890_000)
    desk.accept(stop)
    assert none_ordered(desk.pass_time(SECOND_NS, 5_880_000))
    desk.tell(OrderTriggered, stop.client_order_id)
    said = desk.pass_time(2 * TTL_NS, 5_880_000)
    assert only(said, Decision).reason == "stop"
    assert only(said, CancelIntent).client_order_id == stop.client_order_id
    exit_ = only(desk.cancel(stop.client_order_id), OrderIntent)
    assert (exit_.leg, exit_.order_type, exit_.qty) == ("exit", "market", HELD)


def test_a_bracket_may_have_a_limit_behind_its_stop() -> None:
    stop, target = entered(made(), f"{WISH} stop_limit=58900")
    assert (stop.order_type, target.order_type) == ("stop_limit", "limit_maker")
