"""The worst case of a symbol: its position, and all that may still fill on the same side.

A stop and an exit guard the same position, and what one has sold the other cannot: of the two sums
of sells the larger one counts. So the two halves of a pair, a stop and its target, count once,
from the approval of the first to the end of the last. Buys are one sum: two of them count twice.
"""

from collections.abc import Mapping

from schema.ledger import Money
from schema.market import Quote
from schema.trading import OrderIntent
from schema.units import ceil_scale, floor_scale
from services.risk.money import worth
from services.risk.state import Books, Line

_NONE = Line()

STOPS = frozenset({"stop", "stop_limit"})
"""What gives a position up; a target waits for its price as well, and is an exit."""


def mid_px(quote: Quote) -> int:
    """Return the price between bid and ask, rounded up; 0 when one of them is missing."""
    if quote.bid_px <= 0 or quote.ask_px <= 0:
        return 0
    return (quote.bid_px + quote.ask_px + 1) // 2


def closable(books: Books, intent: OrderIntent) -> int:
    """Return how much on an order's side does nothing but shrink the position."""
    exp = intent.qty_exp
    line = books.lines.get(intent.symbol, _NONE)
    at_least, at_most = position(books, intent.symbol, exp)
    if intent.side == "buy":
        return max(0, -at_most - _open(line.buys, exp))
    same = line.stops if intent.order_type in STOPS else line.sells
    return max(0, at_least - _open(same, exp))


def position(books: Books, symbol: str, exp: int) -> tuple[int, int]:
    """Return a position with other decimals, rounded down and up: a fee may be less than a lot."""
    holding = books.ledger.holdings.get(symbol)
    if holding is None:
        return 0, 0
    if holding.qty_exp == exp:
        return holding.qty, holding.qty
    return (
        floor_scale(holding.qty, holding.qty_exp, exp),
        ceil_scale(holding.qty, holding.qty_exp, exp),
    )


def worst_qty(books: Books, symbol: str, exp: int, *, buy: int = 0, sell: int = 0) -> int:
    """Return how far from nothing a symbol can come, with an order more."""
    at_least, at_most = position(books, symbol, exp)
    line = books.lines.get(symbol, _NONE)
    return max(
        0,
        at_most + _open(line.buys, exp) + buy,
        selling(books, symbol, exp) + sell - at_least,
    )


def selling(books: Books, symbol: str, exp: int) -> int:
    """Return how much may be sold by what is open."""
    line = books.lines.get(symbol, _NONE)
    return max(_open(line.sells, exp), _open(line.stops, exp))


def elsewhere(books: Books, quotes: Mapping[str, Quote], *, but: str) -> tuple[int, str]:
    """Return what all symbols but one may come to be worth, and one of them without a price."""
    total, unpriced = 0, ""
    for other in books.lines:
        if other != but and not is_flat(books, other):
            value = worst(books, quotes, other)
            total, unpriced = total + (value or 0), unpriced if value is not None else other
    return total, unpriced


def worst(books: Books, quotes: Mapping[str, Quote], symbol: str) -> int | None:
    """Return what a symbol may come to be worth at its last price; None without one."""
    quote = quotes.get(symbol)
    if quote is None:
        return None
    qty = worst_qty(books, symbol, quote.qty_exp)
    return worth(mid_px(quote), qty, quote.px_exp + quote.qty_exp)


def is_flat(books: Books, symbol: str) -> bool:
    """Return whether a symbol has neither a position nor an order that may fill."""
    holding = books.ledger.holdings.get(symbol)
    line = books.lines[symbol]
    nothing_open = not (line.buys.amount or line.sells.amount or line.stops.amount)
    return nothing_open and (holding is None or holding.flat)


def _open(money: Money, exp: int) -> int:
    if money.exp == exp or not money.amount:
        return money.amount
    return ceil_scale(money.amount, money.exp, exp)
