"""The rules of steering as a table: how a slot stands, and what is missing."""

from typing import Any

import pytest

from schema.lifecycle import Place, State
from schema.trading import OrderIntent
from services.engine.state import Order, Slot
from services.engine.steer import Move, Scene, is_under_way, steer

TTL = 1_000
NOW = 100_000
STOP_PX = 900


def order(leg: str, state: State, **changes: Any) -> Order:
    intent = OrderIntent(
        ts_event=changes.pop("at_ns", NOW), client_order_id=leg, strategy="s", symbol="A/B",
        side="buy" if leg == "entry" else "sell", order_type="market",
        qty=changes.pop("qty", 10), px_exp=0, qty_exp=0, leg=leg,
        stop_px=changes.pop("stop_px", STOP_PX if leg == "stop" else 0),
        valid_until_ns=changes.pop("valid_ns", NOW + TTL),
    )  # fmt: skip
    return Order(intent, Place(state, state), **changes)


def filled(leg: str, qty: int = 10) -> Order:
    return order(leg, State.FILLED, filled=qty, at_ns=NOW - 50 * TTL)


LONG = {"moment": "m", "qty": 10, "stop_px": STOP_PX, "since_ns": NOW, "entry": "entry"}
FLAT: dict[str, Any] = {"moment": "m", "entry": "entry"}
OPEN_STOP = order("stop", State.ACCEPTED)

Case = tuple[str, dict[str, Any], int, int, tuple[Order, ...], list[Move]]

CASES: list[Case] = [
    ("nothing wanted, nothing held", {}, 0, 1000, (), []),
    ("an entry without an answer", LONG, 0, 1000, (order("entry", State.INITIALIZED),),
     [Move("wait", at_ns=NOW + 21 * TTL)]),
    ("an entry under way", LONG, 0, 1000, (order("entry", State.SUBMITTED),), []),
    ("an entry that nobody can tell of", LONG, 0, 1000, (order("entry", State.UNCONFIRMED),), []),
    ("an entry that fills", LONG, 4, 1000, (order("entry", State.PARTIALLY_FILLED, filled=4),),
     [Move("wait", at_ns=NOW + 2 * TTL)]),
    ("an entry that filled slowly", LONG, 4, 1000,
     (order("entry", State.UNCONFIRMED, filled=4, at_ns=NOW - 9 * TTL),), [Move("stop", qty=4)]),
    ("an entry that never got an answer", LONG, 0, 1000,
     (order("entry", State.INITIALIZED, valid_ns=NOW - 20 * TTL),),
     [Move("done", why="the entry had no answer")]),
    ("an exit under way", FLAT, 10, 1000, (order("exit", State.ACCEPTED), OPEN_STOP), []),
    ("flat wanted, position held", FLAT, 10, 1000, (filled("entry"),), [Move("exit", qty=10)]),
    ("flat wanted, stop open", FLAT, 10, 1000, (filled("entry"), OPEN_STOP),
     [Move("cancel", order_id="1", why="the position is given up")]),
    ("flat wanted, stop open, nothing held", FLAT, 0, 1000, (OPEN_STOP,),
     [Move("cancel", order_id="0", why="the position is given up")]),
    ("flat wanted, stop being cancelled", FLAT, 10, 1000,
     (order("stop", State.ACCEPTED, cancel_ns=NOW),), [Move("wait", at_ns=NOW + 5 * TTL)]),
    ("flat wanted, stop under cancel at the exchange", FLAT, 10, 1000,
     (order("stop", State.PENDING_CANCEL, cancel_ns=NOW - 9 * TTL),), []),
    ("flat wanted, nothing heard of the stop's cancel", FLAT, 10, 1000,
     (order("stop", State.ACCEPTED, cancel_ns=NOW - 5 * TTL),),
     [Move("cancel", order_id="0", why="the position is given up")]),
    ("flat wanted, stop not answered", FLAT, 10, 1000, (order("stop", State.UNCONFIRMED),), []),
    ("flat wanted, exit just refused", FLAT, 10, 1000,
     (order("exit", State.DENIED, rest_ns=NOW - 1),), [Move("wait", at_ns=NOW - 1 + TTL)]),
    ("flat wanted, exit refused a while ago", FLAT, 10, 1000,
     (order("exit", State.DENIED, rest_ns=NOW - TTL),), [Move("exit", qty=10)]),
    ("decided, and not said", LONG | {"entry": ""}, 0, 1000, (), [Move("enter", qty=10)]),
    ("decided long ago, and not said", LONG | {"entry": "", "since_ns": NOW - 2 * TTL}, 0, 1000,
     (), [Move("done", why="the entry was not said in time")]),
    ("held without a stop", LONG, 10, 1000, (filled("entry"),), [Move("stop", qty=10)]),
    ("held with its stop", LONG, 10, 1000, (filled("entry"), OPEN_STOP), []),
    ("held with its stop, for a time", LONG | {"until_ns": NOW + 5}, 10, 1000,
     (filled("entry"), OPEN_STOP), [Move("wait", at_ns=NOW + 5)]),
    ("held for too long", LONG | {"until_ns": NOW}, 10, 1000, (filled("entry"), OPEN_STOP),
     [Move("done", why="the hold time is over")]),
    ("held, and no stop is wanted", LONG | {"stop_px": 0}, 10, 1000, (filled("entry"),), []),
    ("a stop for less than is held", LONG, 12, 1000, (OPEN_STOP,),
     [Move("cancel", order_id="0", why="the stop does not fit the position")]),
    ("a stop at another price", LONG | {"stop_px": 950}, 10, 1000, (OPEN_STOP,),
     [Move("cancel", order_id="0", why="the stop does not fit the position")]),
    ("a stop that is partly filled", LONG, 6, 1000,
     (order("stop", State.PARTIALLY_FILLED, filled=4),), []),
    ("a market below the stop", LONG, 10, STOP_PX, (filled("entry"),), [Move("done", why="stop")]),
    ("a market that nobody knows", LONG, 10, 0, (filled("entry"),), [Move("stop", qty=10)]),
    ("sold by the stop", LONG, 0, 1000, (filled("entry"), filled("stop")),
     [Move("done", why="stop")]),
    ("sold by somebody", LONG, 0, 1000, (filled("entry"), OPEN_STOP),
     [Move("done", why="the position is gone")]),
    ("a stop that was just refused", LONG, 10, 1000,
     (filled("entry"), order("stop", State.REJECTED, rest_ns=NOW)),
     [Move("wait", at_ns=NOW + TTL)]),
]  # fmt: skip


def scene(slot: dict[str, Any], held: int, bid_px: int, orders: tuple[Order, ...]) -> Scene:
    named = {str(n): order for n, order in enumerate(orders)}
    return Scene(Slot("s", "A/B", **slot), named, held, bid_px, NOW, TTL)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_it_says_what_is_missing_and_nothing_else(case: Case) -> None:
    _, slot, held, bid_px, orders, moves = case
    assert steer(scene(slot, held, bid_px, orders)) == moves


@pytest.mark.parametrize(
    ("slot", "held", "orders", "busy"),
    [
        ({}, 0, (), False),
        (FLAT, 10, (), True),
        (FLAT, 0, (OPEN_STOP,), True),
        (FLAT, 0, (order("stop", State.ACCEPTED, cancel_ns=NOW),), True),
        (LONG, 0, (order("entry", State.UNCONFIRMED),), True),
        (LONG, 10, (filled("entry"), OPEN_STOP), False),
        (LONG, 0, (order("entry", State.INITIALIZED, valid_ns=NOW - 99 * TTL),), False),
    ],
)
def test_a_strategy_is_not_asked_while_something_has_to_end(
    slot: dict[str, Any], held: int, orders: tuple[Order, ...], busy: object
) -> None:
    assert is_under_way(scene(slot, held, 1000, orders)) is busy
