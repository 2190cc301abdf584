"""The settings, typed: what may stand in settings.toml and what it means.

`Real` guards against the delays of machines and is measured in a person's time; `Market` belongs
to the strategy's world. The loader multiplies `Real` by the clock's scale once, so that a core
compares both with market time and never sees the difference.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schema.strategy import Scalar

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


class HouseSettings(Section, frozen=True, kw_only=True):
    """[house]"""

    number: Annotated[int, Meta(ge=0, le=99)]


class ClockSettings(Section, frozen=True, kw_only=True):
    """[clock]"""

    scale: Annotated[float, Meta(gt=0, le=3600)]


class PortSettings(Section, frozen=True, kw_only=True):
    """[ports]"""

    web: Port
    metrics: Port
    venue: Port


class VenueSettings(Section, frozen=True, kw_only=True):
    """[venue]"""

    market: Literal["synthetic", "replay"]
    seed: Count
    symbol: Annotated[tuple[Symbol, ...], Meta(min_length=1)]
    replay: tuple[str, ...]
    start: str
    history_days: Days
    balances: tuple[Balance, ...]
    maker_bps: Fee
    taker_bps: Fee


class ExchangeSettings(Section, frozen=True, kw_only=True):
    """[exchange]"""

    name: Literal["binance"]
    account: str


class IngestSettings(Section, frozen=True, kw_only=True):
    """[ingest]"""

    symbols: tuple[Symbol, ...]
    history_days: Days
    bar_grace_ms: Real
    stale_data_ms: Real
    quote_ms: Real
    weight_share: Annotated[float, Meta(gt=0, le=0.8)]


class PredictorSettings(Section, frozen=True, kw_only=True):
    """[predictor]"""

    timeframe: Timeframe
    horizon_bars: Annotated[int, Meta(ge=1, le=1440)]
    history_bars: Annotated[int, Meta(ge=500, le=1_000_000)]
    train: bool
    epochs: Annotated[int, Meta(ge=1, le=10_000)]


class EngineSettings(Section, frozen=True, kw_only=True):
    """[engine]"""

    intent_ttl_ms: Span
    snapshot_s: Positive
    call_ms: Annotated[int, Meta(ge=10, le=2_000)]
    memory_mib: Annotated[int, Meta(ge=128, le=1_000_000)]
    resize_pct: Annotated[int, Meta(ge=0, le=1_000)]
    cash_reserve_bps: Annotated[int, Meta(ge=0, le=5_000)]


class RunSettings(Section, frozen=True, kw_only=True):
    """[strategy.NAME.backtest]: what its runs assume, beside the settings of the house."""

    fills: Literal["book", "close", "next_open"] = "book"
    flat_at_end: bool = False
    changes: tuple[Change, ...] = ()
    px_decimals: Annotated[int, Meta(ge=-1, le=12)] = -1  # of a file's prices; -1: as it has them
    qty_decimals: Annotated[int, Meta(ge=-1, le=12)] = -1  # of a quantity; -1: as for its market


class StrategySettings(Section, frozen=True, kw_only=True):
    """[strategy.NAME]"""

    file: str
    budget: Money
    symbols: tuple[Symbol, ...] = ()
    mode: Literal["trade", "shadow", "off"] = "trade"
    short: bool = False
    params: dict[str, Scalar] = {}
    backtest: RunSettings = RunSettings()


class RiskSettings(Section, frozen=True, kw_only=True):
    """[risk]"""

    max_order_notional: Positive
    max_position_notional: Positive
    max_gross_exposure: Positive
    daily_loss: Positive
    price_collar_bps: Collar
    order_rate: Positive
    order_window_ms: Span
    stale_data_ms: Span
    verdict_ttl_ms: Span


class GatewaySettings(Section, frozen=True, kw_only=True):
    """[gateway]"""

    max_order_notional: Positive
    max_open_orders: Positive
    order_rate: Positive
    order_window_ms: Span
    collar_bps: Collar
    risk_silence_ms: Annotated[int, Meta(ge=300, le=10_000)]
    answer_ms: Annotated[int, Meta(ge=100, le=60_000)]
    recv_window_ms: Annotated[int, Meta(ge=100, le=60_000)]
    poll_ms: Span
    reconcile_ms: Span
    max_notional_rate: Positive
    engine_silence_ms: Annotated[int, Meta(ge=500, le=600_000)]
    new_share: Annotated[float, Meta(gt=0, le=0.8)]
    query_share: Annotated[float, Meta(gt=0, le=0.8)]


class BusSettings(Section, frozen=True, kw_only=True):
    """[bus]"""

    archive_after_h: Annotated[int, Meta(ge=1, le=87_600)]
    plain_mib: Positive
    stream_cap_mib: Positive


class WriterSettings(Section, frozen=True, kw_only=True):
    """[writer]"""

    wal_checkpoint_mib: Positive
    wal_alarm_mib: Positive
    archive_grace_ms: Real
    trash_days: Days
    ballast_mib: Count
    pause_free_mib: Count


class BackupSettings(Section, frozen=True, kw_only=True):
    """[backup]"""

    target: str
    every_h: Annotated[int, Meta(ge=0, le=8_784)]
    daily: Positive
    weekly: Count
    monthly: Count


class MonitorSettings(Section, frozen=True, kw_only=True):
    """[monitor]"""

    lag_ms: Real
    writer_behind_s: Positive
    disk_free_mib: Count


class WardenSettings(Section, frozen=True, kw_only=True):
    """[warden]"""

    exits: Positive
    within_s: Positive
    retry_s: Positive
    retry_max_s: Positive
    start_deadline_s: Positive


class LogSettings(Section, frozen=True, kw_only=True):
    """[log]"""

    file_mib: Positive
    files: Positive


class Settings(Section, frozen=True, kw_only=True):
    """All of settings.toml."""

    mode: Mode
    house: HouseSettings
    clock: ClockSettings
    ports: PortSettings
    bus: BusSettings
    exchange: ExchangeSettings
    venue: VenueSettings
    ingest: IngestSettings
    predictor: PredictorSettings
    engine: EngineSettings
    strategy: dict[str, StrategySettings]
    risk: RiskSettings
    gateway: GatewaySettings
    writer: WriterSettings
    backup: BackupSettings
    monitor: MonitorSettings
    warden: WardenSettings
    log: LogSettings
