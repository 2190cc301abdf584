"""One SQLite file, opened by its one writer.

Few files import apsw, and no second SQLite may touch a live shard: closing any descriptor of a file
drops the POSIX locks that this process holds on it.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import apsw

from bus import checksums, migrations
from bus.disk import file_bytes, free_bytes, sync_directory
from bus.errors import ShardError
from bus.migrations import Kind
from bus.shard_open import (
    CACHE_KIB,
    DAMAGE_HINT,
    PAGE_BYTES,
    WRITER_WAIT_MS,
    Connection,
    breaks_trust,
    check_version,
    connect,
    failure,
    require_file,
    set_up,
)

__all__ = ["Connection", "Shard", "check_version", "failure", "is_made", "open_writer"]

SYNCED = 2
READERS_WAIT_MS = 50
GROWN_KIB = 1024  # It grows on by itself, and keeps what it has got until the night.
ROOM_BYTES = 256 << 20
"""Less free space than this is left to those who need it."""

SUSPECT = ".suspect"
"""Beside a file whose disk failed: what failed; it is checked before it is written again."""


class Shard:
    """A shard as its writer holds it: one process, one thread, one connection."""

    def __init__(self, kind: Kind, path: Path, db: Connection) -> None:
        self.kind = kind
        self.path = path
        self.wal_pages = 0
        self._db = db
        self._pid = os.getpid()
        db.set_wal_hook(self._grew)

    @property
    def db(self) -> Connection:
        """The connection; ShardError in a fork of the process that opened it."""
        if os.getpid() != self._pid:
            raise ShardError(
                f"{self.path} was opened by process {self._pid}, and a fork of it wants to use it",
                "Open the shard in the process that writes",
            )
        return self._db

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commit all that the block does, or nothing; ShardError says what the disk said."""
        # Not `with db`: it hides a full disk behind its own failing ROLLBACK.
        db = self.db
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        except apsw.Error as error:
            raise self.failed(error) from error
        finally:
            if db.in_transaction:
                with contextlib.suppress(apsw.Error):  # What failed first is what is told.
                    db.execute("ROLLBACK")

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Let a block read; ShardError says what the disk said."""
        try:
            yield self.db
        except apsw.Error as error:
            raise self.failed(error) from error

    def failed(self, error: apsw.Error) -> ShardError:
        """Return what SQLite said as an error; after a failure of the disk the file is suspect."""
        if breaks_trust(error, self._db):
            with contextlib.suppress(OSError):  # A disk that takes nothing is told all the same.
                Path(f"{self.path}{SUSPECT}").write_text(f"{error}\n")
        return failure(self.path, error, self._db)

    def checkpoint(self, *, truncate: bool = False) -> bool:
        """Move the WAL into the file; False when a reader holds some of it back."""
        return self._checkpoint(
            apsw.SQLITE_CHECKPOINT_TRUNCATE if truncate else apsw.SQLITE_CHECKPOINT_PASSIVE
        )

    def restart_wal(self) -> bool:
        """Let the WAL begin anew at its start; False when a reader does not let go in time."""
        return self._checkpoint(apsw.SQLITE_CHECKPOINT_RESTART)

    def _checkpoint(self, mode: int) -> bool:
        db = self.db
        db.set_busy_timeout(READERS_WAIT_MS)  # For readers; a loop must not stand still.
        try:
            pages, moved = db.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            return False
        except apsw.Error as error:
            raise self.failed(error) from error
        finally:
            db.set_busy_timeout(WRITER_WAIT_MS)
        done = moved >= pages
        self.wal_pages = 0 if done else pages
        return done

    def wal_bytes(self) -> int:
        """Return how much of the WAL is not known to be in the file; costs nothing."""
        return self.wal_pages * PAGE_BYTES

    def file_bytes(self) -> int:
        """Return the size of the WAL file; asked by name, for opening it would drop our locks."""
        return file_bytes(Path(f"{self.path}-wal"))

    def harden(self) -> None:
        """Let every commit from now on reach the disk, and with it all before it."""
        self.db.pragma("synchronous", 2)

    def grow_wal(self) -> None:
        """Give the WAL its usual size at once where every commit syncs: growing costs it twice.

        Pages of a transaction that is rolled back go there as soon as they leave the cache.
        """
        if self.kind.synchronous < SYNCED:
            return
        if free_bytes(self.path.parent) < ROOM_BYTES or self.file_bytes() >= GROWN_KIB << 10:
            return
        db = self.db
        db.pragma("cache_size", 1)
        with contextlib.suppress(apsw.FullError):
            db.execute("BEGIN IMMEDIATE; CREATE TABLE filler (body BLOB) STRICT")
            db.execute("INSERT INTO filler VALUES (zeroblob(?))", (GROWN_KIB << 10,))
        if db.in_transaction:
            db.execute("ROLLBACK")
        db.pragma("cache_size", -CACHE_KIB)

    def close(self) -> None:
        """Let planner statistics and the WAL go into the file, and close it."""
        with contextlib.suppress(apsw.Error, ShardError):  # The next open recovers the WAL.
            self.db.execute("PRAGMA optimize")
            self.checkpoint(truncate=True)
        _let_go(self.db)

    def _grew(self, _db: Connection, _name: str, pages: int) -> int:
        self.wal_pages = pages
        return apsw.SQLITE_OK


def open_writer(
    kind: Kind, path: Path, world: str, carried: Mapping[str, int] | None = None
) -> Shard:
    """Open a shard for its one writer, or make it; the caller holds the shard's lease.

    A new file gets its tables, its world and the carried positions in one transaction.
    """
    check_version()
    with contextlib.ExitStack() as failed:
        db = None
        require_file(path)
        try:
            _clear_away(kind, path)
            db = connect(path)
            failed.callback(_let_go, db)
            new = migrations.is_new(db)
            if new:
                checksums.reserve(db)
            else:
                migrations.check_identity(kind, path, db)
            set_up(db, kind, path)
            _require_sound(path, db)
            shard = Shard(kind, path, db)
            _migrate(shard, world, carried or {})
            shard.grow_wal()
        except apsw.Error as error:
            raise failure(path, error, db) from error
        failed.pop_all()
    if new:
        sync_directory(path.parent)
    return shard


def draft_of(path: Path) -> Path:
    """Return where the copy of a shard lies that is to become its content."""
    return path.with_name(f".{path.name}.draft")


def clear_draft(path: Path) -> None:
    """Remove what a killed writer left of such a copy."""
    for end in ("", "-journal", "-wal", "-shm"):
        Path(f"{draft_of(path)}{end}").unlink(missing_ok=True)


def _clear_away(kind: Kind, path: Path) -> None:
    with contextlib.suppress(OSError):  # What cannot be removed is in nobody's way.
        clear_draft(path)
    if path.exists() and path.stat().st_size:
        checksums.seal(path, kind.application_id)


def is_made(path: Path) -> bool:
    """Return whether a file holds a shard, whole; False when its maker was killed at it."""
    require_file(path)
    try:
        with contextlib.closing(connect(path)) as db:
            return not migrations.is_new(db)
    except apsw.Error as error:
        raise failure(path, error) from error


def _require_sound(path: Path, db: Connection) -> None:
    # Its disk failed, and what it said to have kept may be gone: nothing is built on that.
    mark = Path(f"{path}{SUSPECT}")
    if not mark.exists():
        return
    db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    problems = checksums.checksums_ok(path)
    if not problems:
        said = db.execute("PRAGMA quick_check(5)")
        problems = [str(line) for (line,) in said if line != "ok"]
    if problems:
        what = f"{path}, whose disk failed before, is damaged: {'; '.join(problems)}"
        raise ShardError(what, DAMAGE_HINT)
    mark.unlink()


def _migrate(shard: Shard, world: str, carried: Mapping[str, int]) -> None:
    if migrations.is_new(shard.db):
        with shard.transaction() as db:
            migrations.found_shard(db, shard.kind, world, carried)
    for number, file in migrations.missing_steps(shard.db, shard.kind):
        with shard.transaction() as db:
            migrations.apply(db, file, number)
    migrations.check_history(shard.db, shard.kind, shard.path, world)


def _let_go(db: Connection) -> None:
    with contextlib.suppress(apsw.Error):  # What failed before is what is told.
        db.close()
