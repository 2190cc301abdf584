"""A real exchange's rules as the venue enforces them: from an `Instrument` to facts and limits.

All has eight decimals, whatever the exchange's own steps are: those may change while an order
waits, and what was written down of it must then mean the same.
"""

from schema.market import Instrument
from services.venue.columns import Facts
from services.venue.limits import EXP, MULTIPLIER, Limits

NO_LIMIT = 1 << 80
NO_COUNT = 10**9


def facts_of(said: Instrument) -> Facts:
    """Return what the venue knows of a symbol that the exchange lists."""
    return Facts(
        symbol=said.symbol,
        px_exp=EXP,
        qty_exp=EXP,
        grid=1,
        depth_lots=1,
        key=0,
        own=limits_of(said),
        status=said.status,
    )


def unheard(symbol: str, status: str) -> Facts:
    """Return what is known of a symbol whose listing was not heard: what money it is about."""
    own = Limits(tick=1, lot=1, least=0)
    return Facts(symbol, px_exp=EXP, qty_exp=EXP, grid=1, depth_lots=1, key=0, own=own,
                 status=status)  # fmt: skip


def limits_of(said: Instrument) -> Limits:
    """Return the numbers of the exchange's filters; what it does not name is no limit here."""
    px, qty, money = said.px_exp, said.qty_exp, said.quote_exp
    return Limits(
        tick=eight(said.tick, px) or 1,
        lot=eight(said.lot, qty) or 1,
        least=eight(said.min_notional, money),
        least_px=eight(said.min_px, px),
        most_px=eight(said.max_px, px) or NO_LIMIT,
        least_qty=eight(said.min_qty, qty),
        most_qty=eight(said.max_qty, qty) or NO_LIMIT,
        market_lot=eight(said.market_lot, qty),
        market_least=eight(said.market_min_qty, qty),
        market_most=eight(said.market_max_qty, qty) or NO_LIMIT,
        most=eight(said.max_notional, money) or NO_LIMIT,
        least_of_market=not said.min_spares_market,
        most_of_market=not said.max_spares_market,
        bid=_band(said.bid_down, said.bid_up, said.band_exp),
        ask=_band(said.ask_down, said.ask_up, said.band_exp),
        average_mins=said.average_mins,
        orders=said.max_orders or NO_COUNT,
        algo_orders=said.max_algo_orders or NO_COUNT,
        lists=said.max_order_lists or NO_COUNT,
        position=eight(said.max_position, qty) or NO_LIMIT,
    )


def eight(number: int, exp: int) -> int:
    """Return a number with eight decimals; further ones are cut off."""
    return number * int(10 ** (EXP - exp)) if exp <= EXP else number // int(10 ** (exp - EXP))


def _band(down: int, up: int, exp: int) -> tuple[int, int]:
    scaled = (down * MULTIPLIER // 10**exp, up * MULTIPLIER // 10**exp)
    return scaled[0], scaled[1] or NO_LIMIT
