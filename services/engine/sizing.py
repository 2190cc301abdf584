"""From a strategy's floats to whole lots and ticks, never larger and never nearer."""

from schema.ledger import Holding
from schema.market import Instrument
from schema.units import ceil_scale, floor_scale, notional, order_qty, trigger_px

MONEY_EXP = 6
"""Decimals of money that a strategy's float is cut to."""

CASH_SHARE = 0.99
"""Of the cash, for an entry: the price may rise a little, and the fee is paid as well."""


def lots_for(money: float, px: int, instrument: Instrument) -> int:
    """Return the quantity that some money buys at a price, in whole lots."""
    if px <= 0:
        return 0
    amount = int(money * 10**MONEY_EXP)
    exp = instrument.px_exp + instrument.qty_exp
    qty = amount * 10**exp // (px * 10**MONEY_EXP)
    return _at_most(order_qty(qty, instrument.lot), instrument)


def trigger(price: float, instrument: Instrument) -> int:
    """Return the trigger of a stop below the market, on a tick; 0 for none."""
    px = int(price * 10**instrument.px_exp)
    return trigger_px(px, instrument.tick, "sell", "stop")


def sellable(holding: Holding | None, instrument: Instrument, px: int) -> int:
    """Return the quantity that can be sold; 0 for dust, which no exchange takes.

    `px` has the instrument's decimals; 0 when no price is known.
    """
    if holding is None or holding.qty <= 0:
        return 0
    whole = floor_scale(holding.qty, holding.qty_exp, instrument.qty_exp)
    qty = _at_most(order_qty(whole, instrument.lot), instrument)
    exp = instrument.px_exp + instrument.qty_exp
    tiny = px > 0 and notional(px, qty, exp, instrument.quote_exp) < instrument.min_notional
    return 0 if tiny or qty < instrument.min_qty else qty


def in_px_exp(mark: tuple[int, int] | None, px_exp: int) -> int:
    """Return a price with an instrument's decimals, rounded down; 0 when there is none."""
    return 0 if mark is None else floor_scale(mark[0], mark[1], px_exp)


def least_money(instrument: Instrument | None, px: int) -> float:
    """Return what the smallest order costs at a price."""
    if instrument is None:
        return 0.0
    exp = instrument.px_exp + instrument.qty_exp
    lots = ceil_scale(px * instrument.min_qty, exp, instrument.quote_exp)
    return as_float(max(lots, instrument.min_notional), instrument.quote_exp)


def as_float(n: int, exp: int) -> float:
    """Return an integer with decimals as a strategy sees it."""
    return n / 10.0**exp


def _at_most(qty: int, instrument: Instrument) -> int:
    for most in (instrument.max_qty, instrument.market_max_qty):
        if most:
            qty = order_qty(min(qty, most), instrument.lot)
    return qty
