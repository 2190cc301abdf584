"""The rules of protection as a table: how stop and take of a position stand, and what is missing.

A pair is two orders of which the exchange does one; a lone stop is what is left without one.
"""

from typing import Any

import msgspec
import pytest

from schema.lifecycle import State
from services.engine.state import Order
from services.engine.steer import Move, steer
from tests.services.engine.test_engine_steer import (
    FLAT,
    LONG,
    NOW,
    OPEN_STOP,
    SHORT,
    STOP_PX,
    TTL,
    Case,
    filled,
    order,
    scene,
)

TAKE_PX = 1_200
BRACKET = LONG | {"take_px": TAKE_PX}
TAKE = LONG | {"stop_px": 0, "take_px": TAKE_PX}
LIMITED = LONG | {"stop_limit_px": 890}
ENTRY = filled("entry")
PAIR_MOVE = Move("pair", qty=10)
MISFIT = "the stop does not fit the position"


def leg(name: str, state: State, **changes: Any) -> Order:
    """Return one of a pair, or with `oco` an empty text a lone order of its leg."""
    other = changes.pop("oco", "target" if name == "stop" else "stop")
    kind = changes.pop("order_type", "stop" if name == "stop" else "limit_maker")
    prices = {"limit_px": changes.pop("limit_px", TAKE_PX if name == "target" else 0)}
    made = order(name, state, **changes)
    made.intent = msgspec.structs.replace(made.intent, oco=other, order_type=kind, **prices)
    return made


def pair(stop: State = State.ACCEPTED, target: State = State.ACCEPTED) -> tuple[Order, Order]:
    return leg("stop", stop), leg("target", target)


def limited(state: State, **changes: Any) -> Order:
    return leg("stop", state, oco="", order_type="stop_limit", limit_px=890, **changes)


def cancel(order_id: str, why: str = MISFIT) -> Move:
    return Move("cancel", order_id=order_id, why=why)


STOP, TARGET = pair()
LONE_TARGET = leg("target", State.ACCEPTED, oco="", order_type="limit")

CASES: list[Case] = [
    ("held with nothing", BRACKET, 10, 1000, (ENTRY,), [PAIR_MOVE]),
    ("held with its pair", BRACKET, 10, 1000, (ENTRY, STOP, TARGET), []),
    ("held with its pair, for a time", BRACKET | {"until_ns": NOW + 5}, 10, 1000,
     (ENTRY, STOP, TARGET), [Move("wait", at_ns=NOW + 5)]),
    ("a pair that is not answered", BRACKET, 10, 1000,
     (ENTRY, *pair(State.INITIALIZED, State.INITIALIZED)), []),
    ("a pair that nobody can tell of", BRACKET, 10, 1000,
     (ENTRY, *pair(State.UNCONFIRMED, State.UNCONFIRMED)), []),
    ("a pair one of which nobody can tell of", BRACKET, 10, 1000,
     (ENTRY, *pair(State.UNCONFIRMED)), []),
    ("the take is reached, and rests", BRACKET, 10, TAKE_PX, (ENTRY, STOP, TARGET), []),
    ("the stop is reached, and rests", BRACKET, 10, STOP_PX, (ENTRY, STOP, TARGET), []),
    ("the take is reached before the pair is there", BRACKET, 10, TAKE_PX, (ENTRY,),
     [Move("done", why="take")]),
    ("another stop is wanted", BRACKET | {"stop_px": 950}, 10, 1000, (ENTRY, STOP, TARGET),
     [cancel("stop")]),
    ("another take is wanted", BRACKET | {"take_px": 1_300}, 10, 1000, (ENTRY, STOP, TARGET),
     [cancel("stop")]),
    ("no take is wanted any more", LONG, 10, 1000, (ENTRY, STOP, TARGET), [cancel("stop")]),
    ("no stop is wanted any more", TAKE, 10, 1000, (ENTRY, STOP, TARGET), [cancel("stop")]),
    ("neither is wanted any more", LONG | {"stop_px": 0}, 10, 1000, (ENTRY, STOP, TARGET),
     [cancel("stop")]),
    ("a pair for less than is held", BRACKET | {"qty": 12}, 12, 1000, (ENTRY, STOP, TARGET),
     [cancel("stop")]),
    ("less is wanted", BRACKET | {"qty": 4}, 10, 1000, (ENTRY, STOP, TARGET),
     [cancel("stop", "the position is given up")]),
    ("flat is wanted", FLAT, 10, 1000, (ENTRY, STOP, TARGET),
     [cancel("stop", "the position is given up")]),
    ("flat is wanted, and of the stop nobody can tell", FLAT, 10, 1000,
     (ENTRY, *pair(State.UNCONFIRMED)), [cancel("target", "the position is given up")]),
    ("the pair is being cancelled", FLAT, 10, 1000,
     (ENTRY, leg("stop", State.PENDING_CANCEL, cancel_ns=NOW),
      leg("target", State.ACCEPTED, cancel_ns=NOW)), [Move("wait", at_ns=NOW + 5 * TTL)]),
    ("a lone stop where there could be a pair", BRACKET, 10, 1000, (ENTRY, OPEN_STOP),
     [cancel("stop")]),
    ("the target trades, and the stop has just ended", BRACKET, 6, 1000,
     (ENTRY, leg("stop", State.EXPIRED, ended_ns=NOW, rest_ns=NOW),
      leg("target", State.PARTIALLY_FILLED, filled=4)), [Move("wait", at_ns=NOW + TTL)]),
    ("the target trades no further, and the stop is gone", BRACKET, 6, 1000,
     (ENTRY, leg("stop", State.EXPIRED, ended_ns=NOW - TTL, rest_ns=NOW - TTL),
      leg("target", State.PARTIALLY_FILLED, filled=4)), [cancel("target")]),
    ("the stop is gone, and the market comes there", BRACKET, 6, STOP_PX,
     (ENTRY, leg("stop", State.EXPIRED, ended_ns=NOW), leg("target", State.ACCEPTED, filled=4)),
     [Move("done", why="stop")]),
    ("the rest of a target is protected anew", BRACKET, 6, 1000,
     (ENTRY, leg("stop", State.EXPIRED, ended_ns=NOW - TTL, rest_ns=NOW - TTL),
      leg("target", State.CANCELED, filled=4, cancel_ns=NOW - 1)), [Move("pair", qty=6)]),
    ("the stop trades, and the target is gone", BRACKET, 6, 890,
     (ENTRY, leg("stop", State.PARTIALLY_FILLED, filled=4),
      leg("target", State.EXPIRED, ended_ns=NOW - 9 * TTL)), []),
    ("the stop was triggered", BRACKET, 10, 890,
     (ENTRY, leg("stop", State.TRIGGERED), leg("target", State.EXPIRED)), []),
    ("sold by the target", BRACKET, 0, TAKE_PX,
     (ENTRY, leg("stop", State.EXPIRED), leg("target", State.FILLED, filled=10)),
     [Move("done", why="take")]),
    ("sold by the stop of the pair", BRACKET, 0, 890,
     (ENTRY, leg("stop", State.FILLED, filled=10), leg("target", State.EXPIRED)),
     [Move("done", why="stop")]),
    ("the stop has ended and nobody knows why", BRACKET, 10, 1000,
     (ENTRY, leg("stop", State.CANCELED, ended_ns=NOW, rest_ns=NOW), TARGET),
     [Move("wait", at_ns=NOW + TTL)]),
    ("the pair was denied", BRACKET, 10, 1000,
     (ENTRY, leg("stop", State.DENIED, rest_ns=NOW), leg("target", State.DENIED, rest_ns=NOW)),
     [Move("stop", qty=10)]),
    ("half of the pair was denied, and the other is not answered", BRACKET, 10, 1000,
     (ENTRY, leg("stop", State.DENIED, rest_ns=NOW), leg("target", State.INITIALIZED)),
     [Move("wait", at_ns=NOW + 21 * TTL)]),
    ("the pair was refused: its target would have taken", BRACKET, 10, TAKE_PX,
     (ENTRY, leg("stop", State.REJECTED, rest_ns=NOW), leg("target", State.REJECTED, rest_ns=NOW)),
     [Move("done", why="take")]),
    ("the refused pair is replaced by a stop, and its take is watched", BRACKET, 10, 1000,
     (ENTRY, *pair(State.REJECTED, State.REJECTED), OPEN_STOP), []),
    ("another pair than the refused one is wanted", BRACKET | {"take_px": 1_300}, 10, 1000,
     (ENTRY, *pair(State.REJECTED, State.REJECTED)), [PAIR_MOVE]),
    ("the position is given up behind a refused pair", FLAT, 10, 1000,
     (ENTRY, leg("stop", State.REJECTED, rest_ns=NOW), leg("target", State.REJECTED, rest_ns=NOW)),
     [Move("exit", qty=10)]),
    ("both of a pair have just expired", BRACKET, 10, 1000,
     (ENTRY, leg("stop", State.EXPIRED, rest_ns=NOW), leg("target", State.EXPIRED, rest_ns=NOW)),
     [Move("wait", at_ns=NOW + TTL)]),
    ("two that are no pair", BRACKET, 10, 1000, (ENTRY, OPEN_STOP, LONE_TARGET),
     [cancel("stop"), cancel("target")]),
    ("a take alone", TAKE, 10, 1000, (ENTRY,), [Move("target", qty=10)]),
    ("a take alone that rests", TAKE, 10, 1000, (ENTRY, LONE_TARGET), []),
    ("a take alone that rests and trades", TAKE, 6, TAKE_PX,
     (ENTRY, leg("target", State.PARTIALLY_FILLED, oco="", filled=4)), []),
    ("a take alone that was refused is watched", TAKE, 10, 1000,
     (ENTRY, leg("target", State.REJECTED, oco="", rest_ns=NOW)), []),
    ("a take alone that was refused is reached", TAKE, 10, TAKE_PX,
     (ENTRY, leg("target", State.REJECTED, oco="")), [Move("done", why="take")]),
    ("a take alone that moves", TAKE | {"take_px": 1_300}, 10, 1000, (ENTRY, LONE_TARGET),
     [cancel("target")]),
    ("a short with a take", SHORT | {"take_px": 900}, -10, 1000, (ENTRY,),
     [Move("stop", qty=10, side="buy")]),
    ("a short with a take alone", SHORT | {"stop_px": 0, "take_px": 900}, -10, 1000, (ENTRY,), []),
    ("a short at its take", SHORT | {"stop_px": 0, "take_px": 900}, -10, 900, (ENTRY,),
     [Move("done", why="take")]),
    ("a stop with a limit", LIMITED, 10, 1000, (ENTRY, limited(State.ACCEPTED)), []),
    ("a stop with another limit", LIMITED | {"stop_limit_px": 880}, 10, 1000,
     (ENTRY, limited(State.ACCEPTED)), [cancel("stop")]),
    ("a stop with a limit that was triggered", LIMITED, 10, 880,
     (ENTRY, limited(State.TRIGGERED, triggered_ns=NOW)), [Move("wait", at_ns=NOW + 2 * TTL)]),
    ("a stop with a limit that does not fill", LIMITED, 10, 880,
     (ENTRY, limited(State.TRIGGERED, triggered_ns=NOW - 2 * TTL)), [Move("done", why="stop")]),
    ("a stop with a limit that fills in part", LIMITED, 6, 880,
     (ENTRY, limited(State.PARTIALLY_FILLED, filled=4, triggered_ns=NOW - 2 * TTL)),
     [Move("done", why="stop")]),
    ("a stop with a limit of a short", SHORT | {"stop_limit_px": 1_110}, -10, 1_120,
     (ENTRY, leg("stop", State.TRIGGERED, oco="", order_type="stop_limit", limit_px=1_110,
                 stop_px=1_100, triggered_ns=NOW - 2 * TTL)), [Move("done", why="stop")]),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_it_says_what_is_missing_of_the_protection(case: Case) -> None:
    _, slot, held, px, orders, moves = case
    assert steer(scene(slot, held, px, orders, pairs=held > 0)) == moves


ALONE: list[Case] = [
    ("held with nothing", BRACKET, 10, 1000, (ENTRY,), [Move("stop", qty=10)]),
    ("held with its stop", BRACKET, 10, 1000, (ENTRY, OPEN_STOP), []),
    ("its take is reached", BRACKET, 10, TAKE_PX, (ENTRY, OPEN_STOP), [Move("done", why="take")]),
    ("a take alone", TAKE, 10, 1000, (ENTRY,), [Move("target", qty=10)]),
]  # fmt: skip


@pytest.mark.parametrize("case", ALONE, ids=lambda case: case[0])
def test_without_pairs_the_stop_rests_and_the_take_is_watched(case: Case) -> None:
    _, slot, held, px, orders, moves = case
    assert steer(scene(slot, held, px, orders)) == moves


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_a_strategy_that_is_stopped_keeps_its_bracket(case: Case) -> None:
    _, slot, held, px, orders, moves = case
    assert steer(scene(slot, held, px, orders, pairs=held > 0, latched=True)) == moves
