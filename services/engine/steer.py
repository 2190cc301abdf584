"""What is missing between what a strategy wants and what it has: looks at how things stand alone.

One place mends a cold start, a restart, a denial, a partial fill and a late answer, because none
of them is an event here: there is what is wanted, what is held, and what is open.
"""

from typing import Literal

import msgspec

from schema.lifecycle import State
from services.engine.state import Order, Slot

PROTECT_TTLS = 2
"""An entry that is open for so long does not keep what it has bought without a stop."""

LAPSE_TTLS = 20
"""An order without any answer so long after its deadline was never sent: the gateway sends none."""

CANCEL_TTLS = 5
"""A cancel that nothing is heard of for so long is asked for again: it may be said any number of
times, and an order that waits for it for ever would keep its position open."""

CANCELABLE = frozenset({State.ACCEPTED, State.TRIGGERED, State.PARTIALLY_FILLED})
"""What the exchange is known to hold; of anything else an answer is still to come."""


class Scene(msgspec.Struct, frozen=True):
    """One slot as it stands; quantities and prices have the instrument's decimals."""

    slot: Slot
    orders: dict[str, Order]  # of the slot, oldest first
    held: int  # that can be sold; 0 for dust
    bid_px: int  # 0: not known
    now_ns: int
    ttl_ns: int


class Move(msgspec.Struct, frozen=True):
    """What to do next; `done`: the target is over and becomes flat."""

    kind: Literal["enter", "exit", "stop", "cancel", "done", "wait"]
    qty: int = 0
    order_id: str = ""
    why: str = ""
    at_ns: int = 0  # wait: when to look again, if nothing happens before; 0: never


def steer(scene: Scene) -> list[Move]:
    """Return what is missing; at most one order, and only when its way is free."""
    entries, stops, exits = (_open(scene, leg) for leg in ("entry", "stop", "exit"))
    if exits:
        return _await_answers(scene, exits)
    if entries and not (scene.held and _is_old(scene, entries)):
        return [*_await_answers(scene, entries), *_look_again(scene, entries)]
    if scene.slot.qty == 0:
        return _flatten(scene, stops)
    if not scene.slot.entry:
        return _begin(scene)
    if not scene.held:
        return [Move("done", why=_how_it_ended(scene))]
    if 0 < scene.slot.until_ns <= scene.now_ns:
        return [Move("done", why="the hold time is over")]
    return _protect(scene, stops)


def is_under_way(scene: Scene) -> bool:
    """Return whether something must end before the strategy can want anything else."""
    pending = _open(scene, "entry") or _open(scene, "exit")
    if scene.slot.qty == 0:
        pending = pending or _open(scene, "stop")
    return bool(pending) or (scene.slot.qty == 0 and scene.held > 0)


def _open(scene: Scene, leg: str) -> dict[str, Order]:
    found = {}
    for order_id, order in scene.orders.items():
        own = order.intent.leg if order.intent.leg in {"entry", "stop"} else "exit"
        if own == leg and not order.place.terminal and not _lapsed(scene, order):
            found[order_id] = order
    return found


def _lapses_ns(scene: Scene, order: Order) -> int:
    return order.intent.valid_until_ns + LAPSE_TTLS * scene.ttl_ns


def _lapsed(scene: Scene, order: Order) -> bool:
    unanswered = order.place.state is State.INITIALIZED
    return unanswered and scene.now_ns >= _lapses_ns(scene, order)


def _await_answers(scene: Scene, orders: dict[str, Order]) -> list[Move]:
    unanswered = [o for o in orders.values() if o.place.state is State.INITIALIZED]
    return [Move("wait", at_ns=_lapses_ns(scene, order)) for order in unanswered]


def _protect_ns(scene: Scene, orders: dict[str, Order]) -> int:
    newest_ns = max(order.intent.ts_event for order in orders.values())
    return newest_ns + PROTECT_TTLS * scene.ttl_ns


def _is_old(scene: Scene, entries: dict[str, Order]) -> bool:
    return scene.now_ns >= _protect_ns(scene, entries)


def _look_again(scene: Scene, entries: dict[str, Order]) -> list[Move]:
    return [Move("wait", at_ns=_protect_ns(scene, entries))] if scene.held else []


def _begin(scene: Scene) -> list[Move]:
    if scene.now_ns <= scene.slot.since_ns + scene.ttl_ns:
        return [Move("enter", qty=scene.slot.qty)]
    return [Move("done", why="the entry was not said in time")]


def _how_it_ended(scene: Scene) -> str:
    orders = scene.orders.values()
    if any(order.intent.leg == "stop" and order.filled for order in orders):
        return "stop"
    if any(order.filled for order in orders):
        return "the position is gone"
    return "the entry had no answer"


def _flatten(scene: Scene, stops: dict[str, Order]) -> list[Move]:
    if stops:
        return _clear(scene, stops, "the position is given up")
    if not scene.held:
        return []
    return _rested(scene) or [Move("exit", qty=scene.held)]


def _protect(scene: Scene, stops: dict[str, Order]) -> list[Move]:
    slot = scene.slot
    end = [Move("wait", at_ns=slot.until_ns)] if slot.until_ns else []
    fitting = [order for order in stops.values() if _fits(scene, order)]
    if slot.stop_px == 0 or (fitting and len(stops) == 1):
        return end
    if stops:
        return _clear(scene, stops, "the stop does not fit the position") + end
    if 0 < scene.bid_px <= slot.stop_px:
        return [Move("done", why="stop")]
    return _rested(scene) or [Move("stop", qty=scene.held), *end]


def _fits(scene: Scene, order: Order) -> bool:
    wanted = (scene.held, scene.slot.stop_px)
    return (order.left, order.intent.stop_px) == wanted and not order.cancel_asked


def _clear(scene: Scene, stops: dict[str, Order], why: str) -> list[Move]:
    waits = _rested(scene)
    found = [
        Move("cancel", order_id=order_id, why=why)
        for order_id, order in stops.items()
        if order.place.state in CANCELABLE and scene.now_ns >= _cancel_ns(scene, order)
    ]
    if found:
        return waits or found
    again = [Move("wait", at_ns=_cancel_ns(scene, order)) for order in _in_cancel(stops)]
    return [*_await_answers(scene, stops), *again]


def _in_cancel(stops: dict[str, Order]) -> list[Order]:
    return [o for o in stops.values() if o.place.state in CANCELABLE and o.cancel_asked]


def _cancel_ns(scene: Scene, order: Order) -> int:
    return order.cancel_ns + CANCEL_TTLS * scene.ttl_ns if order.cancel_asked else 0


def _rested(scene: Scene) -> list[Move]:
    refused_ns = max((order.rest_ns for order in scene.orders.values()), default=0)
    again_ns = refused_ns + scene.ttl_ns
    return [Move("wait", at_ns=again_ns)] if refused_ns and scene.now_ns < again_ns else []
