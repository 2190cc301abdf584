"""From a strategy's floats to whole lots and ticks, never larger and never nearer."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache

from schema.head import Side
from schema.instruments import market_least, market_step
from schema.ledger import Holding
from schema.market import Instrument
from schema.units import ceil_scale, floor_scale, limit_px, notional, order_qty, trigger_px

MONEY_EXP = 6
"""Decimals of money that a strategy's float is cut to."""

BPS = 10_000


def lots_for(money: float, px: int, instrument: Instrument, reserve_bps: int = 0) -> int:
    """Return the quantity that some money buys at a price, in whole lots.

    Of the money a reserve is kept: quantity times price times (1 + reserve) is no more than it.
    """
    if px <= 0 or money <= 0:
        return 0
    amount = int(money * 10**MONEY_EXP)
    exp = instrument.px_exp + instrument.qty_exp
    qty = amount * 10**exp * BPS // (px * 10**MONEY_EXP * (BPS + reserve_bps))
    return _at_most(order_qty(qty, market_step(instrument)), instrument)


def lots_of(qty: float, instrument: Instrument) -> int:
    """Return a strategy's quantity in whole lots."""
    whole = _units(qty, instrument.qty_exp)
    return _at_most(order_qty(whole, market_step(instrument)), instrument)


@lru_cache(256)  # A strategy that asks for a quantity mostly asks for the same again.
def _units(qty: float, exp: int) -> int:
    return int(Decimal(repr(qty)).scaleb(exp))


def trigger(price: float, instrument: Instrument, side: Side) -> int:
    """Return the trigger of a stop, on a tick; 0 for none. `side` is that of the stop."""
    px = _px(price, instrument, up=side == "buy")
    return trigger_px(px, instrument.tick, side, "stop")


def limit(price: float, instrument: Instrument, side: Side) -> int:
    """Return the limit of an entry, on a tick, never more than was said; 0 for none."""
    px = _px(price, instrument, up=side == "sell")
    return limit_px(px, instrument.tick, side)


def closable(holding: Holding | None, instrument: Instrument, px: int) -> int:
    """Return the quantity that can be closed, below 0 for a short; 0 for dust.

    `px` has the instrument's decimals; 0 when no price is known.
    """
    qty = lots_held(holding, instrument)
    return qty if qty and abs(qty) >= least_lots(instrument, px) else 0


def lots_held(holding: Holding | None, instrument: Instrument) -> int:
    """Return what one order could close if no order were too small, below 0 for a short."""
    if holding is None or holding.qty == 0:
        return 0
    size = floor_scale(abs(holding.qty), holding.qty_exp, instrument.qty_exp)
    qty = _at_most(order_qty(size, market_step(instrument)), instrument)
    return qty if holding.qty > 0 else -qty


def least_lots(instrument: Instrument, px: int) -> int:
    """Return the smallest quantity that the exchange takes; `px` 0: no price is known."""
    least = max(1, market_least(instrument))
    exp = instrument.px_exp + instrument.qty_exp
    if px <= 0 or notional(px, least, exp, instrument.quote_exp) >= instrument.min_notional:
        return least
    needed = instrument.min_notional * int(10 ** (exp - instrument.quote_exp))
    return -(-needed // px)


def in_px_exp(mark: tuple[int, int] | None, px_exp: int) -> int:
    """Return a price with an instrument's decimals, rounded down; 0 when there is none."""
    if mark is None:
        return 0
    return mark[0] if mark[1] == px_exp else floor_scale(mark[0], mark[1], px_exp)


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


def _px(price: float, instrument: Instrument, *, up: bool) -> int:
    scaled = Decimal(repr(price)).scaleb(instrument.px_exp)
    return int(scaled.to_integral_value(ROUND_CEILING if up else ROUND_FLOOR))


def _at_most(qty: int, instrument: Instrument) -> int:
    for most in (instrument.max_qty, instrument.market_max_qty):
        if 0 < most < qty:
            qty = order_qty(most, market_step(instrument))
    return qty
