"""Where a tally keeps its counts: a real shard, in one transaction with its positions."""

import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from bus.clock import Clock
from bus.lease import Lease
from bus.migrations import KINDS
from bus.rows import read_rows
from bus.shard import Connection, Shard, open_writer
from schema.head import Local
from schema.settings import WriterSettings
from services.writer.effects import Keep, Told
from services.writer.store import ShardStore, advance, load_positions
from tests.chaos.parts import Row

SHARD = "backtest"
TABLE = (
    "CREATE TABLE IF NOT EXISTS heard (stream TEXT PRIMARY KEY, count INTEGER NOT NULL, "
    "digest INTEGER NOT NULL, last INTEGER NOT NULL, lost INTEGER NOT NULL, "
    "doubled INTEGER NOT NULL, reordered INTEGER NOT NULL) STRICT"
)


class Count(msgspec.Struct):
    """What was heard of one stream, and every way in which it was not the whole story."""

    count: int = 0
    digest: int = 0
    last: int = 0
    lost: int = 0
    doubled: int = 0
    reordered: int = 0

    def take(self, numbers: Sequence[int]) -> None:
        """Count some messages by their numbers."""
        for number in numbers:
            ahead = number - self.last
            if ahead == 1:
                self.last = number
            elif ahead == 0:
                self.doubled += 1
            elif ahead < 0:
                self.reordered += 1
            else:
                self.lost += ahead - 1
                self.last = number
        self.count += len(numbers)
        self.digest = zlib.crc32(array("q", numbers).tobytes(), self.digest)


class CountStore(ShardStore):
    """One row for each stream."""

    def __init__(self, directory: Path, clock: Clock, settings: WriterSettings) -> None:
        lease = Lease(directory / "counts.lease")
        directory.mkdir(parents=True, exist_ok=True)
        lease.wait(clock)
        super().__init__(lease, clock, settings)
        self._shard = open_writer(KINDS[SHARD], directory / f"{SHARD}.db", "w")
        with self._shard.transaction() as db:
            db.execute(TABLE)
        self.committed = load_positions(self._shard.db)
        self._counts = {
            str(name): Count(*figures)
            for name, *figures in self._shard.db.execute("SELECT * FROM heard")
        }

    def shards(self) -> Iterable[Shard]:
        return [self._shard]

    def write(self, kept: Sequence[Keep | Told], cursors: Mapping[int, int]) -> None:
        raise AssertionError("it counts what it hears, and keeps no message")

    def commit(self, effects: Sequence[Local], cursors: Mapping[int, int]) -> None:
        numbers: dict[str, list[int]] = {}
        for row in effects:
            assert isinstance(row, Row)
            numbers.setdefault(row.stream, []).append(row.number)
        with self._shard.transaction() as db:
            for stream, some in numbers.items():
                self._count(db, stream, some)
            advance(db, self.committed, cursors)
        self._committed(cursors, len(effects))

    def _count(self, db: Connection, stream: str, numbers: Sequence[int]) -> None:
        count = self._counts.setdefault(stream, Count())
        count.take(numbers)
        figures = msgspec.structs.astuple(count)
        db.execute("INSERT OR REPLACE INTO heard VALUES (?,?,?,?,?,?,?)", (stream, *figures))


def counted(directory: Path) -> dict[str, Count]:
    """Return what stands in the shard."""
    rows = read_rows(directory, SHARD, "SELECT * FROM heard", time_limit_ms=60_000)
    return {str(row.pop("stream")): msgspec.convert(row, Count) for row in rows}
