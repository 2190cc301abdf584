"""The settings of what may be risked, typed; the bounds of a type are the ceilings of its limit.

Money is in whole units of the quote asset. What may be 0 is off at 0. Nobody lifts a ceiling: not
the settings, whose start is refused, and not `rrr risk set`.
"""

from typing import Annotated

from msgspec import Meta

from schema.setting_types import YEAR_MS, Collar, Real, Section, Span

MONEY_MOST = 1_000_000_000
Cap = Annotated[int, Meta(ge=1, le=MONEY_MOST)]
MaybeCap = Annotated[int, Meta(ge=0, le=MONEY_MOST)]
Rate = Annotated[int, Meta(ge=1, le=100_000)]
MaybeRate = Annotated[int, Meta(ge=0, le=100_000)]
Daily = Annotated[int, Meta(ge=0, le=100_000_000)]
Times = Annotated[float, Meta(ge=0, le=10)]
Percent = Annotated[float, Meta(ge=0, le=100)]
TripSpan = Annotated[int, Meta(ge=1_000, le=YEAR_MS, extra={"clock": "market"})]
Grace = Annotated[int, Meta(ge=1, le=86_400)]
SymbolQty = Annotated[
    str, Meta(pattern=r"^[A-Z0-9]{1,15}/[A-Z0-9]{1,15} [0-9]{1,10}(\.[0-9]{1,8})?$")
]


class RiskSettings(Section, frozen=True, kw_only=True):
    """[risk]"""

    max_order_notional: Cap
    max_order_qty: tuple[SymbolQty, ...]
    max_position_notional: Cap
    max_net_exposure: MaybeCap
    max_gross_exposure: Cap
    max_leverage: Times
    max_open_positions: MaybeRate
    max_open_orders: MaybeRate
    max_drawdown_pct: Percent
    daily_loss: Cap
    weekly_loss: MaybeCap
    strategy_loss: MaybeCap
    hard: bool
    price_collar_bps: Collar
    order_rate: Rate
    max_cancel_rate: MaybeRate
    order_window_ms: Span
    max_msgs_per_day: Daily
    max_order_to_fill_ratio: MaybeRate
    max_round_trips: MaybeRate
    round_trip_window_ms: TripSpan
    duplicate_order_window_ms: Real
    protective_stop_required: bool
    protective_stop_grace_s: Grace
    stale_data_ms: Span
    verdict_ttl_ms: Span
