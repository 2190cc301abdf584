"""A year of minutes from a packed CSV file, beside the plainest program that does the same.

Ours reads, checks, orders, reports, keeps the bars as chunks by their hash and commits them month
by month at full sync; the bare way splits lines, makes integers and hands them to `executemany`.
"""

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bus.clock import SystemClock
from bus.migrations import KINDS
from bus.shard import Connection, open_writer
from services.writer.market_store import NEW_BAR
from tests.bench.figure import Figure
from tests.bench.shards_data import IDX_BITS, candles
from tests.services.rrr.data_desk import Desk

BARS = 365 * 24 * 60
FIRST = 27_877_440  # 2023-01-02T00:00:00Z
ROUNDS = 3
BATCH = 10_000
HEAD = "open_time,open,high,low,close,volume\n"

_clock = SystemClock()


def measure() -> Iterator[Figure]:
    """Time an import beside the bare way, in turns."""
    with TemporaryDirectory(prefix="rrr.") as name:
        place = Path(name)
        source = place / "BTC_USDT-1m.csv.gz"
        _write(source)
        rounds = [(_ours(place, source, n), _bare(place, source, n)) for n in range(ROUNDS)]
    ours, raw = (median(column) for column in zip(*rounds, strict=True))
    yield Figure("shards.import", ours, raw, "rows/s")


def _write(path: Path) -> None:
    with gzip.open(path, "wt") as file:
        file.write(HEAD)
        for idx, *prices, volume, _, _, _ in candles(0, BARS, FIRST).tolist():
            texts = ",".join(f"{px // 100}.{px % 100:02d}" for px in prices)
            file.write(f"{idx * 60_000},{texts},{volume // 10**8}.{volume % 10**8:08d}\n")


def _ours(place: Path, source: Path, number: int) -> float:
    (place / f"ours{number}").mkdir()
    desk = Desk(place / f"ours{number}")
    begun_ns = _clock.mono_ns()
    answer = desk.rrr("import", "--no-archive", "--json", source)
    took_ns = _clock.mono_ns() - begun_ns
    assert answer.files[0]["added"] == BARS, answer
    return BARS * 1e9 / took_ns


def _bare(place: Path, source: Path, number: int) -> float:
    shard = open_writer(KINDS["market"], place / f"market_data_2023_{number + 1:02d}.db", "w")
    begun_ns = _clock.mono_ns()
    with gzip.open(source, "rt", newline="") as file:
        lines = csv.reader(file)
        next(lines)
        batch: list[tuple[int, ...]] = []
        for time, opened, high, low, close, volume in lines:
            prices = [int(text.replace(".", "")) for text in (opened, high, low, close)]
            key = 1 << IDX_BITS | int(time) // 60_000
            batch.append((key, *prices, int(volume.replace(".", "")), 0, 0, 1))
            if len(batch) == BATCH:
                _put(shard.db, batch)
                batch.clear()
        _put(shard.db, batch)
    took_ns = _clock.mono_ns() - begun_ns
    shard.close()
    return BARS * 1e9 / took_ns


def _put(db: Connection, batch: list[tuple[int, ...]]) -> None:
    db.execute("BEGIN IMMEDIATE")
    db.executemany(NEW_BAR, batch)
    db.execute("COMMIT")
