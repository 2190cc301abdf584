"""What is missing between what a strategy wants and what it has: looks at how things stand alone.

One place mends a cold start, a restart, a denial, a partial fill and a late answer, because none
of them is an event here: there is what is wanted, what is held, and what is open. A position below
zero is a short; everything holds for it with the sides exchanged.
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
    held: int  # that can be closed, below 0 for a short; 0 for dust
    least: int  # the smallest quantity that the exchange takes
    bid_px: int  # 0: not known
    ask_px: int
    now_ns: int
    ttl_ns: int
    latched: bool = False  # the strategy enters no more


class Move(msgspec.Struct, frozen=True):
    """What to do next; `done`: the target is over and becomes flat."""

    kind: Literal["enter", "exit", "stop", "cancel", "done", "wait"]
    qty: int = 0
    side: Literal["buy", "sell"] = "sell"
    order_id: str = ""
    why: str = ""
    at_ns: int = 0  # wait: when to look again, if nothing happens before; 0: never


def steer(scene: Scene) -> list[Move]:
    """Return what is missing; at most one order, and only when its way is free."""
    slot, held = scene.slot, scene.held
    entries, stops, exits = _open(scene)
    if exits:
        return _await_answers(scene, exits)
    if slot.qty and 0 < slot.until_ns <= scene.now_ns:
        return [Move("done", why="the time is over")]
    unwanted = {
        order_id: order for order_id, order in entries.items() if _unwanted(scene, order_id)
    }
    if unwanted:
        return _clear(scene, unwanted, "the entry is not wanted any more")
    if entries and not (held and _is_old(scene, entries)):
        return [*_await_answers(scene, entries), *_look_again(scene, entries)]
    if slot.qty == 0 or slot.qty * held < 0:
        return _close(scene, stops, abs(held))
    if abs(held) - abs(slot.qty) >= scene.least:
        return _close(scene, stops, abs(held) - abs(slot.qty))
    if _may_begin(scene):
        side: Literal["buy", "sell"] = "buy" if slot.qty > 0 else "sell"
        return [Move("enter", qty=abs(slot.qty) - abs(held), side=side)]
    if not held:
        return [Move("done", why=_how_it_ended(scene))]
    return _protect(scene, stops)


def _open(scene: Scene) -> tuple[dict[str, Order], dict[str, Order], dict[str, Order]]:
    found: tuple[dict[str, Order], dict[str, Order], dict[str, Order]] = ({}, {}, {})
    for order_id, order in scene.orders.items():
        if not order.place.terminal and not _lapsed(scene, order):
            leg = order.intent.leg
            found[0 if leg == "entry" else 1 if leg == "stop" else 2][order_id] = order
    return found


def _unwanted(scene: Scene, order_id: str) -> bool:
    # One of an earlier decision gives way: the newest has said its own, or is about to.
    return scene.latched or scene.slot.qty == 0 or scene.slot.entry != order_id


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
    found = [Move("wait", at_ns=_protect_ns(scene, entries))] if scene.held else []
    return found + _end(scene)


def _end(scene: Scene) -> list[Move]:
    return [Move("wait", at_ns=scene.slot.until_ns)] if scene.slot.until_ns else []


def _may_begin(scene: Scene) -> bool:
    slot = scene.slot
    missing = slot.grows and not slot.entry and not scene.latched
    if not missing or abs(slot.qty) - abs(scene.held) < scene.least:
        return False
    # What had to be closed before it may have taken a while.
    free_ns = max((order.ended_ns for order in scene.orders.values()), default=0)
    return scene.now_ns <= max(slot.since_ns, free_ns) + scene.ttl_ns


def _how_it_ended(scene: Scene) -> str:
    orders = scene.orders.values()
    if any(order.intent.leg == "stop" and order.filled for order in orders):
        return "stop"
    if scene.slot.grows and not scene.slot.entry and not scene.slot.had:
        return "the entry was not said in time"
    if any(order.filled for order in orders):
        return "the position is gone"
    return "the entry had no answer"


def _close(scene: Scene, stops: dict[str, Order], qty: int) -> list[Move]:
    # A stop holds back what it protects: the exchange sells it only once.
    if stops:
        return _clear(scene, stops, "the position is given up")
    if not qty:
        return []
    return _rested(scene) or [Move("exit", qty=qty, side=_closing(scene))]


def _closing(scene: Scene) -> Literal["buy", "sell"]:
    return "sell" if scene.held > 0 else "buy"


def _protect(scene: Scene, stops: dict[str, Order]) -> list[Move]:
    slot = scene.slot
    if why := _reached(scene):
        return [Move("done", why=why)]
    fitting = [order for order in stops.values() if _fits(scene, order)]
    if fitting and len(stops) == 1:
        return _end(scene)
    if stops:
        return _clear(scene, stops, "the stop does not fit the position") + _end(scene)
    if not slot.stop_px:
        return _end(scene)
    stop = Move("stop", qty=abs(scene.held), side=_closing(scene))
    return _rested(scene) or [stop, *_end(scene)]


def _reached(scene: Scene) -> str:
    """Return what the market has reached: a take, or a stop where none rests at the exchange."""
    slot, sign = scene.slot, 1 if scene.held > 0 else -1
    px = scene.bid_px if sign > 0 else scene.ask_px
    if px <= 0:
        return ""
    if slot.take_px and (px - slot.take_px) * sign >= 0:
        return "take"
    rests = any(o.intent.leg == "stop" and not o.place.terminal for o in scene.orders.values())
    if slot.stop_px and not rests and (px - slot.stop_px) * sign <= 0:
        return "stop"
    return ""


def _fits(scene: Scene, order: Order) -> bool:
    wanted = (abs(scene.held), scene.slot.stop_px)
    return (order.left, order.intent.stop_px) == wanted and not order.cancel_asked


def _clear(scene: Scene, orders: dict[str, Order], why: str) -> list[Move]:
    waits = _rested(scene)
    found = [
        Move("cancel", order_id=order_id, why=why)
        for order_id, order in orders.items()
        if order.place.state in CANCELABLE and scene.now_ns >= _cancel_ns(scene, order)
    ]
    if found:
        return waits or found
    again = [Move("wait", at_ns=_cancel_ns(scene, order)) for order in _in_cancel(orders)]
    return [*_await_answers(scene, orders), *again]


def _in_cancel(orders: dict[str, Order]) -> list[Order]:
    return [o for o in orders.values() if o.place.state in CANCELABLE and o.cancel_asked]


def _cancel_ns(scene: Scene, order: Order) -> int:
    return order.cancel_ns + CANCEL_TTLS * scene.ttl_ns if order.cancel_asked else 0


def _rested(scene: Scene) -> list[Move]:
    refused_ns = max((order.rest_ns for order in scene.orders.values()), default=0)
    again_ns = refused_ns + scene.ttl_ns
    return [Move("wait", at_ns=again_ns)] if refused_ns and scene.now_ns < again_ns else []
