"""One order in another's place by one request: when it is tried, and how far it has come.

Only what is open, untraded and known to rest is replaced, and never a half of a pair. While the
answer is out, both count as one. Where it was refused, the old one is cancelled and a new one made;
where only the new one was denied, the old one stays, for it protects better than none.
"""

from typing import Literal

from schema.lifecycle import State
from services.engine.scene import REFUSED, TOO_LATE, Move, Orders, Scene, closing, rested
from services.engine.state import Order

Shape = tuple[str, ...]
"""Legs that should rest."""

UNANSWERED = frozenset({State.INITIALIZED, State.SUBMITTED, State.UNCONFIRMED})


def coming(orders: Orders) -> Orders:
    """Return the replacements whose answer is out."""
    return {
        order_id: order
        for order_id, order in orders.items()
        if order.intent.replaces and order.place.under in UNANSWERED
    }


def outlived(orders: Orders) -> Orders:
    """Return what was replaced, and is not known to have ended yet."""
    places = [order.intent.replaces for order in orders.values() if order.intent.replaces]
    return {order_id: orders[order_id] for order_id in places if order_id in orders}


def may_replace(scene: Scene, order_id: str, order: Order) -> bool:
    """Return whether an order may be replaced by one request."""
    return (
        scene.replaces
        and order.place.state is State.ACCEPTED
        and not (order.filled or order.cancel_asked or order.intent.oco)
        and not any(_failed(scene, order, one) for one in _tried(scene, order_id))
    )


def swapped(scene: Scene, rests: Orders, shape: Shape, qty: int) -> list[Move]:
    """Return the replacement of the only order that rests by the only one that should, if any."""
    if len(rests) != 1 or len(shape) != 1:
        return []
    ((order_id, order),) = rests.items()
    if order.intent.leg != shape[0] or not may_replace(scene, order_id, order):
        return []
    leg: Literal["stop", "target"] = "stop" if shape[0] == "stop" else "target"
    return rested(scene) or [Move(leg, qty=qty, side=closing(scene), replaces=order_id)]


def _tried(scene: Scene, order_id: str) -> list[Order]:
    found = scene.orders.values()
    return [o for o in found if o.intent.replaces == order_id and o.place.state in REFUSED]


def _failed(scene: Scene, old: Order, new: Order) -> bool:
    refused = new.place.state is State.REJECTED or new.code == TOO_LATE
    return refused or new.intent.leg == "entry" or old.left > abs(scene.held)
