"""A position whose engine dies, and what the gateway then does in its place."""

from typing import Any

from schema.exchange import AskTop, SendCancel, SendOrder
from schema.house import PeerSeen
from schema.identity import client_order_id
from schema.orders import OrderSubmitted
from schema.trading import OrderIntent
from services.gateway import guard
from services.gateway.turn import Turn
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_desk import Desk
from tests.services.gateway.gateway_words import WORLD

STOP_PX = 4_900_000
ALL = (SendOrder, SendCancel, AskTop)
BOUND_MS = 3_000 + guard.LOOK_MS
"""The rule of time: silence borne, and one look; answers take no time at this desk."""


def entered(desk: Desk, qty: str = "0.01000", **fields: Any) -> OrderIntent:
    """Hold a position whose entry said where it is given up."""
    wanted: dict[str, Any] = {"qty": int(qty.replace(".", "")), "protect_px": STOP_PX, **fields}
    intent = desk.place(desk.intent(**wanted))
    desk.fill(intent, qty)
    return intent


def stop(desk: Desk, qty: int = 1000, **fields: Any) -> OrderIntent:
    wanted: dict[str, Any] = {
        "order_type": "stop",
        "stop_px": STOP_PX,
        "reduce_only": True,
        "leg": "stop",
    }
    return desk.place(desk.intent("sell", qty, **wanted, **fields))


def order_id(n: int) -> str:
    return client_order_id(WORLD, "toy", SYMBOL, f"pair {n}", 1)


def engine(desk: Desk, state: str = "SILENT") -> None:
    desk.put(PeerSeen(service="engine", state=state))


def die(desk: Desk) -> None:
    """Let the engine die, and its silence last as long as it is borne."""
    desk.pass_ms(desk.settings.gateway.engine_silence_ms)
    engine(desk)


def guards(desk: Desk) -> list[OrderIntent]:
    """Return the orders that the gateway made for strategies' positions."""
    found = [one for one in desk.of(OrderSubmitted) if one.intent.reason.startswith("guard ")]
    assert all(one.verdict.by == "gateway" and one.intent.reduce_only for one in found)
    assert len({one.client_order_id for one in found}) == len(found)
    return [one.intent for one in found]


def told(desk: Desk) -> str:
    return guard.told(Turn(desk.core.state, desk.core.rules, desk.now_ns))
