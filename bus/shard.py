"""One SQLite file: opened by its one writer, or read-only by anyone.

Only this file and services/writer import apsw, and no second SQLite may touch a live shard: closing
any descriptor of a file drops the POSIX locks that this process holds on it.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path

import apsw

from bus import migrations
from bus.clock import Clock
from bus.errors import ShardError
from bus.migrations import Kind, refused

Connection = apsw.Connection
Value = int | float | str | bytes | None
Rows = Generator[dict[str, Value], None, None]

SQLITE_MIN = (3, 51, 3)
"""Every version before can lose checkpointed pages when write and checkpoint race."""

WRITER_WAIT_MS = 5000
READER_WAIT_MS = 2000
READERS_WAIT_MS = 50
READER_MMAP_BYTES = 1 << 30
CACHE_KIB = 2048  # Three months are open at once, and a writer has 40 MiB for everything.
PAGE_BYTES = 4096
WAL_KEEP_BYTES = 64 << 20

FULL_HINT = "Free disk space; the journal keeps what was said, and the writer tries again by itself"
SECOND_HINT = "A shard has one writer: end whatever else has it open for writing"
DAMAGE_HINT = "Move the file away and restore a backup; the journals hold what came after"
READ_HINT = "Ask with SELECT; only its writer changes a shard"
SLOW_HINT = "Ask for less, by symbol and time, or allow more time"
QUERY_HINT = "`SELECT name, sql FROM sqlite_temp_schema` shows the views and their columns"
PLACE_HINT = "Shards need a local file system: set RRR_HOME to a directory on one"
LATER_CODE = 75

ACTIONS_READ = (apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE)
PROGRESS_STEPS = 10_000
PRAGMAS_READ = frozenset({"table_info", "table_xinfo", "table_list", "index_list", "index_info"})


class Shard:
    """A shard as its writer holds it: one process, one thread, one connection."""

    def __init__(self, kind: Kind, path: Path, db: Connection) -> None:
        self.kind = kind
        self.path = path
        self.db = db
        self.wal_pages = 0
        self._pid = os.getpid()
        db.set_wal_hook(self._grew)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commit all that the block does, or nothing; ShardError says what the disk said."""
        # Not `with db`: it hides a full disk behind its own failing ROLLBACK.
        if os.getpid() != self._pid:
            raise ShardError(
                f"{self.path} was opened by process {self._pid}, and a fork of it wants to write",
                "Open the shard in the process that writes",
            )
        try:
            self.db.execute("BEGIN IMMEDIATE")
            yield self.db
            self.db.execute("COMMIT")
        except apsw.Error as error:
            raise failure(self.path, error, self.db) from error
        finally:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")

    def checkpoint(self, *, truncate: bool = False) -> bool:
        """Move the WAL into the file; False when a reader holds some of it back."""
        return self._checkpoint(
            apsw.SQLITE_CHECKPOINT_TRUNCATE if truncate else apsw.SQLITE_CHECKPOINT_PASSIVE
        )

    def restart_wal(self) -> bool:
        """Let the WAL begin anew at its start; False when a reader does not let go in time."""
        return self._checkpoint(apsw.SQLITE_CHECKPOINT_RESTART)

    def _checkpoint(self, mode: int) -> bool:
        self.db.set_busy_timeout(READERS_WAIT_MS)  # For readers; a loop must not stand still.
        try:
            pages, moved = self.db.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            return False
        except apsw.Error as error:
            raise failure(self.path, error, self.db) from error
        finally:
            self.db.set_busy_timeout(WRITER_WAIT_MS)
        done = moved >= pages
        self.wal_pages = 0 if done else pages
        return done

    def wal_bytes(self) -> int:
        """Return how much of the WAL is not known to be in the file; costs nothing."""
        return self.wal_pages * PAGE_BYTES

    def file_bytes(self) -> int:
        """Return the size of the WAL file; asked by name, for opening it would drop our locks."""
        try:
            return Path(f"{self.path}-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def harden(self) -> None:
        """Let every commit from now on reach the disk, and with it all before it."""
        self.db.pragma("synchronous", 2)

    def close(self) -> None:
        """Let planner statistics and the WAL go into the file, and close it."""
        with contextlib.suppress(apsw.Error, ShardError):  # The next open recovers the WAL.
            self.db.execute("PRAGMA optimize")
            self.checkpoint(truncate=True)
        self.db.close()

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
        try:
            db = _connect(path)
            failed.callback(db.close)
            new = migrations.is_new(db)
            if not new:
                migrations.check_identity(kind, path, db)
            _set_up(db, kind, path)
            shard = Shard(kind, path, db)
            _migrate(shard, world, carried or {})
        except apsw.Error as error:
            raise failure(path, error, db) from error
        failed.pop_all()
    if new:
        _sync_directory(path.parent)
    return shard


def is_made(path: Path) -> bool:
    """Return whether a file holds a shard, whole; False when its maker was killed at it."""
    try:
        with contextlib.closing(_connect(path)) as db:
            return not migrations.is_new(db)
    except apsw.Error as error:
        raise failure(path, error) from error


def _connect(path: Path) -> Connection:
    # The first to open a file after a kill recovers its WAL, a reader as well: one waits for him.
    db = Connection(str(path))
    db.set_busy_timeout(WRITER_WAIT_MS)
    return db


def open_reader(time_limit_ms: int = 0) -> Connection:
    """Return an empty connection that shards are attached to with `attach`."""
    check_version()
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
    db = Connection(":memory:", flags=flags)
    db.set_busy_timeout(min(READER_WAIT_MS, time_limit_ms or READER_WAIT_MS))
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA temp_store = MEMORY")
    return db


def attach(db: Connection, kind: Kind, path: Path, name: str) -> bool:
    """Attach a shard read-only under a name; False for a file that is still being made."""
    try:
        db.execute(f'ATTACH ? AS "{name}"', (f"{path.absolute().as_uri()}?mode=ro",))
        if not db.pragma("application_id", schema=name):
            tables = f'SELECT 1 FROM "{name}".sqlite_schema'  # noqa: S608 - our own name
            if not db.execute(tables).fetchall():  # It is being made, or its maker was killed.
                db.execute(f'DETACH "{name}"')
                return False
        migrations.check_identity(kind, path, db, name)
        db.pragma("mmap_size", READER_MMAP_BYTES, schema=name)
    except apsw.Error as error:
        if getattr(error, "extendedresult", 0) == apsw.SQLITE_READONLY_ROLLBACK:
            return False  # Its maker was killed before it had a write-ahead log.
        raise failure(path, error, db) from error
    return True


def check_version(found: str = apsw.sqlite_lib_version()) -> None:
    """Refuse a SQLite that can lose data."""
    version = tuple(int(part) for part in found.split("."))
    if version < SQLITE_MIN:
        raise ShardError(
            f"SQLite is {found}, at least {'.'.join(map(str, SQLITE_MIN))} is needed",
            "Run `make up`, which installs the locked apsw",
        )


def failure(path: Path, error: Exception, db: Connection | None = None) -> ShardError:
    """Return what SQLite says of a shard as an error that tells a person what to do."""
    full = db is not None and db.system_errno in {errno.ENOSPC, errno.EDQUOT}
    if isinstance(error, apsw.FullError) or (isinstance(error, apsw.IOError) and full):
        return refused(f"{path} cannot grow: {error}", FULL_HINT, LATER_CODE)
    if isinstance(error, apsw.ReadOnlyError | apsw.CantOpenError | apsw.PermissionsError):
        hint = "Give this user write access to the directory and its files, or set RRR_HOME"
        return refused(f"{path} cannot be opened as it must be: {error}", hint)
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return refused(f"{path} is locked by another process: {error}", SECOND_HINT, LATER_CODE)
    if isinstance(error, apsw.NotADBError | apsw.CorruptError | apsw.IOError):
        return ShardError(f"{path} is damaged or unreadable: {error}", DAMAGE_HINT)
    return ShardError(f"{path}: {type(error).__name__}: {error}", DAMAGE_HINT)


def add_function(db: Connection, name: str, function: Callable[..., Value], arguments: int) -> None:
    """Let SQL call a pure function of plain values, inside views too."""
    flags = apsw.SQLITE_INNOCUOUS
    db.create_scalar_function(name, function, arguments, deterministic=True, flags=flags)


def guard(db: Connection, clock: Clock, time_limit_ms: int) -> None:
    """Let a connection only read from now on, and no statement run beyond its time."""
    deadline_ns = clock.mono_ns() + time_limit_ms * 1_000_000
    db.execute("PRAGMA query_only = ON")
    db.set_progress_handler(lambda: clock.mono_ns() > deadline_ns, PROGRESS_STEPS)
    db.set_authorizer(_read_only)


def select(db: Connection, sql: str, bindings: Sequence[Value] = ()) -> Rows:
    """Yield rows as objects; ShardError says why a statement was refused or did not end."""
    try:
        cursor = db.execute(sql, bindings)
        names: list[str] = []
        for row in cursor:
            names = names or [column[0] for column in cursor.get_description()]
            yield dict(zip(names, row, strict=True))
    except (apsw.AuthError, apsw.ReadOnlyError) as error:
        raise refused(f"refused: this connection only reads ({error})", READ_HINT, 1) from error
    except apsw.InterruptError as error:
        raise refused("the query took longer than it may", SLOW_HINT, 1) from error
    except (apsw.Error, TypeError, ValueError, OverflowError) as error:
        raise refused(f"the query failed: {error}", QUERY_HINT, 1) from error


def _read_only(
    action: int, first: str | None, _second: str | None, _db: str | None, _trigger: str | None
) -> int:
    if action == apsw.SQLITE_PRAGMA:
        return apsw.SQLITE_OK if first in PRAGMAS_READ else apsw.SQLITE_DENY
    return apsw.SQLITE_OK if action in ACTIONS_READ else apsw.SQLITE_DENY


def _set_up(db: Connection, kind: Kind, path: Path) -> None:
    wanted: tuple[tuple[str, int | str], ...] = (
        ("journal_mode", "wal"),
        ("synchronous", kind.synchronous),
        ("wal_autocheckpoint", 0),
        ("journal_size_limit", WAL_KEEP_BYTES),
        ("cache_size", -CACHE_KIB),
        ("temp_store", 2),
        ("foreign_keys", 1),
        ("trusted_schema", 0),
        ("fullfsync", int(kind.synchronous == 2)),
        ("checkpoint_fullfsync", 1),
    )
    for name, value in wanted:
        db.pragma(name, value)
        found = db.pragma(name)
        if found != value:
            raise refused(f"{path}: PRAGMA {name} is {found}, expected {value}", PLACE_HINT)


def _migrate(shard: Shard, world: str, carried: Mapping[str, int]) -> None:
    if migrations.is_new(shard.db):
        with shard.transaction() as db:
            migrations.found_shard(db, shard.kind, world, carried)
    for number, file in migrations.missing_steps(shard.db, shard.kind):
        with shard.transaction() as db:
            migrations.apply(db, file, number)
    migrations.check_history(shard.db, shard.kind, shard.path, world)


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
