"""The registry: the only place where a stream, its owner, class and messages are named."""

from typing import Literal

import msgspec

from schema import forecast, house, market, orders, strategy, trading
from schema.head import Message

StreamClass = Literal["A", "B", "C", "E"]

TURNS: tuple[type[Message], ...] = (
    house.EpochOpened,
    house.Bye,
    house.SegmentEnd,
    house.Inputs,
    house.Recovered,
)
"""Messages that the bus itself writes; they may stand on every journaled stream."""


class Stream(msgspec.Struct, frozen=True):
    """One numbering with one owner; `number` is its name in causes and positions, for ever."""

    number: int
    name: str
    durability: StreamClass
    messages: tuple[type[Message], ...]
    durable: tuple[str, ...] = ()  # consumers whose cursor holds retention back
    retention_days: int = 7
    snapshot: type[Message] | None = None  # what a late joiner begins with; among `messages`

    @property
    def owner(self) -> str:
        return self.name.partition(".")[0]

    @property
    def channel(self) -> str:
        return self.name.partition(".")[2]

    @property
    def journaled(self) -> bool:
        return self.durability != "E"


FOR_YEARS = 3650
"""Days for a stream that somebody folds from its beginning, when a snapshot cannot be read: the
own streams of whoever a trade passes through, and what those fold beside them. And for what is
listed: an instrument is said once, and whoever starts with other code hears it again from here."""

_MARKET = ("writer_market",)
_TRADING = ("writer_trading",)
_ANALYTICS = ("writer_analytics",)
_BOTH = ("writer_trading", "writer_analytics")

_JOURNALED = (
    Stream(1, "ingest.trade", "C", (market.Trade,), _MARKET, 2),
    Stream(2, "ingest.quote", "C", (market.Quote,), (), 2),
    Stream(
        3,
        "ingest.depth",
        "C",
        (market.DepthSnapshot, market.DepthUpdate),
        (),
        2,
        market.DepthSnapshot,
    ),
    Stream(4, "ingest.bar", "B", (market.Bar,), ("writer_market", "writer_analytics"), 14),
    Stream(
        5,
        "ingest.feed",
        "B",
        (
            market.FeedStatus,
            market.FeedGap,
            market.Instrument,
            market.FeedBudget,
            market.Quarantined,
        ),
        ("writer_market", "writer_trading"),
        FOR_YEARS,
    ),
    Stream(6, "ingest.sofar", "E", (market.BarSoFar,)),
    Stream(10, "predictor.forecast", "B", (forecast.Forecast,), _ANALYTICS, 30),
    Stream(11, "predictor.pattern", "B", (forecast.Pattern,), (), 30),
    Stream(12, "predictor.score", "B", (forecast.Score, forecast.ModelCard), _ANALYTICS, 30),
    Stream(15, "optimizer.weights", "B", (forecast.Weights,), (), 30),
    Stream(
        20,
        "engine.intent",
        "B",
        (
            trading.OrderIntent,
            trading.CancelIntent,
            trading.Decision,
            trading.StrategyFailed,
            trading.StrategyPaused,
            trading.StrategyResumed,
            trading.PairLocked,
            strategy.StrategyLoaded,
            strategy.StrategyRetired,
            strategy.StrategyState,
            strategy.ShadowFill,
        ),
        _BOTH,
        FOR_YEARS,
    ),
    Stream(21, "engine.portfolio", "B", (trading.Position, trading.Portfolio), _BOTH, FOR_YEARS),
    Stream(25, "risk.verdict", "B", (trading.Verdict,), _BOTH, FOR_YEARS),
    Stream(
        26,
        "risk.event",
        "A",
        (
            trading.RiskState,
            trading.LimitBreached,
            trading.LimitChanged,
            trading.LimitReleased,
            trading.DayOpened,
            trading.EquityMarked,
            trading.Protection,
        ),
        _TRADING,
        FOR_YEARS,
    ),
    Stream(
        30,
        "gateway.order",
        "A",
        (
            orders.OrderSubmitted,
            orders.OrderDenied,
            orders.OrderUnconfirmed,
            orders.OrderAccepted,
            orders.OrderRejected,
            orders.OrderTriggered,
            orders.OrderPendingCancel,
            orders.OrderCancelRejected,
            orders.OrderCanceled,
            orders.OrderExpired,
            orders.Fill,
            orders.KillLevel,
            orders.InstrumentHalted,
            orders.InstrumentResumed,
            orders.Deposit,
            orders.BalanceSeen,
            orders.Reconciled,
            orders.RequestWeight,
            orders.AccountSnapshot,
            orders.OrderResolved,
            orders.OrderAdopted,
            orders.LiveArmed,
            orders.LiveDisarmed,
        ),
        _BOTH,
        FOR_YEARS,
        orders.AccountSnapshot,
    ),
    Stream(35, "monitor.alert", "B", (house.Alert,), (), 90),
    Stream(
        40,
        "backtest.result",
        "B",
        (house.BacktestResult, house.RunTrades, house.RunEquity, house.RunPrices),
        ("writer_backtest",),
        365,
    ),
    Stream(45, "warden.process", "E", (house.ProcessState,)),
    Stream(46, "cli.note", "E", (house.Note,)),
)

PERSON = "cli"
"""Who says by hand what is on `cli.*`: no process, no heartbeat; one at a time, by a lease."""

HEARTBEATS = {
    "venue": 50,
    "ingest": 51,
    "predictor": 52,
    "optimizer": 53,
    "engine": 54,
    "risk": 55,
    "gateway": 56,
    "monitor": 57,
    "web": 58,
    "writer_trading": 59,
    "writer_market": 60,
    "writer_analytics": 61,
    "writer_backtest": 62,
    "backtest": 63,
    "warden": 64,
}

STREAMS: dict[str, Stream] = {stream.name: stream for stream in _JOURNALED} | {
    f"{service}.hb": Stream(number, f"{service}.hb", "E", (house.Heartbeat,))
    for service, number in HEARTBEATS.items()
}

BY_NUMBER: dict[int, Stream] = {stream.number: stream for stream in STREAMS.values()}

_HOME: dict[type[Message], Stream] = {
    kind: stream
    for stream in STREAMS.values()
    for kind in stream.messages
    if kind is not house.Heartbeat
}


def home(kind: type) -> Stream | None:
    """Return the stream that a type of message belongs on; None for local messages."""
    return _HOME.get(kind)


def owned_by(service: str) -> tuple[Stream, ...]:
    """Return the streams that a service may say, strongest class first, heartbeat last."""
    own = (stream for stream in STREAMS.values() if stream.owner == service)
    return tuple(sorted(own, key=lambda stream: (stream.durability, stream.number)))
