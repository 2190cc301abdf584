"""Ladders: several entries of one decision, several takes, and one stop for what is held."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.orders import OrderCanceled
from schema.trading import CancelIntent, Decision, OrderIntent, Rung
from schema.units import MINUTE_NS
from services.engine.ladders import merged, missing, part_of, split
from tests.services.engine.engine_desk import Desk, decisions, none_ordered, only
from tests.services.engine.engine_made import PX, TTL_NS, engine, instrument, quote, told

LADDER = "qty 0.05 ladder=59900@0.2,59700@0.3,59500@0.5 stop=59000"
TAKES = "qty 0.05 stop=59000 takes=61000@0.5,62000@0.3,63000@0.2"


def desk_of(wish: str, *, replaces: bool = True, short: bool = False, **listed: Any) -> Desk:
    desk = Desk(engine(made=(told(short=short),))).open()
    desk.hear(instrument(cancel_replace=replaces, **listed))
    desk.wants(wish)
    for order in desk.orders():
        desk.accept(order)
    return desk


def open_legs(desk: Desk) -> list[tuple[str, int]]:
    orders = desk.core.state.books.orders.values()
    return [(one.intent.leg, one.left) for one in orders if not one.place.terminal]


def held(desk: Desk) -> int:
    return int(desk.held() * 10**5)


def settled(desk: Desk, said: list[Any]) -> list[Any]:
    """Answer replacements and cancels of what was said, and return what is ordered then."""
    found: list[Any] = []
    for message in said:
        if isinstance(message, CancelIntent):
            found += desk.cancel(message.client_order_id)
        elif isinstance(message, OrderIntent) and message.replaces:
            found += desk.replace(message)
        elif isinstance(message, OrderIntent):
            found += desk.accept(message)
            found += desk.fill(message) if not (message.stop_px or message.limit_px) else []
    return [*said, *settled(desk, found)] if found else list(said)


def test_all_rungs_of_a_ladder_are_said_at_once_and_come_to_what_is_wanted() -> None:
    desk = desk_of(LADDER)
    told_of = [(one.limit_px, one.qty, one.order_type) for one in desk.orders()]
    assert told_of == [
        (5_990_000, 1_000, "limit"), (5_970_000, 1_500, "limit"), (5_950_000, 2_500, "limit"),
    ]  # fmt: skip
    assert len({one.client_order_id for one in desk.orders()}) == 3
    (enters,) = [one for one in decisions(desk.said) if one.action == "enter"]
    assert enters.rungs == ((5_990_000, 1_000), (5_970_000, 1_500), (5_950_000, 2_500))
    assert none_ordered(desk.hear(quote(desk.now_ns, PX - 1)))


def test_its_stop_covers_what_is_held_rung_by_rung() -> None:
    desk = desk_of(LADDER)
    first, second, _ = desk.orders()
    desk.pass_time(3 * TTL_NS)
    stop = only(desk.fill(first, px=5_990_000), OrderIntent)
    assert (stop.leg, stop.qty) == ("stop", 1_000)
    desk.accept(stop)
    bigger = only(desk.fill(second, 700, px=5_970_000), OrderIntent)
    assert (bigger.qty, bigger.replaces) == (1_700, stop.client_order_id)
    desk.replace(bigger)
    assert open_legs(desk) == [("entry", 800), ("entry", 2_500), ("stop", 1_700)]


def test_a_rung_that_is_denied_leaves_the_others() -> None:
    desk = Desk(engine(made=(told(),))).open()
    first, second, third = [m for m in desk.wants(LADDER) if isinstance(m, OrderIntent)]
    desk.accept(second)
    desk.accept(third)
    assert none_ordered(desk.deny(first.client_order_id))
    assert open_legs(desk) == [("entry", 1_500), ("entry", 2_500)]
    assert desk.slot().qty == 5_000
    desk.deny(second.client_order_id)
    desk.tell(OrderCanceled, second.client_order_id)
    desk.tell(OrderCanceled, third.client_order_id)
    assert desk.slot().qty == 0


@pytest.mark.parametrize("end", ["flat", "pause", "expires", "other"])
def test_all_rungs_are_cancelled_together(end: str) -> None:
    extra = f" expires={1_750_000_020_000_000_000 + 60 * MINUTE_NS}" if end == "expires" else ""
    desk = desk_of(LADDER + extra)
    match end:
        case "flat":
            said = desk.wants("flat")
        case "pause":
            desk.command("pause", "told", "why")
            said = desk.hear(quote(desk.now_ns + 1, PX))
        case "expires":
            said = desk.pass_time(61 * MINUTE_NS)
        case _:
            said = desk.wants(LADDER.replace("59900", "59950"))
    wanted = {one.client_order_id for one in desk.orders()[:3]}
    assert {m.client_order_id for m in said if isinstance(m, CancelIntent)} == wanted
    if end == "other":
        again = [m for m in settled(desk, said) if isinstance(m, OrderIntent)]
        assert [one.limit_px for one in again] == [5_995_000, 5_970_000, 5_950_000]


def test_rungs_below_the_smallest_order_join_their_neighbour() -> None:
    desk = desk_of("notional 20 ladder=59900@0.1,59700@0.4,59500@0.5")
    (enters,) = [one for one in decisions(desk.said) if one.action == "enter"]
    assert len(desk.orders()) == 2
    assert sum(one.qty for one in desk.orders()) == enters.qty
    assert ("ladder", "2 of 3 rungs: the others are below the smallest order") in enters.notes


def test_a_ladder_that_is_too_small_as_a_whole_is_refused() -> None:
    desk = desk_of("notional 3 ladder=59900@0.5,59700@0.5")
    (refusal,) = decisions(desk.said)
    assert (refusal.action, desk.orders()) == ("refuse", [])


def test_each_take_sells_its_share_beside_the_stop_of_the_rest() -> None:
    desk = desk_of(TAKES)
    settled(desk, desk.fill(desk.orders()[0]))
    for px, sold, left in ((6_100_002, 2_500, 2_500), (6_200_002, 1_500, 1_000)):
        said = settled(desk, desk.hear(quote(desk.now_ns, px)))
        (part,) = [m for m in said if isinstance(m, Decision)]
        assert (part.action, part.reason, part.qty) == ("adjust", "take", left)
        (leaves,) = [m for m in said if isinstance(m, OrderIntent) and m.leg == "exit"]
        assert (leaves.qty, held(desk)) == (sold, left)
        assert open_legs(desk) == [("stop", left)]
        assert none_ordered(desk.hear(quote(desk.now_ns, px + 5)))
    said = settled(desk, desk.hear(quote(desk.now_ns, 6_300_002)))
    assert [m.reason for m in said if isinstance(m, Decision)] == ["take"]
    assert (held(desk), open_legs(desk)) == (0, [])


def test_a_market_that_jumps_over_two_takes_closes_both_at_once() -> None:
    desk = desk_of(TAKES)
    settled(desk, desk.fill(desk.orders()[0]))
    settled(desk, desk.hear(quote(desk.now_ns, 6_200_002)))
    assert (held(desk), desk.slot().taken) == (1_000, 2)


def test_without_replacing_the_stop_is_cancelled_for_each_part() -> None:
    desk = desk_of(TAKES, replaces=False)
    settled(desk, desk.fill(desk.orders()[0]))
    settled(desk, desk.hear(quote(desk.now_ns, 6_100_002)))
    assert (held(desk), open_legs(desk)) == (2_500, [("stop", 2_500)])


def test_what_takes_have_sold_is_not_bought_again_by_the_same_target() -> None:
    desk = desk_of(TAKES)
    settled(desk, desk.fill(desk.orders()[0]))
    settled(desk, desk.hear(quote(desk.now_ns, 6_100_002)))
    assert none_ordered(desk.wants(TAKES, 6_100_002))
    assert (held(desk), desk.slot().taken) == (2_500, 1)
    settled(desk, desk.wants(TAKES.replace("0.05", "0.04"), 6_050_000))
    assert held(desk) == 4_000  # Another size is another wish.


def test_the_first_take_ends_what_is_still_to_be_entered() -> None:
    desk = desk_of(LADDER + " takes=61000@0.5,62000@0.5")
    desk.pass_time(3 * TTL_NS)
    settled(desk, desk.fill(desk.orders()[0], px=5_990_000))
    said = settled(desk, desk.hear(quote(desk.now_ns, 6_100_002)))
    assert len([m for m in said if isinstance(m, CancelIntent)]) == 2
    assert (held(desk), open_legs(desk)) == (500, [("stop", 500)])


def test_a_short_enters_upwards_and_takes_downwards() -> None:
    wish = "qty -0.05 ladder=60500@0.5,60200@0.5 stop=61000 takes=59000@0.5,58000@0.5"
    desk = desk_of(wish, short=True)
    assert [one.limit_px for one in desk.orders()] == [6_020_000, 6_050_000]
    desk.pass_time(3 * TTL_NS)
    settled(desk, desk.fill(desk.orders()[0], px=6_020_000))
    settled(desk, desk.hear(quote(desk.now_ns, 5_899_998)))
    assert (held(desk), open_legs(desk)) == (-1_250, [("stop", 1_250)])


shares = st.lists(st.integers(1, 50), min_size=1, max_size=10)


@given(st.integers(1, 10**9), shares, st.sampled_from([1, 10, 1_000]))
def test_parts_are_whole_lots_and_come_to_all(lots: int, weights: list[int], step: int) -> None:
    qty = lots * step
    parts = split(qty, [one / sum(weights) for one in weights], step)
    assert (sum(parts), len(parts)) == (qty, len(weights))
    assert all(part >= 0 and part % step == 0 for part in parts)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 50)), min_size=1), st.integers(1, 60))
def test_merged_rungs_hold_as_much_and_each_is_enough(rungs: list[Rung], least: int) -> None:
    found = merged(rungs, lambda rung: rung[1] >= least)
    assert all(qty >= least for _, qty in found)
    whole = sum(qty for _, qty in rungs)
    assert sum(qty for _, qty in found) == (whole if found else 0)
    assert found or whole < least


@given(shares, st.integers(0, 500), st.integers(1, 20))
def test_missing_rungs_come_to_what_is_missing(lots: list[int], gone: int, least: int) -> None:
    rungs = [(100 - n, qty) for n, qty in enumerate(lots)]
    qty = max(1, sum(lots) - gone)
    found = missing(rungs, qty, least)
    assert sum(one for _, one in found) == qty
    assert {px for px, _ in found} <= {px for px, _ in rungs}


@given(shares, st.integers(1, 10**9))
def test_takes_close_never_more_than_there_is_and_the_last_one_all(
    weights: list[int], held_lots: int
) -> None:
    takes = [(n, weight) for n, weight in enumerate(weights)]
    left = held_lots
    for done in range(len(takes)):
        part = part_of(takes, done, done + 1, left, 1)
        assert 0 <= part <= left
        left -= part
    assert left == 0
