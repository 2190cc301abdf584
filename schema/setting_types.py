"""What a value of the settings may be, and which clock a time is measured by.

`Real` guards against the delays of machines and is measured in a person's time; `Market` belongs
to the strategy's world. The loader multiplies `Real` by the clock's scale once, so that a core
compares both with market time and never sees the difference.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

WEEK_MS = 604_800_000
YEAR_MS = 31_622_400_000
Real = Annotated[int, Meta(ge=0, le=WEEK_MS, extra={"clock": "real"})]
Span = Annotated[int, Meta(ge=100, le=WEEK_MS, extra={"clock": "real"})]
"""A `Real` that makes no sense at nothing: all would be late, or asked for without a pause."""

Market = Annotated[int, Meta(ge=0, le=YEAR_MS, extra={"clock": "market"})]
Mode = Literal["local", "paper", "live", "backtest"]
Port = Annotated[int, Meta(ge=1024, le=65535)]
Count = Annotated[int, Meta(ge=0, le=(1 << 31) - 1)]
Positive = Annotated[int, Meta(ge=1, le=(1 << 31) - 1)]
Days = Annotated[int, Meta(ge=1, le=3650)]
Symbol = Annotated[str, Meta(pattern=r"^[A-Z0-9]{1,15}/[A-Z0-9]{1,15}$")]

PLAY_KEY = "local"
PLAY_SECRET = "play-money"  # noqa: S105 - no secret: the local venue takes it from anybody
"""What signs requests to the local venue; no other exchange ever sees them."""

PLAY_KEY_WITHDRAWS = "local-withdraws"
"""A key of the local venue that may withdraw, as none may that trades: for rehearsals of that."""

PLAY_KEYS = (PLAY_KEY, PLAY_KEY_WITHDRAWS)

Fee = Annotated[int, Meta(ge=0, le=1_000)]
Collar = Annotated[int, Meta(ge=1, le=5_000)]
Timeframe = Literal["1m", "5m", "15m", "1h", "4h", "1d"]
Balance = Annotated[str, Meta(pattern=r"^[A-Z0-9]{1,15} [0-9]{1,10}(\.[0-9]{1,8})?$")]
Money = Annotated[float, Meta(ge=1e-8, le=1e10)]
"""As much as an integer with eight decimals holds."""
Change = Annotated[str, Meta(pattern=r"^[a-z_]+(\.[a-z_0-9]+)+=.*$")]
"""A setting and its value, as `--set` takes it."""

TIMEFRAMES_NS = {
    "1m": 60_000_000_000,
    "5m": 300_000_000_000,
    "15m": 900_000_000_000,
    "1h": 3_600_000_000_000,
    "4h": 14_400_000_000_000,
    "1d": 86_400_000_000_000,
}


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of settings.toml."""
