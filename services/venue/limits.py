"""The numbers of a symbol's filters, and those that a symbol has which names none of its own.

Amounts have eight decimals, as on the wire; multipliers of a price have four. They are those of
Binance's BTCUSDT, except where its own maximum is a number of that one asset.
"""

import msgspec

from schema.units import rescale

EXP = 8
UNIT = 10**EXP
MULTIPLIER = 10**4
DOLLARS = frozenset({"USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USD", "EUR"})


class Limits(msgspec.Struct, frozen=True):
    """The limits of one symbol; a step or a bound of a market order of 0 asks for nothing."""

    tick: int
    lot: int
    least: int  # worth of an order
    least_px: int = 0  # 0: a tick
    most_px: int = 9 * 10**10 * UNIT
    least_qty: int = 0  # 0: a lot
    most_qty: int = 9 * 10**9 * UNIT
    market_lot: int = 0
    market_least: int = 0
    market_most: int = 9 * 10**9 * UNIT
    most: int = 9 * 10**9 * UNIT  # worth of an order
    least_of_market: bool = True  # `least` holds for market orders too
    most_of_market: bool = False
    bid: tuple[int, int] = (MULTIPLIER // 5, 5 * MULTIPLIER)  # of the average, at least and at most
    ask: tuple[int, int] = (MULTIPLIER // 5, 5 * MULTIPLIER)
    average_mins: int = 5
    orders: int = 200
    algo_orders: int = 5
    lists: int = 20
    position: int = 9 * 10**10 * UNIT


def usual(quote: str, px_exp: int, qty_exp: int) -> Limits:
    """Return the limits of a symbol that names none of its own."""
    least = 5 * UNIT if quote in DOLLARS else UNIT // 10_000
    return Limits(rescale(1, px_exp, EXP), rescale(1, qty_exp, EXP), least)
