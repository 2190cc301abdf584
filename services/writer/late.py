"""Late rows: a month that was retired gets a small file again, which its next archive takes in.

What comes late must lie under the same keys as what the archive holds, so the small file numbers
its series as the archive does. Each transaction on an older month leaves a name of its own there,
by which an archive says what it has seen.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw

from bus import migrations
from bus.errors import ShardError
from bus.migrations import KINDS
from bus.shard import Connection, Shard, failure

EDITS = "edits"
FLAGS = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
EDIT = "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
NEW_SERIES = "INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?)"
SERIES_HINT = "One of the two was put there by hand: move it away"

Row = tuple[Any, ...]


class ArchiveUnreadableError(ShardError):
    """The archive of a month cannot tell how its series are numbered."""


def note_edit(db: Connection) -> None:
    """Name the caller's transaction, which changes rows of a month that may be archived."""
    db.execute(EDIT, (EDITS, os.urandom(8).hex()))


def last_edit(db: Connection) -> str:
    """Return the name of the last edit of a month; empty when it had none since it was closed."""
    rows: list[Row] = db.execute("SELECT value FROM meta WHERE key = ?", (EDITS,)).fetchall()
    return str(rows[0][0]) if rows else ""


def series_of(archive: Path) -> list[Row]:
    """Return how an archive numbers its series; ArchiveUnreadableError when it cannot tell."""
    db = None
    try:
        db = Connection(f"{archive.absolute().as_uri()}?mode=ro&immutable=1", flags=FLAGS)
        migrations.check_identity(KINDS["market"], archive, db)
        return list(db.execute("SELECT * FROM series ORDER BY id"))
    except apsw.Error as error:
        told = failure(archive, error)
        raise ArchiveUnreadableError(told.what, told.hint) from error
    except ShardError as error:
        raise ArchiveUnreadableError(error.what, error.hint) from error
    finally:
        if db is not None:
            db.close()


def adopt_series(shard: Shard, archive: Path, series: Sequence[Row]) -> None:
    """Let a month number its series as its archive does.

    ArchiveUnreadableError when it numbers them otherwise already.
    """
    own = list(shard.db.execute("SELECT * FROM series ORDER BY id"))
    missing = [row for row in series if row not in own]
    if not missing:
        return
    if own:
        what = f"{shard.path} and {archive} number their series differently"
        raise ArchiveUnreadableError(what, SERIES_HINT)
    with shard.transaction() as db:
        db.executemany(NEW_SERIES, missing)
