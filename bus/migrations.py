"""What a shard is: its kinds, who made a file, and the forward-only steps to the tables of today.

A step is a file `schema/sql/<shard>/NNNN_name.sql`; its name is recorded in the transaction that
applies it, so a killed writer leaves a file either before a step or behind it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from bus.errors import ShardError

SQL = Path(__file__).parent.parent / "schema" / "sql"
NEWER_HINT = "Update this checkout to the code that made the shard, or restore an older backup"
SETTINGS_CODE, BEHIND_CODE = 78, 3


class Kind(msgspec.Struct, frozen=True):
    """What all files of one shard have in common."""

    name: str
    application_id: int
    synchronous: int  # 1 NORMAL, 2 FULL
    monthly: bool = False
    sql: Path = SQL


KINDS = {
    kind.name: kind
    for kind in (
        Kind("trading", 0x52525201, 2),
        Kind("market", 0x52525202, 1, monthly=True),
        Kind("analytics", 0x52525203, 1),
        Kind("backtest", 0x52525204, 1),
    )
}


class Database(Protocol):
    """The part of a connection that is needed here."""

    def execute(self, sql: str, bindings: Sequence[Any] = ()) -> Any: ...

    def executemany(self, sql: str, bindings: Sequence[Sequence[Any]]) -> Any: ...

    def pragma(self, name: str, value: Any = None, /, *, schema: str | None = None) -> Any: ...


def steps(kind: Kind) -> tuple[Path, ...]:
    """Return the migrations of a shard in their order."""
    found = tuple(sorted((kind.sql / kind.name).glob("[0-9][0-9][0-9][0-9]_*.sql")))
    assert found, f"no SQL for shard {kind.name}"
    return found


def view_sources(kind: Kind) -> dict[str, str]:
    """Return the SELECT of each view for people, with `{db}` where the file's name belongs."""
    return {
        path.stem: path.read_text()
        for path in sorted((kind.sql / kind.name / "views").glob("*.sql"))
    }


def is_new(db: Database) -> bool:
    """Return whether a file holds nothing: just made, or its maker was killed."""
    return not db.pragma("application_id") and not list(db.execute("SELECT 1 FROM sqlite_schema"))


def check_identity(kind: Kind, path: Path, db: Database, schema: str = "main") -> None:
    """Refuse a file that this code did not make, or that newer code made."""
    found = db.pragma("application_id", schema=schema)
    if found != kind.application_id:
        raise refused(
            f"{path} is no {kind.name} shard: its application id is {found}, "
            f"expected {kind.application_id}",
            "Move that file away: this house did not make it",
        )
    version, known = db.pragma("user_version", schema=schema), len(steps(kind))
    if version > known:
        raise refused(
            f"{path} was made by newer code: its version is {version}, this code knows {known}",
            NEWER_HINT,
        )


def found_shard(db: Database, kind: Kind, world: str, carried: Mapping[str, int]) -> None:
    """Make a new file's tables and mark whose it is, within the caller's transaction."""
    db.execute("CREATE TABLE migration (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID")
    for number, file in enumerate(steps(kind), start=1):
        apply(db, file, number)
    db.pragma("application_id", kind.application_id)
    db.execute("INSERT INTO meta VALUES ('world', ?)", (world,))
    db.executemany("INSERT INTO stream_position VALUES (?, ?)", list(carried.items()))


def missing_steps(db: Database, kind: Kind) -> list[tuple[int, Path]]:
    """Return the steps that a file still needs, each with the version that it leads to."""
    done = db.pragma("user_version")
    return list(enumerate(steps(kind), start=1))[done:]


def older(kind: Kind, path: Path, db: Database, schema: str) -> ShardError | None:
    """Return what is said of a file that an older release made; None for one of today."""
    version, known = db.pragma("user_version", schema=schema), len(steps(kind))
    if version >= known:
        return None
    return refused(
        f"{path} has the tables of an older release: its version is {version}, this code asks "
        f"for {known}",
        f"writer_{kind.name} brings it up to date as it starts: `rrr up`, then ask again",
        BEHIND_CODE,
    )


def apply(db: Database, file: Path, number: int) -> None:
    """Take one step and record it, within the caller's transaction."""
    db.execute(file.read_text())
    db.execute("INSERT INTO migration VALUES (?)", (file.name,))
    db.pragma("user_version", number)


def check_history(db: Database, kind: Kind, path: Path, world: str) -> None:
    """Refuse a file whose recorded steps or world are not ours."""
    recorded = [name for (name,) in db.execute("SELECT name FROM migration ORDER BY name")]
    expected = [file.name for file in steps(kind)]
    if recorded != expected:
        raise refused(
            f"{path} records the migrations {recorded}, this code has {expected}", NEWER_HINT
        )
    ((found,),) = db.execute("SELECT value FROM meta WHERE key = 'world'").fetchall()
    if found != world:
        raise refused(
            f"{path} belongs to world {found}, this house runs world {world}",
            "Worlds never meet: move the file back to the world that made it",
        )


def refused(what: str, hint: str, code: int = SETTINGS_CODE) -> ShardError:
    """Return a ShardError that ends a service with its own code."""
    error = ShardError(what, hint)
    error.exit_code = code
    return error
