"""Market messages, and the store that takes them, as the tests of the writer use both."""

import datetime as dt
from pathlib import Path
from typing import Any

from bus.clock import ManualClock
from bus.lease import Lease
from bus.rows import read_rows
from schema.head import Local, Message
from schema.market import Bar, Trade
from schema.setting_types import TIMEFRAMES_NS
from schema.streams import STREAMS
from services.writer.core import Writer
from services.writer.market_store import MarketStore
from services.writer.months import Months
from tests.services.shipped import shipped

TRADE, BAR, FEED = (STREAMS[f"ingest.{name}"].number for name in ("trade", "bar", "feed"))
LIMITS = shipped().writer
MINUTE_NS = TIMEFRAMES_NS["1m"]


def at(text: str) -> int:
    return int(dt.datetime.fromisoformat(text + "+00:00").timestamp()) * 1_000_000_000


NOW = at("2026-03-15T00:00:00")
END_OF_JANUARY = at("2026-02-01T00:00:00") - 2 * MINUTE_NS


def store(directory: Path, world: str = "w") -> MarketStore:
    lease = Lease(directory / "shard_market.lease")
    assert lease.take()
    return MarketStore(Months(directory, world), lease, ManualClock(), LIMITS)


def kept(*messages: Message) -> list[Local]:
    core = Writer("market")
    return [out for message in messages for out in core.handle(message, NOW)]  # type: ignore[misc]


def bar(open_ns: int = END_OF_JANUARY, symbol: str = "BTC/USDT", **changes: Any) -> Bar:
    values: dict[str, Any] = {
        "ts_event": open_ns + MINUTE_NS, "symbol": symbol, "timeframe": "1m", "open_ns": open_ns,
        "open": 6400010, "high": 6400020, "low": 6400000, "close": 6400001, "volume": 100,
        "quote_volume": 6400000, "trades": 3, "px_exp": 2, "qty_exp": 8, "quote_exp": 8,
    }  # fmt: skip
    return Bar(**values | changes)


def trade(trade_id: int, ts_ns: int = END_OF_JANUARY, **changes: Any) -> Trade:
    values: dict[str, Any] = {
        "ts_event": ts_ns, "symbol": "BTC/USDT", "trade_id": trade_id, "px": 6400010, "qty": 5,
        "buyer_maker": False, "px_exp": 2, "qty_exp": 8,
    }  # fmt: skip
    return Trade(**values | changes)


def rows(directory: Path, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in read_rows(directory, "market", sql)]
