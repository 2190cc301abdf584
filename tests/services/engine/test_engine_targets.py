"""What becomes of a target: its size in whole lots, what is ordered for it, and what ends it."""

from typing import Any

import pytest

from schema.orders import KillLevel, OrderExpired
from schema.trading import CancelIntent, Decision, OrderIntent
from tests.services.engine.engine_desk import Desk, decisions, none_ordered, only
from tests.services.engine.engine_made import (
    MINUTE_NS,
    PX,
    SECOND_NS,
    SYMBOL,
    TTL_NS,
    engine,
    money,
    quote,
    told,
)

ASK = PX + 1


def made(**changes: Any) -> Desk:
    return Desk(engine(made=(told(**changes),))).open()


def action(said: Any) -> str:
    decision: Decision = only(said, Decision)
    return decision.action


def entered(desk: Desk, wish: str) -> tuple[OrderIntent, OrderIntent | None]:
    """Enter and fill; return the entry and its stop."""
    entry = only(desk.wants(wish), OrderIntent)
    desk.accept(entry)
    stops = [m for m in desk.fill(entry) if isinstance(m, OrderIntent)]
    for stop in stops:
        desk.accept(stop)
    return entry, stops[0] if stops else None


@pytest.mark.parametrize(
    ("wish", "qty"),
    [
        ("weight 0.5", 5_000 * 10**7 // ASK),
        ("notional 1234.5", 12_345 * 10**6 // ASK),
        ("qty 0.012349", 1_234),
        ("qty 0.00001", 0),
        ("weight 1", 10_000 * 10**7 * 100 // (101 * ASK)),
        ("notional 1e9", 10_000 * 10**7 * 100 // (101 * ASK)),
        ("qty 1000", 10_000 * 10**7 * 100 // (101 * ASK)),
        ("notional 3000 limit=50000", 6_000),
    ],
)
def test_a_size_is_whole_lots_and_never_above_the_budget(wish: str, qty: int) -> None:
    said = made().wants(wish)
    assert action(said) == ("enter" if qty else "refuse")
    assert [m.qty for m in said if isinstance(m, OrderIntent)] == ([qty] if qty else [])


def test_a_size_is_never_above_the_cash_of_the_account() -> None:
    desk = Desk(engine(made=(told(budget=1e6), told("other", budget=1e6))))
    desk.open(deposit=False)
    desk.hear(money(desk.now_ns, 1_000))
    said = desk.wants("told:weight 0.0006|other:weight 1")
    first, second = (m for m in said if isinstance(m, OrderIntent))
    assert first.qty == 600 * 10**7 // ASK
    left = 1_000 * 10**7 - first.qty * ASK
    assert second.qty == left * 100 // (101 * ASK)
    for entry in (first, second):
        desk.accept(entry)
        desk.fill(entry)
    assert none_ordered(desk.wants("told:weight 1"))  # What is left buys nothing.


def test_a_size_of_nothing_is_flat() -> None:
    desk = made()
    assert action(desk.wants("weight 0")) == "hold"
    entered(desk, "weight 0.5")
    assert action(desk.wants("qty 0")) == "exit"


def test_a_target_says_its_reason_kind_and_ends() -> None:
    desk = made()
    expires = desk.now_ns + 10 * MINUTE_NS
    wish = f"weight 0.5 stop=59000.001 take=61000.009 expires={expires} why=up"
    decision = only(desk.wants(wish), Decision)
    assert (decision.action, decision.reason, decision.kind, decision.size) == (
        "enter", "up", "weight", 0.5,
    )  # fmt: skip
    assert (decision.stop_px, decision.take_px) == (5_900_000, 6_100_001)
    assert (decision.until_ns, decision.limit_px) == (expires, 0)


def test_the_same_target_again_says_little_and_orders_nothing() -> None:
    desk = made()
    entered(desk, "weight 0.5 stop=59000")
    repeats = [desk.wants("weight 0.5 stop=59000") for _ in range(10)]
    assert all(none_ordered(said) for said in repeats)
    assert [decision.action for said in repeats for decision in decisions(said)] == ["hold"]
    assert desk.slot().stop_px == 5_900_000


def test_a_quantity_that_the_budget_cut_is_the_same_target_again() -> None:
    desk = made()
    entered(desk, "qty 1")
    assert action(desk.wants("qty 1", PX - 50_000)) == "hold"


def test_a_small_move_of_the_price_resizes_nothing() -> None:
    desk = made()
    entered(desk, "weight 0.5")
    assert action(desk.wants("weight 0.5 why=higher", PX * 110 // 100)) == "hold"
    assert action(desk.wants("weight 0.6 why=more")) == "hold"
    assert action(desk.wants("weight 0.61")) == "resize"


def test_another_stop_replaces_the_one_at_the_exchange() -> None:
    desk = made()
    entry, stop = entered(desk, "weight 0.5 stop=59000")
    assert stop is not None
    said = desk.wants("weight 0.5 stop=59500")
    assert action(said) == "adjust"
    assert only(said, CancelIntent).client_order_id == stop.client_order_id
    again = only(desk.cancel(stop.client_order_id), OrderIntent)
    assert (again.leg, again.stop_px, again.qty) == ("stop", 5_950_000, entry.qty)
    desk.accept(again)
    assert only(desk.wants("weight 0.5"), CancelIntent).client_order_id == again.client_order_id
    assert none_ordered(desk.cancel(again.client_order_id))


def test_another_take_or_expiry_is_followed_without_an_order() -> None:
    desk = made()
    entered(desk, "weight 0.5 stop=59000 take=61000")
    said = desk.wants("weight 0.5 stop=59000 take=62000")
    assert action(said) == "adjust"
    assert none_ordered(said)
    assert none_ordered(desk.hear(quote(desk.now_ns, 6_150_000)))
    expires = desk.now_ns + 5 * MINUTE_NS
    assert action(desk.wants(f"weight 0.5 stop=59000 take=62000 expires={expires}")) == "adjust"
    assert only(desk.pass_time(4 * MINUTE_NS, PX), Decision).reason == "the time is over"


def test_more_buys_the_difference_and_the_stop_follows() -> None:
    desk = made()
    entry, stop = entered(desk, "qty 0.04 stop=59000")
    assert stop is not None
    said = desk.wants("qty 0.1 stop=59000")
    assert action(said) == "resize"
    more = only(said, OrderIntent)
    assert (more.leg, more.side, more.qty) == ("entry", "buy", 6_000)
    desk.accept(more)
    assert only(desk.fill(more), CancelIntent).client_order_id == stop.client_order_id
    again = only(desk.cancel(stop.client_order_id), OrderIntent)
    assert (again.leg, again.qty) == ("stop", entry.qty + more.qty)


def test_less_sells_the_difference_behind_its_stop() -> None:
    desk = made()
    _, stop = entered(desk, "qty 0.1 stop=59000")
    assert stop is not None
    said = desk.wants("qty 0.04 stop=59000")
    assert action(said) == "resize"
    assert only(said, CancelIntent).client_order_id == stop.client_order_id
    less = only(desk.cancel(stop.client_order_id), OrderIntent)
    assert (less.leg, less.side, less.qty, less.reduce_only) == ("exit", "sell", 6_000, True)
    desk.accept(less)
    again = only(desk.fill(less), OrderIntent)
    assert (again.leg, again.qty) == ("stop", 4_000)


def test_next_to_nothing_is_an_exit_and_a_refusal() -> None:
    desk = made()
    entered(desk, "qty 0.1")
    said = desk.wants("qty 0.00002")
    assert [decision.action for decision in decisions(said)] == ["exit", "refuse"]
    assert only(said, OrderIntent).qty == 10_000


def test_more_that_is_denied_leaves_what_is_there() -> None:
    desk = made()
    entry, stop = entered(desk, "qty 0.04 stop=59000")
    assert stop is not None
    more = only(desk.wants("qty 0.1 stop=59000"), OrderIntent)
    assert none_ordered(desk.deny(more.client_order_id, "MAX_POSITION_EXCEEDED"))
    assert none_ordered(desk.pass_time(5 * TTL_NS, PX))
    assert (desk.slot().qty, desk.slot().stop_px) == (entry.qty, stop.stop_px)
    again = only(desk.wants("qty 0.1 stop=59000"), OrderIntent)
    assert (again.leg, again.qty) == ("entry", 6_000)


@pytest.mark.parametrize("px", [6_100_000, 6_200_000])
def test_a_take_closes_the_position(px: int) -> None:
    desk = made()
    _, stop = entered(desk, "weight 0.5 stop=59000 take=61000")
    assert stop is not None
    assert none_ordered(desk.hear(quote(desk.now_ns, 6_100_000)))  # The bid is just below it.
    said = desk.hear(quote(desk.now_ns, px + 1))
    assert only(said, Decision).reason == "take"
    assert only(said, CancelIntent).client_order_id == stop.client_order_id
    assert only(desk.cancel(stop.client_order_id), OrderIntent).leg == "exit"


def test_a_target_whose_time_is_over_is_refused() -> None:
    desk = made()
    said = desk.wants(f"weight 0.5 expires={desk.now_ns}")
    assert only(said, Decision).reason == "its time is over before it begins"
    assert none_ordered(said)


WAITING = "weight 0.5 limit=59000"


def waiting(desk: Desk, wish: str = WAITING) -> OrderIntent:
    entry: OrderIntent = only(desk.wants(wish), OrderIntent)
    desk.accept(entry)
    return entry


def test_a_limit_waits_at_its_price_and_the_same_target_leaves_it() -> None:
    desk = made()
    entry = waiting(desk)
    assert (entry.order_type, entry.limit_px, entry.time_in_force) == ("limit", 5_900_000, "GTC")
    assert entry.qty == 5_000 * 10**7 // 5_900_000
    assert all(none_ordered(desk.wants(WAITING)) for _ in range(30))
    desk.fill(entry, px=5_900_000)
    assert desk.held("told") > 0
    assert none_ordered(desk.wants(WAITING))


ENDS = [
    ("flat", lambda d: d.wants("flat")),
    ("pause", lambda d: d.command("pause", "told", "look") and d.hear(quote(d.now_ns))),
    ("retire", lambda d: d.command("retire", "told", "gone") and d.hear(quote(d.now_ns))),
    ("failure", lambda d: [*d.wants("weight 7"), *d.hear(quote(d.now_ns))]),
    ("close", lambda d: d.hear(quote(d.now_ns)) + d.wants("flat")),
    ("short", lambda d: d.wants("weight 0.00001")),
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: str(end[0]))
def test_an_entry_that_waits_is_cancelled_when_it_is_not_wanted(end: tuple[str, Any]) -> None:
    desk = made()
    entry = waiting(desk)
    assert only(end[1](desk), CancelIntent).client_order_id == entry.client_order_id
    assert none_ordered(desk.cancel(entry.client_order_id))
    assert none_ordered(desk.pass_time(10 * TTL_NS, PX))
    assert desk.slot().qty == 0


def test_an_entry_that_waits_is_cancelled_when_its_time_is_over() -> None:
    desk = made()
    entry = waiting(desk, f"{WAITING} expires={desk.now_ns + 5 * MINUTE_NS}")
    said = desk.pass_time(5 * MINUTE_NS)
    assert only(said, Decision).reason == "the time is over"
    assert only(said, CancelIntent).client_order_id == entry.client_order_id


@pytest.mark.parametrize("wish", ["weight 0.5 limit=59500", "weight 0.9 limit=59000", "qty 0.01"])
def test_another_target_takes_the_place_of_an_entry_that_waits(wish: str) -> None:
    desk = made()
    entry = waiting(desk)
    said = desk.wants(wish)
    assert action(said) == "enter"
    assert only(said, CancelIntent).client_order_id == entry.client_order_id
    again = only(desk.cancel(entry.client_order_id), OrderIntent)
    assert (again.leg, again.qty) == ("entry", desk.slot().qty)
    desk.accept(again)
    desk.fill(again)
    assert none_ordered(desk.pass_time(2 * SECOND_NS, PX))
    assert desk.held("told") * 10**5 == again.qty


def test_an_entry_that_waited_and_expired_leaves_the_slot_flat() -> None:
    desk = made()
    entry = waiting(desk)
    assert none_ordered(desk.tell(OrderExpired, entry.client_order_id))
    assert desk.slot().qty == 0


@pytest.mark.parametrize("wish", ["weight 0.9 stop=58000", "weight 0.9 stop=59000"])
def test_more_is_refused_at_a_closed_gate_and_its_stop_is_followed(wish: str) -> None:
    desk = made()
    entered(desk, "weight 0.5 stop=59000")
    desk.hear(KillLevel(ts_event=1, level="REDUCING", by="me", reason="drill"))
    said = desk.wants(wish)
    actions = [decision.action for decision in decisions(said)]
    assert actions == (["adjust", "refuse"] if "58000" in wish else ["refuse"])
    assert decisions(said)[-1].reason == "kill level REDUCING: drill"
    assert not [m for m in said if isinstance(m, OrderIntent)]
    assert action(desk.wants("weight 0.2 stop=59000")) == "resize"


def test_a_symbol_that_is_not_listed_yet_is_refused() -> None:
    desk = made()
    desk.core.state.windows.instruments.clear()
    assert only(desk.wants("weight 0.5"), Decision).reason == f"{SYMBOL} is not known yet"
