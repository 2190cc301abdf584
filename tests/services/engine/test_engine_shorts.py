"""Positions below zero: who may have them, and that all holds for them with the sides exchanged."""

from typing import Any

import pytest

from schema.identity import client_order_id
from schema.orders import KillLevel
from schema.trading import CancelIntent, Decision, OrderIntent
from tests.services.engine.engine_desk import Desk, decisions, none_ordered, only
from tests.services.engine.engine_made import (
    MINUTE_NS,
    PX,
    SYMBOL,
    TTL_NS,
    WORLD,
    engine,
    quote,
    told,
)


def desk_of(**changes: Any) -> Desk:
    return Desk(engine(made=(told(**{"short": True} | changes),))).open()


def entered(desk: Desk, wish: str) -> tuple[OrderIntent, list[OrderIntent]]:
    """Enter and fill; return the entry and its stop, if it has one."""
    entry = only(desk.wants(wish), OrderIntent)
    desk.accept(entry)
    stops = [m for m in desk.fill(entry) if isinstance(m, OrderIntent)]
    for stop in stops:
        desk.accept(stop)
    return entry, stops


def test_a_short_is_refused_where_it_is_not_allowed() -> None:
    desk = desk_of(short=False)
    refused = only(desk.wants("weight -0.5"), Decision)
    assert refused.action == "refuse"
    assert refused.reason == "a short: `short` of the strategy is not set, and this is spot"
    assert desk.slot().qty == 0


def test_a_short_is_sold_and_its_stop_buys_above() -> None:
    desk = desk_of()
    entry, (stop,) = entered(desk, "weight -0.5 stop=61000.001 take=59000.009")
    assert (entry.leg, entry.side, entry.qty) == ("entry", "sell", 5_000 * 10**7 // PX)
    assert not entry.reduce_only
    assert (stop.side, stop.qty, stop.stop_px) == ("buy", entry.qty, 6_100_001)
    assert stop.reduce_only
    assert desk.slot().take_px == 5_900_000
    assert desk.held("told") * 10**5 == -entry.qty
    shown = dict(only(desk.wants("keep"), Decision).notes)
    assert shown["position"] == f"{-entry.qty / 10**5:.6g}"
    assert (shown["average"], shown["equity"]) == ("60000", "10000")


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ("weight 0.5 stop=60000", "its stop 60000 is passed at 60000"),
        ("weight 0.5 take=60000", "its take 60000 is passed at 60000"),
        ("weight 0.5 limit=59000 stop=59500", "its stop 59500 is passed at 59000"),
        ("weight -0.5 stop=59000", "its stop 59000 is passed at 60000"),
        ("weight -0.5 take=61000", "its take 61000 is passed at 60000"),
    ],
)
def test_what_would_end_at_once_is_not_begun(wish: str, why: str) -> None:
    desk = desk_of()
    refused = only(desk.wants(wish), Decision)
    assert (refused.action, refused.reason) == ("refuse", why)
    entered(desk, "weight 0.5 stop=59000" if "-" in wish else "weight -0.5 stop=61000")
    found = [d.action for d in decisions(desk.wants(f"{wish} why=turn"))]
    assert found == ["exit", "refuse"]  # The other side is wanted no more.


def test_what_is_held_is_given_up_where_its_new_stop_was_passed() -> None:
    desk = desk_of()
    entry = only(desk.wants("weight 0.5 limit=60100 stop=59000"), OrderIntent)
    desk.accept(entry)
    desk.accept(only(desk.fill(entry), OrderIntent))
    said = desk.wants("weight 0.5 limit=60100 stop=60500", 6_100_000)
    assert only(said, Decision).action == "adjust"  # It follows beyond where it was bought.
    desk.take(said)
    assert only(desk.wants("weight 0.5 limit=60100 stop=60400"), Decision).reason == "stop"


def test_a_short_limit_waits_above_the_market() -> None:
    entry = only(desk_of().wants("weight -0.5 limit=60100.001"), OrderIntent)
    assert (entry.side, entry.order_type, entry.limit_px) == ("sell", "limit", 6_010_001)


@pytest.mark.parametrize(("px", "why"), [(5_899_998, "take"), (6_100_000, "stop")])
def test_a_short_ends_at_its_take_and_at_its_stop(px: int, why: str) -> None:
    desk = desk_of()
    _, (stop,) = entered(desk, "weight -0.5 stop=61000 take=59000")
    if why == "stop":
        said = desk.fill(stop, px=px)
        assert none_ordered(said)
    else:
        said = desk.hear(quote(desk.now_ns, px))
        exit_ = only(desk.cancel(only(said, CancelIntent).client_order_id), OrderIntent)
        assert (exit_.leg, exit_.side, exit_.qty) == ("exit", "buy", stop.qty)
    assert only(said, Decision).reason == why


def test_a_short_is_resized_in_both_directions() -> None:
    desk = desk_of()
    entered(desk, "qty -0.05")
    more = only(desk.wants("qty -0.08"), OrderIntent)
    assert (more.leg, more.side, more.qty) == ("entry", "sell", 3_000)
    desk.take([more])
    less = only(desk.wants("qty -0.02"), OrderIntent)
    assert (less.leg, less.side, less.qty) == ("exit", "buy", 6_000)
    desk.take([less])
    assert desk.held("told") * 10**5 == -2_000


def test_a_flip_is_an_exit_and_then_an_entry_that_is_sized_anew() -> None:
    desk = desk_of()
    entry, (stop,) = entered(desk, "weight 1 stop=59000")
    said = desk.wants("weight -1 stop=61000 why=down", 5_950_000)
    assert [(d.action, d.reason) for d in decisions(said)] == [("enter", "down")]
    assert only(said, CancelIntent).client_order_id == stop.client_order_id
    exit_ = only(desk.cancel(stop.client_order_id), OrderIntent)
    assert (exit_.leg, exit_.side, exit_.qty) == ("exit", "sell", entry.qty)
    desk.accept(exit_)
    short = only(desk.fill(exit_, px=5_000_000), OrderIntent)
    assert (short.leg, short.side) == ("entry", "sell")
    worth = 10_000 * 10**7 - entry.qty * 1_000_000
    assert short.qty == worth * 100 // (101 * 5_950_000)  # Not what was decided: it lost by then.
    desk.accept(short)
    assert only(desk.fill(short), OrderIntent).stop_px == 6_100_000
    assert len({o.client_order_id for o in desk.orders()}) == len(desk.orders()) == 5


def test_a_flip_back_buys_both_sides_with_the_cash_there_is() -> None:
    desk = desk_of()
    entered(desk, "qty -0.1")
    exit_ = only(desk.wants("weight 1"), OrderIntent)
    assert (exit_.leg, exit_.side, exit_.qty) == ("exit", "buy", 10_000)
    desk.accept(exit_)
    entry = only(desk.fill(exit_), OrderIntent)
    assert (entry.leg, entry.side) == ("entry", "buy")
    assert entry.qty * (PX + 1) <= 10_000 * 10**7


def test_a_flip_at_a_closed_gate_exits_at_least() -> None:
    desk = desk_of()
    entry, _ = entered(desk, "weight 0.5")
    desk.hear(KillLevel(ts_event=1, level="REDUCING", by="me", reason="drill"))
    said = desk.wants("weight -0.5 why=down")
    assert [(d.action, d.reason) for d in decisions(said)] == [
        ("exit", "down"), ("refuse", "kill level REDUCING: drill"),
    ]  # fmt: skip
    exit_ = only(said, OrderIntent)
    assert (exit_.leg, exit_.qty) == ("exit", entry.qty)
    desk.accept(exit_)
    assert none_ordered(desk.fill(exit_))
    assert none_ordered(desk.pass_time(5 * TTL_NS, PX))


def test_a_flip_without_a_short_exits_nothing() -> None:
    desk = desk_of(short=False)
    entered(desk, "weight 0.5")
    said = desk.wants("weight -0.5")
    assert only(said, Decision).action == "refuse"
    assert none_ordered(said)


def test_a_gate_that_closes_within_a_flip_leaves_it_flat() -> None:
    desk = desk_of()
    entered(desk, "weight 0.5")
    exit_ = only(desk.wants("weight -0.5"), OrderIntent)
    desk.accept(exit_)
    desk.hear(KillLevel(ts_event=1, level="HALTED", by="me", reason="drill"))
    said = desk.fill(exit_)
    assert none_ordered(said)
    assert only(said, Decision).reason == "entry: kill level HALTED: drill"
    said = desk.pass_time(2 * TTL_NS, PX)
    assert only(said, Decision).reason == "the entry was not said in time"
    assert desk.slot().qty == desk.held("told") == 0


def test_nobody_opens_the_other_side_of_what_another_holds() -> None:
    desk = Desk(engine(made=(told(), told("other", short=True)))).open()
    desk.take(desk.wants("told:qty 0.05"))
    refused = only(desk.wants("other:qty -0.05"), Decision)
    assert (refused.action, refused.reason) == (
        "refuse", f"told is on the other side of {SYMBOL}",
    )  # fmt: skip
    desk.take(desk.wants("told:flat"))
    assert only(desk.wants("other:qty -0.05"), OrderIntent).side == "sell"


def test_a_short_beside_the_dust_of_another_is_protected_and_closed() -> None:
    desk = Desk(engine(made=(told(short=True), told("other")))).open()
    begun = only(desk.wants("other:qty 0.05"), OrderIntent)
    desk.accept(begun)
    desk.fill(begun, 3)  # Too little to be sold again.
    desk.cancel(begun.client_order_id)
    _, (stop,) = entered(desk, "told:qty -0.05 stop=61000")
    assert (stop.side, stop.qty) == ("buy", 4_997)  # More than that would open a position.
    desk.wants("told:flat")
    exit_ = only(desk.cancel(stop.client_order_id), OrderIntent)
    assert (exit_.leg, exit_.qty) == ("exit", 4_997)
    desk.take([exit_])
    assert desk.held() == 0
    assert none_ordered(desk.pass_time(MINUTE_NS, PX))
    assert only(desk.wants("other:qty 0.05"), OrderIntent).leg == "entry"


def test_shorts_add_up_to_the_account_with_what_flatten_buys_back() -> None:
    desk = Desk(engine(made=(told(short=True), told("other", short=True)))).open()
    for wish in ("told:qty -0.05", "other:qty -0.03", "told:qty -0.02", "told:qty -0.06"):
        desk.take(desk.wants(wish))
        assert desk.held("told") + desk.held("other") == desk.held()
    assert desk.held() * 100 == -9
    desk.hear(KillLevel(ts_event=desk.now_ns, level="FLATTEN", by="me", reason="enough"))
    sold = desk.orders()[-1]
    order_id = client_order_id(WORLD, "gateway", SYMBOL, "flatten 1", 1)
    desk.hear(desk.filling(sold, 9_000, client_order_id=order_id, side="buy", fee_asset="USDT"))
    assert desk.held() == 0
    desk.hear(KillLevel(ts_event=desk.now_ns, level="ACTIVE", by="me", reason="again"))
    assert none_ordered(desk.pass_time(MINUTE_NS, PX))
    assert desk.held("told") == desk.held("other") == desk.held("gateway") == 0
