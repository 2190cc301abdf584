"""One moment of a shard's file, table by table in the order of its keys, as an export reads it.

A large file is copied first: a long export must hold nothing back from the writer.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path
from typing import Any, Self

import apsw
import msgspec

from bus import checksums
from bus.errors import HouseError
from bus.migrations import Kind
from bus.month_names import ARCHIVED
from bus.reading import Value, attach, open_reader
from bus.shard import Connection, failure

COPY_FROM_BYTES = 32 << 20
BATCH_ROWS = 1 << 13
SCHEMA = "shard"
MADE_BY_MIGRATIONS = frozenset({"migration"})
CHUNKS = {"bar": "bar_chunk", "tick": "tick_chunk"}
"""Tables whose rows an archive has in chunks: exports have them as rows, and no chunks."""

HASH_BYTES = 32

Row = tuple[Value, ...]
Span = tuple[int, int]
"""The first and the last key of a stretch of rows."""

WHOLE: Span = (-(1 << 63), (1 << 63) - 1)

Block = Any
"""Some rows: int64[n, columns] of a table that is `exact`, else a list of tuples."""

_encode = msgspec.msgpack.Encoder().encode


class Table(msgspec.Struct, frozen=True):
    """A table: the columns that are stored, their types, and which of them are the key."""

    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    key: tuple[str, ...]
    exact: bool  # nothing but integers, and none of them absent


class Choice(msgspec.Struct, frozen=True):
    """Which rows of a table are meant: a condition with what it binds, and stretches of keys."""

    where: str = "1"
    bindings: tuple[Value, ...] = ()
    spans: tuple[Span, ...] | None = None
    times: Span | None = None  # of ticks, in an archive: what the condition says in SQL


class Snapshot:
    """A file at one moment; `with` lets go of it."""

    def __init__(self, kind: Kind, path: Path, db: Connection, copy: Path | None) -> None:
        self.kind = kind
        self.path = path
        self.db = db
        self.copied = copy is not None
        self.sealed = path.name.endswith(ARCHIVED)
        self._copy = copy
        db.pragma("mmap_size", 0, schema=SCHEMA)  # Read once through: it would only fill memory.
        db.execute("BEGIN")
        self.version: int = db.pragma("user_version", schema=SCHEMA)
        self.tables = tuple(_tables(db))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def stem(self) -> str:
        """The name of the shard's file without its endings; an archive has that of its month."""
        return self.path.name.partition(".")[0]

    def table(self, name: str) -> Table | None:
        """Return a table by its name."""
        return next((one for one in self.tables if one.name == name), None)

    def world(self) -> str:
        """Return whose file it is."""
        rows = self.db.execute("SELECT value FROM shard.meta WHERE key = 'world'").fetchall()
        return str(rows[0][0]) if rows else ""

    def positions(self) -> dict[str, int]:
        """Return how far the file has followed each stream."""
        rows: list[Any] = self.db.execute(
            "SELECT stream, pos FROM shard.stream_position"
        ).fetchall()
        return dict(rows)

    def schema(self) -> dict[str, str]:
        """Return the statements that make tables, indexes and triggers, by name; tables first."""
        rows: Any = self.db.execute(
            "SELECT name, sql FROM shard.sqlite_schema WHERE sql IS NOT NULL "
            "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type <> 'table', rowid"
        )
        return dict(rows.fetchall())

    def rows(self, table: Table, choice: Choice | None = None) -> Iterator[Block]:
        """Yield the rows of a table in the order of its key, some at a time."""
        choice = choice or Choice()
        for span in choice.spans if choice.spans is not None else (WHOLE,):
            yield from self.stretch(table, span, choice)

    def stretch(self, table: Table, span: Span, choice: Choice) -> Iterator[Block]:
        """Yield the rows of one stretch of keys."""
        columns = ", ".join(f'"{name}"' for name in table.columns)
        order = ", ".join(f'"{name}"' for name in table.key)
        keys = f'"{table.key[0]}" BETWEEN ? AND ? AND ' if span != WHOLE else ""
        sql = (
            f'SELECT {columns} FROM shard."{table.name}" '  # noqa: S608 - names of its own
            f"WHERE {keys}{choice.where} ORDER BY {order}"
        )
        for some in self.batches(sql, (*(span if keys else ()), *choice.bindings)):
            yield matrix(some) if table.exact else some

    def batches(self, sql: str, bindings: tuple[Value, ...] = ()) -> Iterator[list[Row]]:
        """Yield what a SELECT finds, some rows at a time."""
        try:
            cursor = self.db.execute(sql, bindings)
            while some := list(islice(cursor, BATCH_ROWS)):
                yield some
        except apsw.Error as error:
            raise failure(self.path, error, self.db) from error

    def close(self) -> None:
        """Let go of the file, and remove the copy of it."""
        self.db.close(True)
        if self._copy is not None:
            self._copy.unlink(missing_ok=True)


def take_snapshot(kind: Kind, path: Path, scratch: Path) -> Snapshot | None:
    """Return a file as it is now, by a copy in `scratch` where it is large; None for no shard."""
    opened = open_at(kind, path, scratch)
    return Snapshot(kind, path, *opened) if opened is not None else None


def open_live(kind: Kind, path: Path) -> Snapshot | None:
    """Return a file itself as it is now, for a short look; None for no shard."""
    opened = open_at(kind, path, None)
    return Snapshot(kind, path, *opened) if opened is not None else None


def open_at(kind: Kind, path: Path, scratch: Path | None) -> tuple[Connection, Path | None] | None:
    """Return a connection to a file, or to a copy in `scratch` where it is large, and the copy."""
    db = open_reader()
    try:
        if not attach(db, kind, path, SCHEMA):
            db.close()
            return None
        _check_pages(db, path)
        large = path.stat().st_size > COPY_FROM_BYTES
        return db, _copied(db, kind, path, scratch) if large and scratch is not None else None
    except (HouseError, OSError, apsw.Error) as error:
        db.close(True)
        raise _told(error, path, db) from error


def _check_pages(db: Connection, path: Path) -> None:
    # Through the VFS that finds a flipped bit: what is exported is as it was written.
    db.execute(f"DETACH {SCHEMA}")
    uri = f"{path.absolute().as_uri()}?mode=ro&vfs={checksums.load()}"
    db.execute(f"ATTACH ? AS {SCHEMA}", (uri,))


def _copied(db: Connection, kind: Kind, path: Path, scratch: Path) -> Path | None:
    if not _changes(db):
        return None  # An archive: nobody waits for its readers.
    copy = scratch / f"{path.stem}.copy"
    try:
        db.execute(f"VACUUM {SCHEMA} INTO ?", (str(copy),))
    except apsw.Error as error:
        copy.unlink(missing_ok=True)
        if checksums.is_mismatch(error) or isinstance(error, apsw.CorruptError):
            raise failure(path, error, db) from error
        what = f"{path} cannot be copied to {scratch}: {error}"
        raise HouseError(what, "Make room there, or export to another disk") from error
    db.execute(f"DETACH {SCHEMA}")
    assert attach(db, kind, copy, SCHEMA)
    return copy


def _changes(db: Connection) -> bool:
    return bool(db.pragma("journal_mode", schema=SCHEMA) == "wal")


def _told(error: Exception, path: Path, db: Connection) -> HouseError:
    if isinstance(error, HouseError):
        return error
    if isinstance(error, OSError):
        return HouseError(
            f"{path} cannot be read: {error.strerror}", "Mend its permissions, or look at the disk"
        )
    return failure(path, error, db)


def _tables(db: Connection) -> Iterator[Table]:
    rows = db.execute(
        "SELECT name FROM shard.sqlite_schema WHERE type = 'table' "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
    )
    for name in [str(row[0]) for row in rows.fetchall()]:
        if name not in MADE_BY_MIGRATIONS and name not in CHUNKS.values():
            yield describe(db, name, SCHEMA)


def describe(db: Connection, name: str, schema: str = "main") -> Table:
    """Return what a table stores; columns that are worked out are not."""
    found: list[Any] = db.execute(f'PRAGMA "{schema}".table_xinfo("{name}")').fetchall()
    stored = [row for row in found if not row[6]]
    key = [str(row[1]) for row in sorted(stored, key=lambda row: row[5]) if row[5]]
    return Table(
        name=name,
        columns=tuple(str(row[1]) for row in stored),
        types=tuple(str(row[2]) for row in stored),
        key=tuple(key),
        exact=all(row[2] == "INTEGER" and (row[3] or row[5]) for row in stored),
    )


def matrix(rows: Sequence[Row]) -> Block:
    """Return rows of integers as int64[n, columns]."""
    import numpy as np  # noqa: PLC0415 - a writer never pays for it

    width = len(rows[0]) if rows else 1
    flat = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=len(rows) * width)
    return flat.reshape(-1, width)


class Digest:
    """The hash of rows as they come: of all that they hold, however they are written down.

    Tables of integers alone are hashed as little-endian int64, the others as msgpack arrays.
    """

    def __init__(self, *, exact: bool) -> None:
        self.rows = 0
        self._exact = exact
        self._hash = blake2b(digest_size=HASH_BYTES)

    def add(self, rows: Block) -> None:
        """Take some rows, in the order of the key."""
        self.rows += len(rows)
        if self._exact:
            self._hash.update(rows.astype("<i8", copy=False).tobytes())
        else:
            self._hash.update(b"".join(map(_encode, rows)))

    def hexdigest(self) -> str:
        """Return the hash of all that came so far."""
        return self._hash.hexdigest()
