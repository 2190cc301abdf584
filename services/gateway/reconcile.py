"""The comparison with the exchange: at the start, after a lost stream, and every half a minute.

Balances first, then open orders and the trades of every symbol, then each open order that the
exchange's list lacks. A question without an answer is asked again; it is never taken for "none".
"""

from collections.abc import Set as AbstractSet

from schema.exchange import OpenOrdersSeen
from schema.orders import Reconciled
from services.gateway.answers import take_report
from services.gateway.balances import compare
from services.gateway.questions import (
    ask_account,
    ask_open_orders,
    ask_order,
    ask_trades,
    is_asked,
)
from services.gateway.state import Cycle
from services.gateway.steps import awaited
from services.gateway.turn import Turn


def take_open_orders(turn: Turn, seen: OpenOrdersSeen) -> None:
    """Take in what rests at the exchange; what is not of here halts its symbol."""
    ask, cycle = turn.answered(seen.effect_id), turn.windows.cycle
    for report in seen.reports:
        take_report(turn, report, "query")
    if ask is None:
        return
    turn.windows.externals = {
        f"{report.symbol} {report.venue_order_id}": report
        for report in seen.reports
        if report.client_order_id not in turn.books.ids
    }
    if cycle is None:
        return
    listed = {report.client_order_id for report in seen.reports}
    cycle.missing = [
        order.id
        for order in turn.books.open.values()
        if order.id not in listed and not awaited(order) and order.submitted_ns <= ask.asked_ns
    ]


def take_answer(turn: Turn, order_id: str) -> None:
    """Note that the exchange was asked for an order that its list lacks."""
    cycle = turn.windows.cycle
    if cycle is not None and cycle.missing and order_id in cycle.missing:
        cycle.missing.remove(order_id)


def settle(turn: Turn, symbols: AbstractSet[str]) -> None:
    """Begin a comparison when one is due, ask on, and say what came of it."""
    windows = turn.windows
    if windows.clock is None or not windows.armed:
        return
    if windows.cycle is None and _is_due(turn, symbols):
        windows.reconcile = ""
        windows.cycle = Cycle(symbols=sorted(symbols), listings=windows.listings)
    if windows.cycle is not None:
        _ask(turn, windows.cycle)
        _finish(turn, windows.cycle)
        if windows.cycle is None:
            _is_due(turn, symbols)  # So that it is woken for the next one.


def _is_due(turn: Turn, symbols: AbstractSet[str]) -> bool:
    windows = turn.windows
    if windows.reconcile or windows.reconciled is None:
        return True
    as_compared = windows.reconciled_of == (windows.listings, len(symbols))
    if not as_compared and not symbols <= windows.reconciled.keys():
        return True
    return turn.due(windows.reconciled_ns + turn.rules.own.reconcile_ms * 1_000_000)


def _ask(turn: Turn, cycle: Cycle) -> None:
    if not cycle.account_ns and ask_account(turn):
        cycle.moves = turn.windows.moves
    if cycle.missing is None:
        ask_open_orders(turn)
    if cycle.account_ns:
        for symbol in cycle.symbols:
            if symbol not in cycle.traded:
                ask_trades(turn, symbol)
    for order_id in list(cycle.missing or ()):
        order = turn.books.open.get(order_id)
        if order is None:
            take_answer(turn, order_id)
        elif not is_asked(turn, order_id):
            ask_order(turn, order)


def _finish(turn: Turn, cycle: Cycle) -> None:
    traded = all(symbol in cycle.traded for symbol in cycle.symbols)
    if not cycle.account_ns or cycle.missing is None or cycle.missing or not traded:
        return
    windows = turn.windows
    differences = compare(turn, cycle)
    turn.say(
        Reconciled(
            ts_event=turn.now_ns,
            open_orders=len(turn.books.open),
            fills_found=cycle.fills_found,
            differences=differences,
            detail=" ".join(cycle.symbols),
        )
    )
    windows.reconciled_of = cycle.listings, len(cycle.symbols)
    windows.reconciled, windows.reconciled_ns = dict.fromkeys(cycle.symbols), turn.now_ns
    windows.cycle = None
    for symbol, newest in windows.listed.items():
        _, last = windows.marks.get(symbol, (0, 0))
        windows.marks[symbol] = (last, newest)
