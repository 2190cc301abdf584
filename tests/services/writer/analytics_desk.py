"""An order's whole way as it is said, and the analytics store that takes it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bus.clock import ManualClock
from bus.lease import Lease
from bus.migrations import KINDS
from bus.rows import read_rows
from bus.service import Heard
from bus.shard import open_writer
from schema import forecast, market, orders, trading
from schema.head import Message
from schema.setting_types import TIMEFRAMES_NS
from schema.streams import STREAMS, home
from services.writer.core import Writer
from services.writer.effects import Keep
from services.writer.file_store import FileStore
from services.writer.folds import fold_of
from tests.services.shipped import shipped

LIMITS = shipped().writer
NS = 1_767_225_600_000_000_000
MINUTE_NS = TIMEFRAMES_NS["1m"]
BAR, FORECAST, INTENT, VERDICT, ORDER = (
    STREAMS[name].number
    for name in (
        "ingest.bar",
        "predictor.forecast",
        "engine.intent",
        "risk.verdict",
        "gateway.order",
    )
)


def store(directory: Path, shard: str = "analytics") -> FileStore:
    lease = Lease(directory / f"shard_{shard}.lease")
    assert lease.take()
    file = open_writer(KINDS[shard], directory / f"{shard}.db", "w")
    return FileStore(file, fold_of(shard), lease, ManualClock(), LIMITS)


class Desk:
    """A store, and all streams: each message is heard at its place, in microseconds after NS."""

    def __init__(self, directory: Path, shard: str = "analytics") -> None:
        self.directory = directory
        self.shard = shard
        self.store = store(directory, shard)
        self.core = Writer(shard)

    def hear(self, *heard: Heard) -> None:
        cursors = {**self.store.cursors(), **{one.stream: one.pos for one in heard}}
        self.store.commit(kept(self.core, heard), cursors)

    def say(self, message: Message, pos: int, at_us: int) -> Heard:
        stream = home(type(message))
        assert stream is not None
        one = Heard(message, stream.number, pos, NS + at_us * 1000, 0)
        self.hear(one)
        return one

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        return [tuple(row.values()) for row in read_rows(self.directory, self.shard, sql)]

    def again(self) -> None:
        """End the writer and start it anew."""
        self.store.close()
        self.store = store(self.directory, self.shard)


def kept(core: Writer, heard: Sequence[Heard]) -> list[Keep]:
    outs = (core.hear(one, NS) for one in heard)
    return [out for said in outs for out in said if isinstance(out, Keep)]


def bar(**changes: Any) -> market.Bar:
    values: dict[str, Any] = {
        "ts_event": NS, "trace": 5, "symbol": "BTC/USDT", "timeframe": "1m",
        "open_ns": NS - MINUTE_NS, "open": 1, "high": 1, "low": 1, "close": 1, "volume": 1,
        "quote_volume": 1, "trades": 1, "px_exp": 2, "qty_exp": 5, "quote_exp": 7,
    }  # fmt: skip
    return market.Bar(**values | changes)


def foresaid(bar_pos: int = 3, **changes: Any) -> forecast.Forecast:
    values: dict[str, Any] = {
        "ts_event": NS, "trace": 5, "cause": (BAR, bar_pos), "symbol": "BTC/USDT",
        "timeframe": "1m", "bar_open_ns": NS - MINUTE_NS, "horizon_ns": 15 * MINUTE_NS,
        "probability_up": 0.56, "confidence": 0.2, "expected_return": 0.001, "model": "ab",
    }  # fmt: skip
    return forecast.Forecast(**values | changes)


def intent(number: int = 1, cause: tuple[int, int] = (FORECAST, 4)) -> trading.OrderIntent:
    return trading.OrderIntent(
        ts_event=NS, trace=5, cause=cause, client_order_id=f"{number:032x}", strategy="threshold",
        symbol="BTC/USDT", side="buy", order_type="market", qty=300, px_exp=2, qty_exp=5,
    )  # fmt: skip


def verdict(wish: trading.OrderIntent, **changes: Any) -> trading.Verdict:
    values: dict[str, Any] = {
        "ts_event": NS, "client_order_id": wish.client_order_id, "order_hash": b"h",
        "approved": True, "code": "OK", "detail": "", "epoch": 1, "expires_ns": NS,
    }  # fmt: skip
    return trading.Verdict(**values | changes)


def submitted(wish: trading.OrderIntent) -> orders.OrderSubmitted:
    return orders.OrderSubmitted(
        ts_event=NS, trace=5, client_order_id=wish.client_order_id, intent=wish,
        verdict=verdict(wish), signed_ms=1, symbol=wish.symbol,
    )  # fmt: skip


def accepted(wish: trading.OrderIntent) -> orders.OrderAccepted:
    return orders.OrderAccepted(
        ts_event=NS, client_order_id=wish.client_order_id, symbol=wish.symbol, venue_order_id="v"
    )


def fill(wish: trading.OrderIntent, trade_id: str, qty: int) -> orders.Fill:
    return orders.Fill(
        ts_event=NS, client_order_id=wish.client_order_id, symbol=wish.symbol, side=wish.side,
        venue_order_id="v", venue_trade_id=trade_id, px=100, qty=qty, quote_qty=qty, fee=1,
        fee_asset="USDT", maker=False, px_exp=2, qty_exp=5, quote_exp=7, fee_exp=7,
    )  # fmt: skip


def way(number: int, base: int) -> Iterator[Heard]:
    """Yield one order's whole way, each step a microsecond after the one before."""
    wish = intent(number, (FORECAST, base + 1))
    steps: tuple[Message, ...] = (
        bar(), foresaid(base), wish, verdict(wish), submitted(wish), accepted(wish),
        fill(wish, f"{number}a", 100), fill(wish, f"{number}b", 200),
    )  # fmt: skip
    for index, message in enumerate(steps):
        stream = home(type(message))
        assert stream is not None
        yield Heard(message, stream.number, base + index, NS + (base + index) * 1000, 0)
