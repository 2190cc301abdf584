"""What a running writer knows of its shard's backups, without looking at the drive that has them.

A drive that is gone can hold up whoever asks it, and the loop of a writer must not stand still: the
child that looks at it leaves a note in the world's own folder.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from bus.clock import Clock
from bus.disk import sync_directory
from schema.units import SECOND_NS
from services.writer.backup_places import OWN, Order, sources
from services.writer.jobs import Counters, Job

HOUR_S = 3600
SETTLE_NS = 30 * SECOND_NS
LOOK_NS = 600 * SECOND_NS
"""How often somebody looks at the drive: it may be another one, or a person may have mended it."""


class Seen(msgspec.Struct, frozen=True):
    """When the newest proven backup of each file was taken, and whether one drive has it all."""

    newest_ns: dict[str, int] = {}
    same_volume: bool = False


def note_path(world_dir: Path, shard: str) -> Path:
    """Return where the note of a shard lies."""
    return world_dir / OWN / f"seen_{shard}.json"


def read_seen(world_dir: Path, shard: str) -> Seen:
    """Return the last note; an empty one where there is none."""
    try:
        return msgspec.json.decode(note_path(world_dir, shard).read_bytes(), type=Seen)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return Seen()


def write_seen(world_dir: Path, shard: str, seen: Seen) -> None:
    """Leave a note, whole or not at all; without one, somebody only looks once more."""
    path = note_path(world_dir, shard)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_bytes(msgspec.json.encode(seen))
        draft.replace(path)
        sync_directory(path.parent)
    with contextlib.suppress(OSError):  # Of one that was killed, or found no room.
        for left in path.parent.glob(f"{path.stem}.*.tmp"):
            left.unlink()


def age_s(seen: Seen, files: Iterable[str], wall_ns: int) -> int:
    """Return how old a shard's backup is, by the file whose last one is oldest; -1: there is none.

    A file that has just come has its first one soon, and does not count until then.
    """
    taken = [seen.newest_ns[file] for file in files if file in seen.newest_ns]
    return max(0, wall_ns - min(taken)) // SECOND_NS if taken else -1


class BackupDuty:
    """Says when the backup of a shard is due, and how old the last one is."""

    def __init__(self, order: Order, every_h: int, clock: Clock) -> None:
        self._db_dir = Path(order.db_dir)
        self._every_s = every_h * HOUR_S
        self._order = msgspec.structs.replace(order, older_s=self._every_s)
        self._clock = clock
        self._not_before_ns = clock.mono_ns() + SETTLE_NS
        self._look_ns = self._not_before_ns
        self._tried_ns = 0  # by the wall, as backups are named
        self._look()

    def __call__(self) -> Job | None:
        """Return the backup that is due; it looks at the drive and does what it finds missing."""
        self._look()
        now_ns = self._clock.mono_ns()
        if not self._every_s or not self._files or now_ns < self._not_before_ns:
            return None
        if now_ns < self._look_ns and not self._is_old():
            return None
        self._not_before_ns, self._look_ns = now_ns + SETTLE_NS, now_ns + LOOK_NS
        self._tried_ns = self._clock.wall_ns()
        return Job("backup", {"order": msgspec.json.encode(self._order).decode()})

    def settled(self) -> bool:
        """Return whether every file has a backup since it was last due, whoever made it."""
        self._look()
        return all(self._seen.newest_ns.get(file, 0) > self._tried_ns for file in self._files)

    def counters(self) -> Counters:
        """Return the age of the last proven backup, and whether one drive has it all."""
        same = bool(self._every_s) and self._seen.same_volume
        age = age_s(self._seen, self._files, self._clock.wall_ns())
        return (("backup_age_s", age), ("backup_same_volume", int(same)))

    def _look(self) -> None:
        self._seen = read_seen(self._db_dir.parent, self._order.shard)
        self._files = [path.stem for path in sources(self._db_dir, self._order.shard)]

    def _is_old(self) -> bool:
        """Return whether the last backup of a file is old, or never was."""
        now_ns = self._clock.wall_ns()
        oldest_ns = now_ns - self._every_s * SECOND_NS
        taken = (self._seen.newest_ns.get(file, 0) for file in self._files)
        return any(not oldest_ns < taken_ns <= now_ns + SECOND_NS for taken_ns in taken)
