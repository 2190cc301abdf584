"""The limits as numbers, and the one scale that money has here."""

import msgspec

from schema.settings import RiskSettings, Settings
from schema.units import MS_NS, ceil_scale, notional_at_most, to_text

MONEY_EXP = 8
"""Money has eight decimals, whatever its instrument has; what does not fit is rounded up."""


class Limits(msgspec.Struct, frozen=True):
    """What [risk] allows: money in MONEY_EXP, times in ns of market time."""

    settings: RiskSettings
    quote: str  # the asset that limits and balances are counted in
    taker_bps: int
    order_notional: int
    position_notional: int
    gross_exposure: int
    daily_loss: int
    window_ns: int
    stale_ns: int
    verdict_ttl_ns: int


def limits_of(settings: Settings) -> Limits:
    """Return the limits that the settings name."""
    own = settings.risk
    symbols = settings.ingest.symbols or settings.venue.symbol
    return Limits(
        settings=own,
        quote=symbols[0].partition("/")[2],
        taker_bps=settings.venue.taker_bps,
        order_notional=own.max_order_notional * 10**MONEY_EXP,
        position_notional=own.max_position_notional * 10**MONEY_EXP,
        gross_exposure=own.max_gross_exposure * 10**MONEY_EXP,
        daily_loss=own.daily_loss * 10**MONEY_EXP,
        window_ns=own.order_window_ms * MS_NS,
        stale_ns=own.stale_data_ms * MS_NS,
        verdict_ttl_ns=own.verdict_ttl_ms * MS_NS,
    )


def worth(px: int, qty: int, exp: int) -> int:
    """Return price times quantity as money, rounded up; ValueError when it does not fit."""
    return notional_at_most(px, qty, exp, MONEY_EXP)


def dearer(px: int, bps: int) -> int:
    """Return a price raised by some hundredths of a percent, rounded up."""
    return ceil_scale(px * (10_000 + bps), 4, 0)


def plain(money: int) -> str:
    """Return money as a person writes it."""
    return to_text(money, MONEY_EXP).rstrip("0").rstrip(".")
