"""What all symbols come to together, kept up as they change, so that a verdict looks at its own.

Nothing here is remembered: it is worked out of books and quotes, symbol by symbol, and equals a
walk through all of them. A symbol is touched when a quote, an order or a fill may have changed what
it may come to, and worked out anew when somebody asks.
"""

import msgspec

from schema.market import Instrument
from schema.units import INT64_LIMIT, ceil_scale
from services.risk.exposure import has_orders, is_flat, mid_px, reach
from services.risk.money import MONEY_EXP, worth
from services.risk.state import Books, Windows


class Share(msgspec.Struct, frozen=True, gc=False):
    """What one symbol may come to, in MONEY_EXP at its last price."""

    gross: int = 0  # worst case
    low: int = 0  # of its position, below 0 for a short
    high: int = 0
    active: bool = False  # it counts as a position: dust does not
    priced: bool = True


NOTHING = Share()
HUGE = Share(INT64_LIMIT, -INT64_LIMIT, INT64_LIMIT, active=True)
"""More than any limit allows: its worth does not fit."""


class Sums:
    """The worst case of all symbols together."""

    def __init__(self, books: Books, windows: Windows) -> None:
        self._books, self._windows = books, windows
        self.shares: dict[str, Share] = {}
        self.gross = self.low = self.high = self.active = 0
        self._unpriced: set[str] = set()
        self._touched: set[str] = set(books.lines)

    def is_of(self, books: Books, windows: Windows) -> bool:
        """Return whether it was worked out of these."""
        return self._books is books and self._windows is windows

    def touch(self, symbol: str) -> None:
        """Work a symbol out anew when asked next."""
        self._touched.add(symbol)

    def touch_all(self) -> None:
        """Work all symbols out anew when asked next."""
        self._touched.update(self._books.lines)

    def refresh(self) -> None:
        """Bring the sums up to what the books and the quotes are now."""
        if not self._touched:
            return
        for symbol in self._touched:  # In any order: what is added up is whole numbers.
            self._put(symbol, share_of(self._books, self._windows, symbol))
        self._touched.clear()

    def unpriced(self, but: str) -> str:
        """Return a symbol without a price that is no other than one; "" for none."""
        if not self._unpriced:
            return ""
        return min((one for one in self._unpriced if one != but), default="")

    def _put(self, symbol: str, share: Share) -> None:
        before = self.shares.get(symbol, NOTHING)
        if share == before:
            return
        self.shares[symbol] = share
        self.gross += share.gross - before.gross
        self.low += share.low - before.low
        self.high += share.high - before.high
        self.active += share.active - before.active
        if share.priced:
            self._unpriced.discard(symbol)
        else:
            self._unpriced.add(symbol)


def share_of(books: Books, windows: Windows, symbol: str) -> Share:
    """Return what one symbol may come to."""
    if symbol not in books.lines or is_flat(books, symbol):
        return NOTHING
    quote = windows.quotes.get(symbol)
    if quote is None:
        return Share(active=True, priced=False)
    low, high = reach(books, symbol, quote.qty_exp)
    px, exp = mid_px(quote), quote.px_exp + quote.qty_exp
    try:
        below, above = -worth(px, -low, exp), worth(px, high, exp)
    except ValueError:
        return HUGE
    gross = max(0, above, -below)
    active = not _is_dust(books, windows.instruments.get(symbol), symbol, gross)
    return Share(gross, below, above, active=active)


def _is_dust(books: Books, instrument: Instrument | None, symbol: str, gross: int) -> bool:
    """Return whether nothing is left but what fees in coins leave, which nobody can close."""
    if instrument is None or has_orders(books, symbol):
        return False
    return gross < ceil_scale(instrument.min_notional, instrument.quote_exp, MONEY_EXP)
