"""What is missing between what a strategy wants and what it has: looks at how things stand alone.

One place mends a cold start, a restart, a denial, a partial fill and a late answer, because none
of them is an event here: there is what is wanted, what is held, and what is open. A position below
zero is a short; everything holds for it with the sides exchanged.
"""

from typing import Literal

from services.engine.protection import LEGS, protect
from services.engine.scene import (
    LAPSE_TTLS,
    Move,
    Orders,
    Scene,
    await_answers,
    clear,
    closing,
    end,
    lapsed,
    rested,
)

__all__ = ["LAPSE_TTLS", "PROTECT_TTLS", "Move", "Scene", "steer"]

PROTECT_TTLS = 2
"""An entry that is open for so long does not keep what it has bought without a stop."""


def steer(scene: Scene) -> list[Move]:
    """Return what is missing; at most one order or pair, and only when its way is free."""
    slot, held = scene.slot, scene.held
    entries, rests, exits = _open(scene)
    if exits:
        return await_answers(scene, exits)
    if slot.qty and 0 < slot.until_ns <= scene.now_ns:
        return [Move("done", why="the time is over")]
    unwanted = {
        order_id: order for order_id, order in entries.items() if _unwanted(scene, order_id)
    }
    if unwanted:
        return clear(scene, unwanted, "the entry is not wanted any more")
    if entries and not (held and _is_old(scene, entries)):
        return [*await_answers(scene, entries), *_look_again(scene, entries)]
    if slot.qty == 0 or slot.qty * held < 0:
        return _close(scene, rests, abs(held))
    if abs(held) - abs(slot.qty) >= scene.least:
        return _close(scene, rests, abs(held) - abs(slot.qty))
    if _may_begin(scene):
        side: Literal["buy", "sell"] = "buy" if slot.qty > 0 else "sell"
        return [Move("enter", qty=abs(slot.qty) - abs(held), side=side)]
    if not held:
        return [Move("done", why=_how_it_ended(scene))]
    return protect(scene, rests)


def _open(scene: Scene) -> tuple[Orders, Orders, Orders]:
    found: tuple[Orders, Orders, Orders] = ({}, {}, {})
    for order_id, order in scene.orders.items():
        if not order.place.terminal and not lapsed(scene, order):
            leg = order.intent.leg
            found[0 if leg == "entry" else 1 if leg in LEGS else 2][order_id] = order
    return found


def _unwanted(scene: Scene, order_id: str) -> bool:
    # One of an earlier decision gives way: the newest has said its own, or is about to.
    return scene.latched or scene.slot.qty == 0 or scene.slot.entry != order_id


def _protect_ns(scene: Scene, orders: Orders) -> int:
    newest_ns = max(order.intent.ts_event for order in orders.values())
    return newest_ns + PROTECT_TTLS * scene.ttl_ns


def _is_old(scene: Scene, entries: Orders) -> bool:
    return scene.now_ns >= _protect_ns(scene, entries)


def _look_again(scene: Scene, entries: Orders) -> list[Move]:
    found = [Move("wait", at_ns=_protect_ns(scene, entries))] if scene.held else []
    return found + end(scene)


def _may_begin(scene: Scene) -> bool:
    slot = scene.slot
    missing = slot.grows and not slot.entry and not scene.latched
    if not missing or abs(slot.qty) - abs(scene.held) < scene.least:
        return False
    # What had to be closed before it may have taken a while.
    free_ns = max((order.ended_ns for order in scene.orders.values()), default=0)
    return scene.now_ns <= max(slot.since_ns, free_ns) + scene.ttl_ns


def _how_it_ended(scene: Scene) -> str:
    filled = {order.intent.leg for order in scene.orders.values() if order.filled}
    if "stop" in filled:
        return "stop"
    if "target" in filled:
        return "take"
    if scene.slot.grows and not scene.slot.entry and not scene.slot.had:
        return "the entry was not said in time"
    return "the position is gone" if filled else "the entry had no answer"


def _close(scene: Scene, rests: Orders, qty: int) -> list[Move]:
    # A stop holds back what it protects: the exchange sells it only once.
    if rests:
        return clear(scene, rests, "the position is given up")
    if not qty:
        return []
    return rested(scene) or [Move("exit", qty=qty, side=closing(scene))]
