"""The chain of hashes in an audit: each row vouches for all rows before it."""

import hashlib

import msgspec

Value = int | float | str | bytes | None

CHAIN_BYTES = 32
CHAIN_START = bytes(CHAIN_BYTES)
"""What stands before the first row."""

AUDIT_HASHED = 8
"""How many values a hash is of: the hash before, and a row's seven fields."""


def audit_hash(*values: Value) -> bytes:
    """Return the hash of a row: blake2b of a msgpack array of the hash before it and its fields."""
    return hashlib.blake2b(msgspec.msgpack.encode(values), digest_size=CHAIN_BYTES).digest()
