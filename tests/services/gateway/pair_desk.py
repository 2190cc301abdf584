"""A desk that holds a position and guards it with a stop and a target that leave as one."""

from collections.abc import Iterator
from typing import Any

import msgspec

from schema.joined import SendPair
from schema.orders import OrderDenied, OrderSubmitted
from schema.trading import OrderIntent, OrderType
from tests.services.gateway.gateway_desk import Desk
from tests.services.gateway.gateway_words import LISTED, Words

Pair = tuple[OrderIntent, OrderIntent]

TAKING_PAIRS = msgspec.structs.replace(
    LISTED,
    oco=True,
    order_types=("MARKET", "LIMIT", "LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT"),
)


def holding() -> Desk:
    """Return a desk that holds 0.01 BTC and may guard it by a pair."""
    desk = Desk().boot()
    desk.put(TAKING_PAIRS)
    desk.bought()
    return desk


def guarded() -> Iterator[Desk]:
    """Lend such a desk, and prove its turns afterwards."""
    desk = holding()
    yield desk
    desk.prove()


def halves(desk: Words, qty: int = 1000, **fields: Any) -> Pair:
    """Return a stop and its target, each naming the other."""
    stopping: OrderType = "stop"
    taking: OrderType = "limit_maker"
    common = {"reduce_only": True, "valid_until_ns": desk.now_ns + 30_000_000_000} | fields
    stop = desk.intent(
        "sell", qty, **{"order_type": stopping, "stop_px": 4_800_000, "leg": "stop"} | common
    )
    target = desk.intent(
        "sell", qty, **{"order_type": taking, "limit_px": 5_200_000, "leg": "target"} | common
    )
    name = msgspec.structs.replace
    return (
        name(stop, oco=target.client_order_id),
        name(target, oco=stop.client_order_id),
    )


def changed(pair: Pair, **fields: Any) -> Pair:
    """Return a pair whose target is another one."""
    return pair[0], msgspec.structs.replace(pair[1], **fields)


def approve(desk: Desk, pair: Pair) -> None:
    """Let the engine want both, and risk approve both, in one turn."""
    desk.put(*pair, *(desk.verdict(half) for half in pair))


def place(desk: Desk, pair: Pair) -> Pair:
    """Send a pair, and have the exchange take it."""
    approve(desk, pair)
    desk.put(desk.account.answer(desk.take(SendPair)))
    return pair


def codes(desk: Desk, pair: Pair) -> list[str]:
    """Return why the halves of a pair were denied, in order of the halves; empty: not denied."""
    denied = {said.client_order_id: said.code for said in desk.of(OrderDenied)}
    return [denied.get(half.client_order_id, "") for half in pair]


def submitted(desk: Desk, pair: Pair) -> list[OrderSubmitted]:
    """Return the records of a pair's halves that were said to be on their way."""
    ids = {half.client_order_id for half in pair}
    return [said for said in desk.of(OrderSubmitted) if said.client_order_id in ids]
