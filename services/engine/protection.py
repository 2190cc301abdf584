"""What protects a position: a stop, a take, or both as one pair of which the exchange does one.

A pair needs no process of this house. Where the exchange takes none, and for a short, the stop
rests and the take is watched; that is also what follows a pair that was refused.
"""

from typing import Literal

from schema.lifecycle import State
from services.engine.ladders import reached_part
from services.engine.replacing import Shape, coming, outlived, swapped
from services.engine.scene import (
    REFUSED,
    Move,
    Orders,
    Scene,
    await_answers,
    clear,
    closing,
    end,
    rested,
)
from services.engine.state import Order

GRACE_TTLS = 1
"""One of a pair ends when the other begins to be done; so long that other may take for it."""

PATIENCE_TTLS = 2
"""A stop with a limit that was triggered so long ago and is not filled gives way to the market."""

AT_WORK = frozenset({State.TRIGGERED, State.PARTIALLY_FILLED})
LEGS = frozenset({"stop", "target"})


def protect(scene: Scene, rests: Orders) -> list[Move]:
    """Return what a position misses of its protection; `rests` are the open legs of it."""
    late_ns = _gives_up_ns(scene, rests)
    if why := _reached(scene, rests):
        return [Move("done", why=why)]
    if part := reached_part(scene):
        return part
    if late_ns and scene.now_ns >= late_ns:
        return [Move("done", why="stop")]
    patience = [Move("wait", at_ns=late_ns)] if late_ns else []
    return [*patience, *_kept(scene, rests), *end(scene)]


def _kept(scene: Scene, rests: Orders) -> list[Move]:
    """Return how what rests becomes what should: all is left alone while that is on its way."""
    shape = _shape(scene)
    if way := coming(rests):
        return await_answers(scene, way)
    if past := outlived(rests):
        return clear(scene, past, "another one has its place")
    if _fit(scene, rests, shape):
        return []
    if grace_ns := _grace_ns(scene, rests):
        return [Move("wait", at_ns=grace_ns)]
    if rests:
        moved = swapped(scene, rests, shape, abs(scene.held))
        return moved or clear(scene, rests, "the stop does not fit the position")
    if not shape:
        return []
    return rested(scene) or [Move(_named(shape), qty=abs(scene.held), side=closing(scene))]


def _named(shape: Shape) -> Literal["stop", "target", "pair"]:
    if len(shape) > 1:
        return "pair"
    return "stop" if shape[0] == "stop" else "target"


def _shape(scene: Scene) -> Shape:
    """Return the legs that should rest at the exchange."""
    slot, takes = scene.slot, scene.slot.take_px > 0 and scene.held > 0
    if not slot.stop_px:
        return ("target",) if takes and not _was_refused(scene, ("target",)) else ()
    pair = ("stop", "target")
    return pair if takes and scene.pairs and not _was_refused(scene, pair) else ("stop",)


def _was_refused(scene: Scene, shape: Shape) -> bool:
    """Return whether the same legs were refused: they would be again, and the stop waits."""
    paired = len(shape) > 1
    return any(
        order.place.state in REFUSED
        and order.intent.leg in shape
        and bool(order.intent.oco) == paired
        and order.intent.qty == abs(scene.held)
        and _is_at(scene, order)
        and _is_at(scene, scene.orders.get(order.intent.oco, order))
        for order in scene.orders.values()
    )


def _is_at(scene: Scene, order: Order) -> bool:
    slot, intent = scene.slot, order.intent
    if intent.leg == "target":
        return intent.limit_px == slot.take_px
    return (intent.stop_px, intent.limit_px) == (slot.stop_px, slot.stop_limit_px)


def _fit(scene: Scene, rests: Orders, shape: Shape) -> bool:
    """Return whether what rests protects the position as it should, or is doing so."""
    if not all(_fits(scene, order) for order in rests.values()):
        return False
    legs = sorted(order.intent.leg for order in rests.values())
    if legs == ["stop"] and _is_at_work(*rests.values()):
        return True
    return legs == list(shape) and (len(legs) < len(LEGS) or _are_paired(rests))


def _are_paired(rests: Orders) -> bool:
    return all(order.intent.oco in rests for order in rests.values())


def _fits(scene: Scene, order: Order) -> bool:
    return order.left == abs(scene.held) and _is_at(scene, order) and not order.cancel_asked


def _is_at_work(order: Order) -> bool:
    return order.place.state in AT_WORK or order.filled > 0


def _grace_ns(scene: Scene, rests: Orders) -> int:
    """Return until when one of a pair, whose other has just ended, is left alone; 0: not at all."""
    if len(rests) != 1:
        return 0
    (order,) = rests.values()
    other = scene.orders.get(order.intent.oco)
    if other is None or other.place.state is not State.EXPIRED or order.cancel_asked:
        return 0
    until_ns = other.ended_ns + GRACE_TTLS * scene.ttl_ns
    return until_ns if scene.now_ns < until_ns else 0


def _gives_up_ns(scene: Scene, rests: Orders) -> int:
    """Return when the position is sold at the market because its stop is not; 0: never."""
    since_ns = [
        order.triggered_ns
        for order in rests.values()
        if order.intent.order_type == "stop_limit" and order.triggered_ns
    ]
    return min(since_ns) + PATIENCE_TTLS * scene.ttl_ns if since_ns else 0


def _reached(scene: Scene, rests: Orders) -> str:
    """Return what the market has reached: a take, or a stop, that does not rest at the exchange."""
    slot, sign = scene.slot, 1 if scene.held > 0 else -1
    px = scene.bid_px if sign > 0 else scene.ask_px
    if px <= 0:
        return ""
    legs = {order.intent.leg for order in rests.values() if _is_there(scene, order)}
    if slot.take_px and "target" not in legs and (px - slot.take_px) * sign >= 0:
        return "take"
    if slot.stop_px and "stop" not in legs and (px - slot.stop_px) * sign <= 0:
        return slot.stop_name
    return ""


def _is_there(scene: Scene, order: Order) -> bool:
    # A stop that has not followed yet does not guard what it is to guard: the market may be past
    # where it is wanted, and an order for that would be refused.
    at_work = _is_at_work(order) or order.triggered_ns > 0
    return order.intent.leg != "stop" or at_work or _is_at(scene, order)
