"""The settings, typed: what may stand in settings.toml and what it means."""

from typing import Annotated, Literal

from msgspec import Meta

from schema.setting_types import (
    Balance,
    Change,
    Collar,
    Count,
    Days,
    Fee,
    Mode,
    Money,
    Port,
    Positive,
    Real,
    Section,
    Span,
    Symbol,
    Timeframe,
)
from schema.settings_protection import ProtectionSettings
from schema.settings_risk import RiskSettings
from schema.strategy import Scalar


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
    url: Annotated[str, Meta(pattern=r"^(http://(127\.0\.0\.1|localhost):[0-9]{2,5})?$")]


class IngestSettings(Section, frozen=True, kw_only=True):
    """[ingest]"""

    symbols: tuple[Symbol, ...]
    history_days: Days
    bar_grace_ms: Real
    stale_data_ms: Real
    mute_ms: Span
    future_ms: Real
    jump_bps: Annotated[int, Meta(ge=10, le=1_000_000)]
    quote_ms: Real
    depth: Annotated[int, Meta(ge=0, le=1000)]
    depth_ms: Real
    sofar_ms: Real
    check_bars: bool
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
    trail_step_bps: Annotated[int, Meta(ge=0, le=1_000)]
    trail_pause_ms: Span


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
    params: dict[str, Scalar] = {}  # noqa: RUF012 - a struct copies it for each
    backtest: RunSettings = RunSettings()


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
    ring_fence: tuple[Balance, ...]
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
    protection: dict[str, ProtectionSettings] = {}  # noqa: RUF012 - a struct copies it for each
    gateway: GatewaySettings
    writer: WriterSettings
    backup: BackupSettings
    monitor: MonitorSettings
    warden: WardenSettings
    log: LogSettings
