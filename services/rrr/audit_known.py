"""What the audit knows of an order: how it left, and how far it has come."""

import msgspec

from services.rrr.audit_steps import ENDED

APPROVERS = frozenset({"risk", "gateway"})
CLOSER = "gateway"
"""The strategy that FLATTEN's orders name, and who approves what only reduces."""


class Known(msgspec.Struct):
    """One submitted order."""

    symbol: str
    side: str
    strategy: str
    qty: int
    pos: int
    oco: str = ""
    filled: int = 0
    state: str = "SUBMITTED"
    pending: bool = False
    replaces: str = ""
    successor: str = ""  # the newest order that was to take its place

    @property
    def twins(self) -> tuple[str, ...]:
        """Orders of which it alone, or one of them alone, is done."""
        return tuple(filter(None, (self.oco, self.replaces, self.successor)))

    @property
    def left(self) -> int:
        """What may still be filled."""
        return 0 if self.state in ENDED else max(0, self.qty - self.filled)


class Sent(msgspec.Struct):
    """What one submission says of its way: looked at once all streams are read."""

    pos: int
    order_hash: bytes  # of what was sent, recomputed
    reducing: bool
    by: str  # of its verdict
    approved_hash: bytes
