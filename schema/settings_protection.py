"""The settings of what stops entries for a while, typed."""

from typing import Annotated, Literal

from msgspec import Meta

from schema.setting_types import Market, Positive, Section

DAY_MS = 86_400_000

ProtectionKind = Literal["stoploss_guard", "max_drawdown", "cooldown", "low_profit_pairs"]
TimeOfDay = Annotated[str, Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9])?$")]
Profit = Annotated[int, Meta(ge=-10_000, le=10_000)]
Share = Annotated[int, Meta(ge=1, le=10_000)]


class ProtectionSettings(Section, frozen=True, kw_only=True):
    """[protection.NAME]: times are market time; a kind passes over the keys that it does not ask.

    What a position has earned or lost is held against what was paid for it, in hundredths of a
    percent.
    """

    kind: ProtectionKind
    on: bool = True
    lookback_ms: Market = DAY_MS  # how far back it looks
    trade_limit: Positive = 1  # round trips in that time, at least
    stop_duration_ms: Market = 0  # how long entries are stopped; 0: not at all
    unlock_at: TimeOfDay = ""  # UTC, as 00:00: entries are stopped until then instead
    required_profit_bps: Profit = 0  # below it a stop, or a pair, counts
    max_allowed_drawdown_bps: Share = 2_000  # of the account's equity below its highest
    only_per_pair: bool = False  # counts and stops one symbol
    only_per_side: bool = False  # counts and stops longs and shorts apart
