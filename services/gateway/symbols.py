"""Which symbols are watched: found anew when one is listed or traded first, not at every input."""

from collections.abc import Set as AbstractSet

from services.gateway.questions import is_listed, traded
from services.gateway.state import Windows
from services.gateway.turn import Turn


class Symbols:
    """All symbols that we may have traded in, and those of them that the exchange still lists.

    It is no memory: the same books and windows give the same symbols.
    """

    def __init__(self) -> None:
        self.all: AbstractSet[str] = frozenset()
        self.listed: AbstractSet[str] = frozenset()
        self._windows: Windows | None = None
        self._counts = (0, 0, 0)

    def look(self, turn: Turn) -> None:
        """Find them, where anything can have changed."""
        windows, books = turn.windows, turn.books
        counts = windows.listings, len(windows.instruments), len(books.positions)
        known = self._windows is windows and self._counts == counts
        if known and all(order.symbol in self.all for order in books.open.values()):
            return
        self._windows, self._counts = windows, counts
        self.all = frozenset(traded(turn))
        self.listed = frozenset(symbol for symbol in self.all if is_listed(turn, symbol))
