"""What a verdict approves: one exact order, named by the hash of all that goes out on the wire."""

from hashlib import blake2b
from operator import attrgetter

import msgspec

from schema.trading import OrderIntent

HASH_BYTES = 16

WIRE_FIELDS = (
    "client_order_id",
    "strategy",
    "symbol",
    "side",
    "order_type",
    "qty",
    "px_exp",
    "qty_exp",
    "limit_px",
    "stop_px",
    "time_in_force",
    "reduce_only",
    "valid_until_ns",
    "oco",
)
"""The fields that change what an order does; another price, size or deadline is another order."""

_wired = attrgetter(*WIRE_FIELDS)
_encode = msgspec.msgpack.Encoder().encode


def order_hash(intent: OrderIntent) -> bytes:
    """Return the hash that a verdict on this order carries."""
    return blake2b(_encode(_wired(intent)), digest_size=HASH_BYTES).digest()
