"""What can be traded: from the exchange's listing to `Instrument`, and an order held against it.

The numbers come from the exchange's own text. A bound with more decimals than its instrument has
is rounded to the strict side; a maximum beyond 64 bits is none.
"""

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import msgspec

from schema.market import Instrument
from schema.trading import OrderIntent
from schema.units import INT64_LIMIT, exp_of, notional, notional_at_most, quote_exp, to_int, to_text

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

LIMITS = frozenset({"limit", "limit_maker", "stop_limit", "take_profit_limit"})
TRIGGERS = frozenset({"stop", "stop_limit", "take_profit", "take_profit_limit"})
TIMED = frozenset({"limit", "stop_limit", "take_profit_limit"})

_DEFAULT_EXP = 8


class Denial(msgspec.Struct, frozen=True):
    """Why an order does not pass, in the code of the field and in numbers."""

    code: str
    detail: str


def instrument_of(entry: Mapping[str, Any], ts_event: int) -> Instrument:
    """Return the instrument that an entry of exchangeInfo describes; ValueError names the field."""
    symbol = f"{entry.get('baseAsset')}/{entry.get('quoteAsset')}"
    try:
        filters = {found["filterType"]: found for found in entry["filters"]}
        return _instrument(symbol, entry, filters, ts_event)
    except KeyError as error:
        raise ValueError(f"{symbol}: expected {error} in its listing, found none") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{symbol}: {error}") from None


def _instrument(
    symbol: str, entry: Mapping[str, Any], filters: Mapping[str, Any], ts_event: int
) -> Instrument:
    price, lot = filters["PRICE_FILTER"], filters["LOT_SIZE"]
    market_lot = filters.get("MARKET_LOT_SIZE", {})
    worth = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    tick, step = _text(price, "tickSize"), _text(lot, "stepSize")
    px_exp, qty_exp = _exp(tick), _exp(step)
    money_exp = quote_exp(px_exp, qty_exp)
    return Instrument(
        ts_event=ts_event,
        symbol=symbol,
        venue_symbol=entry["symbol"],
        base=entry["baseAsset"],
        quote=entry["quoteAsset"],
        px_exp=px_exp,
        qty_exp=qty_exp,
        quote_exp=money_exp,
        tick=to_int(tick, px_exp),
        lot=to_int(step, qty_exp),
        min_px=_at_least(price, "minPrice", px_exp),
        max_px=_at_most(price, "maxPrice", px_exp),
        min_qty=_at_least(lot, "minQty", qty_exp),
        max_qty=_at_most(lot, "maxQty", qty_exp),
        market_max_qty=_at_most(market_lot, "maxQty", qty_exp),
        min_notional=_at_least(worth, "minNotional", money_exp),
        max_notional=_at_most(worth, "maxNotional", money_exp),
        status=entry["status"],
        order_types=tuple(entry.get("orderTypes", ())),
    )


def _text(values: Mapping[str, Any], name: str) -> str:
    text = values[name]
    if not isinstance(text, str):
        raise ValueError(f"{name} is {text!r}: expected decimal text")  # noqa: TRY004 - told as one
    return text


def _exp(step: str) -> int:
    # A step of zero means that the exchange asks for none.
    return exp_of(step) if step.strip("0.") else _DEFAULT_EXP


def _at_least(values: Mapping[str, Any], name: str, exp: int) -> int:
    return int(_scaled(values, name, exp).to_integral_value(ROUND_CEILING))


def _at_most(values: Mapping[str, Any], name: str, exp: int) -> int:
    n = int(_scaled(values, name, exp).to_integral_value(ROUND_FLOOR))
    return n if n < INT64_LIMIT else 0


def _scaled(values: Mapping[str, Any], name: str, exp: int) -> Decimal:
    text = _text(values, name) if name in values else "0"
    exp_of(text)  # Refuses what is no plain decimal.
    return Decimal(text).scaleb(exp)


def check(instrument: Instrument, intent: OrderIntent) -> Denial | None:
    """Return why the exchange's filters would refuse an order, or None."""
    return (
        _tradable(instrument, intent)
        or _well_formed(instrument, intent)
        or _price(instrument, intent)
        or _quantity(instrument, intent)
        or _worth(instrument, intent)
    )


def _tradable(instrument: Instrument, intent: OrderIntent) -> Denial | None:
    if instrument.symbol != intent.symbol:
        return Denial("INSTRUMENT_NOT_FOUND", f"symbol={intent.symbol}")
    if instrument.status != "TRADING":
        return Denial("TRADING_HALTED", f"status={instrument.status}")
    offered = instrument.order_types
    if offered and VENUE_TYPES[intent.order_type] not in offered:
        return Denial("UNSUPPORTED_ORDER_TYPE", f"order_type={intent.order_type}")
    if intent.time_in_force != "GTC" and intent.order_type not in TIMED:
        detail = f"time_in_force={intent.time_in_force} order_type={intent.order_type}"
        return Denial("UNSUPPORTED_TIME_IN_FORCE", detail)
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


def _quantity(instrument: Instrument, intent: OrderIntent) -> Denial | None:
    qty = intent.qty
    if qty <= 0 or qty < instrument.min_qty:
        code, name, bound = "QUANTITY_BELOW_MINIMUM", "min", instrument.min_qty
    elif instrument.lot and qty % instrument.lot:
        code, name, bound = "VALIDATION_FAILED", "lot", instrument.lot
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


def _worth(instrument: Instrument, intent: OrderIntent) -> Denial | None:
    px, qty = intent.limit_px or intent.stop_px or intent.ref_px, intent.qty
    exp, money_exp = instrument.px_exp + instrument.qty_exp, instrument.quote_exp
    if px <= 0:
        bounded = instrument.min_notional or instrument.max_notional
        return Denial("VALIDATION_FAILED", "ref_px=0: its worth is unknown") if bounded else None
    try:
        least = notional(px, qty, exp, money_exp)
        most = notional_at_most(px, qty, exp, money_exp)
    except ValueError as error:
        return Denial("NOTIONAL_EXCEEDS_MAXIMUM", f"notional={error}")
    if least < instrument.min_notional:
        detail = f"notional={_money(instrument, least)}"
        return Denial(
            "NOTIONAL_BELOW_MINIMUM", f"{detail} min={_money(instrument, instrument.min_notional)}"
        )
    if instrument.max_notional and most > instrument.max_notional:
        detail = f"notional={_money(instrument, most)}"
        return Denial(
            "NOTIONAL_EXCEEDS_MAXIMUM",
            f"{detail} max={_money(instrument, instrument.max_notional)}",
        )
    return None


def _px(instrument: Instrument, px: int) -> str:
    return to_text(px, instrument.px_exp)


def _money(instrument: Instrument, amount: int) -> str:
    return to_text(amount, instrument.quote_exp)
