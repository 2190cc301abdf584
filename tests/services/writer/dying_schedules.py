"""A writer whose disk dies at each operation in turn, and the next one, which finds the rest.

`python -m tests.services.writer.dying_schedules DIRECTORY SHARD EVERY` plays the same story once
for each death: commits, a roll, checkpoints, an optimize. Rows and positions must come out as if
nothing had happened. It says how many deaths there were.
"""

import contextlib
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import apsw

from bus.clock import ManualClock
from bus.errors import ShardError
from bus.lease import Lease
from bus.migrations import KINDS
from bus.shard import SUSPECT, open_writer
from schema.head import Local
from schema.streams import STREAMS
from schema.trading import Position
from services.writer.effects import Keep, Told
from services.writer.file_store import FileStore
from services.writer.folds import fold_of
from services.writer.market_store import MarketStore
from services.writer.months import Months
from services.writer.store import ShardStore
from tests.services.market_desk import BAR, LIMITS, MINUTE_NS, NOW, TRADE, at, bar, kept, trade
from tests.services.writer.dying_disk import Disk, below_the_checksums
from tests.services.writer_child import analytics_batch

BATCHES = 12
SIZE = 3
FIRST_NS = at("2026-01-31T23:58:00") - 15 * MINUTE_NS
HIDDEN = frozenset({"bar_live", "meta", "sqlite_stat1", "sqlite_stat4"})
"""What holds more or less, as the clock would have it, and says nothing that is not elsewhere."""

PORTFOLIO = STREAMS["engine.portfolio"].number

Batch = tuple[Sequence[Local], Mapping[int, int]]


def market_batch(number: int) -> Batch:
    numbers = range(number * SIZE, (number + 1) * SIZE)
    times = [FIRST_NS + one * MINUTE_NS for one in numbers]
    trades = [trade(one, ns) for one, ns in zip(numbers, times, strict=True)]
    bars = [bar(ns) for ns in times]
    cursors = {TRADE: numbers[-1] + 1, BAR: numbers[-1] + 1}
    if number % 3:
        return [Told(messages=trades, now_ns=NOW), Told(messages=bars, now_ns=NOW)], cursors
    return kept(*trades, *bars), cursors


def trading_batch(number: int) -> Batch:
    numbers = range(number * SIZE, (number + 1) * SIZE)
    said = [
        Position(
            ts_event=one, symbol=f"S{one % 7}/USDT", strategy="", qty=one, cost=one, realized=0,
            fees=0, mark_px=1, px_exp=2, qty_exp=8, quote_exp=8,
        )
        for one in numbers
    ]  # fmt: skip
    return [Keep(message=one) for one in said], {PORTFOLIO: numbers[-1] + 1}


def batch(shard: str, number: int) -> Batch:
    """Return what is said in one turn of the story."""
    if shard == "market":
        return market_batch(number)
    if shard == "trading":
        return trading_batch(number)
    return analytics_batch(range(number * SIZE, (number + 1) * SIZE))


def opened(directory: Path, shard: str, clock: ManualClock) -> ShardStore:
    """Return the store of a shard, its lease taken."""
    lease = Lease(directory / f"shard_{shard}.lease")
    assert lease.take()
    try:
        if shard == "market":
            return MarketStore(Months(directory / "db", "w"), lease, clock, LIMITS)
        file = open_writer(KINDS[shard], directory / "db" / f"{shard}.db", "w")
        return FileStore(file, fold_of(shard), lease, clock, LIMITS)
    except ShardError:
        lease.release()
        raise


def play(directory: Path, shard: str) -> None:
    """Tell the story from where the shard stands to its end."""
    clock = ManualClock()
    store = opened(directory, shard, clock)
    acked = dict(store.cursors())
    try:
        for number in range(BATCHES):
            effects, cursors = batch(shard, number)
            if all(store.cursors().get(stream, 0) >= pos for stream, pos in cursors.items()):
                continue
            store.commit(effects, cursors)
            acked = dict(cursors)
            clock.advance(2_000_000_000)
            store.idle()
            if number == BATCHES - 3:
                store.chores()["optimize"](())
        store.close()
    except ShardError:
        _abandon(store)
        raise
    finally:
        (directory / "acked").write_text(repr(sorted(acked.items())))


def _abandon(store: ShardStore) -> None:
    for shard in store.shards():
        with contextlib.suppress(apsw.Error):
            shard.db.close()
    store._lease.release()


def content(directory: Path) -> dict[str, list[object]]:
    """Return every row of every file, table by table."""
    found: dict[str, list[object]] = {}
    for path in sorted((directory / "db").glob("*.db")):
        with contextlib.closing(apsw.Connection(str(path))) as db:
            assert db.pragma("integrity_check") == "ok"
            for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"):
                if name not in HIDDEN:
                    rows = db.execute(f'SELECT * FROM "{name}"').fetchall()
                    found[f"{path.name}/{name}"] = sorted(rows, key=repr)
    return found


def deaths(directory: Path, shard: str, disk: Disk, every: int) -> Iterator[int]:
    """Play with a death at every so many-th operation; yield each that the story was stopped by."""
    whole = directory / "whole"
    (whole / "db").mkdir(parents=True)
    before = disk.done
    play(whole, shard)
    expected, count = content(whole), disk.done - before
    for at_step in range(0, count, every):
        place = directory / "killed"
        shutil.rmtree(place, ignore_errors=True)
        (place / "db").mkdir(parents=True)
        disk.left = at_step
        with contextlib.suppress(ShardError):
            play(place, shard)
            assert at_step  # A disk that takes nothing lets no story end.
        disk.left = None
        if at_step % 2:  # Killed, and not told by the disk: nothing says that it is suspect.
            for mark in (place / "db").glob(f"*{SUSPECT}"):
                mark.unlink()
        play(place, shard)
        for path in (place / "db").glob("*.db"):  # A month that is over was not opened again.
            open_writer(KINDS[shard], path, "w").close()
        found = content(place)
        differing = [name for name in expected if expected[name] != found.get(name)]
        assert found == expected, f"killed at operation {at_step}: {differing}"
        assert not list((place / "db").glob(".*.draft*"))
        assert not list((place / "db").glob(f"*{SUSPECT}"))
        yield at_step


if __name__ == "__main__":
    HERE, SHARD, EVERY = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    sys.stdout.write(f"{sum(1 for _ in deaths(HERE, SHARD, below_the_checksums(), EVERY))}\n")
