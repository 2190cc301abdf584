"""A desk that holds a position behind a stop, and moves the stop by one request."""

from collections.abc import Iterator
from typing import Any

import msgspec

from schema.joined import SendReplace
from schema.orders import OrderDenied
from schema.trading import OrderIntent
from tests.services.gateway.gateway_desk import Desk
from tests.services.gateway.gateway_words import LISTED, Words

TAKING = msgspec.structs.replace(
    LISTED,
    cancel_replace=True,
    oco=True,
    order_types=("MARKET", "LIMIT", "LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT"),
)


def holding() -> Desk:
    """Return a desk that holds 0.01 BTC where orders may take another's place."""
    desk = Desk().boot()
    desk.put(TAKING)
    desk.bought()
    return desk


def stopped() -> Iterator[Desk]:
    """Lend such a desk, and prove its turns afterwards."""
    desk = holding()
    yield desk
    desk.prove()


def stop(desk: Words, px: int = 4_800_000, qty: int = 1000, **fields: Any) -> OrderIntent:
    """Return a stop for the position."""
    own = {"order_type": "stop", "stop_px": px, "leg": "stop", "reduce_only": True}
    return desk.intent("sell", qty, **(own | fields))


def placed(desk: Desk, **fields: Any) -> OrderIntent:
    """Rest a stop at the exchange."""
    return desk.place(stop(desk, **fields))


def moved(desk: Desk, old: OrderIntent, px: int = 4_850_000, **fields: Any) -> OrderIntent:
    """Return a stop that is to take another's place."""
    return stop(desk, px, **({"replaces": old.client_order_id} | fields))


def sent(desk: Desk, old: OrderIntent, **fields: Any) -> tuple[OrderIntent, SendReplace]:
    """Let a stop that takes another's place leave, and return the effect that sends it."""
    new = moved(desk, old, **fields)
    desk.approve(new)
    return new, desk.take(SendReplace)


def denied(desk: Desk, intent: OrderIntent) -> list[str]:
    """Return the codes that an order was denied with."""
    ours = intent.client_order_id
    return [said.code for said in desk.of(OrderDenied) if said.client_order_id == ours]
