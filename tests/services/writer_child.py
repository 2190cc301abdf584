"""A writer that commits without end and says on its standard output what it has committed.

`python -m tests.services.writer_child DIRECTORY [SHARD]`; the market's gets one trade and one bar a
minute, so that a second of work passes several months; the analytics' one order's way after the
other.
"""

import os
import random
import sys
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path

from bus.clock import SystemClock
from bus.lease import Lease
from bus.migrations import KINDS
from bus.shard import open_writer
from schema.head import Local
from services.writer.core import Writer
from services.writer.file_store import FileStore
from services.writer.folds import fold_of
from services.writer.market_store import MarketStore
from services.writer.months import Months
from services.writer.store import ShardStore
from tests.services.market_desk import BAR, LIMITS, MINUTE_NS, TRADE, at, bar, kept, trade
from tests.services.writer import analytics_desk

FIRST_NS = at("2020-01-30T00:00:00")
STEPS = 10
"""How far apart two orders stand on every stream."""

Batch = tuple[list[Local], Mapping[int, int]]


def market_batch(numbers: range) -> Batch:
    """Return one trade and one bar for each number."""
    times = [FIRST_NS + number * MINUTE_NS for number in numbers]
    trades = [trade(number, ts_ns) for number, ts_ns in zip(numbers, times, strict=True)]
    bars = [bar(ts_ns) for ts_ns in times]
    return kept(*trades, *bars), {TRADE: numbers[-1], BAR: numbers[-1]}


def analytics_batch(numbers: range) -> Batch:
    """Return one order's whole way for each number."""
    heard = list(chain(*(analytics_desk.way(n, n * STEPS + 1) for n in numbers)))
    cursors = {one.stream: one.pos for one in heard}
    return list(analytics_desk.kept(Writer("analytics"), heard)), cursors


def opened(directory: Path, shard: str) -> ShardStore:
    """Return the store of a shard, its lease taken."""
    clock = SystemClock()
    lease = Lease(directory / f"shard_{shard}.lease")
    lease.wait(clock)
    if shard == "market":
        return MarketStore(Months(directory, "w"), lease, clock, LIMITS)
    file = open_writer(KINDS[shard], directory / f"{shard}.db", "w")
    return FileStore(file, fold_of(shard), lease, clock, LIMITS)


def first_of(store: ShardStore, shard: str) -> int:
    """Return the number that a store goes on with."""
    cursors = store.cursors()
    if shard == "market":
        return cursors.get(TRADE, -1) + 1
    return cursors.get(analytics_desk.ORDER, -STEPS) // STEPS + 1


BATCHES: dict[str, Callable[[range], Batch]] = {
    "market": market_batch,
    "analytics": analytics_batch,
}


def main(directory: Path, shard: str = "market") -> None:
    """Commit batches of random sizes from where the shard says until killed."""
    store = opened(directory, shard)
    number = first_of(store, shard)
    chance = random.Random(number)
    most = 400 if shard == "market" else 20
    while True:
        numbers = range(number, number + chance.randint(1, most))
        effects, cursors = BATCHES[shard](numbers)
        store.commit(effects, cursors)
        store.idle()
        number = numbers[-1] + 1
        os.write(1, b"%d\n" % numbers[-1])


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
