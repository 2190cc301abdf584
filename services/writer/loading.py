"""A new file of a shard that takes the rows of an export, and nothing else that an export may hold.

Its tables are made by the migrations of this code; an authorizer lets a statement of a dump only
insert, and only into them.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import apsw

from bus import checksums, migrations
from bus.disk import sync_path
from bus.errors import HouseError
from bus.migrations import NEWER_HINT, Kind
from bus.shard import Connection, check_version, failure, open_writer
from bus.shard_open import connect
from services.writer.dump import MADE_BY_MIGRATIONS, Digest, Row, Table, describe, matrix
from services.writer.soundness import broken_pages

ROWS_AT_ONCE = 1 << 13
STATEMENT_BYTES_MAX = 64 << 20
WHOSE = "INSERT INTO meta VALUES ('world', ?) ON CONFLICT (key) DO NOTHING"
CALLS = frozenset({"json_valid"})
"""What the tables' own checks call."""

BAD_HINT = "Take the export again, or take it from another copy; nothing was brought in"


class BadRowError(HouseError):
    """A row that the tables refuse; `number` counts the rows of one call, from 1."""

    exit_code = 5

    def __init__(self, what: str, number: int) -> None:
        super().__init__(what, BAD_HINT)
        self.number = number


class Loading:
    """A file under way: rows go in, `close` proves it and makes a shard of it."""

    def __init__(self, kind: Kind, path: Path, version: int) -> None:
        check_version()
        self.kind = kind
        self.path = path
        self._db = _made(kind, path, version)
        names: list[Any] = self._db.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        ).fetchall()
        self.tables = {
            name: describe(self._db, name) for (name,) in names if name not in MADE_BY_MIGRATIONS
        }
        self._defend()
        self._db.execute("BEGIN")

    def schema(self) -> list[str]:
        """Return the statements that made its tables, indexes and triggers."""
        sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL"
        with self._unguarded() as db:
            return [str(text) for (text,) in db.execute(sql).fetchall()]

    def steps(self) -> list[str]:
        """Return the names of the migrations that made it."""
        with self._unguarded() as db:
            return [str(name) for (name,) in db.execute("SELECT name FROM migration").fetchall()]

    def series(self, number: int) -> tuple[int, int, int, int, int]:
        """Return number, seconds and decimals of a series; BadRowError when there is none."""
        sql = "SELECT id, tf_s, px_exp, qty_exp, quote_exp FROM series WHERE id = ?"
        with self._unguarded() as db:
            rows: list[Any] = db.execute(sql, (number,)).fetchall()
        if not rows:
            raise BadRowError(f"no series has the number {number}", 0)
        found: tuple[int, int, int, int, int] = rows[0]
        return found

    def insert(self, table: Table, rows: Iterable[Row]) -> None:
        """Take rows; BadRowError says which one was refused."""
        marks = ", ".join("?" for _ in table.columns)
        columns = ", ".join(f'"{name}"' for name in table.columns)
        sql = f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks})'  # noqa: S608 - ours
        taken = _Counted(rows)
        try:
            self._db.executemany(sql, taken)
        except (apsw.ConstraintError, apsw.MismatchError, apsw.TooBigError, OverflowError) as error:
            raise BadRowError(f"a row that {table.name} refuses: {error}", taken.count) from error
        except apsw.Error as error:
            raise _no_room(self.path, error) from error

    def run(self, statement: str) -> None:
        """Run one INSERT of a dump; BadRowError for anything else."""
        if len(statement) > STATEMENT_BYTES_MAX:
            raise BadRowError("a statement of more than 64 MiB", 1)
        try:
            self._db.execute(statement)
        except (apsw.FullError, apsw.IOError) as error:
            raise _no_room(self.path, error) from error
        except (apsw.Error, ValueError) as error:
            raise BadRowError(f"a statement that is no plain INSERT of ours: {error}", 1) from error

    def digest(self, name: str, columns: Sequence[str], *, exact: bool) -> Digest:
        """Return what a table came to hold, of some of its columns."""
        order = ", ".join(f'"{one}"' for one in self.tables[name].key)
        chosen = ", ".join(f'"{one}"' for one in columns)
        sql = f'SELECT {chosen} FROM "{name}" ORDER BY {order}'  # noqa: S608 - names of ours
        found = Digest(exact=exact)
        with self._unguarded() as db:
            cursor = db.execute(sql)
            while rows := list(islice(cursor, ROWS_AT_ONCE)):
                found.add(matrix(rows) if exact else rows)
        return found

    def close(self, world: str) -> None:
        """Let it reach the disk, take the newer steps, and hold it against the rules of a shard."""
        self._db.set_authorizer(None)
        try:
            self._db.execute(WHOSE, (world,))
            self._db.execute("COMMIT")
            found = broken_pages(self._db)
        except apsw.Error as error:
            raise _no_room(self.path, error) from error
        if found:
            raise BadRowError(f"what was brought into {self.path.name} is not whole: {found[0]}", 0)
        self._db.close(True)
        open_writer(self.kind, self.path, world).close()
        sync_path(self.path)

    def abort(self) -> None:
        """Let go of it as it is."""
        self._db.close(True)

    @contextlib.contextmanager
    def _unguarded(self) -> Iterator[Connection]:
        self._db.set_authorizer(None)
        try:
            yield self._db
        finally:
            self._db.set_authorizer(self._may)

    def _defend(self) -> None:
        # What guards the tables is in force again when it is a shard; here it would only stand in
        # the way of rows that were guarded before.
        self._db.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        self._db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        self._db.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        self._db.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
        self._db.set_authorizer(self._may)

    def _may(
        self, action: int, first: str | None, second: str | None, db: str | None, _by: str | None
    ) -> int:
        match action:
            case apsw.SQLITE_INSERT:
                allowed = first in self.tables and db == "main"
            case apsw.SQLITE_FUNCTION:
                allowed = second in CALLS
            case apsw.SQLITE_READ:
                allowed = first in self.tables and db == "main"
            case apsw.SQLITE_TRANSACTION:
                allowed = first == "BEGIN"
            case _:
                allowed = False
        return apsw.SQLITE_OK if allowed else apsw.SQLITE_DENY


class _Counted:
    """Rows, and how many of them were taken."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = iter(rows)
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.count += 1
            yield row


def _made(kind: Kind, path: Path, version: int) -> Connection:
    """Return a new file with the tables of a version, and no rows."""
    steps = migrations.steps(kind)
    if version > len(steps):
        raise HouseError(
            f"the export has version {version} of the {kind.name} shard, this code knows "
            f"{len(steps)}",
            NEWER_HINT,
        )
    try:
        db = connect(path)
        checksums.reserve(db)
        for name, value in (("journal_mode", "off"), ("synchronous", 0), ("temp_store", 2)):
            db.pragma(name, value)
        db.execute("BEGIN")
        db.execute("CREATE TABLE migration (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID")
        for number, file in enumerate(steps[:version], start=1):
            migrations.apply(db, file, number)
        db.pragma("application_id", kind.application_id)
        db.execute("COMMIT")
    except apsw.Error as error:
        raise _no_room(path, error) from error
    return db


def _no_room(path: Path, error: Exception) -> HouseError:
    told = failure(path, error)
    return HouseError(told.what, "Make room there, or name a directory on another disk")
