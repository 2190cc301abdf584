"""Bars that are said again, corrected: the newest word stays, in whatever order they are written.

Such a bar, and one that is not whole, has a note beside its row. A bar without a note is of
revision 0. An archive takes over the notes with the rows, and where a month has a file again beside
its archive, the newer file's row is the newer word.
"""

from collections.abc import Sequence

from bus.month_names import IDX_BITS
from bus.shard import Connection
from schema.market import Bar
from services.writer.coverage import BY_KEY, Row, Stretch, stretches

SIDES = 9
"""Columns of a bar's row; its revision and whether it is whole follow."""

NEW = "INSERT INTO bar VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (k) DO NOTHING"
NEWER = (
    "UPDATE bar SET o = ?2, h = ?3, l = ?4, c = ?5, v = ?6, q = ?7, n = ?8, src = ?9 "
    "WHERE k = ?1 AND (o, h, l, c, v, q, n, src) IS NOT (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) "
    "AND coalesce((SELECT revision FROM bar_note WHERE bar_note.k = ?1), 0) <= ?10"
)
NOTE = (
    "INSERT INTO bar_note VALUES (?, ?, ?) ON CONFLICT (k) DO UPDATE SET "
    "revision = excluded.revision, whole = excluded.whole WHERE excluded.revision >= revision"
)


def is_noted(bar: Bar) -> bool:
    """Return whether a bar has a note beside its row."""
    return bar.revision > 0 or not bar.whole


def noted(bar: Bar, row: Row) -> Row:
    """Return the row of a bar with what its note tells."""
    return (*row, bar.revision, int(bar.whole))


def write_noted(db: Connection, rows: Sequence[Row]) -> tuple[list[Stretch], int]:
    """Write bars with their notes; return what was written, and how many rows gave way."""
    ordered = sorted(rows, key=_place)
    found = stretches([row[:SIDES] for row in ordered], IDX_BITS)
    for one in found:
        one.new = _done(db, NEW, one.rows)
    corrections = _done(db, NEWER, [row[: SIDES + 1] for row in ordered])
    db.executemany(NOTE, [(row[0], *row[SIDES:]) for row in ordered])
    return found, corrections


def _place(row: Row) -> Row:
    return BY_KEY(row), row[SIDES]


def _done(db: Connection, sql: str, rows: Sequence[Row]) -> int:
    before = db.total_changes()
    db.executemany(sql, rows)
    return db.total_changes() - before
