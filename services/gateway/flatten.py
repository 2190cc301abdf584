"""FLATTEN: everything cancelled, every position closed within the collar, then HALTED.

It needs nobody else: prices come from the exchange, and the verdict is the gateway's own.
"""

from schema.exchange import TopSeen
from schema.instruments import check
from schema.lifecycle import State
from schema.market import Instrument
from schema.trading import OrderIntent
from services.gateway.books import CLOSER
from services.gateway.closing import Part, at_once
from services.gateway.join import own_verdict, submit
from services.gateway.kill import set_level
from services.gateway.position import closable
from services.gateway.questions import ask_top
from services.gateway.state import Pace
from services.gateway.turn import Turn

TOO_SMALL = frozenset({"NOTIONAL_BELOW_MINIMUM", "QUANTITY_BELOW_MINIMUM"})


def settle(turn: Turn) -> None:
    """Close what is open, position by position, and be HALTED when nothing is."""
    if turn.books.level != "FLATTEN":
        return
    rest, busy = [name for name in turn.books.positions if _is_open(turn, name)], _busy(turn)
    for symbol in rest:
        pace = turn.windows.closing.setdefault(symbol, Pace())
        if symbol not in busy and turn.due(pace.next_ns):
            ask_top(turn, symbol)
    if not rest and not turn.books.open and turn.windows.reconciled is not None:
        left = f"; too small to be closed: {' '.join(turn.windows.dust)}" * bool(turn.windows.dust)
        why = f"everything is closed{left}; it was told to because: {turn.books.killed.why}"
        set_level(turn, "HALTED", "gateway", why)


def _is_open(turn: Turn, symbol: str) -> bool:
    return turn.books.positions[symbol].n != 0 and symbol not in turn.windows.dust


def _busy(turn: Turn) -> set[str]:
    """Return the symbols of which something may still trade that will soon be known."""
    orders = turn.books.open.values()
    return {o.symbol for o in orders if o.place.state is not State.UNCONFIRMED}


def take_top(turn: Turn, top: TopSeen) -> None:
    """Close a position, or as much as one order may, at the price that the collar allows."""
    instrument = turn.windows.instruments.get(top.symbol)
    if turn.books.level != "FLATTEN":
        return
    if top.symbol not in turn.books.positions or top.symbol in _busy(turn):
        return
    turn.later(turn.windows.closing.setdefault(top.symbol, Pace()))
    if instrument is None or turn.windows.clock is None or turn.banned():
        return
    intent = _closing(turn, instrument, top)
    if intent is None:
        return
    denial = check(instrument, intent)
    if denial is None:
        submit(turn, intent, own_verdict(turn, intent, "FLATTEN closes what is open"))
    elif denial.code in TOO_SMALL and not _is_reserved(turn, top.symbol):
        turn.windows.dust[top.symbol] = None


def _is_reserved(turn: Turn, symbol: str) -> bool:
    return any(order.symbol == symbol for order in turn.books.open.values())


def _closing(turn: Turn, instrument: Instrument, top: TopSeen) -> OrderIntent | None:
    symbol, books = top.symbol, turn.books
    sells = books.positions[symbol].n > 0
    qty = closable(books, symbol, "sell" if sells else "buy", instrument.qty_exp)
    number = books.legs.get(symbol, 0) + 1
    part = Part(CLOSER, sells, qty, f"flatten {books.flattens}", number)
    return at_once(turn, instrument, top, part)
