"""The limits as numbers, and the one scale that money has here.

What a person has set holds in place of the settings; that of one symbol or strategy never lifts
what all have. A limit that is off is a number that nothing reaches.
"""

from collections.abc import Mapping

import msgspec

from schema.settings import Settings
from schema.settings_risk import RiskSettings
from schema.units import (
    INT64_LIMIT,
    MS_NS,
    SECOND_NS,
    ceil_scale,
    to_int,
)
from services.risk.terms import TERMS, shipped

MONEY_EXP = 8
"""Money has eight decimals, whatever its instrument has; what does not fit is rounded up."""

ONE = 10**MONEY_EXP
OFF = INT64_LIMIT
RAISE_DELAYS_NS = {"live": 600 * SECOND_NS}
"""By mode: how long what lets more happen waits, so that a second thought can come."""


class OfSymbol(msgspec.Struct, frozen=True, gc=False):
    """What one symbol's orders are held against, and how that is told."""

    order_notional: int
    order_qty: int  # MONEY_EXP
    position_notional: int
    qty_text: str
    sizes: str  # how a verdict tells of what is taken; each %s is filled in
    uses: str


class Limits(msgspec.Struct, frozen=True):
    """What may be risked: money in MONEY_EXP, times in ns of market time."""

    settings: RiskSettings
    quote: str  # the asset that limits and balances are counted in
    taker_bps: int
    scale: float  # of the clock
    raise_ns: int  # how long what lets more happen waits
    text: dict[str, str]  # each limit as a person writes it, by name and scope
    common: OfSymbol
    symbols: dict[str, OfSymbol]
    net_exposure: int
    gross_exposure: int
    leverage: int  # in hundredths
    open_positions: int
    open_orders: int
    drawdown_bps: int
    daily_loss: int
    weekly_loss: int
    strategy_loss: int
    strategy_losses: dict[str, int]
    least_strategy_loss: int  # of all of them
    collar_bps: int
    order_rate: int
    cancel_rate: int
    msgs_per_day: int
    order_to_fill: int
    round_trips: int
    strategy_trips: dict[str, int]
    trip_ns: int
    duplicate_ns: int
    window_ns: int
    stale_ns: int
    verdict_ttl_ns: int

    def of(self, symbol: str) -> OfSymbol:
        """Return what a symbol's orders are held against."""
        return self.symbols.get(symbol, self.common)


def limits_of(settings: Settings, own_text: Mapping[str, str] | None = None) -> Limits:
    """Return the limits that the settings name, but for those that a person has set, by key."""
    own, scale = settings.risk, settings.clock.scale
    symbols = settings.ingest.symbols or settings.venue.symbol
    text = texts(own, scale) | dict(own_text or {})
    n = {name: _number(name, found) for name, found in text.items()}
    of_strategies = _capped("strategy_loss", text, n)
    return Limits(
        settings=own,
        quote=symbols[0].partition("/")[2],
        taker_bps=settings.venue.taker_bps,
        scale=scale,
        raise_ns=RAISE_DELAYS_NS.get(settings.mode, 0),
        text=text,
        common=_of_symbol("", text, n),
        symbols={symbol: _of_symbol(symbol, text, n) for symbol in _scopes(text, "symbol")},
        net_exposure=n["max_net_exposure"],
        gross_exposure=n["max_gross_exposure"],
        leverage=n["max_leverage"],
        open_positions=n["max_open_positions"],
        open_orders=n["max_open_orders"],
        drawdown_bps=n["max_drawdown_pct"],
        daily_loss=n["daily_loss"],
        weekly_loss=n["weekly_loss"],
        strategy_loss=n["strategy_loss"],
        strategy_losses=of_strategies,
        least_strategy_loss=min(n["strategy_loss"], *of_strategies.values(), OFF),
        collar_bps=n["price_collar_bps"],
        order_rate=n["order_rate"],
        cancel_rate=n["max_cancel_rate"],
        msgs_per_day=n["max_msgs_per_day"],
        order_to_fill=n["max_order_to_fill_ratio"],
        round_trips=n["max_round_trips"],
        strategy_trips=_capped("max_round_trips", text, n),
        trip_ns=own.round_trip_window_ms * MS_NS,
        duplicate_ns=_span_ns("duplicate_order_window_ms", text, scale),
        window_ns=own.order_window_ms * MS_NS,
        stale_ns=_span_ns("stale_data_ms", text, scale),
        verdict_ttl_ns=own.verdict_ttl_ms * MS_NS,
    )


def texts(own: RiskSettings, scale: float) -> dict[str, str]:
    """Return what the settings say of each limit, by its name and its scope behind a blank."""
    found = {name: shipped(own, term, scale) for name, term in TERMS.items() if not term.alone}
    for line in own.max_order_qty:
        symbol, _, qty = line.partition(" ")
        found[f"max_order_qty {symbol}"] = qty
    return found


def _number(key: str, text: str) -> int:
    term = TERMS[key.partition(" ")[0]]
    n = to_int(text, term.exp)
    if term.name in MONEY:
        n *= 10**MONEY_EXP
    return n or OFF


MONEY = frozenset(
    {
        *("max_order_notional", "max_position_notional", "max_net_exposure", "max_gross_exposure"),
        *("daily_loss", "weekly_loss", "strategy_loss"),
    }
)
"""Limits that are in quote units."""


def _of_symbol(symbol: str, text: Mapping[str, str], n: Mapping[str, int]) -> OfSymbol:
    notional = _least("max_order_notional", symbol, n)
    qty_key = f"max_order_qty {symbol}"
    position = _least("max_position_notional", symbol, n)
    sizes = (
        f"notional=%s max_order_notional={plain(notional)} "
        f"position=%s max_position_notional={plain(position)} "
        f"gross=%s max_gross_exposure={text['max_gross_exposure']} "
        f"net=%s max_net_exposure={text['max_net_exposure']} "
        f"leverage=%s max_leverage={text['max_leverage']}"
    )
    counts = f"open_orders=%s/{text['max_open_orders']} positions=%s/{text['max_open_positions']}"
    lost = (
        f"loss=%s/{text['daily_loss']} week=%s/{text['weekly_loss']} "
        f"drawdown_pct=%s/{text['max_drawdown_pct']}"
    )
    return OfSymbol(
        order_notional=notional,
        order_qty=n.get(qty_key, OFF),
        position_notional=position,
        qty_text=text.get(qty_key, "off"),
        sizes=sizes,
        uses=f"{sizes} {counts} {lost}",
    )


def _least(name: str, scope: str, n: Mapping[str, int]) -> int:
    return min(n[name], n.get(f"{name} {scope}", OFF))


def _capped(name: str, text: Mapping[str, str], n: Mapping[str, int]) -> dict[str, int]:
    return {scope: _least(name, scope, n) for scope in _scopes(text, "strategy")}


def _scopes(text: Mapping[str, str], kind: str) -> list[str]:
    keys = (key.partition(" ") for key in text)
    return list(
        dict.fromkeys(scope for name, _, scope in keys if scope and TERMS[name].scope == kind)
    )


def _span_ns(name: str, text: Mapping[str, str], scale: float) -> int:
    return round(int(text[name]) * scale) * MS_NS


def worth(px: int, qty: int, exp: int) -> int:
    """Return price times quantity as money, rounded up; ValueError when it does not fit."""
    return ceil_scale(px * qty, exp, MONEY_EXP)


def dearer(px: int, bps: int) -> int:
    """Return a price raised by some hundredths of a percent, rounded up."""
    return ceil_scale(px * (10_000 + bps), 4, 0)


def plain(money: int) -> str:
    """Return money as a person writes it."""
    if not 0 <= money < OFF:
        return "off" if money >= OFF else f"-{plain(-money)}"
    whole, part = divmod(money, ONE)
    return f"{whole}.{part:08d}".rstrip("0") if part else str(whole)
