"""A history of one exchange, and chunks for it, as its tests use both."""

from pathlib import Path
from typing import Any

import numpy as np

from bus.bars import open_bars
from bus.clock import ManualClock
from schema.setting_types import TIMEFRAMES_NS
from services.writer.history import History, open_history
from services.writer.history_apply import Taken
from services.writer.history_chunks import Chunk, Origin
from tests.services.market_desk import NOW, at

EXCHANGE = "testex"
FOREVER_NS = 1 << 62
SYMBOL = "BTC/USDT"
START = "2025-01-31T23:50:00"


def chunk(
    count: int = 20, start: str = START, timeframe: str = "1m", step: int = 0, **changes: Any
) -> Chunk:
    """Return bars, each a little higher than the one before; `step` makes them others."""
    first = at(start) // TIMEFRAMES_NS[timeframe]
    idx = np.arange(first, first + count, dtype=np.int64)
    price = 6_400_000 + 10 * np.arange(count) + step
    columns = np.array(
        [idx, price, price + 5, price - 5, price + 1, idx * 0 + 100, idx * 0 + 7, idx * 0 + 3]
    )
    values: dict[str, Any] = {
        "symbol": SYMBOL, "timeframe": timeframe, "exponents": (2, 3, 4), "columns": columns,
    }  # fmt: skip
    return Chunk(**values | changes)


def origin(wall_ns: int = 1, *, replace: bool = False) -> Origin:
    return Origin("bars.csv", "ab" * 32, wall_ns, replace)


def held(place: Path) -> History:
    return open_history(place, EXCHANGE, ManualClock(NOW))


def take(place: Path, one: Chunk, wall_ns: int = 1, *, replace: bool = False) -> list[Taken]:
    with held(place) as history:
        return list(history.take(one, origin(wall_ns, replace=replace)))


def rows(place: Path, timeframe: str = "1m", symbol: str = SYMBOL) -> list[tuple[int, ...]]:
    """Return the bars of a series, in the decimals that all of its months have."""
    with open_bars(place / "db", ManualClock(NOW)) as reader:
        found = reader.between(symbol, timeframe, 0, FOREVER_NS)
        return [(*found.exponents, *row) for row in found.rows()]


def closes(place: Path) -> list[int]:
    """Return what the closes are, with two decimals."""
    with open_bars(place / "db", ManualClock(NOW)) as reader:
        found = reader.between(SYMBOL, "1m", 0, FOREVER_NS)
        return [int(n) // 10 ** (found.exponents[0] - 2) for n in found["close"]]
