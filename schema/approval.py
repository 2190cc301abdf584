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
    "replaces",
    "expire_ns",
)
"""The fields that change what an order does; another price, size or deadline is another order.

The later ones are in the hash where they say something, so that orders from before they were there
have the hash that was approved then.
"""

FIRST = 14
"""So many of them were there from the beginning."""

_wired, _wired_first = attrgetter(*WIRE_FIELDS), attrgetter(*WIRE_FIELDS[:FIRST])
_encode = msgspec.msgpack.Encoder().encode


def order_hash(intent: OrderIntent) -> bytes:
    """Return the hash that a verdict on this order carries."""
    says_more = intent.replaces or intent.expire_ns
    wired = _wired(intent) if says_more else _wired_first(intent)
    return blake2b(_encode(wired), digest_size=HASH_BYTES).digest()
