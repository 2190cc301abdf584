"""Reading: one bar, the last thousand, a view for people, a year of closes; and at which size.

What it is measured against: the bare SQLite with the same statement on the same file, and for the
year DuckDB on Parquet files of the same bars, in the order in which they lie, both opened anew each
time and both open before. All in turns; a figure is a median. Quote those of a quiet machine: with
other programs on its cores the shortest reads take up to twice as long.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

import apsw
import duckdb
import numpy as np

from bus.bars import BarReader, open_bars
from bus.clock import SystemClock
from bus.rows import Reader
from schema.setting_types import TIMEFRAMES_NS
from tests.bench.figure import Figure
from tests.bench.shards_data import IDX_BITS, Rows, candles, symbol
from tests.bench.shards_place import LIVE, YEAR, Market, first_minute, market, minutes_of

MINUTE_NS = TIMEFRAMES_NS["1m"]
ROUNDS = 301
SLOW_ROUNDS = 31
SCANS = 15
LAST = 1000
SEED = 3
PART = "symbol=C00000-USDT/timeframe=1m/year={year}/month={month:02d}"
ONE = "SELECT o, h, l, c, v, q, n, src FROM bar WHERE k = ?"
MANY = "SELECT k, o, h, l, c, v, q, n FROM bar WHERE k BETWEEN ? AND ? ORDER BY k DESC LIMIT 1000"
PEOPLE = "SELECT * FROM bars WHERE symbol = ? AND timeframe = '1m' ORDER BY open_ms DESC LIMIT 1000"
CLOSES = "SELECT close FROM read_parquet(?, hive_partitioning = true)"
STORE = "COPY (SELECT * FROM bars) TO '{path}' (FORMAT parquet, COMPRESSION zstd)"

_clock = SystemClock()

Read = Callable[[], Any]


def measure() -> Iterator[Figure]:
    """Measure the reads of a market of ten million bars, and those of one of a million beside."""
    with market(20) as ten:
        yield from sizes(ten)
        yield from reads(ten)
        yield from scan(ten)
        with market(2) as one:
            yield from scale(ten, one, "10m")


def sizes(of: Market) -> Iterator[Figure]:
    """Tell how many bytes a bar takes, as rows and in an archive, beside those it holds bare."""
    bare = 8.0 * 9
    archived = of.bars - of.live_bars
    yield Figure("shards.bytes_per_candle_live", of.live_bytes / of.live_bars, bare, "B")
    yield Figure("shards.bytes_per_candle_archived", of.archive_bytes / archived, bare, "B")
    yield Figure("shards.archive", of.archive_s * 1e7 / archived, 120.0, "s/10 M bars, of at most")


def reads(of: Market) -> Iterator[Figure]:
    """Time each read beside the bare SQLite."""
    with open_bars(of.place / "db") as bars, Reader(of.place / "db", "market") as people:
        db = apsw.Connection(str(_live(of)), flags=apsw.SQLITE_OPEN_READONLY)
        db.execute(f"PRAGMA query_only = ON; PRAGMA mmap_size = {1 << 30}")
        raw_many = _raw_many(db)
        pairs: Sequence[tuple[str, Read, Read, int]] = (
            ("shards.point", _point(bars, LIVE), _raw_point(db), ROUNDS),
            ("shards.point_archived", _point(bars, YEAR * 100 + 6), _raw_point(db), ROUNDS),
            ("shards.last_1000", _last(bars), raw_many, ROUNDS),
            ("shards.last_1000_archived", _last_archived(bars), raw_many, ROUNDS),
            ("shards.view", _view(people), raw_many, SLOW_ROUNDS),
        )
        for name, ours, raw, rounds in pairs:
            yield Figure(name, *in_turns(ours, raw, rounds), "us")
        db.close()


def scale(big: Market, small: Market, name: str) -> Iterator[Figure]:
    """Time the same reads in a big market and in a small one."""
    with (
        open_bars(big.place / "db") as bars,
        open_bars(small.place / "db") as few,
        Reader(big.place / "db", "market") as people,
        Reader(small.place / "db", "market") as fewer,
    ):
        pairs: Sequence[tuple[str, Read, Read]] = (
            ("point", _point(bars, LIVE), _point(few, LIVE)),
            ("point_archived", _point(bars, YEAR * 100 + 6), _point(few, YEAR * 100 + 6)),
            ("last_1000", _last(bars), _last(few)),
            ("last_1000_archived", _last_archived(bars), _last_archived(few)),
            ("view", _view(people), _view(fewer)),
        )
        for read, ours, raw in pairs:
            both = in_turns(ours, raw, SLOW_ROUNDS)
            yield Figure(f"shards.scale_{name}.{read}", *both, "us, beside 1 m")


def scan(of: Market) -> Iterator[Figure]:
    """Time a year of closes of one symbol into numpy beside DuckDB on Parquet."""
    path = of.place / "parquet"
    for month in range(YEAR * 100 + 1, YEAR * 100 + 13):
        _store(path, month)
    cold = in_turns(lambda: _opened_year(of), lambda: _opened_duck(path), SCANS)
    yield Figure("shards.scan", *cold, "us")
    with open_bars(of.place / "db") as bars, duckdb.connect(":memory:") as db:
        warm = in_turns(lambda: _year(bars), lambda: _duck(db, path), SCANS)
    yield Figure("shards.scan_opened", *warm, "us")


def _opened_year(of: Market) -> int:
    with open_bars(of.place / "db") as bars:
        return _year(bars)


def _year(bars: BarReader) -> int:
    first, stop = (first_minute(month) * MINUTE_NS for month in (YEAR * 100 + 1, LIVE))
    closes = bars.between(symbol(0), "1m", first, stop, columns=("close",)).columns["close"]
    return _last_of(closes)


def _opened_duck(path: Path) -> int:
    with duckdb.connect(":memory:") as db:
        return _duck(db, path)


def _duck(db: duckdb.DuckDBPyConnection, path: Path) -> int:
    return _last_of(db.execute(CLOSES, [f"{path}/**/*.parquet"]).fetchnumpy()["close"])


def _last_of(closes: "np.ndarray[Any, np.dtype[np.int64]]") -> int:
    assert len(closes) == 365 * 24 * 60
    return int(closes[-1])


def _store(path: Path, month: int) -> None:
    rows: Rows = candles(0, minutes_of(month), first_minute(month))
    names = ("open", "high", "low", "close", "volume", "quote_volume", "trades")
    columns = {name: rows[:, place].copy() for place, name in enumerate(names, start=1)}
    bars = {"open_ms": rows[:, 0] * 60_000, **columns}
    folder = path / PART.format(year=month // 100, month=month % 100)
    folder.mkdir(parents=True)
    with duckdb.connect(":memory:") as db:
        db.register("bars", bars)
        db.execute(STORE.format(path=folder / "part-0.parquet"))


def _point(bars: BarReader, month: int) -> Read:
    minutes = cycle(_chosen(month).tolist())

    def read() -> object:
        found = bars.at(symbol(0), "1m", next(minutes) * MINUTE_NS)
        assert found is not None
        return found

    return read


def _raw_point(db: apsw.Connection) -> Read:
    keys = cycle((_chosen(LIVE) | 1 << IDX_BITS).tolist())
    execute = db.execute
    return lambda: execute(ONE, (next(keys),)).fetchall()


def _last(bars: BarReader) -> Read:
    return lambda: bars.last(symbol(0), "1m", LAST)


def _last_archived(bars: BarReader) -> Read:
    stop_ns = first_minute(YEAR * 100 + 7) * MINUTE_NS
    return lambda: bars.between(symbol(0), "1m", stop_ns - LAST * MINUTE_NS, stop_ns)


def _raw_many(db: apsw.Connection) -> Read:
    span = (1 << IDX_BITS, (2 << IDX_BITS) - 1)

    def read() -> object:
        return np.array(db.execute(MANY, span).fetchall(), np.int64).T.copy()

    return read


def _view(people: Reader) -> Read:
    return lambda: list(people.rows(PEOPLE, (symbol(0),)))


def _chosen(month: int) -> "np.ndarray[Any, np.dtype[np.int64]]":
    chance = np.random.default_rng(SEED)
    return first_minute(month) + chance.integers(0, minutes_of(month), 1000)


def _live(of: Market) -> Path:
    return of.place / "db" / f"market_data_{LIVE // 100:04d}_{LIVE % 100:02d}.db"


def in_turns(ours: Read, raw: Read, rounds: int) -> tuple[float, float]:
    """Return the medians, in microseconds, of two reads that take turns."""
    took = [(_timed_us(ours), _timed_us(raw)) for _ in range(rounds)]
    first, second = (median(column) for column in zip(*took, strict=True))
    return first, second


def _timed_us(read: Read) -> float:
    begun_ns = _clock.mono_ns()
    read()
    return (_clock.mono_ns() - begun_ns) / 1e3
