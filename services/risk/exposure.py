"""The worst case of a symbol: its position, and all that may still fill on the same side.

A stop and an exit guard the same position, and what one has sold the other cannot: of the two sums
of sells the larger one counts. So the two halves of a pair, a stop and its target, count once,
from the approval of the first to the end of the last. Buys are one sum: two of them count twice.
Of an order and the one that takes its place the larger counts, until one of them has ended.
"""

from schema.ledger import Money
from schema.market import Quote
from schema.trading import OrderIntent
from schema.units import ceil_scale, floor_scale
from services.risk.state import Books, Line, Order

_NONE = Line()

STOPS = frozenset({"stop", "stop_limit"})
"""What gives a position up; a target waits for its price as well, and is an exit."""


def mid_px(quote: Quote) -> int:
    """Return the price between bid and ask, rounded up; 0 when one of them is missing."""
    if quote.bid_px <= 0 or quote.ask_px <= 0:
        return 0
    return (quote.bid_px + quote.ask_px + 1) // 2


def giving_way(books: Books, intent: OrderIntent) -> Order | None:
    """Return the open order whose place an intent takes, and of which it counts the rest alone.

    None where another order is to take that place already: both would count.
    """
    old = books.orders.get(intent.replaces)
    if old is None or old.successor in books.orders:
        return None
    waits = intent.order_type in STOPS
    place = (intent.symbol, intent.side, waits, intent.qty_exp)
    return old if (old.symbol, old.side, old.waits, old.qty_exp) == place else None


def closable(books: Books, intent: OrderIntent) -> int:
    """Return how much on an order's side does nothing but shrink the position.

    What it replaces does not count: of the two one alone is done.
    """
    exp, old = intent.qty_exp, giving_way(books, intent) if intent.replaces else None
    freed = old.counted if old is not None else 0
    line = books.lines.get(intent.symbol, _NONE)
    at_least, at_most = position(books, intent.symbol, exp)
    if intent.side == "buy":
        return max(0, -at_most - _open(line.buys, exp) + freed)
    same = line.stops if intent.order_type in STOPS else line.sells
    return max(0, at_least - _open(same, exp) + freed)


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


def reach(books: Books, symbol: str, exp: int, *, buy: int = 0, sell: int = 0) -> tuple[int, int]:
    """Return the lowest and the highest position that a symbol can come to, with an order more."""
    at_least, at_most = position(books, symbol, exp)
    line = books.lines.get(symbol, _NONE)
    low = at_least - selling(books, symbol, exp) - sell
    return low, at_most + _open(line.buys, exp) + buy


def selling(books: Books, symbol: str, exp: int) -> int:
    """Return how much may be sold by what is open."""
    line = books.lines.get(symbol, _NONE)
    return max(_open(line.sells, exp), _open(line.stops, exp))


def is_flat(books: Books, symbol: str) -> bool:
    """Return whether a symbol has neither a position nor an order that may fill."""
    holding = books.ledger.holdings.get(symbol)
    return not has_orders(books, symbol) and (holding is None or holding.flat)


def has_orders(books: Books, symbol: str) -> bool:
    """Return whether an order of a symbol may still fill."""
    line = books.lines[symbol]
    return bool(line.buys.amount or line.sells.amount or line.stops.amount)


def _open(money: Money, exp: int) -> int:
    if money.exp == exp or not money.amount:
        return money.amount
    return ceil_scale(money.amount, money.exp, exp)
