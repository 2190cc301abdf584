"""What is missing between what a strategy wants and what it has: looks at how things stand alone.

One place mends a cold start, a restart, a denial, a partial fill and a late answer, because none
of them is an event here: there is what is wanted, what is held, and what is open. A position below
zero is a short; everything holds for it with the sides exchanged.
"""

from typing import Literal

import msgspec

from schema.lifecycle import State
from services.engine.ladders import missing
from services.engine.protection import LEGS, protect
from services.engine.replacing import coming, may_replace, outlived, swapped
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
    """Return what is missing; one order, pair or ladder at most, and only when its way is free."""
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
        given_up = "the entry is not wanted any more"
        return _chase(scene, entries) or clear(scene, unwanted, given_up) + _over_at(scene)
    if entries and not (held and _is_old(scene, entries)):
        return [*await_answers(scene, entries), *_look_again(scene, entries)]
    if slot.qty == 0 or slot.qty * held < 0:
        return _close(scene, rests, abs(held))
    if abs(held) - abs(slot.qty) >= scene.least:
        return _shed(scene, rests, abs(held) - abs(slot.qty))
    if _may_begin(scene):
        return _enter(scene)
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
    # One of an earlier decision gives way: the newest has said its own, or is about to. The first
    # take ends what is still to be entered, and so does the time until which that is good.
    slot = scene.slot
    over = slot.taken > 0 or 0 < _overdue_ns(scene) <= scene.now_ns
    return scene.latched or slot.qty == 0 or over or not slot.owns(order_id)


def _overdue_ns(scene: Scene) -> int:
    """Return when an entry should have been ended by the gateway; 0: never."""
    good_till_ns = scene.slot.good_till_ns
    return good_till_ns + scene.ttl_ns if good_till_ns else 0


def _over_at(scene: Scene) -> list[Move]:
    at_ns = _overdue_ns(scene)
    return [Move("wait", at_ns=at_ns)] if at_ns > scene.now_ns else []


def _enter(scene: Scene) -> list[Move]:
    """Return the entry of what is missing, rung by rung where it is a ladder."""
    slot = scene.slot
    side: Literal["buy", "sell"] = "buy" if slot.qty > 0 else "sell"
    qty = abs(slot.qty) - abs(scene.held)
    if not slot.rungs:
        return [Move("enter", qty=qty, side=side)]
    steps = missing(slot.rungs, qty, scene.least)
    return [Move("enter", qty=lots, side=side, limit_px=px) for px, lots in steps]


def _chase(scene: Scene, entries: Orders) -> list[Move]:
    """Return the entry that takes the place of the one that waits, if it can by one request."""
    if len(entries) != 1 or scene.held or scene.slot.rungs or not _may_begin(scene):
        return []
    ((order_id, order),) = entries.items()
    (entry,) = _enter(scene)
    if order.intent.side != entry.side or not may_replace(scene, order_id, order):
        return []
    return rested(scene, enters=True) or [msgspec.structs.replace(entry, replaces=order_id)]


def _protect_ns(scene: Scene, orders: Orders) -> int:
    newest_ns = max(order.intent.ts_event for order in orders.values())
    return newest_ns + PROTECT_TTLS * scene.ttl_ns


def _is_old(scene: Scene, entries: Orders) -> bool:
    return scene.now_ns >= _protect_ns(scene, entries)


def _look_again(scene: Scene, entries: Orders) -> list[Move]:
    found = [Move("wait", at_ns=_protect_ns(scene, entries))] if scene.held else []
    return found + _over_at(scene) + end(scene)


def _may_begin(scene: Scene) -> bool:
    slot = scene.slot
    begins = slot.grows and not slot.entry and not slot.taken and not scene.latched
    if not begins or abs(slot.qty) - abs(scene.held) < scene.least:
        return False
    if 0 < slot.good_till_ns <= scene.now_ns:
        return False
    # What had to be closed before it may have taken a while.
    free_ns = max((order.ended_ns for order in scene.orders.values()), default=0)
    return scene.now_ns <= max(slot.since_ns, free_ns) + scene.ttl_ns


def _how_it_ended(scene: Scene) -> str:
    filled = {order.intent.leg for order in scene.orders.values() if order.filled}
    if "stop" in filled:
        return scene.slot.stop_name
    if "target" in filled:
        return "take"
    if 0 < scene.slot.good_till_ns <= scene.now_ns and not filled:
        return "its time is over"
    if scene.slot.grows and not scene.slot.entry and not scene.slot.had:
        return "the entry was not said in time"
    return "the position is gone" if filled else "the entry had no answer"


def _shed(scene: Scene, rests: Orders, qty: int) -> list[Move]:
    """Return how a part is sold: its stop lets go of that part first, and keeps the rest."""
    keeps = abs(scene.slot.qty)
    if way := coming(rests):
        return await_answers(scene, way)
    if past := outlived(rests):
        return clear(scene, past, "another one has its place")
    if keeps < scene.least:
        return _close(scene, rests, qty)
    if _guards(rests, keeps):
        return rested(scene) or [Move("exit", qty=qty, side=closing(scene))]
    return swapped(scene, rests, ("stop",), keeps) or _close(scene, rests, qty)


def _guards(rests: Orders, qty: int) -> bool:
    """Return whether a stop rests for exactly so much, and nothing else does."""
    return len(rests) == 1 and all(
        order.intent.leg == "stop"
        and order.left == qty
        and order.place.state is State.ACCEPTED
        and not order.cancel_asked
        for order in rests.values()
    )


def _close(scene: Scene, rests: Orders, qty: int) -> list[Move]:
    # A stop holds back what it protects: the exchange sells it only once.
    if rests:
        return clear(scene, rests, "the position is given up")
    if not qty:
        return []
    return rested(scene) or [Move("exit", qty=qty, side=closing(scene))]
