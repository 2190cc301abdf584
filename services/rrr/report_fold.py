"""The fold behind a report: what our fills made of each position before, within and by a period.

Fills are folded in the order of the exchange's time. A trade, as a report counts it, is a way from
flat to flat in one strategy's book: what is left below the smallest quantity is flat.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

import msgspec

from schema.identity import strategy_tag, tag_of
from schema.ledger import Holding, Ledger, book, halves, hand_over
from schema.orders import Fill
from services.rrr.moment import exact

ZERO = Decimal(0)
CLOSER = "gateway"
"""In whose name the gateway closes positions by itself: it gives them to whoever held them."""

Valued = Callable[[Fill], Decimal | None]
"""Returns what a fee in a third asset was worth in the quote; None where no price is known."""


class Stand(msgspec.Struct, frozen=True):
    """A position and what it had earned, at one time."""

    qty: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    fees: Decimal = ZERO


class Sum(msgspec.Struct):
    """An exact sum of integers, each with decimals of its own; a Decimal for each would be slow."""

    parts: dict[int, int] = {}  # by decimals

    def add(self, n: int, exp: int) -> None:
        """Add an integer of so many decimals."""
        self.parts[exp] = self.parts.get(exp, 0) + n

    @property
    def value(self) -> Decimal:
        return sum((exact(n, exp) for exp, n in self.parts.items()), ZERO)


class Line(msgspec.Struct):
    """What one strategy, or the whole account, did in one symbol within the period."""

    symbol: str
    tag: str  # empty: the whole account
    before: Stand = Stand()
    after: Stand = Stand()
    first_px: tuple[int, int] = (0, 0)  # of the last fill before the begin, and its decimals
    last_px: tuple[int, int] = (0, 0)  # of the last fill before the end
    traded: Sum = msgspec.field(default_factory=Sum)
    elsewhere: Decimal = ZERO  # fees in third assets, as far as they could be valued
    fills: int = 0
    wins: int = 0
    losses: int = 0

    @property
    def turnover(self) -> Decimal:
        return self.traded.value

    @property
    def realized(self) -> Decimal:
        return self.after.realized - self.before.realized

    @property
    def fees(self) -> Decimal:
        return self.after.fees - self.before.fees


class Paid(msgspec.Struct):
    """Fees in one asset within the period."""

    paid: Sum = msgspec.field(default_factory=Sum)
    quoted: Sum = msgspec.field(default_factory=Sum)  # what of it was a quote asset itself
    valued: Decimal = ZERO  # what the rest was worth, in the quotes that it was paid for
    unvalued: Decimal = ZERO  # how much of the amount has no price

    @property
    def amount(self) -> Decimal:
        return self.paid.value

    @property
    def value(self) -> Decimal:
        return self.quoted.value + self.valued


class Fold:
    """Folds fills, oldest first, up to the end of a period."""

    def __init__(self, first_ns: int, names: Sequence[str], lots: dict[str, Decimal]) -> None:
        self.lines: dict[str, Line] = {}
        self.fees: dict[str, Paid] = {}
        self.third: dict[str, Decimal] = {}  # fees in assets that are no side of their symbol
        self.unvalued = 0
        self._first_ns = first_ns
        self._tags = holders(names)
        self._lots = lots
        self._ledger = Ledger()
        self._opened: dict[str, Decimal] = {}  # what a book had earned when its trade began

    def run(self, fills: Iterable[Fill], valued: Valued) -> None:
        """Fold all of them; those within the period are counted."""
        within = False
        for fill in fills:
            if not within and fill.ts_event >= self._first_ns:
                self._begin()
                within = True
            self._take(fill, within=within)
            if within:
                self._count(fill, valued)
        if not within:
            self._begin()
        for key, line in self.lines.items():
            line.after = self._stand(key)

    def _begin(self) -> None:
        for key, line in self.lines.items():
            line.before, line.first_px = self._stand(key), line.last_px

    def _stand(self, key: str) -> Stand:
        held = self._ledger.holdings[key]
        money = (exact(n, held.quote_exp) for n in (held.cost, held.realized, held.fees))
        return Stand(exact(held.qty, held.qty_exp), *money)

    def _take(self, fill: Fill, *, within: bool) -> None:
        ledger, symbol, tag = self._ledger, fill.symbol, tag_of(fill.client_order_id)
        taking = closed_by(fill, self._tags)
        touched = [f"{symbol} {owner}" for owner in (tag, *taking)]
        before = [sign_of(ledger.holdings.get(key)) for key in touched]
        book(ledger, fill)
        ledger.seen.clear()  # The shard has each fill once, and their ids would fill the memory.
        for name in taking:
            hand_over(ledger, fill, name)
        for key, owner in ((symbol, ""), (touched[0], tag)):
            line = self.lines.get(key)
            if line is None:
                line = self.lines[key] = Line(symbol, owner)
            line.last_px = (fill.px, fill.px_exp)
        for key, sign in zip(touched, before, strict=True):
            if sign:
                self._close(key, sign, within=within)

    def _close(self, key: str, sign_before: int, *, within: bool) -> None:
        """Count a trade that has ended: its book is flat, or on the other side."""
        held, line = self._ledger.holdings[key], self.lines[key]
        if sign_of(held) == sign_before and not self._is_dust(line.symbol, held):
            return
        earned = exact(held.realized - held.fees, held.quote_exp)
        gain = earned - self._opened.get(key, ZERO)
        self._opened[key] = earned
        if within:
            line.wins += gain > 0
            line.losses += gain <= 0

    def _is_dust(self, symbol: str, held: Holding) -> bool:
        lot = self._lots.get(symbol)
        return lot is not None and exact(abs(held.qty), held.qty_exp) < lot

    def _count(self, fill: Fill, valued: Valued) -> None:
        value = self._fee(fill, valued) if fill.fee else None
        for key in (fill.symbol, f"{fill.symbol} {tag_of(fill.client_order_id)}"):
            line = self.lines[key]
            line.fills += 1
            line.traded.add(fill.quote_qty, fill.quote_exp)
            if value is not None:
                line.elsewhere += value

    def _fee(self, fill: Fill, valued: Valued) -> Decimal | None:
        """Count a fee; return what one in a third asset was worth."""
        base, quote = halves(fill.symbol)
        paid = self.fees.get(fill.fee_asset)
        if paid is None:
            paid = self.fees[fill.fee_asset] = Paid()
        paid.paid.add(fill.fee, fill.fee_exp)
        if fill.fee_asset == quote:
            paid.quoted.add(fill.fee, fill.fee_exp)
            return None
        amount = exact(fill.fee, fill.fee_exp)
        if fill.fee_asset == base:
            paid.valued += amount * exact(fill.px, fill.px_exp)
            return None
        return self._elsewhere(fill, paid, amount, valued)

    def _elsewhere(self, fill: Fill, paid: Paid, amount: Decimal, valued: Valued) -> Decimal:
        self.third[fill.fee_asset] = self.third.get(fill.fee_asset, ZERO) + amount
        value = valued(fill)
        if value is None:
            paid.unvalued += amount
            self.unvalued += 1
            return ZERO
        paid.valued += value
        return value


def holders(names: Sequence[str]) -> list[str]:
    """Return the tags of those who hold positions, in the order in which they are closed."""
    return [strategy_tag(name) for name in names if name != CLOSER]


def closed_by(fill: Fill, tags: Sequence[str]) -> Sequence[str]:
    """Return whose books a fill may close beside its own: of nobody's fill, all."""
    return () if tag_of(fill.client_order_id) in tags else tags


def sign_of(held: Holding | None) -> int:
    """Return 1 for a long, -1 for a short, and 0 for no position."""
    return (held.qty > 0) - (held.qty < 0) if held is not None else 0
