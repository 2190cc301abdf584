"""Proves an archive from its own file, as a reader will see it, before anything is replaced."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw
import msgspec

from bus import checksums, migrations
from bus.errors import ShardError
from bus.migrations import KINDS
from bus.packing import Ints
from bus.shard import Connection, failure
from services.writer.archive_files import (
    AGAIN_HINT,
    CHANGED_HINT,
    META,
    Contents,
    Proof,
    readable,
)
from services.writer.archive_rows import BAR, TICK, Table, Tally, by_series, chunk_blocks
from services.writer.late import EDITS
from services.writer.soundness import faults

KIND = KINDS["market"]
FLAGS = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
SAMPLE = 100
"""Every one of so many rows is compared with that of the live month."""

PROBLEMS_MAX = 3

Told = Callable[[int], None]


def contents_of(path: Path) -> Contents:
    """Return what an archive says that it holds; ShardError when it is none, or too new."""
    db = _opened(path)
    try:
        return _said(db, path)
    finally:
        db.close()


def prove(path: Path, contents: Contents, live: Path | None, told: Told) -> None:
    """Raise ShardError, saying what differs, unless an archive is sound and holds these rows."""
    db = _opened(path)
    try:
        _require_sound(db, path)
        _require(path, contents.bars, _recounted(db, BAR, live, contents, told))
        _require(path, contents.ticks, _recounted(db, TICK, live, contents, told))
        if _said(db, path) != contents:
            raise ShardError(f"{path} says something else of itself than was built", CHANGED_HINT)
    except apsw.Error as error:
        raise failure(path, error) from error
    finally:
        db.close()


def _opened(path: Path) -> Connection:
    try:
        db = Connection(f"{path.absolute().as_uri()}?mode=ro&immutable=1", flags=FLAGS)
    except apsw.Error as error:
        raise failure(path, error) from error
    try:
        migrations.check_identity(KIND, path, db)
    except apsw.Error as error:
        db.close()
        raise failure(path, error) from error
    except ShardError:
        db.close()
        raise
    return db


def _said(db: Connection, path: Path) -> Contents:
    try:
        rows: list[Any] = db.execute("SELECT value FROM meta WHERE key = ?", (META,)).fetchall()
        if rows:
            return readable(msgspec.json.decode(rows[0][0], type=Contents), path)
    except apsw.Error as error:
        raise failure(path, error) from error
    except msgspec.MsgspecError as error:
        raise ShardError(f"{path} does not say what it holds: {error}", CHANGED_HINT) from error
    raise ShardError(f"{path} is a market shard, but no archive", "Move that file away")


def _require_sound(db: Connection, path: Path) -> None:
    found = faults(db)
    if found:
        raise ShardError(f"{path} is damaged: {'; '.join(found)}", CHANGED_HINT)


def _recounted(
    db: Connection, table: Table, live: Path | None, contents: Contents, told: Told
) -> tuple[Proof, ...]:
    names = {row[0]: (row[1], row[2]) for row in db.execute("SELECT * FROM series")}
    tally = Tally(table)
    source = _Source(live, table, contents.edits) if live is not None else None
    try:
        for rows in by_series(chunk_blocks(db, "main", table), table):
            tally.add(rows)
            if source is not None:
                source.compare(rows)
            told(len(rows))
    finally:
        if source is not None:
            source.close()
    return tally.proofs(names)


class _Source:
    """The live month, asked again for single rows."""

    def __init__(self, live: Path, table: Table, edits: str) -> None:
        self._path = live
        uri = f"{live.absolute().as_uri()}?mode=ro&vfs={checksums.load()}"
        try:
            self._db = Connection(uri, flags=FLAGS)
        except apsw.Error as error:
            raise failure(live, error) from error
        self._edits = edits
        names = ", ".join(table.columns)
        self._sql = f"SELECT {names} FROM {table.name} WHERE k = ?"  # noqa: S608 - our own names

    def compare(self, rows: Ints) -> None:
        """Raise ShardError when one of some rows is another one there."""
        try:
            for row in rows[::SAMPLE].tolist():
                there: list[Any] = self._db.execute(self._sql, (row[0],)).fetchall()
                if there and list(there[0]) != row:
                    raise ShardError(self._difference(row, list(there[0])), AGAIN_HINT)
        except apsw.Error as error:
            raise failure(self._path, error) from error

    def close(self) -> None:
        self._db.close()

    def _difference(self, archived: list[int], there: list[int]) -> str:
        now: list[Any] = self._db.execute(
            "SELECT value FROM meta WHERE key = ?", (EDITS,)
        ).fetchall()
        if now and now[0][0] != self._edits:
            return f"{self._path} was written to while it was archived"
        return f"a row of the archive is {archived}, in {self._path} it is {there}"


def _require(path: Path, expected: Sequence[Proof], found: Sequence[Proof]) -> None:
    by_id = {one.id: one for one in found}
    for one in expected:
        other = by_id.pop(one.id, None)
        if other != one:
            raise ShardError(f"{path} is not what was archived: {_told(one, other)}", CHANGED_HINT)
    for other in by_id.values():
        what = f"{path} has a series that was not archived: {other.symbol} {other.timeframe}"
        raise ShardError(what, CHANGED_HINT)


def _told(one: Proof, other: Proof | None) -> str:
    name = f"{one.symbol} {one.timeframe}"
    if other is None:
        return f"all {one.rows} rows of {name} are missing"
    if other.rows != one.rows:
        return f"{name} has {other.rows} rows, expected {one.rows}"
    if (other.first, other.last) != (one.first, one.last):
        expected, found = f"{one.first} to {one.last}", f"{other.first} to {other.last}"
        return f"the keys of {name} go from {found}, expected {expected}"
    return f"the rows of {name} have the hash {other.hash[:16]}, expected {one.hash[:16]}"
