"""What can be proven of a shard by looking at it: one line a check, and nothing is changed.

A check says what was expected and found. It reads beside the writer, and lets go between checks.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import msgspec

from bus import checksums
from bus.errors import HouseError, ShardError
from bus.migrations import Kind, steps
from bus.reading import attach, open_reader
from bus.shard import Connection
from services.writer.soundness import broken_pages, lost_keys

FILE = "file"
PROBLEMS_SHOWN = 5
MAKER_HINT = "Its writer makes it anew at its next start"


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    shard: str
    name: str
    ok: bool
    detail: str


Found = tuple[bool, str]
"""Whether something holds, and what was found."""

Proof = Callable[[Connection], Found]


class Looked(msgspec.Struct, frozen=True):
    """One file, and how it is looked at."""

    kind: Kind
    path: Path
    world: str
    quick: bool = False


def check(shard: str, name: str, look: Callable[[], Found]) -> Check:
    """Do one check; what cannot be read has failed it."""
    try:
        ok, detail = look()
    except HouseError as error:
        return Check(shard, name, ok=False, detail=error.what)
    except apsw.Error as error:
        return Check(shard, name, ok=False, detail=f"{type(error).__name__}: {error}")
    return Check(shard, name, ok=ok, detail=detail)


def proven(file: Looked, proof: Proof) -> Callable[[], Found]:
    """Return a look at a file that is opened for this one proof."""

    def look() -> Found:
        with opened(file) as db:
            return proof(db)

    return look


@contextlib.contextmanager
def opened(file: Looked) -> Iterator[Connection]:
    """Open a file of a shard to read from, as `file`, at one moment."""
    with contextlib.closing(open_reader()) as db:
        if not attach(db, file.kind, file.path, FILE):
            raise ShardError(f"{file.path} holds no tables: its maker was killed", MAKER_HINT)
        db.execute("BEGIN")
        yield db


def identity(file: Looked) -> Check:
    """Check that a file can be opened, and is one of this house; else nothing more can be."""
    return check(file.path.stem, "file", proven(file, _version))


def file_checks(file: Looked) -> Iterator[Check]:
    """Check what every file must be: sound pages, keys that lead somewhere, tables of today."""
    name = file.path.stem
    yield check(name, "pages and indexes", proven(file, lambda db: _sound(db, file)))
    yield check(name, "checksums", lambda: _checksums(file))
    yield check(name, "foreign keys", proven(file, _keys))
    yield check(name, "migrations", proven(file, lambda db: _steps(db, file.kind)))
    yield check(name, "world", proven(file, lambda db: _world(db, file.world)))
    yield check(name, "dead letters", proven(file, _letters))


def listed(problems: list[str], fine: str) -> Found:
    """Return what was found, from a list of what is wrong."""
    if not problems:
        return True, fine
    more = len(problems) - PROBLEMS_SHOWN
    shown = "; ".join(problems[:PROBLEMS_SHOWN])
    return False, f"{shown}; and {more} more" if more > 0 else shown


def rows_of(db: Connection, sql: str, bindings: tuple[Any, ...] = ()) -> list[Any]:
    """Return all rows that a statement gives."""
    return db.execute(sql, bindings).fetchall()


def _version(db: Connection) -> Found:
    version = db.pragma("user_version", schema=FILE)
    return True, f"version {version} of {db.pragma('page_count', schema=FILE)} pages"


def _sound(db: Connection, file: Looked) -> Found:
    what = "quick_check" if file.quick else "integrity_check"
    return listed(broken_pages(db, FILE, quick=file.quick), f"{what}: ok")


def _checksums(file: Looked) -> Found:
    if file.quick:
        return True, "left out: --quick"
    return listed(checksums.checksums_ok(file.path), "every page matches its own")


def _keys(db: Connection) -> Found:
    return listed(lost_keys(db, FILE), "all lead somewhere")


def _steps(db: Connection, kind: Kind) -> Found:
    found = [str(name) for (name,) in rows_of(db, "SELECT name FROM migration ORDER BY name")]
    expected = [path.name for path in steps(kind)]
    if found == expected[: len(found)]:
        behind = len(expected) - len(found)
        return True, f"{len(found)} steps{f', {behind} to come' if behind else ''}"
    return False, f"expected {expected}, found {found}"


def _world(db: Connection, world: str) -> Found:
    found = rows_of(db, "SELECT value FROM meta WHERE key = 'world'")
    name = str(found[0][0]) if found else ""
    return name == world, name if name == world else f"expected {world}, found {name or 'none'}"


def _letters(db: Connection) -> Found:
    found = rows_of(db, "SELECT type, count(*) FROM dead_letter GROUP BY type ORDER BY type")
    counted = ", ".join(f"{count} {kind}" for kind, count in found)
    return True, f"{counted}; the table dead_letter says why" if counted else "none"
