"""Positions without a stop, where one is asked for: told of once they have gone so for too long."""

from schema.trading import LimitBreached
from schema.units import SECOND_NS, ceil_scale
from services.risk.exposure import mid_px
from services.risk.money import Limits, worth
from services.risk.state import Books, Windows

NAME = "protective_stop_required"


def uncovered(books: Books, windows: Windows, limits: Limits, now_ns: int) -> list[LimitBreached]:
    """Return what has just been without a stop for too long; nothing where none is asked for."""
    if not limits.settings.protective_stop_required:
        return []
    grace_ns = limits.settings.protective_stop_grace_s * SECOND_NS
    bare = {symbol for symbol in books.lines if _is_bare(books, windows, symbol)}
    for symbol in sorted(bare - windows.bare.keys()):
        windows.bare[symbol] = now_ns
    for symbol in sorted(windows.bare.keys() - bare):
        del windows.bare[symbol]
        windows.told.pop(f"{NAME} {symbol}", None)
    return [
        _told(symbol, since_ns, windows, limits, now_ns)
        for symbol, since_ns in windows.bare.items()
        if now_ns - since_ns >= grace_ns and f"{NAME} {symbol}" not in windows.told
    ]


def _is_bare(books: Books, windows: Windows, symbol: str) -> bool:
    """Return whether more of a position than an exchange would take as an order has no stop."""
    holding, quote = books.ledger.holding(symbol), windows.quotes.get(symbol)
    instrument = windows.instruments.get(symbol)
    if holding is None or not holding.qty or quote is None or instrument is None:
        return False
    left = abs(holding.qty) - _stopped(books, symbol, long=holding.qty > 0, exp=holding.qty_exp)
    value = worth(mid_px(quote), max(0, left), quote.px_exp + holding.qty_exp)
    return value >= ceil_scale(max(1, instrument.min_notional), instrument.quote_exp, 8)


def _stopped(books: Books, symbol: str, *, long: bool, exp: int) -> int:
    if long:
        stops = books.lines[symbol].stops
        return ceil_scale(stops.amount, stops.exp, exp)
    return sum(
        ceil_scale(order.leaves, order.qty_exp, exp)
        for order in books.orders.values()
        if order.symbol == symbol and order.side == "buy" and order.waits
    )


def _told(
    symbol: str, since_ns: int, windows: Windows, limits: Limits, now_ns: int
) -> LimitBreached:
    windows.told[f"{NAME} {symbol}"] = now_ns
    return LimitBreached(
        ts_event=now_ns,
        limit_name=NAME,
        scope=symbol,
        observed=f"{(now_ns - since_ns) // SECOND_NS} s without a stop",
        limit=f"{limits.settings.protective_stop_grace_s} s",
        latched=False,
    )
