"""Lists of our executions: asked for while something is missing, and every few seconds anyway.

The exchange's push is a hint; a list is what counts.
"""

from collections.abc import Set as AbstractSet

from schema.exchange import TradesSeen
from services.gateway import vanished
from services.gateway.answers import missing, take_trade
from services.gateway.books import find
from services.gateway.questions import ask_trades
from services.gateway.state import Pace
from services.gateway.turn import Turn
from services.gateway.unconfirmed import take_whole_list

POLLED = 5
"""Lists of so many symbols in each `poll_ms` take a fifth of the exchange's budget; of more
symbols each is asked for less often, so that enough is left for all else."""


def take_list(turn: Turn, seen: TradesSeen) -> None:
    """Book what a list has, and note which questions it answers."""
    windows, ask = turn.windows, turn.answered(seen.effect_id)
    before = turn.books.fills
    for trade in seen.trades:
        take_trade(turn, trade, "query")
    if windows.cycle is not None:
        windows.cycle.fills_found += turn.books.fills - before
    newest = max((int(t.trade_id) for t in seen.trades if t.trade_id.isdecimal()), default=0)
    windows.listed[seen.symbol] = max(windows.listed.get(seen.symbol, 0), newest)
    if ask is None:
        return  # What it holds is true, but nobody knows what it was an answer to.
    if seen.whole or not newest:
        windows.pages.pop(seen.symbol, None)
        _take_end(turn, seen, ask.asked_ns)
    else:
        windows.pages[seen.symbol] = str(newest + 1)
        windows.wanted.setdefault(seen.symbol, ask.asked_ns)


def _take_end(turn: Turn, seen: TradesSeen, asked_ns: int) -> None:
    windows, symbol = turn.windows, seen.symbol
    if seen.whole:
        take_whole_list(turn, seen)
        vanished.take_whole_list(turn, seen)
        if windows.cycle is not None and 0 < windows.cycle.account_ns <= asked_ns:
            windows.cycle.traded[symbol] = None
    if windows.wanted.get(symbol, asked_ns + 1) <= asked_ns:
        del windows.wanted[symbol]
    if _lacks(turn, symbol):
        # The exchange counts an execution that its list does not show yet.
        windows.wanted.setdefault(symbol, turn.now_ns)
        turn.later(windows.paces.setdefault(f"trades {symbol}", Pace()))


def _lacks(turn: Turn, symbol: str) -> bool:
    for order_id, report in turn.windows.held.items():
        order = find(turn.books, order_id)
        if order is not None and order.symbol == symbol and missing(order, report):
            return True
    return False


def settle(turn: Turn, symbols: AbstractSet[str]) -> None:
    """Ask for the lists that are wanted or due."""
    for symbol in list(turn.windows.wanted):
        ask_trades(turn, symbol)
    if turn.windows.clock is None or turn.windows.reconciled is None:
        return
    poll_ns = turn.rules.own.poll_ms * 1_000_000 * max(POLLED, len(symbols)) // POLLED
    windows, key = turn.windows, (turn.windows.listings, len(symbols))
    if windows.poll_of == key and not turn.due(windows.poll_ns):
        return  # Of ten thousand symbols none is looked at before its time.
    polled_ns = windows.polled
    due = [name for name in symbols if polled_ns.get(name, 0) + poll_ns <= turn.now_ns]
    for symbol in sorted(due):
        ask_trades(turn, symbol)
    nexts_ns = [polled_ns.get(name, 0) + poll_ns for name in symbols]
    later_ns = min((at_ns for at_ns in nexts_ns if at_ns > turn.now_ns), default=0)
    windows.poll_of = key if later_ns and later_ns == min(nexts_ns) else (0, 0)
    windows.poll_ns = later_ns
    if later_ns:
        turn.due(later_ns)
