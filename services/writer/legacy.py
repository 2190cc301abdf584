"""The tables that came from PostgreSQL, as the one process that copies them writes them.

They are no shard of the house: nobody trades by them. They lie beside the history of markets, in
a file that any reader of SQLite opens once it is sealed.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import apsw
import msgspec

from bus.errors import ShardError
from bus.migrations import Kind
from bus.shard import Connection, failure, open_writer
from services.writer.legacy_tables import LegacyColumn, LegacyTable, create_sql, quoted, view_sql

# A power cut may take back the last batches, each with its state: they are copied again.
LEGACY = Kind("legacy", 0x52525205, 1)
FILE = "legacy.db"
CACHE_KIB = 65_536  # One short life and many rows: no other process shares its memory.
WAL_BYTES_MAX = 16 << 20

Row = Sequence[Any]
Refuse = Callable[[int, str], "Refused"]
"""Makes the record of a row of the batch that SQLite does not take: its number in it, and why."""


class State(msgspec.Struct, frozen=True):
    """How far one table is: what of it is in the file, counted and added up."""

    table: str
    last_key: str = ""
    rows: int = 0
    quarantined: int = 0
    sums: str = "{}"
    hash: int = 0
    done: bool = False


class Refused(msgspec.Struct, frozen=True):
    """One value that has no exact form here, with the row that it stood in."""

    row_no: int
    key: str
    column: str
    value: str | None
    reason: str
    row: str


class Legacy:
    """The file while it is written; whoever makes one holds the lease of its directory."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self._shard = open_writer(LEGACY, path, f"legacy-{name}")
        self._shard.db.pragma("cache_size", -CACHE_KIB)

    def meta(self, key: str) -> str:
        """Return what was noted under a key; empty when nothing was."""
        found = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchall()
        return str(found[0][0]) if found else ""

    def tables(self) -> dict[str, LegacyTable]:
        """Return the tables that the file has, by their names in the source."""
        found: dict[str, LegacyTable] = {}
        rows = self._db.execute(
            'SELECT "table", legacy_table, "column", legacy_column, source_type, kept, form, '
            "exponent, rule, key_position, generated FROM column_map ORDER BY 1, position"
        )
        for name, legacy, *column in rows:
            known = found.get(name, LegacyTable(name, legacy))
            one = LegacyColumn(*column)
            found[name] = LegacyTable(name, legacy, (*known.columns, one))
        return found

    def make(self, tables: Sequence[LegacyTable], meta: dict[str, str]) -> None:
        """Make tables, all or none, and note where they come from."""
        with self._shard.transaction() as db:
            for key, value in meta.items():
                db.execute(
                    "INSERT INTO meta VALUES (?, ?) "
                    "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    (key, value),
                )
            for table in tables:
                db.execute(create_sql(table))
                db.execute(view_sql(table))
                _note(db, table)

    def state(self, table: str) -> State:
        """Return how far a table is."""
        found: list[Any] = self._db.execute(
            'SELECT "table", last_key, rows, quarantined, sums, hash, done FROM mig_state '
            'WHERE "table" = ?',
            (table,),
        ).fetchall()
        return State(*found[0]) if found else State(table)

    def keep(
        self,
        table: LegacyTable,
        rows: Sequence[Row],
        refused: Sequence[Refused],
        refuse: Refuse,
        after: Callable[[int], State],
    ) -> State:
        """Commit a batch with the state after it, given how many rows SQLite itself refused."""
        with self._shard.transaction() as db:
            clashes = [refuse(nth, why) for nth, why in _insert(db, table, rows)]
            _quarantine(db, table.name, [*refused, *clashes])
            state = after(len(clashes))
            _advance(db, state)
        if self._shard.wal_bytes() > WAL_BYTES_MAX:
            self._shard.checkpoint()
        return state

    def finish(self, state: State) -> None:
        """Note that a table is whole."""
        with self._shard.transaction() as db:
            _advance(db, msgspec.structs.replace(state, done=True))

    def restart(self, table: LegacyTable) -> None:
        """Forget the rows of a table that cannot be gone on with."""
        with self._shard.transaction() as db:
            db.execute(f"DELETE FROM {quoted(table.legacy)}")  # noqa: S608 - a quoted name
            for own in ("quarantine", "mig_state"):
                sql = f'DELETE FROM {own} WHERE "table" = ?'  # noqa: S608 - our own table
                db.execute(sql, (table.name,))

    def forget(self) -> None:
        """Remove all tables, to begin anew."""
        with self._shard.transaction() as db:
            for table in self.tables().values():
                db.execute(f"DROP VIEW IF EXISTS {quoted(table.view)}")
                db.execute(f"DROP TABLE {quoted(table.legacy)}")
            for own in ("column_map", "quarantine", "mig_state"):
                db.execute(f"DELETE FROM {own}")  # noqa: S608 - our own table
            db.execute("DELETE FROM meta WHERE key <> 'world'")

    def rows(self, table: LegacyTable, batch_rows: int) -> Iterator[list[Row]]:
        """Yield the rows of a table as they are in the file."""
        names = ", ".join(quoted(column.legacy) for column in table.columns)
        sql = f"SELECT {names} FROM {quoted(table.legacy)}"  # noqa: S608 - quoted names
        yield from self._batches(sql, (), batch_rows)

    def refused_rows(self, table: LegacyTable, batch_rows: int) -> Iterator[list[list[str | None]]]:
        """Yield the rows in quarantine, as the source wrote them."""
        sql = 'SELECT row FROM quarantine WHERE "table" = ? GROUP BY row_no'
        for batch in self._batches(sql, (table.name,), batch_rows):
            found = [json.loads(row) for (row,) in batch]
            yield [[row.get(column.name) for column in table.columns] for row in found]

    def reasons(self, table: str) -> list[tuple[str, str, int]]:
        """Return column, reason and how often, for what is in quarantine of a table."""
        return list(
            self._db.execute(
                'SELECT "column", reason, count(*) FROM quarantine WHERE "table" = ? '
                "GROUP BY 1, 2 ORDER BY 1, 2",
                (table,),
            )
        )

    def is_json(self, text: str) -> bool:
        """Return whether SQLite takes a text for JSON."""
        return bool(self._db.execute("SELECT json_valid(?)", (text,)).get)

    def seal(self) -> None:
        """Make it a plain file, without a log beside it, that anybody may open and copy."""
        with suppress(apsw.Error, ShardError):  # A reader is in: it stays whole with its log.
            self._shard.harden()
            self._shard.checkpoint(truncate=True)
            self._db.pragma("journal_mode", "delete")
        self.close()

    def close(self) -> None:
        """Let go of the file as it is."""
        self._shard.close()

    @property
    def _db(self) -> Connection:
        return self._shard.db

    def _batches(self, sql: str, bindings: Sequence[Any], batch_rows: int) -> Iterator[list[Any]]:
        try:
            cursor = self._db.execute(sql, bindings)
            while batch := list(islice(cursor, batch_rows)):
                yield batch
        except apsw.Error as error:
            raise failure(self.path, error, self._db) from error


def _insert(db: Connection, table: LegacyTable, rows: Sequence[Row]) -> list[tuple[int, str]]:
    """Insert a batch; return the rows that a key or a check refuses, each with the reason."""
    places = ", ".join("?" * len(table.columns))
    sql = f"INSERT INTO {quoted(table.legacy)} VALUES ({places})"  # noqa: S608 - a quoted name
    db.execute("SAVEPOINT batch")
    try:
        db.executemany(sql, rows)
    except apsw.ConstraintError:
        db.execute("ROLLBACK TO batch")
        return _one_by_one(db, sql, rows)
    finally:
        db.execute("RELEASE batch")
    return []


def _one_by_one(db: Connection, sql: str, rows: Sequence[Row]) -> list[tuple[int, str]]:
    refused = []
    for nth, row in enumerate(rows):
        try:
            db.execute(sql, row)
        except apsw.ConstraintError as error:
            refused.append((nth, str(error)))
    return refused


def _quarantine(db: Connection, table: str, refused: Sequence[Refused]) -> None:
    db.executemany(
        'INSERT INTO quarantine ("table", row_no, key, "column", value, reason, row) '
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(table, *msgspec.structs.astuple(one)) for one in refused],
    )


def _advance(db: Connection, state: State) -> None:
    db.execute(
        "INSERT INTO mig_state VALUES (?, ?, ?, ?, ?, ?, ?) "
        'ON CONFLICT ("table") DO UPDATE SET (last_key, rows, quarantined, sums, hash, done) = '
        "(excluded.last_key, excluded.rows, excluded.quarantined, excluded.sums, excluded.hash, "
        "excluded.done)",
        msgspec.structs.astuple(state),
    )


def _note(db: Connection, table: LegacyTable) -> None:
    db.executemany(
        "INSERT INTO column_map VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(table.name, one.name, table.legacy, one.legacy, number),
                *(one.source_type, one.kept, one.form, one.exponent, one.rule),
                *(one.key, int(one.generated)),
            )
            for number, one in enumerate(table.columns, 1)
        ],
    )
