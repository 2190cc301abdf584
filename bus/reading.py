"""A shard as everybody but its writer has it: attached read-only, asked in bounded time.

A reader never holds the writer up; what it holds back is the write-ahead log, so it lets go soon.
"""

import contextlib
import itertools
import re
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import apsw

from bus import migrations
from bus.clock import Clock
from bus.errors import ShardError
from bus.migrations import Kind, refused
from bus.shard import Connection, check_version, failure

Value = int | float | str | bytes | None
Rows = Generator[dict[str, Value], None, None]

READER_WAIT_MS = 2000
READER_MMAP_BYTES = 1 << 30

SqlError = apsw.Error

READ_HINT = "Ask with SELECT; only its writer changes a shard"
SLOW_HINT = "Ask for less, by symbol and time, or allow more time"
QUERY_HINT = "`SELECT name, sql FROM sqlite_temp_schema` shows the views and their columns"

ACTIONS_READ = (apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE)
FLAGS_READ = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
PROGRESS_STEPS = 10_000
_nothing = re.compile(r"(?:[\s;]|--[^\n]*|/\*.*?(?:\*/|\Z))*", re.DOTALL)
"""A comment behind a statement, which is none itself."""
PRAGMAS_READ = frozenset({"table_info", "table_xinfo", "table_list", "index_list", "index_info"})


def open_reader(time_limit_ms: int = 0) -> Connection:
    """Return an empty connection that shards are attached to with `attach`."""
    check_version()
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
    db = Connection(":memory:", flags=flags)
    db.set_busy_timeout(min(READER_WAIT_MS, time_limit_ms or READER_WAIT_MS))
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA temp_store = MEMORY")
    return db


class Deadline:
    """Until when statements may run; each of them may be given its time anew."""

    def __init__(self, clock: Clock, time_limit_ms: int) -> None:
        self._clock = clock
        self._limit_ns = time_limit_ms * 1_000_000
        self.wait_ms = min(READER_WAIT_MS, time_limit_ms)
        self._until_ns = 0
        self.renew()

    def renew(self) -> None:
        """Begin to count: what runs from now on has the whole time."""
        self._until_ns = self._clock.mono_ns() + self._limit_ns

    def passed(self) -> bool:
        return self._clock.mono_ns() > self._until_ns

    def check(self) -> None:
        """Raise ShardError once the time is over."""
        if self.passed():
            raise too_slow()


def attach(db: Connection, kind: Kind, path: Path, name: str) -> bool:
    """Attach a shard read-only under a name; False for a file that is still being made."""
    try:
        db.execute(f'ATTACH ? AS "{name}"', (f"{path.absolute().as_uri()}?mode=ro",))
        whole = _is_whole(db, kind, path, name)
        if not whole:
            db.execute(f'DETACH "{name}"')
    except apsw.Error as error:
        if _half_made(error):
            return False
        raise failure(path, error, db) from error
    return whole


def open_file(
    kind: Kind, path: Path, allowed: Deadline, *, sealed: bool = False
) -> Connection | None:
    """Open one file read-only; None for one that is still being made. A sealed one never changes.

    FileNotFoundError when it is not there any more.
    """
    mode = "mode=ro&immutable=1" if sealed else "mode=ro"
    with contextlib.ExitStack() as failed:
        try:
            db = Connection(f"{path.absolute().as_uri()}?{mode}", flags=FLAGS_READ)
            failed.callback(db.close)
            db.set_busy_timeout(allowed.wait_ms)
            db.set_progress_handler(allowed.passed, PROGRESS_STEPS)
            if not _is_whole(db, kind, path, "main"):
                return None
        except apsw.Error as error:
            if _half_made(error):
                return None
            raise read_failure(path, error, there=path.exists()) from error
        failed.pop_all()
    return db


def _is_whole(db: Connection, kind: Kind, path: Path, name: str) -> bool:
    if not db.pragma("application_id", schema=name):
        tables = f'SELECT 1 FROM "{name}".sqlite_schema'  # noqa: S608 - our own name
        if not db.execute(tables).fetchall():  # It is being made, or its maker was killed.
            return False
    migrations.check_identity(kind, path, db, name)
    db.pragma("mmap_size", READER_MMAP_BYTES, schema=name)
    return True


def _half_made(error: apsw.Error) -> bool:
    # Its maker was killed before it had a write-ahead log.
    return getattr(error, "extendedresult", 0) == apsw.SQLITE_READONLY_ROLLBACK


def add_function(db: Connection, name: str, function: Callable[..., Value], arguments: int) -> None:
    """Let SQL call a pure function of plain values, inside views too."""
    flags = apsw.SQLITE_INNOCUOUS
    db.create_scalar_function(name, function, arguments, deterministic=True, flags=flags)


def guard(db: Connection, clock: Clock, time_limit_ms: int) -> Deadline:
    """Let a connection only read from now on, and no statement run beyond its time."""
    allowed = Deadline(clock, time_limit_ms)
    restrict(db, allowed)
    return allowed


def restrict(db: Connection, allowed: Deadline) -> None:
    """Let a connection only read from now on, and no statement run beyond a deadline."""
    db.execute("PRAGMA query_only = ON")
    db.set_progress_handler(allowed.passed, PROGRESS_STEPS)
    db.set_authorizer(_read_only)


def attach_late(db: Connection, kind: Kind, path: Path, name: str) -> bool:
    """Attach one more shard to a connection that only reads."""
    db.set_authorizer(None)
    try:
        return attach(db, kind, path, name)
    finally:
        db.set_authorizer(_read_only)


def no_shard(shard: str, db_dir: Path) -> ShardError:
    """Return what is raised where a shard has no file yet."""
    return ShardError(
        f"there is no {shard} shard in {db_dir} yet",
        f"writer_{shard} makes it with its first rows: `rrr status` shows how it is",
    )


def read_failure(path: Path, error: apsw.Error, *, there: bool) -> Exception:
    """Return what is raised when a file could not be read: gone, too slow, or what else it was."""
    if isinstance(error, apsw.InterruptError):
        return too_slow()
    return failure(path, error) if there else FileNotFoundError(path)


def too_slow() -> ShardError:
    """Return what is raised when the time of a query is over."""
    return refused("the query took longer than it may", SLOW_HINT, 1)


def select(db: Connection, sql: str, bindings: Sequence[Value] = ()) -> Rows:
    """Yield rows as objects; ShardError says why a statement was refused or did not end."""
    try:
        cursor = db.cursor()
        cursor.exec_trace = _only_one()
        cursor.execute(sql, bindings)
        names: list[str] = []
        for row in cursor:
            names = names or _names(cursor)
            yield dict(zip(names, row, strict=True))
    except (apsw.AuthError, apsw.ReadOnlyError) as error:
        raise refused(f"refused: this connection only reads ({error})", READ_HINT, 1) from error
    except apsw.InterruptError as error:
        raise too_slow() from error
    except (apsw.Error, TypeError, ValueError, OverflowError) as error:
        raise refused(f"the query failed: {error}", QUERY_HINT, 1) from error


def _only_one() -> Callable[..., bool]:
    # A second statement would have its rows under the names of the first one's columns.
    begun = itertools.count()

    def trace(_cursor: object, sql: str, _bindings: object) -> bool:
        if not _nothing.fullmatch(sql) and next(begun):
            raise ValueError("it is more than one statement, and one is asked at a time")
        return True

    return trace


def _names(cursor: apsw.Cursor) -> list[str]:
    """Return the names of the columns; of two that are the same, the later one counts on."""
    names: list[str] = []
    for name, *_ in cursor.get_description():
        unlike = (f"{name}:{n}" for n in itertools.count(1))
        names.append(name if name not in names else next(n for n in unlike if n not in names))
    return names


def _read_only(
    action: int, first: str | None, _second: str | None, _db: str | None, _trigger: str | None
) -> int:
    if action == apsw.SQLITE_PRAGMA:
        return apsw.SQLITE_OK if first in PRAGMAS_READ else apsw.SQLITE_DENY
    return apsw.SQLITE_OK if action in ACTIONS_READ else apsw.SQLITE_DENY
