"""A market of some years on the disk, made as the house makes it: rows first, then archives."""

import calendar
import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from bus.clock import SystemClock
from bus.migrations import KINDS
from bus.shard import open_writer
from services.writer.archiving import archive_month
from services.writer.market_store import NEW_BAR
from services.writer.retiring import retire_month
from tests.bench.shards_data import candles, keyed, symbol

YEAR = 2025
LIVE = 2026_01
DAY_MINUTES = 24 * 60
EPOCH = dt.date(1970, 1, 1)
WORLD = "bench"


class Market(msgspec.Struct, frozen=True):
    """Twelve archived months and a live one, of so many series."""

    place: Path
    series: int
    bars: int
    live_bytes: int
    live_bars: int
    archive_bytes: int
    archive_s: float  # what archiving the year took, proof included


def first_minute(month: int) -> int:
    """Return the first minute of a month, counted from 1970."""
    return (dt.date(month // 100, month % 100, 1) - EPOCH).days * DAY_MINUTES


def minutes_of(month: int) -> int:
    """Return how many minutes a month has."""
    return calendar.monthrange(month // 100, month % 100)[1] * DAY_MINUTES


@contextmanager
def market(series: int) -> Iterator[Market]:
    """Make a market of some series, a year of closed months and one month that is not closed."""
    clock = SystemClock()
    with TemporaryDirectory(prefix="rrr.") as name:
        place = Path(name)
        (place / "db").mkdir()
        took_ns, total = 0, 0
        for month in range(YEAR * 100 + 1, YEAR * 100 + 13):
            total += _write(place, month, series)
            begun_ns = clock.mono_ns()
            archive_month(place, month, clock)
            retire_month(place, month, WORLD, clock)
            took_ns += clock.mono_ns() - begun_ns
        live = _write(place, LIVE, series)
        archives = (place / "archive" / "market").glob("*.arc.db")
        yield Market(
            place=place,
            series=series,
            bars=total + live,
            live_bytes=_path(place, LIVE).stat().st_size,
            live_bars=live,
            archive_bytes=sum(path.stat().st_size for path in archives),
            archive_s=took_ns / 1e9,
        )


def _write(place: Path, month: int, series: int) -> int:
    shard = open_writer(KINDS["market"], _path(place, month), WORLD)
    count = minutes_of(month)
    for number in range(series):
        rows = keyed(number + 1, candles(number, count, first_minute(month)))
        with shard.transaction() as db:
            facts = (number + 1, symbol(number), "1m", 60, 2, 8, 4)
            db.execute("INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?)", facts)
            db.executemany(NEW_BAR, rows)
        shard.checkpoint(truncate=True)
    shard.close()
    return count * series


def _path(place: Path, month: int) -> Path:
    return place / "db" / f"market_data_{month // 100:04d}_{month % 100:02d}.db"
