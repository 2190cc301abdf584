"""How the one writer of a shard connects to its file, and what SQLite's failures mean to a person.

What a connection is asked to be is read back: SQLite answers a PRAGMA that it cannot follow with
silence.
"""

import contextlib
import errno
import stat
from pathlib import Path

import apsw

from bus import checksums
from bus.chained import AUDIT_HASHED, audit_hash
from bus.errors import ShardError
from bus.migrations import Kind, refused

Connection = apsw.Connection

SQLITE_MIN = (3, 51, 3)
"""Every version before can lose checkpointed pages when write and checkpoint race."""

WRITER_WAIT_MS = 5000
CACHE_KIB = 2048  # Three months are open at once, and a writer has 40 MiB for everything.
PAGE_BYTES = 4096
WAL_KEEP_BYTES = 64 << 20

FULL_HINT = "Free disk space; the journal keeps what was said, and the writer tries again by itself"
SECOND_HINT = "A shard has one writer: end whatever else has it open for writing"
DAMAGE_HINT = "Move the file away and restore a backup; the journals hold what came after"
PLACE_HINT = "Shards need a local file system: set RRR_HOME to a directory on one"
ACCESS_HINT = (
    "Give this user write access to the directory and its files (`ls -l`, `lsattr`, `mount`), "
    "or set RRR_HOME"
)
FILE_HINT = "Move it away, and the shard itself into its place; RRR_HOME moves all of them"
DISK_HINT = (
    "Look at the disk (`dmesg`); the file is checked before it is written again, "
    "and `rrr db verify` checks it now"
)
LATER_CODE = 75
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def check_version(found: str = apsw.sqlite_lib_version()) -> None:
    """Refuse a SQLite that can lose data."""
    version = tuple(int(part) for part in found.split("."))
    if version < SQLITE_MIN:
        raise ShardError(
            f"SQLite is {found}, at least {'.'.join(map(str, SQLITE_MIN))} is needed",
            "Run `make up`, which installs the locked apsw",
        )


def connect(path: Path) -> Connection:
    """Connect to a file through the VFS that checks every page."""
    # The first to open a file after a kill recovers its WAL, a reader as well: one waits for him.
    db = Connection(str(path), vfs=checksums.load(), statementcachesize=256)
    db.set_busy_timeout(WRITER_WAIT_MS)
    db.create_scalar_function("audit_hash", audit_hash, AUDIT_HASHED, deterministic=True)
    return db


def require_file(path: Path) -> None:
    """Refuse what lies in the place of a shard and is no file of its own."""
    try:
        mode = path.lstat().st_mode
    except OSError:  # There is none yet, or the open says what is wrong.
        return
    if not stat.S_ISREG(mode):
        what = (
            "a link" if stat.S_ISLNK(mode) else "a directory" if stat.S_ISDIR(mode) else "no file"
        )
        raise refused(f"{path} is {what}, expected a file of its own", FILE_HINT)


def set_up(db: Connection, kind: Kind, path: Path) -> None:
    """Make a connection what the writer of a shard needs, and see that it is; else ShardError."""
    if db.readonly("main"):  # SQLite takes what it gets, and fails at the first write.
        raise refused(f"{path} can be read and not written", ACCESS_HINT)
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
        ("mmap_size", 0),  # An error of the disk would be a SIGBUS.
        ("busy_timeout", WRITER_WAIT_MS),
    )
    for name, value in wanted:
        db.pragma(name, value)
        require(path, f"PRAGMA {name}", db.pragma(name), value)
    require(path, "PRAGMA page_size", db.pragma("page_size"), PAGE_BYTES)
    for option in (apsw.SQLITE_DBCONFIG_DQS_DML, apsw.SQLITE_DBCONFIG_DQS_DDL):
        require(path, "a string in double quotes", db.config(option, 0), 0)
    require(path, "DEFENSIVE", db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1), 1)


def require(path: Path, what: str, found: object, expected: object) -> None:
    """Refuse a connection that is not what it must be."""
    if found != expected:
        raise refused(f"{path}: {what} is {found}, expected {expected}", PLACE_HINT)


def failure(path: Path, error: Exception, db: Connection | None = None) -> ShardError:
    """Return what SQLite says of a shard as an error that tells a person what to do."""
    if is_full(error, db):
        return refused(f"{path} cannot grow: {error}", FULL_HINT, LATER_CODE)
    if isinstance(error, apsw.ReadOnlyError | apsw.CantOpenError | apsw.PermissionsError):
        return refused(f"{path} cannot be opened as it must be: {error}", ACCESS_HINT)
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return refused(f"{path} is locked by another process: {error}", SECOND_HINT, LATER_CODE)
    if checksums.is_mismatch(error):
        return ShardError(f"{path} is damaged: {_bad_pages(path)}", DAMAGE_HINT)
    if isinstance(error, apsw.NotADBError | apsw.CorruptError):
        return ShardError(f"{path} is damaged: {error}", DAMAGE_HINT)
    if isinstance(error, apsw.IOError):
        return ShardError(f"{path} is unreadable or unwritable: {_told(error, db)}", DISK_HINT)
    return ShardError(f"{path}: {type(error).__name__}: {error}", DAMAGE_HINT)


def is_full(error: Exception, db: Connection | None) -> bool:
    """Return whether the disk has no room, which is no damage."""
    if isinstance(error, apsw.FullError):
        return True
    return isinstance(error, apsw.IOError) and db is not None and db.system_errno in FULL


def breaks_trust(error: Exception, db: Connection | None) -> bool:
    """Return whether after a failure nobody knows what the disk holds."""
    return (
        isinstance(error, apsw.IOError)
        and not is_full(error, db)
        and not checksums.is_mismatch(error)
    )


def _bad_pages(path: Path) -> str:
    with contextlib.suppress(apsw.Error, OSError):
        if found := checksums.checksums_ok(path):
            return "; ".join(found)
    return "a page does not match its checksum"


def _told(error: Exception, db: Connection | None) -> str:
    number = db.system_errno if db is not None else 0
    return f"{error} ({errno.errorcode.get(number, number)})" if number else str(error)
