"""What the engine says of its books, held against the monitor's own.

A statement is compared once it can know all that changed our book: it was caused by that very
message or a later one, or it was made after a heartbeat in which the engine had read it. The engine
states its books regularly, so after a while an old statement is as good as a new one.
"""

from fractions import Fraction

import msgspec

from schema.streams import STREAMS
from schema.trading import Portfolio, Position
from services.monitor.books import Book, Books, in_text, parts

ORDER = STREAMS["gateway.order"].number


class Claim(msgspec.Struct, frozen=True):
    """One amount as the engine says it."""

    amount: Fraction
    exp: int  # decimals that it was said in: what ours has beyond them was rounded down
    said_ns: int
    cause: tuple[int, int]


class Claims:
    """The newest statement on each book, and which of them are wrong."""

    def __init__(self, stale_ns: int) -> None:
        self._stale_ns = stale_ns
        self._positions: dict[str, Claim] = {}
        self._cash: dict[str, Claim] = {}
        self._funding: dict[str, Claim] = {}
        self.differences: dict[str, str] = {}  # by symbol or asset, with the numbers

    def take(self, message: Position | Portfolio) -> None:
        """Take a statement; those on the books of single strategies are not compared."""
        when = (message.ts_event, message.cause)
        match message:
            case Position(strategy=""):
                claim = Claim(parts(message.qty, message.qty_exp), message.qty_exp, *when)
                self._positions[message.symbol] = claim
                earned = Claim(parts(message.funding, message.quote_exp), message.quote_exp, *when)
                self._funding[message.symbol] = earned
            case Portfolio(period="minute"):  # That of a day is said again with the next one.
                claim = Claim(parts(message.cash, message.quote_exp), message.quote_exp, *when)
                self._cash[message.quote] = claim

    def compare(self, books: Books, now_ns: int) -> None:
        """Find the differences anew; where nothing can be said, what was found stays."""
        for scope, claim in self._positions.items():
            self._hold(scope, books.positions.get(scope, Book()), claim, books.pos, now_ns)
        for scope, claim in self._funding.items():
            name = f"{scope} funding"
            self._hold(name, books.funding.get(scope, Book()), claim, books.pos, now_ns)
        for scope, claim in self._cash.items():
            self._hold(scope, books.cash.get(scope, Book()), claim, books.pos, now_ns)

    def _hold(self, scope: str, book: Book, claim: Claim, pos: int, now_ns: int) -> None:
        if not self._comparable(book, claim, pos, now_ns):
            return
        ours = parts(int(book.amount * 10**claim.exp // 1), claim.exp)
        if ours == claim.amount:
            self.differences.pop(scope, None)
            return
        theirs, apart = in_text(claim.amount), in_text(claim.amount - book.amount)
        self.differences[scope] = (
            f"{scope}: what the gateway said adds up to {in_text(book.amount)}, "
            f"the engine says {theirs}, which is {apart} off"
        )

    def _comparable(self, book: Book, claim: Claim, pos: int, now_ns: int) -> bool:
        stream, cause_pos = claim.cause
        if stream == ORDER and cause_pos >= book.changed_pos:
            return cause_pos <= pos  # Ahead of us it is compared once we have read as far.
        if book.waits:
            return False
        return claim.said_ns > book.passed_ns or now_ns - book.seen_ns > self._stale_ns
