"""What all stores share: positions with compare-and-set, checkpoints, figures."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping

import msgspec

from bus.clock import Clock
from bus.errors import ShardError
from bus.lease import Lease
from bus.service import Store
from bus.shard import Connection, Shard
from schema.settings import WriterSettings
from schema.streams import BY_NUMBER, STREAMS

TEND_NS = 5_000_000_000
"""What is not synced for longer than this can be lost with the power, and is read again."""

RESTART_AT = 4
MIB = 1 << 20


class Figures(msgspec.Struct):
    """What a writer has done since it started."""

    rows: int = 0
    commits: int = 0
    repeats: int = 0
    corrections: int = 0
    dead_letters: int = 0
    last_event_ns: int = 0


class ShardStore(Store):
    """A store over one or more files of one shard, held by a lease until it is closed."""

    def __init__(self, lease: Lease, clock: Clock, settings: WriterSettings) -> None:
        self.figures = Figures()
        self.committed: dict[int, int] = {}
        self._lease = lease
        self._clock = clock
        self._settings = settings
        self._tended_ns = clock.mono_ns()
        self._held_bytes = 0  # What a reader held back when it was last tried.

    @abstractmethod
    def shards(self) -> Iterable[Shard]:
        """Return the files that are open."""

    def cursors(self) -> Mapping[int, int]:
        return dict(self.committed)

    def idle(self) -> None:
        if self._clock.mono_ns() - self._tended_ns >= TEND_NS:
            self._tend()

    def counters(self) -> tuple[tuple[str, int], ...]:
        own = tuple(msgspec.structs.asdict(self.figures).items())
        return (*own, ("wal_bytes", self._wal_bytes()))

    def alarm(self) -> str | None:
        """Return what a person must know of the shard, or None."""
        wal_mib = self._wal_bytes() // MIB
        if wal_mib < self._settings.wal_alarm_mib:
            return None
        return f"a reader holds back {wal_mib} MiB of the write-ahead log: end long queries"

    def close(self) -> None:
        for shard in self.shards():
            shard.close()
        self._lease.release()

    def _committed(self, cursors: Mapping[int, int], rows: int) -> None:
        self.committed.update(cursors)
        self.figures.commits += 1
        self.figures.rows += rows
        wal_bytes = self._wal_bytes()
        self._held_bytes = min(self._held_bytes, wal_bytes)
        if wal_bytes - self._held_bytes >= self._settings.wal_checkpoint_mib * MIB:
            self._tend()

    def _wal_bytes(self) -> int:
        return sum(shard.wal_bytes() for shard in self.shards())

    def _tend(self) -> None:
        limit = self._settings.wal_checkpoint_mib * MIB * RESTART_AT
        for shard in self.shards():
            if shard.wal_pages and shard.checkpoint() and shard.file_bytes() >= limit:
                shard.restart_wal()
        self._tended_ns = self._clock.mono_ns()
        self._held_bytes = self._wal_bytes()


def load_positions(db: Connection) -> dict[int, int]:
    """Return what stands in a shard, by stream number."""
    found: dict[str, int] = dict(db.execute("SELECT stream, pos FROM stream_position"))
    return {STREAMS[name].number: pos for name, pos in found.items() if name in STREAMS}


def advance(db: Connection, before: Mapping[int, int], after: Mapping[int, int]) -> None:
    """Move positions within the caller's transaction; ShardError when another moved them."""
    for number, pos in after.items():
        name = BY_NUMBER[number].name
        was = before.get(number)
        if was == pos:
            continue
        if was is None:
            db.execute(
                "INSERT INTO stream_position VALUES (?, ?) ON CONFLICT (stream) DO NOTHING",
                (name, pos),
            )
        else:
            db.execute(
                "UPDATE stream_position SET pos = ? WHERE stream = ? AND pos = ? AND pos < ?",
                (pos, name, was, pos),
            )
        if db.changes() != 1:
            raise ShardError(
                f"{db.filename}: position of {name} is not {was} as this writer left it "
                f"and before {pos}",
                "Another writer was here: end it, and restart this one",
            )
