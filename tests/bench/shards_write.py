"""Writing: from a frame on the bus to a committed row, beside the bare SQLite on the same tables.

Ours is the shipped writer in one process: journal, frames, positions, decoding, core, rows, commit.
The bare way has its rows as tuples in memory and hands them to `executemany`, a thousand a commit.
Both move the log into the file once it has the size that the shipped writer waits for.
Both write in turns, each into a file of its own; a figure is the median of its rounds.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bus.clock import ManualClock, SystemClock
from bus.hub import Hub
from bus.journals import DiskJournals
from bus.lease import Lease
from bus.migrations import KINDS
from bus.runner import Runner
from bus.service import Parts
from bus.shard import open_writer
from schema.market import Bar
from schema.streams import STREAMS
from schema.trading import Position
from services.writer.core import Writer
from services.writer.effects import Keep
from services.writer.file_store import FileStore
from services.writer.folds import fold_of
from services.writer.market_store import NEW_BAR, MarketStore
from services.writer.months import Months
from tests.bench.figure import Figure
from tests.bench.shards_data import MINUTE_NS, Rows, bars, candles, keyed, symbol
from tests.bus.toy import launch
from tests.services.shipped import shipped

SERIES = 100
MINUTES = 1_000
BATCH = 100
SINGLES = 30_000
RAW_BATCH = 1_000
ROUNDS = 5
COMMITS = 600
PAGE = bytes(4096)
LOG_BYTES = shipped().writer.wal_checkpoint_mib << 20
STREAM = STREAMS["ingest.bar"]
LATE = ManualClock((29_456_640 + 400_000) * MINUTE_NS)

_clock = SystemClock()


def measure() -> Iterator[Figure]:
    """Measure what is written, and how it lies on the disk."""
    said = _said()
    yield from _inserted("shards.insert", said, BATCH)
    yield from _inserted("shards.insert_single", said[:SINGLES], 1)
    yield commit_full()


def _inserted(name: str, said: Sequence[Bar], most: int) -> Iterator[Figure]:
    rows = _rows(said)
    rounds = [(_ours(said, most), _bare(rows)) for _ in range(ROUNDS)]
    ours, raw = (median(column) for column in zip(*rounds, strict=True))
    yield Figure(name, ours, raw, "rows/s")


def _said() -> list[Bar]:
    # As a market says them: every series, then the next minute.
    columns = [list(bars(number, candles(number, MINUTES))) for number in range(SERIES)]
    return list(chain.from_iterable(zip(*columns, strict=True)))


def _rows(said: Sequence[Bar]) -> list[tuple[int, ...]]:
    series = {symbol(number): number + 1 for number in range(SERIES)}
    per: dict[str, list[tuple[int, ...]]] = {}
    for number in range(SERIES):
        matrix: Rows = candles(number, MINUTES)
        per[symbol(number)] = keyed(series[symbol(number)], matrix)
    places = dict.fromkeys(per, 0)
    found = []
    for one in said:
        found.append(per[one.symbol][places[one.symbol]])
        places[one.symbol] += 1
    return found


def _ours(said: Sequence[Bar], most: int) -> float:
    with TemporaryDirectory(prefix="rrr.") as name:
        place = Path(name)
        journals = DiskJournals(place / "journal", _clock)
        journal = journals.writer(STREAM, journals.open_epoch("ingest"), "bench")
        for first in range(0, len(said), most):
            journal.append(said[first : first + most])
        last = journal.last
        journal.close("said")
        store = market(place)
        runner = launch(Parts(Writer("market"), store=store), journals, Hub(), LATE, place)
        return len(said) / _until(runner, store, last)


def _until(runner: Runner, store: MarketStore, last: int) -> float:
    begun_ns = _clock.mono_ns()
    while store.committed.get(STREAM.number, 0) < last:
        runner.turn()
    took_ns = _clock.mono_ns() - begun_ns
    runner.stop("measured")
    return took_ns / 1e9


def market(place: Path) -> MarketStore:
    """Return the writer's store of a market in a place, as the only one."""
    (place / "db").mkdir()
    lease = Lease(place / "shard_market.lease")
    assert lease.take()
    return MarketStore(Months(place / "db", "w"), lease, _clock, shipped().writer)


def _bare(rows: Sequence[tuple[int, ...]]) -> float:
    with TemporaryDirectory(prefix="rrr.") as name:
        shard = open_writer(KINDS["market"], Path(name) / "market_data_2026_01.db", "w")
        begun_ns = _clock.mono_ns()
        for first in range(0, len(rows), RAW_BATCH):
            shard.db.execute("BEGIN IMMEDIATE")
            shard.db.executemany(NEW_BAR, rows[first : first + RAW_BATCH])
            shard.db.execute("COMMIT")
            if shard.wal_bytes() >= LOG_BYTES:
                shard.checkpoint()
        took_ns = _clock.mono_ns() - begun_ns
        shard.close()
        return len(rows) * 1e9 / took_ns


def commit_full() -> Figure:
    """Time one row committed at synchronous=FULL beside one fdatasync of a page, in turns.

    The page is written where the file has its room already, as the log of the shard has.
    """
    with TemporaryDirectory(prefix="rrr.") as name:
        place = Path(name)
        shard = open_writer(KINDS["trading"], place / "trading.db", "w")
        lease = Lease(place / "shard_trading.lease")
        assert lease.take()
        store = FileStore(shard, fold_of("trading"), lease, _clock, shipped().writer)
        fd = os.open(place / "raw", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)
        os.write(fd, PAGE * COMMITS)
        os.fsync(fd)
        os.lseek(fd, 0, os.SEEK_SET)
        rounds = [(_commit_us(store, pos), _sync_us(fd)) for pos in range(1, COMMITS + 1)]
        os.close(fd)
        store.close()
    ours, raw = (median(column) for column in zip(*rounds, strict=True))
    return Figure("shards.commit_full", ours, raw, "us")


def _commit_us(store: FileStore, pos: int) -> float:
    row = Position(
        ts_event=pos, symbol="BTC/USDT", strategy="", qty=pos, cost=pos, realized=0, fees=0,
        mark_px=1, px_exp=2, qty_exp=8, quote_exp=8,
    )  # fmt: skip
    begun_ns = _clock.mono_ns()
    store.commit([Keep(message=row)], {STREAMS["engine.portfolio"].number: pos})
    return (_clock.mono_ns() - begun_ns) / 1e3


def _sync_us(fd: int) -> float:
    begun_ns = _clock.mono_ns()
    os.write(fd, PAGE)
    os.fdatasync(fd)
    return (_clock.mono_ns() - begun_ns) / 1e3
