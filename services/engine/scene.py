"""How one slot stands, what may be done next, and how an order that is in the way is cleared."""

from typing import Literal

import msgspec

from schema.lifecycle import State
from services.engine.state import Order, Slot

LAPSE_TTLS = 20
"""An order without any answer so long after its deadline was never sent: the gateway sends none."""

CANCEL_TTLS = 5
"""A cancel that nothing is heard of for so long is asked for again: it may be said any number of
times, and an order that waits for it for ever would keep its position open."""

CANCELABLE = frozenset({State.ACCEPTED, State.TRIGGERED, State.PARTIALLY_FILLED})
"""What the exchange is known to hold; of anything else an answer is still to come."""

REFUSED = frozenset({State.DENIED, State.REJECTED})

TOO_LATE = "REPLACE_TOO_LATE"
"""Why a replacement was denied whose old order had traded, had ended, or was in doubt."""

OVERTAKEN = "REDUCE_ONLY_WOULD_INCREASE_POSITION"
"""Why an order that closes is denied where whoever judges it knows of no position yet."""

HASTE = 30
"""In so many parts of the usual rest the first order after such a denial is tried again."""

Orders = dict[str, Order]


class Scene(msgspec.Struct, frozen=True):
    """One slot as it stands; quantities and prices have the instrument's decimals."""

    slot: Slot
    orders: Orders  # of the slot, oldest first
    held: int  # that can be closed, below 0 for a short; 0 for dust
    least: int  # the smallest quantity that the exchange takes
    bid_px: int  # 0: not known
    ask_px: int
    now_ns: int
    ttl_ns: int
    latched: bool = False  # the strategy enters no more
    pairs: bool = False  # the exchange takes stop and take of this slot as a pair
    replaces: bool = False  # it lets one order take another's place by one request
    step: int = 1  # of a quantity


class Move(msgspec.Struct, frozen=True):
    """What to do next; `done`: the target is over and becomes flat, `part`: a part of it is."""

    kind: Literal["enter", "exit", "stop", "target", "pair", "cancel", "done", "part", "wait"]
    qty: int = 0
    side: Literal["buy", "sell"] = "sell"
    order_id: str = ""
    why: str = ""
    at_ns: int = 0  # wait: when to look again, if nothing happens before; 0: never
    replaces: str = ""  # the id of the order whose place it takes
    limit_px: int = 0  # of one rung of a ladder
    taken: int = 0  # part: how many of the takes are done then; `qty` is what is wanted still


def closing(scene: Scene) -> Literal["buy", "sell"]:
    """Return the side of an order that makes the position smaller."""
    return "sell" if scene.held > 0 else "buy"


def end(scene: Scene) -> list[Move]:
    """Return the wait for the time at which the target is over."""
    return [Move("wait", at_ns=scene.slot.until_ns)] if scene.slot.until_ns else []


def lapsed(scene: Scene, order: Order) -> bool:
    """Return whether an order without an answer was never sent."""
    unanswered = order.place.state is State.INITIALIZED
    return unanswered and scene.now_ns >= _lapses_ns(scene, order)


def _lapses_ns(scene: Scene, order: Order) -> int:
    return order.intent.valid_until_ns + LAPSE_TTLS * scene.ttl_ns


def await_answers(scene: Scene, orders: Orders) -> list[Move]:
    """Return the waits until what has no answer is known not to get one."""
    unanswered = [o for o in orders.values() if o.place.state is State.INITIALIZED]
    return [Move("wait", at_ns=_lapses_ns(scene, order)) for order in unanswered]


def clear(scene: Scene, orders: Orders, why: str) -> list[Move]:
    """Return the cancels of orders that are in the way; of a pair, one ends both."""
    waits = rested(scene, enters=any(order.intent.leg == "entry" for order in orders.values()))
    found: dict[str, Move] = {}
    for order_id, order in orders.items():
        free = order.place.state in CANCELABLE and scene.now_ns >= _cancel_ns(scene, order)
        if free and order.intent.oco not in found:
            found[order_id] = Move("cancel", order_id=order_id, why=why)
    if found:
        return waits or list(found.values())
    again = [Move("wait", at_ns=_cancel_ns(scene, order)) for order in _in_cancel(orders)]
    return [*await_answers(scene, orders), *again]


def _in_cancel(orders: Orders) -> list[Order]:
    return [o for o in orders.values() if o.place.state in CANCELABLE and o.cancel_asked]


def _cancel_ns(scene: Scene, order: Order) -> int:
    return order.cancel_ns + CANCEL_TTLS * scene.ttl_ns if order.cancel_asked else 0


def rested(scene: Scene, *, enters: bool = False) -> list[Move]:
    """Return the wait after a refusal; nothing when it is over.

    An entry that came to nothing holds back the next one alone, and never what protects or closes.
    """
    orders = scene.orders.values()
    refused = [
        order
        for order in orders
        if order.rest_ns
        and not _gave_way(scene, order)
        and (enters or order.intent.leg != "entry" or not order.place.terminal)
    ]
    again_ns = max((order.rest_ns + _rest_ns(scene, order) for order in refused), default=0)
    return [Move("wait", at_ns=again_ns)] if scene.now_ns < again_ns else []


def _rest_ns(scene: Scene, order: Order) -> int:
    # Risk may hear of a fill a moment after the order that is to protect it, and finds nothing to
    # close: until it has, the position stands bare.
    if order.code != OVERTAKEN:
        return scene.ttl_ns
    tries = sum(other.code == OVERTAKEN for other in scene.orders.values())
    return min(scene.ttl_ns, scene.ttl_ns * tries // HASTE)


def _gave_way(scene: Scene, order: Order) -> bool:
    # A pair that was refused holds back neither an exit nor the stop that takes its place, and one
    # of a pair that ended for the other's sake was not refused at all. Nor does a replacement that
    # came too late: what it was for is done in two steps at once.
    if order.intent.replaces and order.place.state in REFUSED:
        return order.place.state is State.REJECTED or order.code == TOO_LATE
    if not order.intent.oco or order.place.state is not State.EXPIRED:
        return bool(order.intent.oco) and order.place.state in REFUSED
    other = scene.orders.get(order.intent.oco)
    return other is None or other.place.state is not State.EXPIRED
