"""Lots for taxes: what was bought first is sold first, in each asset, exactly.

It is a view beside the books, which know one weighted cost. Numbers are integers of DECIMALS
decimals, without end. What is sold beyond the known lots has no cost here: it is told as unknown,
and never made up.
"""

from collections import deque

import msgspec

from schema.units import DAY_NS

DECIMALS = 18
UNKNOWN = "unknown basis"
OTHER = "bought in another currency"


class Lot(msgspec.Struct):
    """What is left of one purchase, and of what it cost."""

    acquired_ns: int
    qty: int
    cost: int
    quote: str


class Taken(msgspec.Struct, frozen=True):
    """One part of a disposal, out of one lot, or of none that is known."""

    asset: str
    quote: str
    disposed_ns: int
    qty: int
    proceeds: int
    acquired_ns: int = 0  # 0: unknown
    cost: int | None = None
    cost_in: str = ""
    flag: str = ""

    @property
    def gain(self) -> int | None:
        """Return proceeds less cost, where both are known in one currency."""
        return self.proceeds - self.cost if self.cost is not None and not self.flag else None

    @property
    def days(self) -> int | None:
        """Return how many whole days it was held."""
        return (self.disposed_ns - self.acquired_ns) // DAY_NS if self.acquired_ns else None


class Lots:
    """The lots of all assets, each first in, first out."""

    def __init__(self) -> None:
        self._held: dict[str, deque[Lot]] = {}

    def acquire(self, asset: str, lot: Lot) -> None:
        """Add a lot behind all earlier ones; of nothing there is none."""
        if lot.qty > 0:
            self._held.setdefault(asset, deque()).append(lot)

    def dispose(self, asset: str, quote: str, at_ns: int, qty: int, proceeds: int) -> list[Taken]:
        """Take a quantity out of the oldest lots; the parts' proceeds come to all of them."""
        found: list[Taken] = []
        left, unpaid = qty, proceeds
        held = self._held.setdefault(asset, deque())
        while left > 0:
            closed = min(left, held[0].qty) if held else left
            part = unpaid if closed == left else _share(proceeds, closed, qty)
            known = _known(held[0], closed, quote) if held else {"flag": UNKNOWN}
            found.append(Taken(asset, quote, at_ns, closed, part, **known))
            if held and not held[0].qty:
                held.popleft()
            left, unpaid = left - closed, unpaid - part
        return found

    def held(self, asset: str) -> tuple[int, int]:
        """Return the quantity that is left of an asset, and what it cost."""
        lots = self._held.get(asset, deque())
        return sum(lot.qty for lot in lots), sum(lot.cost for lot in lots)


def _known(lot: Lot, qty: int, quote: str) -> dict[str, int | str]:
    """Take a quantity out of a lot; return where it came from."""
    cost = lot.cost if qty == lot.qty else _share(lot.cost, qty, lot.qty)
    lot.qty -= qty
    lot.cost -= cost
    flag = "" if lot.quote == quote else OTHER
    return {"acquired_ns": lot.acquired_ns, "cost": cost, "cost_in": lot.quote, "flag": flag}


def _share(money: int, qty: int, whole: int) -> int:
    """Return a part of some money by quantity, toward zero: what is lost stays with the rest."""
    part = abs(money) * qty // whole
    return part if money >= 0 else -part
