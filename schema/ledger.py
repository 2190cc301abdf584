"""The books of an account: what fills and deposits make of cash, positions and profit.

Everything is an integer with decimals of its own. A position is (qty, cost), with the sign of qty
on both; its average price is a view. Reducing c of q takes `cost * c // q`, toward zero, out of the
cost. A fee in the base asset takes that much of the position, and what it cost is the fee; a fee
in a third asset stands in that asset's balance alone; a rebate is a fee below zero. So, in the
quote asset and to the last unit, `cash + qty * mark = deposits + realized + (qty * mark - cost) -
fees + funding` holds at every step. Each event proves what it touched: of every asset, that what
was put in and all entries come to the balance, and of every position, that its quantity and what
was paid for it changed by that event alone. `assert_sound` proves whole books.
"""

from functools import lru_cache

import msgspec

from schema.holding import Holding, Move, earn, hold, rebate, trade, widen
from schema.identity import tag_of
from schema.orders import Deposit, Fill
from schema.purse import Money, Purse, purse_of
from schema.units import ceil_scale, rescale, to_text

__all__ = ["ACCOUNT", "TRADING", "Holding", "Ledger", "Money", "Purse"]

TRADING = "trading"
ACCOUNT = ""
"""The book of the whole account, beside those of the strategies."""

EARNINGS = frozenset({"funding", "dividend"})
"""Kinds of deposits that a position earned: no capital came in."""


class Ledger(msgspec.Struct):
    """All balances and positions; `holdings` by "symbol" and by "symbol strategy-tag"."""

    balances: dict[str, Purse] = {}
    holdings: dict[str, Holding] = {}
    tags: dict[str, list[str]] = {}  # of the books of each symbol, in the order of their first fill
    seen: dict[str, set[str]] = {}  # trade ids of each symbol
    fills: int = 0
    repeats: int = 0
    moves: int = 0  # deposits of any kind

    def holding(self, symbol: str, tag: str = ACCOUNT) -> Holding | None:
        """Return the account's position in a symbol, or that of one strategy's tag."""
        return self.holdings.get(book_of(symbol, tag))

    def balance(self, asset: str) -> Money:
        """Return a balance; zero when there never was one."""
        purse = self.balances.get(asset)
        return Money(purse.amount, purse.exp) if purse is not None else Money()

    def deposited(self, asset: str) -> Money:
        """Return what was put in of an asset, less what was taken out."""
        purse = self.balances.get(asset)
        return Money(purse.put, purse.exp) if purse is not None else Money()

    def charged(self, asset: str) -> Money:
        """Return the fees that were paid in an asset."""
        purse = self.balances.get(asset)
        return Money(purse.fees, purse.exp) if purse is not None else Money()


def book_of(symbol: str, tag: str) -> str:
    """Return the key of a position."""
    return f"{symbol} {tag}" if tag else symbol


@lru_cache(16_384)
def halves(symbol: str) -> tuple[str, str]:
    """Return base and quote of a symbol."""
    base, _, quote = symbol.partition("/")
    return base, quote


def deposit(ledger: Ledger, message: Deposit) -> None:
    """Book money that came or went by other ways than trading."""
    if message.book != TRADING:
        return
    ledger.moves += 1
    purse = purse_of(ledger.balances, message.asset)
    amount = purse.fitted(message.amount, message.exp)
    purse.amount += amount
    known = _is_of_position(ledger, message)
    if message.kind in EARNINGS:
        purse.earned += amount
        purse.alone += 0 if known else amount
    elif message.kind == "rebate":
        purse.fees -= amount
        purse.aside -= 0 if known else amount
    else:
        purse.put += amount
        known = False
    if known:
        _share(ledger, message)
    assert purse.proven, f"{message.asset} does not add up after {message}: {purse}"


def _is_of_position(ledger: Ledger, message: Deposit) -> bool:
    return message.symbol in ledger.holdings and halves(message.symbol)[1] == message.asset


def _share(ledger: Ledger, message: Deposit) -> None:
    """Give the account's position what it earned, and each strategy's its part by quantity."""
    give = earn if message.kind in EARNINGS else rebate
    symbol, left = message.symbol, message.amount
    whole = ledger.holdings[symbol]
    give(whole, message.amount, message.exp)
    keys = [book_of(symbol, tag) for tag in ledger.tags.get(symbol, ())]
    parts = [ledger.holdings[key] for key in keys if key in ledger.holdings]
    for n, part in enumerate(parts, start=1):
        mine = left if n == len(parts) else _portion(message.amount, part, whole)
        give(part, mine, message.exp)
        left -= mine


def _portion(amount: int, part: Holding, whole: Holding) -> int:
    exp = max(part.qty_exp, whole.qty_exp)
    held = rescale(whole.qty, whole.qty_exp, exp)
    return amount * rescale(part.qty, part.qty_exp, exp) // held if held else 0


def book(ledger: Ledger, fill: Fill) -> bool:
    """Book one fill; False for one that was booked before."""
    symbol, trade_id = fill.symbol, fill.venue_trade_id
    seen = ledger.seen.get(symbol)
    if seen is None:
        seen = ledger.seen[symbol] = set()
    if trade_id in seen:
        ledger.repeats += 1
        return False
    seen.add(trade_id)
    ledger.fills += 1
    base, quote = halves(symbol)
    move = _move_of(fill, base, quote)
    _pay(ledger.balances, fill, base, quote)
    holdings, tag = ledger.holdings, tag_of(fill.client_order_id)
    own = f"{symbol} {tag}"
    if own not in holdings:
        _open(ledger, fill, move, tag)
    for key in (symbol, own):
        holding = holdings[key]
        hold(holding, move)
        if fill.px_exp != holding.px_exp:
            holding.px_exp = max(holding.px_exp, fill.px_exp)
    return True


def _open(ledger: Ledger, fill: Fill, move: Move, tag: str) -> None:
    for key in (fill.symbol, book_of(fill.symbol, tag)):
        if key not in ledger.holdings:
            ledger.holdings[key] = Holding(fill.px_exp, move.qty_exp, move.quote_exp)
    tags = ledger.tags.setdefault(fill.symbol, [])
    if tag and tag not in tags:
        tags.append(tag)


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
    widen(giver, taker.qty_exp, taker.quote_exp)
    widen(taker, giver.qty_exp, giver.quote_exp)
    money, before = abs(giver.cost) * qty // owed, giver.paid + taker.paid
    trade(taker, -sign, qty, money)
    trade(giver, sign, qty, money)
    assert giver.paid + taker.paid == before, f"{fill} changed what was paid by handing over"


def _pay(purses: dict[str, Purse], fill: Fill, base: str, quote: str) -> None:
    qty, money = fill.qty, fill.quote_qty
    if fill.side == "buy":
        money = -money
    else:
        qty = -qty
    bought, paid = purses.get(base), purses.get(quote)
    if bought is None or paid is None:
        bought, paid = purse_of(purses, base), purse_of(purses, quote)
    if fill.qty_exp != bought.exp:
        qty = bought.fitted(qty, fill.qty_exp)
    bought.amount += qty
    bought.traded += qty
    if fill.quote_exp != paid.exp:
        money = paid.fitted(money, fill.quote_exp)
    paid.amount += money
    paid.traded += money
    if fill.fee:
        _charge(purses, fill, base, quote)
    assert bought.amount == bought.put + bought.traded - bought.fees + bought.earned, bought
    assert paid.amount == paid.put + paid.traded - paid.fees + paid.earned, paid


def _charge(purses: dict[str, Purse], fill: Fill, base: str, quote: str) -> None:
    asset, fee = fill.fee_asset, fill.fee
    purse = purse_of(purses, asset)
    if fill.fee_exp != purse.exp:
        fee = purse.fitted(fee, fill.fee_exp)
    purse.amount -= fee
    purse.fees += fee
    if asset not in (base, quote):
        purse.aside += fee
        assert purse.proven, f"{asset} does not add up after {fill}: {purse}"


def _move_of(fill: Fill, base: str, quote: str) -> Move:
    # A fee in base has more decimals than the lot; a fee in quote may have more than the price.
    qty, qty_exp, fee, fee_exp = fill.qty, fill.qty_exp, fill.fee, fill.fee_exp
    money, quote_exp, asset = fill.quote_qty, fill.quote_exp, fill.fee_asset
    sign, in_base = (1 if fill.side == "buy" else -1), 0
    if asset == quote:
        if fee_exp > quote_exp:
            money, quote_exp = rescale(money, quote_exp, fee_exp), fee_exp
        elif fee_exp < quote_exp:
            fee = rescale(fee, fee_exp, quote_exp)
    elif asset == base:
        if fee_exp > qty_exp:
            qty, qty_exp = rescale(qty, qty_exp, fee_exp), fee_exp
        in_base, fee = rescale(fee, fee_exp, qty_exp), 0
    else:
        fee = 0
    return Move(qty_exp, quote_exp, sign, qty, money, fee, in_base)


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
            "funding": to_text(book.funding, book.quote_exp),
        }
        for symbol, book in sorted(ledger.holdings.items())
        if " " not in symbol
    }
