"""The rules of steering as a table: how a slot stands, and what is missing."""

from typing import Any

import pytest

from schema.lifecycle import Place, State
from schema.trading import OrderIntent
from services.engine.state import Order, Slot
from services.engine.steer import Move, Scene, steer

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


LONG = {
    "moment": "m", "qty": 10, "grows": True, "stop_px": STOP_PX, "since_ns": NOW, "entry": "entry"
}  # fmt: skip
SHORT = LONG | {"qty": -10, "stop_px": 1_100}
BIGGER = LONG | {"qty": 15, "had": 10, "entry": ""}
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
     [Move("cancel", order_id="stop", why="the position is given up")]),
    ("flat wanted, stop open, nothing held", FLAT, 0, 1000, (OPEN_STOP,),
     [Move("cancel", order_id="stop", why="the position is given up")]),
    ("flat wanted, stop being cancelled", FLAT, 10, 1000,
     (order("stop", State.ACCEPTED, cancel_ns=NOW),), [Move("wait", at_ns=NOW + 5 * TTL)]),
    ("flat wanted, stop under cancel at the exchange", FLAT, 10, 1000,
     (order("stop", State.PENDING_CANCEL, cancel_ns=NOW - 9 * TTL),), []),
    ("flat wanted, nothing heard of the stop's cancel", FLAT, 10, 1000,
     (order("stop", State.ACCEPTED, cancel_ns=NOW - 5 * TTL),),
     [Move("cancel", order_id="stop", why="the position is given up")]),
    ("flat wanted, stop not answered", FLAT, 10, 1000, (order("stop", State.UNCONFIRMED),), []),
    ("flat wanted, exit just refused", FLAT, 10, 1000,
     (order("exit", State.DENIED, rest_ns=NOW - 1),), [Move("wait", at_ns=NOW - 1 + TTL)]),
    ("flat wanted, exit refused a while ago", FLAT, 10, 1000,
     (order("exit", State.DENIED, rest_ns=NOW - TTL),), [Move("exit", qty=10)]),
    ("decided, and not said", LONG | {"entry": ""}, 0, 1000, (),
     [Move("enter", qty=10, side="buy")]),
    ("decided long ago, and not said", LONG | {"entry": "", "since_ns": NOW - 2 * TTL}, 0, 1000,
     (), [Move("done", why="the entry was not said in time")]),
    ("held without a stop", LONG, 10, 1000, (filled("entry"),), [Move("stop", qty=10)]),
    ("held with its stop", LONG, 10, 1000, (filled("entry"), OPEN_STOP), []),
    ("held with its stop, for a time", LONG | {"until_ns": NOW + 5}, 10, 1000,
     (filled("entry"), OPEN_STOP), [Move("wait", at_ns=NOW + 5)]),
    ("held for too long", LONG | {"until_ns": NOW}, 10, 1000, (filled("entry"), OPEN_STOP),
     [Move("done", why="the time is over")]),
    ("held, and no stop is wanted", LONG | {"stop_px": 0}, 10, 1000, (filled("entry"),), []),
    ("a stop for less than is held", LONG | {"qty": 12}, 12, 1000, (OPEN_STOP,),
     [Move("cancel", order_id="stop", why="the stop does not fit the position")]),
    ("a stop at another price", LONG | {"stop_px": 950}, 10, 1000, (OPEN_STOP,),
     [Move("cancel", order_id="stop", why="the stop does not fit the position")]),
    ("a stop that is partly filled", LONG, 6, 1000,
     (order("stop", State.PARTIALLY_FILLED, filled=4),), []),
    ("a market below the stop", LONG, 10, STOP_PX, (filled("entry"),), [Move("done", why="stop")]),
    ("a market that nobody knows", LONG, 10, 0, (filled("entry"),), [Move("stop", qty=10)]),
    ("sold by the stop", LONG, 0, 1000, (filled("entry"), filled("stop")),
     [Move("done", why="stop")]),
    ("sold by somebody", LONG, 0, 1000, (filled("entry"), OPEN_STOP),
     [Move("done", why="the position is gone")]),
    ("held, and the take is reached", LONG | {"take_px": 1000}, 10, 1000,
     (filled("entry"), OPEN_STOP), [Move("done", why="take")]),
    ("held, and the take is near", LONG | {"take_px": 1001}, 10, 1000,
     (filled("entry"), OPEN_STOP), []),
    ("an entry of an earlier decision", BIGGER, 0, 1000, (order("entry", State.ACCEPTED),),
     [Move("cancel", order_id="entry", why="the entry is not wanted any more")]),
    ("more is wanted", BIGGER, 10, 1000, (filled("entry"), OPEN_STOP),
     [Move("enter", qty=5, side="buy")]),
    ("more was wanted long ago", BIGGER | {"since_ns": NOW - 2 * TTL}, 10, 1000,
     (filled("entry"), OPEN_STOP), []),
    ("less is wanted, stop open", LONG | {"qty": 4}, 10, 1000, (filled("entry"), OPEN_STOP),
     [Move("cancel", order_id="stop", why="the position is given up")]),
    ("less is wanted", LONG | {"qty": 4}, 10, 1000, (filled("entry"),), [Move("exit", qty=6)]),
    ("a short that is wanted", SHORT | {"entry": ""}, 0, 1000, (),
     [Move("enter", qty=10, side="sell")]),
    ("a short without a stop", SHORT, -10, 1000, (filled("entry"),),
     [Move("stop", qty=10, side="buy")]),
    ("a short below its take", SHORT | {"take_px": 1000}, -10, 1000, (filled("entry"),),
     [Move("done", why="take")]),
    ("a short above its stop", SHORT, -10, 1_100, (filled("entry"),), [Move("done", why="stop")]),
    ("a short that is to end", FLAT, -10, 1000, (filled("entry"),),
     [Move("exit", qty=10, side="buy")]),
    ("a short while long is held", SHORT | {"entry": ""}, 10, 1000, (filled("entry"),),
     [Move("exit", qty=10)]),
    ("a short while long is held and stopped", SHORT | {"entry": ""}, 10, 1000, (OPEN_STOP,),
     [Move("cancel", order_id="stop", why="the position is given up")]),
    ("a stop that was just refused", LONG, 10, 1000,
     (filled("entry"), order("stop", State.REJECTED, rest_ns=NOW)),
     [Move("wait", at_ns=NOW + TTL)]),
]  # fmt: skip


def scene(
    slot: dict[str, Any], held: int, px: int, orders: tuple[Order, ...], **changes: Any
) -> Scene:
    named = {order.intent.client_order_id: order for order in orders}
    values: dict[str, Any] = {"least": 1, "now_ns": NOW, "ttl_ns": TTL} | changes
    return Scene(Slot("s", "A/B", **slot), named, held, bid_px=px, ask_px=px, **values)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_it_says_what_is_missing_and_nothing_else(case: Case) -> None:
    _, slot, held, bid_px, orders, moves = case
    assert steer(scene(slot, held, bid_px, orders)) == moves


LATCHED: list[Case] = [
    ("an entry that waits", LONG, 0, 1000, (order("entry", State.ACCEPTED),),
     [Move("cancel", order_id="entry", why="the entry is not wanted any more")]),
    ("an entry not said yet", LONG | {"entry": ""}, 0, 1000, (),
     [Move("done", why="the entry was not said in time")]),
    ("a position with its stop", LONG, 10, 1000, (filled("entry"), OPEN_STOP), []),
    ("a position without its stop", LONG, 10, 1000, (filled("entry"),), [Move("stop", qty=10)]),
    ("a position that is to grow", BIGGER, 10, 1000, (filled("entry"), OPEN_STOP), []),
]  # fmt: skip


@pytest.mark.parametrize("case", LATCHED, ids=lambda case: case[0])
def test_a_strategy_that_is_stopped_enters_no_more_and_stays_protected(case: Case) -> None:
    _, slot, held, px, orders, moves = case
    assert steer(scene(slot, held, px, orders, latched=True)) == moves


def test_a_difference_that_is_too_small_to_trade_is_left_alone() -> None:
    wanted, orders = LONG | {"entry": ""}, (order("stop", State.ACCEPTED, qty=12),)
    assert steer(scene(wanted, 12, 1000, orders, least=3)) == []
    orders = (order("stop", State.ACCEPTED, qty=8),)
    assert steer(scene(wanted, 8, 1000, orders, least=3)) == []
    orders = (order("stop", State.ACCEPTED, qty=13),)
    assert [move.kind for move in steer(scene(wanted, 13, 1000, orders, least=3))] == ["cancel"]
