"""Candles of chance for the benchmarks of the shards: a random walk, as minutes of a market are.

Prices have two decimals, quantities eight; a minute moves by a few basis points and trades some
units at its mean price; two in five open a tick or two beside the last close. So sizes are near
those of real bars, whose volumes may have some bits more.
"""

from collections.abc import Iterator

import numpy as np

from schema.market import Bar
from schema.setting_types import TIMEFRAMES_NS

MINUTE_NS = TIMEFRAMES_NS["1m"]
FIRST_MINUTE = 29_456_640  # 2026-01-03T00:00:00Z
COLUMNS = 9
IDX_BITS = 26
SEED = 11

Rows = np.ndarray[tuple[int, int], np.dtype[np.int64]]
"""One candle a row: index, open, high, low, close, volume, quote volume, trades, source."""


def candles(number: int, count: int, first: int = FIRST_MINUTE) -> Rows:
    """Return minutes of one series, without a gap."""
    chance = np.random.default_rng((SEED, number, first))
    close = 6_000_000 * np.exp(chance.normal(0.0, 0.0005, count).cumsum())
    rows = np.empty((count, COLUMNS), np.int64)
    rows[:, 0] = np.arange(first, first + count)
    rows[:, 4] = close.astype(np.int64)
    beside = chance.choice((-2, -1, 0, 0, 0, 0, 0, 0, 1, 2), count)
    rows[:, 1] = np.concatenate((rows[:1, 4], rows[:-1, 4])) + beside
    reach = np.abs(chance.normal(0.0, 0.0003, (2, count))) * close
    rows[:, 2] = rows[:, (1, 4)].max(axis=1) + reach[0].astype(np.int64)
    rows[:, 3] = rows[:, (1, 4)].min(axis=1) - reach[1].astype(np.int64)
    lots = np.maximum(1, chance.exponential(5_000.0, count)).astype(np.int64)
    rows[:, 5] = lots * 100_000  # a lot of 0.001
    rows[:, 6] = rows[:, 5] * rows[:, 1:5].mean(axis=1).astype(np.int64) // 1_000_000
    rows[:, 7] = np.maximum(1, chance.exponential(200.0, count)).astype(np.int64)
    rows[:, 8] = 0
    return rows


def symbol(number: int) -> str:
    """Return the name of a series."""
    return f"C{number:05d}/USDT"


def keyed(series: int, rows: Rows) -> list[tuple[int, ...]]:
    """Return rows as the table `bar` has them, with the key of a series."""
    keys = rows.copy()
    keys[:, 0] |= series << IDX_BITS
    return list(map(tuple, keys.tolist()))


def bars(number: int, rows: Rows) -> Iterator[Bar]:
    """Yield candles as `ingest` says them."""
    for idx, opened, high, low, close, volume, quote, trades, _ in rows.tolist():
        yield Bar(
            ts_event=(idx + 1) * MINUTE_NS, symbol=symbol(number), timeframe="1m",
            open_ns=idx * MINUTE_NS, open=opened, high=high, low=low, close=close, volume=volume,
            quote_volume=quote, trades=trades, px_exp=2, qty_exp=8, quote_exp=4,
        )  # fmt: skip
