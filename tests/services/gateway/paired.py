"""Pairs for an edge: two orders with ids of their own, and the effect that sends them."""

from typing import Any

import msgspec

from bus.clock import SystemClock
from schema.instruments import LIMITS, TRIGGERS
from schema.joined import SendPair
from schema.trading import OrderIntent, OrderType
from tests.services.gateway.served import ANSWER_MS, intent


def bracket(
    stop_px: int,
    target_px: int,
    *,
    stopping: OrderType = "stop",
    taking: OrderType = "limit_maker",
    **fields: Any,
) -> tuple[OrderIntent, OrderIntent]:
    """Return a stop and a target for a long position, each naming the other."""
    common = {"side": "sell", "qty": 1_000, "reduce_only": True} | fields
    stop = _priced(intent(order_type=stopping, leg="stop", **common), stop_px)
    target = _priced(intent(order_type=taking, leg="target", **common), target_px)
    return (
        msgspec.structs.replace(stop, oco=target.client_order_id),
        msgspec.structs.replace(target, oco=stop.client_order_id),
    )


def _priced(half: OrderIntent, px: int) -> OrderIntent:
    limit_px = px if half.order_type in LIMITS else 0
    stop_px = px if half.order_type in TRIGGERS else 0
    return msgspec.structs.replace(half, limit_px=limit_px, stop_px=stop_px)


def pair(halves: tuple[OrderIntent, OrderIntent], **changes: int) -> SendPair:
    """Return the effect that sends two orders as one, now."""
    now_ms = SystemClock().wall_ns() // 1_000_000
    given = {"signed_ms": now_ms, "deadline_wall_ms": now_ms + 1_000, "timeout_ms": ANSWER_MS}
    stop, target = halves
    effect_id = f"pair {stop.client_order_id}"
    return SendPair(effect_id=effect_id, stop=stop, target=target, **(given | changes))
