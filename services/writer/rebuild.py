"""Folds what the journals hold onto the files of a shard, with the cores and stores that run live.

Streams are merged by the time at which they were said, so the same journals give the same fold,
whoever folds them and when.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import msgspec

from bus.clock import Clock
from bus.errors import JournalError, ShardError
from bus.lease import Lease
from bus.migrations import KINDS
from bus.past import Said
from bus.reading import attach, open_reader
from bus.rows import shard_files
from bus.service import Heard, Run
from bus.shard import open_writer
from schema.head import Local
from schema.settings import WriterSettings
from schema.streams import BY_NUMBER, STREAMS
from services.writer import SHARDS
from services.writer.core import Writer
from services.writer.file_store import FileStore
from services.writer.folds import fold_of
from services.writer.market_store import MarketStore
from services.writer.months import Months
from services.writer.retained import Course, Span, behind_bye, said_since, spans
from services.writer.store import ShardStore

BATCH = 2000
LIMITS = WriterSettings(
    wal_checkpoint_mib=16,
    wal_alarm_mib=1 << 20,
    archive_grace_ms=0,
    trash_days=0,
    ballast_mib=0,
    pause_free_mib=0,
)
"""A writer of files that nobody trades on has nothing to keep free and nobody to alarm."""

GONE_HINT = "A backup that ends later holds it: `rrr db backup --list`"

Tell = Callable[[float], None]
"""Is told the share that is done, 0 to 1; may raise to end the work."""


class Stretch(msgspec.Struct, frozen=True):
    """What was folded of one stream: all behind one position up to another."""

    shard: str
    stream: str
    after: int
    last: int
    messages: int


class Folded(msgspec.Struct, frozen=True):
    """What was folded onto the files in a directory."""

    streams: tuple[Stretch, ...] = ()

    def __str__(self) -> str:
        told = (f"{one.messages} of {one.stream} up to {one.last}" for one in self.streams)
        return f"{self.messages} messages folded: {', '.join(told)}"

    @property
    def messages(self) -> int:
        """How many messages that was."""
        return sum(one.messages for one in self.streams)


class Bounds(msgspec.Struct, frozen=True):
    """Where a fold ends: at a wall time, and at positions where they are named."""

    until_ns: int
    positions: Mapping[str, int] | None = None
    scale: float = 1.0  # of market time to wall time
    joined: bool = True  # False: from whatever is retained, be it the beginning or not

    def hold(self, said: Said) -> bool:
        """Return whether something that was said is folded."""
        if said.ts_ns > self.until_ns:
            return False
        return self.positions is None or said.pos <= self.positions.get(said.stream.name, 0)


def fold_onto(
    db_dir: Path,
    journal_dir: Path,
    until_ns: int,
    clock: Clock,
    tell: Tell = lambda _share: None,
) -> Folded:
    """Fold the journals, up to a wall time, onto the shard files that lie in a directory.

    JournalError where they do not hold all that follows what a file has.
    """
    there = [shard for shard in SHARDS if shard_files(db_dir, KINDS[shard])]
    found: list[Stretch] = []
    for index, shard in enumerate(there):

        def told(share: float, index: int = index) -> None:
            tell((index + share) / len(there))

        bounds = Bounds(until_ns, None, clock.scale)
        found += fold_shard(shard, db_dir, journal_dir, bounds, clock, told).streams
    return Folded(tuple(found))


def fold_shard(
    shard: str, db_dir: Path, journal_dir: Path, bounds: Bounds, clock: Clock, tell: Tell
) -> Folded:
    """Fold the journals onto the files of one shard, as its writer and under its lease."""
    world = world_of(shard, db_dir)
    with opened(shard, db_dir, world, clock) as store:
        return fold(shard, store, journal_dir, bounds, clock, tell)


def fold(
    shard: str, store: ShardStore, journal_dir: Path, bounds: Bounds, clock: Clock, tell: Tell
) -> Folded:
    """Fold the journals onto an open store."""
    held = {BY_NUMBER[number].name: pos for number, pos in store.cursors().items()}
    after = {name: held.get(name, 0) for name in SHARDS[shard]}
    kept = spans(journal_dir, after, clock)
    if bounds.joined:
        _require_joined(kept, after, bounds)
    counts = dict.fromkeys(after, 0)
    last, course, core = dict(after), Course(bounds.scale), Writer(shard)
    share = _share_of(kept, bounds, clock)
    said = said_since(journal_dir, after, bounds.hold, course, clock)
    while batch := list(islice(said, BATCH)):
        for one in batch:
            counts[one.stream.name] += 1
            last[one.stream.name] = one.pos
        cursors = {STREAMS[name].number: pos for name, pos in last.items() if pos}
        store.commit(_effects(core, batch, course), cursors)
        tell(share(batch[-1].ts_ns))
    reached = behind_bye(journal_dir, course.reached, bounds.until_ns, clock)
    store.commit([], {**store.cursors(), **reached})
    last |= {BY_NUMBER[number].name: pos for number, pos in reached.items()}
    tell(1.0)
    return Folded(
        tuple(Stretch(shard, name, after[name], last[name], counts[name]) for name in after)
    )


@contextlib.contextmanager
def opened(shard: str, db_dir: Path, world: str, clock: Clock) -> Iterator[ShardStore]:
    """Open the files of a shard in a directory that nobody trades on; make them where needed."""
    lease = Lease(db_dir / f"shard_{shard}.lease")
    lease.wait(clock)
    with contextlib.ExitStack() as held:
        held.callback(lease.release)
        store: ShardStore
        if KINDS[shard].monthly:
            store = MarketStore(Months(db_dir, world), lease, clock, LIMITS)
        else:
            file = open_writer(KINDS[shard], db_dir / f"{shard}.db", world)
            store = FileStore(file, fold_of(shard), lease, clock, LIMITS)
        held.callback(store.close)
        yield store


def world_of(shard: str, db_dir: Path) -> str:
    """Return the world that the files of a shard belong to."""
    (path, *_) = shard_files(db_dir, KINDS[shard])
    with contextlib.closing(open_reader()) as db:
        if not attach(db, KINDS[shard], path, "file"):
            raise ShardError(f"{path} holds nothing", "Move it away")
        rows: list[Any] = db.execute("SELECT value FROM meta WHERE key = 'world'").fetchall()
    return str(rows[0][0])


def _require_joined(kept: Mapping[str, Span], after: Mapping[str, int], bounds: Bounds) -> None:
    for name, span in kept.items():
        end = None if bounds.positions is None else bounds.positions.get(name, 0)
        if span.first and not span.follows(after[name]) and (end is None or end > after[name]):
            raise JournalError(
                f"the journal of {name} begins at {span.first}, the shard ends at {after[name]}: "
                "what was said between them is gone",
                GONE_HINT,
            )


def _share_of(kept: Mapping[str, Span], bounds: Bounds, clock: Clock) -> Callable[[int], float]:
    first_ns = min((span.first_ns for span in kept.values() if span.first), default=0)
    whole_ns = max(1, min(bounds.until_ns, clock.wall_ns()) - first_ns)
    return lambda ts_ns: min(1.0, max(0.0, (ts_ns - first_ns) / whole_ns))


def _effects(core: Writer, batch: Sequence[Said], course: Course) -> list[Local]:
    if not core.whole:
        heard = ((_heard(one), course.at(one)) for one in batch)
        outs = [out for one, now_ns in heard for out in core.hear(one, now_ns)]
    else:
        runs = (list(run) for _, run in groupby(batch, lambda one: one.stream.number))
        outs = [out for run in runs for out in core.hear_run(_run(run), course.at(run[0]))]
    return [out for out in outs if isinstance(out, Local)]


def _heard(said: Said) -> Heard:
    return Heard(said.message, said.stream.number, said.pos, said.ts_ns, 0)


def _run(said: Sequence[Said]) -> Run:
    messages = [one.message for one in said]
    return Run(messages, said[0].stream.number, said[0].pos, said[0].ts_ns, 0)
