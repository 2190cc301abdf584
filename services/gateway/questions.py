"""The questions that the exchange is asked, one of a kind at a time, and never while it forbids."""

from schema.exchange import AskAccount, AskOpenOrders, AskOrder, AskTop, AskTrades
from services.gateway.state import Order
from services.gateway.turn import Turn

ORDERS_MAX = 4
"""So many orders are asked for at once."""

TRADING = "TRADING"
"""The exchange's word for an instrument whose orders it takes."""


def ask_order(turn: Turn, order: Order) -> bool:
    """Ask what became of an order; False when it has to wait."""
    key = f"ask {order.id}"
    if sum(1 for asked in turn.windows.asked if asked.startswith("ask ")) >= ORDERS_MAX:
        return False
    if not turn.may_ask(key):
        return False
    effect_id = turn.effect_id(key)
    turn.ask(key, AskOrder(effect_id=effect_id, client_order_id=order.id, symbol=order.symbol))
    return True


def is_asked(turn: Turn, order_id: str) -> bool:
    """Return whether the answer to a question about an order is still out."""
    return f"ask {order_id}" in turn.windows.asked


def ask_trades(turn: Turn, symbol: str) -> bool:
    """Ask for our executions since well before the last comparison; False when it has to wait."""
    key = f"trades {symbol}"
    if not turn.may_ask(key):
        return False
    from_id = turn.windows.pages.get(symbol) or first_id(turn, symbol)
    turn.windows.polled[symbol] = turn.now_ns
    turn.ask(key, AskTrades(effect_id=turn.effect_id(key), symbol=symbol, from_id=from_id))
    return True


def first_id(turn: Turn, symbol: str) -> str:
    """Return the trade id that a list begins with.

    It lags two comparisons behind: an execution that was pushed may be newer than one that was
    not, so the newest that is known says nothing about those before it.
    """
    booked, _ = turn.books.marks.get(symbol, (0, 0))
    listed, _ = turn.windows.marks.get(symbol, (0, 0))
    return str(max(booked, listed))


def ask_open_orders(turn: Turn) -> bool:
    """Ask for all that rests at the exchange."""
    if not turn.may_ask("open"):
        return False
    turn.ask("open", AskOpenOrders(effect_id=turn.effect_id("open")))
    return True


def ask_account(turn: Turn) -> bool:
    """Ask for balances."""
    if not turn.may_ask("account"):
        return False
    turn.ask("account", AskAccount(effect_id=turn.effect_id("account")))
    return True


def ask_top(turn: Turn, symbol: str) -> bool:
    """Ask for the top of the book."""
    key = f"top {symbol}"
    if not turn.may_ask(key):
        return False
    turn.ask(key, AskTop(effect_id=turn.effect_id(key), symbol=symbol))
    return True


def is_listed(turn: Turn, symbol: str) -> bool:
    """Return whether the exchange still trades a symbol; of one that it left it may say nothing."""
    instrument = turn.windows.instruments.get(symbol)
    return instrument is None or instrument.status == TRADING


def traded(turn: Turn) -> set[str]:
    """Return every symbol that we may have traded in."""
    names = {*turn.windows.instruments, *turn.books.positions}
    for order in turn.books.open.values():
        names.add(order.intent.symbol)
    return names
