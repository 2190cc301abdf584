"""The books of an account: what fills and deposits make of cash, positions and profit.

Everything is an integer with decimals of its own. A position is (qty, cost), with the sign of qty
on both; its average price is a view. Reducing c of q takes `cost * c // q`, toward zero, out of the
cost. A fee in the base asset takes that much of the position, and what it cost is the fee; a fee
in a third asset stands in that asset's balance alone. So, in the quote asset and to the last unit,
`cash + qty * mark = deposits + realized + (qty * mark - cost) - fees` holds at every step.
"""

import msgspec

from schema.identity import tag_of
from schema.orders import Deposit, Fill
from schema.units import ceil_scale, floor_scale, rescale, to_text

TRADING = "trading"
ACCOUNT = ""
"""The book of the whole account, beside those of the strategies."""


class Money(msgspec.Struct, array_like=True):
    """An amount of one asset; it gains decimals when one is needed, and never loses one."""

    amount: int = 0
    exp: int = 0

    def add(self, amount: int, exp: int) -> None:
        """Add an amount exactly."""
        if exp > self.exp:
            self.amount, self.exp = rescale(self.amount, self.exp, exp), exp
        self.amount += amount if exp == self.exp else rescale(amount, exp, self.exp)


class Holding(msgspec.Struct, array_like=True):
    """A position in one symbol, and what it has earned so far; money is in the quote asset."""

    px_exp: int
    qty_exp: int
    quote_exp: int
    qty: int = 0
    cost: int = 0
    realized: int = 0  # before fees
    fees: int = 0

    @property
    def flat(self) -> bool:
        return self.qty == 0

    def worth(self, px: int) -> int:
        """Return what the position is worth at a price, rounded against us."""
        return floor_scale(px * self.qty, self.px_exp + self.qty_exp, self.quote_exp)

    def unrealized(self, px: int) -> int:
        """Return what closing at a price would add, before fees."""
        return self.worth(px) - self.cost


class Move(msgspec.Struct, frozen=True):
    """What a fill does to a position, whosever it is."""

    qty_exp: int
    quote_exp: int
    sign: int
    qty: int
    money: int
    fee: int  # in the quote asset
    fee_in_base: int


class Ledger(msgspec.Struct):
    """All balances and positions; `holdings` by "symbol" and by "symbol strategy-tag"."""

    balances: dict[str, Money] = {}
    deposits: dict[str, Money] = {}
    holdings: dict[str, Holding] = {}
    fees: dict[str, Money] = {}  # by asset, in that asset
    seen: dict[str, set[str]] = {}  # trade ids of each symbol
    fills: int = 0
    repeats: int = 0

    def holding(self, symbol: str, tag: str = ACCOUNT) -> Holding | None:
        """Return the account's position in a symbol, or that of one strategy's tag."""
        return self.holdings.get(book_of(symbol, tag))

    def balance(self, asset: str) -> Money:
        """Return a balance; zero when there never was one."""
        return self.balances.get(asset, Money())


def book_of(symbol: str, tag: str) -> str:
    """Return the key of a position."""
    return f"{symbol} {tag}" if tag else symbol


def deposit(ledger: Ledger, message: Deposit) -> None:
    """Book money that came or went by other ways than trading."""
    if message.book != TRADING:
        return
    for books in (ledger.balances, ledger.deposits):
        _add(books, message.asset, message.amount, message.exp)


def book(ledger: Ledger, fill: Fill) -> bool:
    """Book one fill; False for one that was booked before."""
    seen = ledger.seen.get(fill.symbol)
    if seen is None:
        seen = ledger.seen[fill.symbol] = set()
    if fill.venue_trade_id in seen:
        ledger.repeats += 1
        return False
    seen.add(fill.venue_trade_id)
    ledger.fills += 1
    base, _, quote = fill.symbol.partition("/")
    move = _move_of(fill, base, quote)
    _pay(ledger, fill, base, quote)
    for key in (fill.symbol, book_of(fill.symbol, tag_of(fill.client_order_id))):
        holding = ledger.holdings.get(key)
        if holding is None:
            holding = ledger.holdings[key] = Holding(fill.px_exp, move.qty_exp, move.quote_exp)
        _hold(holding, move)
        if fill.px_exp != holding.px_exp:
            holding.px_exp = max(holding.px_exp, fill.px_exp)
    return True


def hand_over(ledger: Ledger, fill: Fill, tag: str) -> None:
    """Let a strategy's book have closed what a fill of nobody's closed, as far as it holds it.

    What closes the account's position, closes those of its strategies; the account's book, and the
    sum of all others, stay as they are. A purchase closes shorts.
    """
    giver = ledger.holding(fill.symbol, tag_of(fill.client_order_id))
    taker = ledger.holding(fill.symbol, tag)
    if giver is None or taker is None or giver is taker:
        return
    sign = 1 if fill.side == "sell" else -1
    exp = max(giver.qty_exp, taker.qty_exp)
    owed = -sign * rescale(giver.qty, giver.qty_exp, exp)
    qty = min(owed, sign * rescale(taker.qty, taker.qty_exp, exp))
    if qty <= 0:
        return
    _widen(giver, taker)
    money = abs(giver.cost) * qty // owed
    _trade(taker, -sign, qty, money)
    _trade(giver, sign, qty, money)


def _widen(one: Holding, other: Holding) -> None:
    qty_exp, quote_exp = max(one.qty_exp, other.qty_exp), max(one.quote_exp, other.quote_exp)
    for holding in (one, other):
        _rescale(holding, qty_exp, quote_exp)


def _pay(ledger: Ledger, fill: Fill, base: str, quote: str) -> None:
    sign = 1 if fill.side == "buy" else -1
    balances, asset, fee, exp = ledger.balances, fill.fee_asset, fill.fee, fill.fee_exp
    _add(balances, base, sign * fill.qty, fill.qty_exp)
    _add(balances, quote, -sign * fill.quote_qty, fill.quote_exp)
    _add(balances, asset, -fee, exp)
    _add(ledger.fees, asset, fee, exp)


def _add(books: dict[str, Money], asset: str, amount: int, exp: int) -> None:
    money = books.get(asset)
    if money is None:
        money = books[asset] = Money()
    money.add(amount, exp)


def _move_of(fill: Fill, base: str, quote: str) -> Move:
    # A fee in base has more decimals than the lot; a fee in quote may have more than the price.
    qty, qty_exp, fee_exp = fill.qty, fill.qty_exp, fill.fee_exp
    money, quote_exp = fill.quote_qty, fill.quote_exp
    in_quote, in_base = fill.fee_asset == quote, fill.fee_asset == base
    if in_base and fee_exp > qty_exp:
        qty, qty_exp = rescale(qty, qty_exp, fee_exp), fee_exp
    if in_quote and fee_exp > quote_exp:
        money, quote_exp = rescale(money, quote_exp, fee_exp), fee_exp
    return Move(
        qty_exp,
        quote_exp,
        1 if fill.side == "buy" else -1,
        qty,
        money,
        rescale(fill.fee, fee_exp, quote_exp) if in_quote else 0,
        rescale(fill.fee, fee_exp, qty_exp) if in_base else 0,
    )


def _hold(holding: Holding, move: Move) -> None:
    if holding.qty_exp != move.qty_exp or holding.quote_exp != move.quote_exp:
        move = _fitted(holding, move)
    _trade(holding, move.sign, move.qty, move.money)
    holding.fees += move.fee
    if move.fee_in_base:
        _pay_in_base(holding, move.fee_in_base)


def _fitted(holding: Holding, move: Move) -> Move:
    """Return a move with a holding's decimals, which gains those that it lacks."""
    qty_exp = max(holding.qty_exp, move.qty_exp)
    quote_exp = max(holding.quote_exp, move.quote_exp)
    _rescale(holding, qty_exp, quote_exp)
    return Move(
        qty_exp,
        quote_exp,
        move.sign,
        rescale(move.qty, move.qty_exp, qty_exp),
        rescale(move.money, move.quote_exp, quote_exp),
        rescale(move.fee, move.quote_exp, quote_exp),
        rescale(move.fee_in_base, move.qty_exp, qty_exp),
    )


def _rescale(holding: Holding, qty_exp: int, quote_exp: int) -> None:
    if (qty_exp, quote_exp) == (holding.qty_exp, holding.quote_exp):
        return
    holding.qty = rescale(holding.qty, holding.qty_exp, qty_exp)
    for name in ("cost", "realized", "fees"):
        setattr(holding, name, rescale(getattr(holding, name), holding.quote_exp, quote_exp))
    holding.qty_exp, holding.quote_exp = qty_exp, quote_exp


def _trade(holding: Holding, sign: int, qty: int, money: int) -> None:
    if holding.qty * sign >= 0:
        holding.qty += sign * qty
        holding.cost += sign * money
        return
    closed = min(qty, abs(holding.qty))
    part = money * closed // qty
    holding.realized += -sign * part - _take_out(holding, closed)
    if qty > closed:  # Through zero: the rest opens the other way.
        holding.qty = sign * (qty - closed)
        holding.cost = sign * (money - part)


def _pay_in_base(holding: Holding, fee: int) -> None:
    if fee < 0 or holding.qty <= 0:  # A rebate, or from a short: it has no price that is known.
        _trade(holding, -1 if fee > 0 else 1, abs(fee), 0)
        return
    paid = min(fee, holding.qty)
    holding.fees += _take_out(holding, paid)
    holding.qty -= fee - paid


def _take_out(holding: Holding, qty: int) -> int:
    """Take some of a position out, and return what it had cost."""
    cost, whole = holding.cost, abs(holding.qty)
    if qty == whole:
        holding.qty = holding.cost = 0
        return cost
    removed = abs(cost) * qty // whole
    removed = removed if cost >= 0 else -removed
    holding.cost -= removed
    holding.qty -= qty if holding.qty > 0 else -qty
    return removed


def positions(ledger: Ledger, quote: str) -> list[tuple[str, Holding]]:
    """Return the account's positions that are valued in a quote asset, but for those at zero."""
    return [
        (key, holding)
        for key, holding in ledger.holdings.items()
        if holding.qty and " " not in key and key.partition("/")[2] == quote
    ]


def reserve(px: int, qty: int, exp: int, quote_exp: int, fee_bps: int) -> int:
    """Return what an order may cost at most, its fee included."""
    return ceil_scale(px * qty * (10_000 + fee_bps), exp + 4, quote_exp)


def decimals(ledger: Ledger) -> dict[str, str]:
    """Return every balance as decimal text, by asset: what an operator or an audit compares."""
    return {
        asset: to_text(money.amount, money.exp) for asset, money in sorted(ledger.balances.items())
    }


def holdings(ledger: Ledger) -> dict[str, dict[str, str]]:
    """Return the account's position in each symbol as decimal text."""
    return {
        symbol: {
            "qty": to_text(book.qty, book.qty_exp),
            "cost": to_text(book.cost, book.quote_exp),
            "realized": to_text(book.realized, book.quote_exp),
            "fees": to_text(book.fees, book.quote_exp),
        }
        for symbol, book in sorted(ledger.holdings.items())
        if " " not in symbol
    }
