"""What all positions are worth together, and what each strategy has earned, kept up as they change.

Nothing here is remembered: it is worked out of books and quotes, symbol by symbol, and equals a
walk through all of them.
"""

from collections.abc import Mapping

import msgspec

from schema.ledger import Holding, halves
from schema.market import Quote
from schema.units import INT64_LIMIT, floor_scale, notional
from services.risk.exposure import mid_px
from services.risk.money import MONEY_EXP, Limits
from services.risk.state import Books, Windows


class Stake(msgspec.Struct, frozen=True, gc=False):
    """What a symbol's position is worth, and what each strategy has earned in it."""

    worth: int = 0
    at_ns: int = 0  # of the price that it needs; 0: there is no position
    priced: bool = True
    earned: tuple[tuple[str, int], ...] = ()  # by the strategy's tag


class Worth(msgspec.Struct, frozen=True):
    """What the account is worth, and what was moved in, less what was moved out; in MONEY_EXP."""

    equity: int
    moved: int

    @property
    def earned(self) -> int:
        return self.equity - self.moved


NOTHING = Stake()


class Stakes:
    """The worth of all positions together, and the profit of each strategy."""

    def __init__(self, books: Books, windows: Windows, quote_asset: str) -> None:
        self._books, self._windows, self._quote_asset = books, windows, quote_asset
        self._stakes: dict[str, Stake] = {}
        self._unpriced: set[str] = set()
        self._oldest_ns = INT64_LIMIT  # no price that a position needs is older
        self._touched: set[str] = set(books.ledger.tags)
        self.worth = 0
        self.earned: dict[str, int] = {}

    def touch(self, symbol: str) -> None:
        """Work a symbol out anew when asked next."""
        self._touched.add(symbol)

    def touch_all(self) -> None:
        """Work all symbols out anew when asked next."""
        self._touched.update(self._books.ledger.tags)

    def refresh(self) -> None:
        """Bring the sums up to what the books and the quotes are now."""
        for symbol in self._touched:  # In any order: what is added up is whole numbers.
            stake = stake_of(self._books, self._windows.quotes, symbol, self._quote_asset)
            self._put(symbol, stake)
        self._touched.clear()

    def fresh(self, after_ns: int) -> bool:
        """Return whether every position has a price, and none of them is from before a time."""
        if self._unpriced:
            return False
        if self._oldest_ns < after_ns:
            ages = (stake.at_ns for stake in self._stakes.values() if stake.at_ns)
            self._oldest_ns = min(ages, default=INT64_LIMIT)
        return self._oldest_ns >= after_ns

    def account(self, limits: Limits, now_ns: int) -> Worth | None:
        """Return the account's worth; None before its first deposit, or when a price is too old."""
        ledger = self._books.ledger
        if limits.quote not in ledger.balances or not ledger.moves:
            return None
        self.refresh()
        if not self.fresh(now_ns - limits.stale_ns):
            return None
        purse = ledger.balances[limits.quote]
        equity = floor_scale(purse.amount, purse.exp, MONEY_EXP) + self.worth
        return Worth(equity, floor_scale(purse.put, purse.exp, MONEY_EXP))

    def _put(self, symbol: str, stake: Stake) -> None:
        before = self._stakes.get(symbol, NOTHING)
        self._stakes[symbol] = stake
        self.worth += stake.worth - before.worth
        for tag, earned in before.earned:
            self.earned[tag] -= earned
        for tag, earned in stake.earned:
            self.earned[tag] = self.earned.get(tag, 0) + earned
        if stake.at_ns:
            self._oldest_ns = min(self._oldest_ns, stake.at_ns)
        (self._unpriced.discard if stake.priced else self._unpriced.add)(symbol)


def stake_of(books: Books, quotes: Mapping[str, Quote], symbol: str, quote_asset: str) -> Stake:
    """Return what one symbol's position is worth, if that is in the money of the account."""
    ledger = books.ledger
    holding = ledger.holdings.get(symbol)
    if holding is None or halves(symbol)[1] != quote_asset:
        return NOTHING
    quote, books_of, own = quotes.get(symbol), ledger.holdings, []
    for tag in ledger.tags.get(symbol, ()):
        book = books_of.get(f"{symbol} {tag}")
        if book is not None:
            own.append((tag, _earned(book, quote)))
    earned = tuple(own)
    if not holding.qty:
        return Stake(earned=earned)
    if quote is None:
        return Stake(priced=False, earned=earned)
    return Stake(_at_mid(holding, quote), quote.ts_event, earned=earned)


def _earned(book: Holding, quote: Quote | None) -> int:
    """Return what was earned and what closing would add; without a price nothing is added."""
    net = book.realized_net if quote is None else book.realized_net - book.cost
    at_mid = _at_mid(book, quote) if quote is not None else 0
    return floor_scale(net, book.quote_exp, MONEY_EXP) + at_mid


def _at_mid(book: Holding, quote: Quote) -> int:
    return notional(mid_px(quote), book.qty, quote.px_exp + book.qty_exp, MONEY_EXP)
