"""An order held against the filters of the exchange, and instruments by time.

`check` is what engine, risk and gateway ask before an order goes its way. What the exchange counts
or averages is given to it by who knows it; what nobody tells is not held against the order.
"""

from bisect import bisect_right
from collections.abc import Sequence
from math import lcm
from operator import attrgetter
from typing import Literal

import msgspec

from schema.market import Instrument
from schema.trading import OrderIntent, TimeInForce
from schema.units import floor_to, notional, notional_at_most, to_text

VENUE_TYPES = {
    "market": "MARKET",
    "limit": "LIMIT",
    "limit_maker": "LIMIT_MAKER",
    "stop": "STOP_LOSS",
    "stop_limit": "STOP_LOSS_LIMIT",
    "take_profit": "TAKE_PROFIT",
    "take_profit_limit": "TAKE_PROFIT_LIMIT",
}
"""Our order types in the exchange's words."""

VENUE_TIFS: dict[TimeInForce, Literal["GTC", "IOC", "FOK"]] = {
    "GTC": "GTC",
    "IOC": "IOC",
    "FOK": "FOK",
    "GTD": "GTC",
}
"""Likewise how long an order stays; a spot exchange knows no GTD, which the gateway ends itself."""

LIMITS = frozenset({"limit", "limit_maker", "stop_limit", "take_profit_limit"})
TRIGGERS = frozenset({"stop", "stop_limit", "take_profit", "take_profit_limit"})
TIMED = frozenset({"limit", "stop_limit", "take_profit_limit"})
DATED = frozenset({"limit", "limit_maker", "stop", "stop_limit"})
"""What may be good until a time of its own (GTD)."""

EXIT_RESERVE_BPS = 500
"""How far the price may fall before an exit without a stop: what peers keep for it by default."""

EXIT_FEE_BPS = 20
"""What a purchase pays in the asset that it buys: twice the usual fee of the exchange."""

BPS = 10_000


class Denial(msgspec.Struct, frozen=True):
    """Why an order does not pass, in the code of the field and in numbers."""

    code: str
    detail: str


class Standing(msgspec.Struct, frozen=True):
    """What stands at the exchange in one symbol, orders on their way and in doubt included.

    Without this order. Quantities have the instrument's decimals.
    """

    orders: int = 0
    algo_orders: int = 0  # stops and take-profits that were not triggered
    lists: int = 0  # pairs
    position: int = 0  # of the base asset, free and locked
    buys: int = 0  # what open buys may still add


NOTHING = Standing()


def at(versions: Sequence[Instrument], at_ns: int) -> Instrument | None:
    """Return the version that held at a time, of some in the order of their time.

    Before the first of them the first one holds: nothing older is known.
    """
    place = bisect_right(versions, at_ns, key=attrgetter("ts_event"))
    return versions[max(0, place - 1)] if versions else None


def market_step(instrument: Instrument) -> int:
    """Return the step of a quantity that a market order and any other order take."""
    own, other = instrument.lot, instrument.market_lot
    return lcm(own, other) if own and other else own or other


def market_least(instrument: Instrument) -> int:
    """Return the smallest quantity that a market order and any other order take."""
    return max(instrument.min_qty, instrument.market_min_qty)


def check(
    instrument: Instrument,
    intent: OrderIntent,
    *,
    standing: Standing = NOTHING,
    reference_px: int = 0,
) -> Denial | None:
    """Return why the exchange's filters would refuse an order, or None.

    `reference_px` is what the market trades at now, in the instrument's decimals; 0: unknown.
    """
    return (
        _tradable(instrument, intent)
        or _well_formed(instrument, intent)
        or _price(instrument, intent)
        or _band(instrument, intent, reference_px)
        or _quantity(instrument, intent)
        or _worth(instrument, intent, reference_px)
        or _count(instrument, intent, standing)
        or _position(instrument, intent, standing)
    )


def leaves_an_exit(instrument: Instrument, intent: OrderIntent, *, held: int = 0) -> Denial | None:
    """Return why what an entry buys could not be sold again, or None.

    It is given up at its `protect_px`, or after a fall; `held` is what is there beside it.
    """
    if intent.reduce_only or intent.leg != "entry":
        return None
    px = intent.limit_px or intent.stop_px or intent.ref_px
    buys, step = intent.side == "buy", market_step(instrument)
    kept_px = px * (BPS - EXIT_RESERVE_BPS) // BPS
    exit_px = min(px, intent.protect_px) if buys and intent.protect_px else kept_px
    qty = intent.qty * (BPS - EXIT_FEE_BPS) // BPS if buys else intent.qty
    qty = floor_to(max(0, qty) + held, step)
    if qty < max(1, market_least(instrument)):
        least = to_text(market_least(instrument), instrument.qty_exp)
        detail = f"exit_qty={to_text(qty, instrument.qty_exp)} min={least}"
        return Denial("NOTIONAL_BELOW_MINIMUM", detail)
    exp = instrument.px_exp + instrument.qty_exp
    worth = exit_px * qty * 10**instrument.quote_exp // 10**exp
    if px > 0 and worth < instrument.min_notional:
        least = _money(instrument, instrument.min_notional)
        detail = f"exit_notional={_money(instrument, worth)} min={least}"
        return Denial("NOTIONAL_BELOW_MINIMUM", f"{detail} exit_px={_px(instrument, exit_px)}")
    return None


def _tradable(instrument: Instrument, intent: OrderIntent) -> Denial | None:
    if instrument.symbol != intent.symbol:
        return Denial("INSTRUMENT_NOT_FOUND", f"symbol={intent.symbol}")
    if instrument.status != "TRADING":
        return Denial("TRADING_HALTED", f"status={instrument.status}")
    offered = instrument.order_types
    if offered and VENUE_TYPES[intent.order_type] not in offered:
        return Denial("UNSUPPORTED_ORDER_TYPE", f"order_type={intent.order_type}")
    if intent.time_in_force not in {"GTC", "GTD"} and intent.order_type not in TIMED:
        detail = f"time_in_force={intent.time_in_force} order_type={intent.order_type}"
        return Denial("UNSUPPORTED_TIME_IN_FORCE", detail)
    return _dated(intent)


def _dated(intent: OrderIntent) -> Denial | None:
    """Return what is wrong with the time that an order is good until, as it was decided."""
    if intent.time_in_force != "GTD":
        detail = f"time_in_force={intent.time_in_force} expire_ns={intent.expire_ns}"
        return Denial("UNSUPPORTED_TIME_IN_FORCE", detail) if intent.expire_ns else None
    if intent.order_type not in DATED:
        return Denial("UNSUPPORTED_TIME_IN_FORCE", f"GTD order_type={intent.order_type}")
    if intent.expire_ns <= intent.ts_event:
        return Denial("EXPIRE_TIME_IN_PAST", f"expire_ns={intent.expire_ns}")
    return None


def _well_formed(instrument: Instrument, intent: OrderIntent) -> Denial | None:
    if intent.px_exp != instrument.px_exp or intent.qty_exp != instrument.qty_exp:
        found, expected = (intent.px_exp, intent.qty_exp), (instrument.px_exp, instrument.qty_exp)
        return Denial("VALIDATION_FAILED", f"exponents={found} expected={expected}")
    if (intent.limit_px > 0) != (intent.order_type in LIMITS) or intent.limit_px < 0:
        return Denial("VALIDATION_FAILED", f"limit_px={_px(instrument, intent.limit_px)}")
    if (intent.stop_px > 0) != (intent.order_type in TRIGGERS) or intent.stop_px < 0:
        return Denial("VALIDATION_FAILED", f"stop_px={_px(instrument, intent.stop_px)}")
    return None


def _price(instrument: Instrument, intent: OrderIntent) -> Denial | None:
    if not intent.limit_px and not intent.stop_px:
        return None
    for name, px in (("limit_px", intent.limit_px), ("stop_px", intent.stop_px)):
        if px and instrument.tick and px % instrument.tick:
            tick = _px(instrument, instrument.tick)
            return Denial("VALIDATION_FAILED", f"{name}={_px(instrument, px)} tick={tick}")
        if px and not _within(px, instrument.min_px, instrument.max_px):
            bounds = f"{_px(instrument, instrument.min_px)}..{_px(instrument, instrument.max_px)}"
            return Denial("VALIDATION_FAILED", f"{name}={_px(instrument, px)} range={bounds}")
    return None


def _within(n: int, least: int, most: int) -> bool:
    return n >= least and (most == 0 or n <= most)


def _band(instrument: Instrument, intent: OrderIntent, reference_px: int) -> Denial | None:
    buys = intent.side == "buy"
    up, down = (
        (instrument.bid_up, instrument.bid_down)
        if buys
        else (instrument.ask_up, instrument.ask_down)
    )
    px = intent.limit_px * int(10**instrument.band_exp)
    if not px or reference_px <= 0:
        return None
    if px < reference_px * down or (up and px > reference_px * up):
        bounds = f"{to_text(down, instrument.band_exp)}..{to_text(up, instrument.band_exp)}"
        found = f"limit_px={_px(instrument, intent.limit_px)}"
        detail = f"{found} reference={_px(instrument, reference_px)} multiple={bounds}"
        return Denial("PRICE_OUTSIDE_COLLAR", detail)
    return None


def _quantity(instrument: Instrument, intent: OrderIntent) -> Denial | None:
    qty, at_market = intent.qty, intent.order_type not in LIMITS
    least = market_least(instrument) if at_market else instrument.min_qty
    step = market_step(instrument) if at_market else instrument.lot
    if qty <= 0 or qty < least:
        code, name, bound = "QUANTITY_BELOW_MINIMUM", "min", least
    elif step and qty % step:
        code, name, bound = "VALIDATION_FAILED", "lot", step
    elif most := _exceeded(instrument, intent):
        code, name, bound = "QUANTITY_EXCEEDS_MAXIMUM", "max", most
    else:
        return None
    exp = instrument.qty_exp
    return Denial(code, f"qty={to_text(qty, exp)} {name}={to_text(bound, exp)}")


def _exceeded(instrument: Instrument, intent: OrderIntent) -> int:
    """Return the maximum that a quantity exceeds; 0 for none."""
    if 0 < instrument.max_qty < intent.qty:
        return instrument.max_qty
    market_max = instrument.market_max_qty if intent.order_type not in LIMITS else 0
    return market_max if 0 < market_max < intent.qty else 0


def _worth(instrument: Instrument, intent: OrderIntent, reference_px: int) -> Denial | None:
    at_market = intent.order_type == "market"
    min_notional = 0 if at_market and instrument.min_spares_market else instrument.min_notional
    max_notional = 0 if at_market and instrument.max_spares_market else instrument.max_notional
    px = intent.limit_px or intent.stop_px or reference_px or intent.ref_px
    exp, money_exp = instrument.px_exp + instrument.qty_exp, instrument.quote_exp
    if px <= 0:
        bounded = instrument.min_notional or instrument.max_notional
        return Denial("VALIDATION_FAILED", "ref_px=0: its worth is unknown") if bounded else None
    try:
        least = notional(px, intent.qty, exp, money_exp)
        most = notional_at_most(px, intent.qty, exp, money_exp)
    except ValueError as error:
        return Denial("NOTIONAL_EXCEEDS_MAXIMUM", f"notional={error}")
    if least < min_notional:
        detail = f"notional={_money(instrument, least)} min={_money(instrument, min_notional)}"
        return Denial("NOTIONAL_BELOW_MINIMUM", detail)
    if max_notional and most > max_notional:
        detail = f"notional={_money(instrument, most)} max={_money(instrument, max_notional)}"
        return Denial("NOTIONAL_EXCEEDS_MAXIMUM", detail)
    return None


def _count(instrument: Instrument, intent: OrderIntent, standing: Standing) -> Denial | None:
    """Hold the counts against an order; a half of a pair counts for both."""
    paired, triggers = bool(intent.oco), intent.order_type in TRIGGERS
    algo = 0 if not triggers else 2 if paired and intent.leg == "target" else 1
    for name, there, more, most in (
        ("orders", standing.orders, 2 if paired else 1, instrument.max_orders),
        ("algo_orders", standing.algo_orders, algo, instrument.max_algo_orders),
        ("order_lists", standing.lists, int(paired), instrument.max_order_lists),
    ):
        if more and 0 < most < there + more:
            return Denial("MAX_OPEN_ORDERS_EXCEEDED", f"{name}={there} more={more} max={most}")
    return None


def _position(instrument: Instrument, intent: OrderIntent, standing: Standing) -> Denial | None:
    most = instrument.max_position
    held = standing.position + standing.buys
    if intent.side == "buy" and 0 < most < held + intent.qty:
        exp = instrument.qty_exp
        numbers = f"position={to_text(held, exp)} qty={to_text(intent.qty, exp)}"
        return Denial("MAX_POSITION_EXCEEDED", f"{numbers} max={to_text(most, exp)}")
    return None


def _px(instrument: Instrument, px: int) -> str:
    return to_text(px, instrument.px_exp)


def _money(instrument: Instrument, amount: int) -> str:
    return to_text(amount, instrument.quote_exp)
