"""Compares two folds of a shard, table by table, and says what differs, row by row."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw
import apsw.ext
import msgspec

from bus.migrations import KINDS, Kind
from bus.reading import attach, open_reader
from bus.shard import Connection
from services.writer.content import Content, Part, Progress, content_of, parts
from services.writer.rebuild_details import add_as_told, told

ROWS_SHOWN = 3
LETTERS = "dead_letter"
Row = dict[str, Any]
NOTHING = Content(0, f"{0:032x}")


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A table that two folds have differently, with the first rows that only one of them has."""

    file: str
    table: str
    live_rows: int
    fold_rows: int
    only_live: Sequence[Row] = ()
    only_fold: Sequence[Row] = ()


class Compared(msgspec.Struct):
    """What was compared, and what differs."""

    rows: dict[str, int] = {}  # of each table that was compared, as the live shard has it
    differences: list[Difference] = []
    beyond: int = 0  # rows that the live shard has from before what was folded


def compare_files(
    kind: Kind, live: Path, fold: Path, into: Compared, progress: Progress, *, rows_alone: bool
) -> None:
    """Compare two files of one shard; of an archived month only its bars and ticks are rows."""
    with _both(kind, live, fold) as db:
        ours, theirs = _named(db, kind, "live"), _named(db, kind, "fold")
        for name in sorted({*ours, *theirs}):
            if (kind.monthly and name == LETTERS) or (rows_alone and " " not in name):
                continue
            _compare(db, (ours.get(name), theirs.get(name)), into, live.stem, progress)


def compare_part(kind: Kind, live: Path, fold: Path, into: Compared, progress: Progress) -> None:
    """See that every bar and tick of a fold of a part of the streams is in the live shard."""
    with _both(kind, live, fold) as db:
        ours, theirs = _named(db, kind, "live"), _named(db, kind, "fold")
        for name, part in theirs.items():
            if not part.key:
                continue
            held = ours.get(name)
            counts = [_count(db, one) for one in (held, part)]
            progress(counts[1])
            label = f"{live.stem} {name}"
            into.rows[label] = counts[1]
            lacking = _beyond(db, part, held, ROWS_SHOWN)
            into.beyond += max(0, counts[0] - counts[1])
            if lacking:
                about = Difference(
                    file=live.stem, table=name, live_rows=counts[0], fold_rows=counts[1]
                )
                into.differences.append(msgspec.structs.replace(about, only_fold=lacking))


def compare_letters(live: list[Path], fold: list[Path], into: Compared) -> None:
    """Compare the dead letters of all months: which file they lie in depends on the moment."""
    ours, theirs = _letters(live), _letters(fold)
    into.rows[LETTERS] = sum(ours.values())
    if ours != theirs:
        into.differences.append(
            Difference(
                file="market",
                table=LETTERS,
                live_rows=sum(ours.values()),
                fold_rows=sum(theirs.values()),
                only_live=_first(ours, theirs),
                only_fold=_first(theirs, ours),
            )
        )


@contextmanager
def _both(kind: Kind, live: Path, fold: Path) -> Iterator[Connection]:
    with closing(open_reader()) as db:
        db.pragma("temp_store", 1)  # A file: what is sorted may be a month of ticks.
        attach(db, kind, live, "live")
        attach(db, kind, fold, "fold")
        add_as_told(db)
        yield db


def _named(db: Connection, kind: Kind, schema: str) -> dict[str, Part]:
    return {part.name: part for part in parts(db, kind, schema)}


def _compare(
    db: Connection,
    both: tuple[Part | None, Part | None],
    into: Compared,
    file: str,
    progress: Progress,
) -> None:
    ours, theirs = both
    part = ours or theirs
    assert part is not None
    held = [content_of(db, one, progress) if one is not None else NOTHING for one in both]
    label = f"{file} {part.name}"
    into.rows[label] = held[0].rows
    if held[0] == held[1] or held[0].rows == held[1].rows == 0:
        return
    ours, theirs = (one and (told(one) or one) for one in both)
    only = _beyond(db, ours, theirs, ROWS_SHOWN), _beyond(db, theirs, ours, ROWS_SHOWN)
    if not any(only) and told(part) is not None:
        return  # What differs is what an older release had no field for.
    into.differences.append(
        Difference(
            file=file,
            table=part.name,
            live_rows=held[0].rows,
            fold_rows=held[1].rows,
            only_live=only[0],
            only_fold=only[1],
        )
    )


def _beyond(db: Connection, part: Part | None, other: Part | None, count: int) -> list[Row]:
    """Return the first rows of one that the other has not, or not as often."""
    if part is None:
        return []
    sql = f"SELECT * FROM ({_counted(db, part)})"  # noqa: S608 - our own tables
    if other is not None:
        sql += f" EXCEPT SELECT * FROM ({_counted(db, other)})"  # noqa: S608 - as above
    cursor = db.execute(f"{sql} LIMIT {count}")
    rows = cursor.fetchall()
    names = _columns(db, part)
    return [_shown(dict(zip([*names, "times"], row, strict=True))) for row in rows]


def _counted(db: Connection, part: Part) -> str:
    if part.key:  # Its key is there once.
        return f"SELECT *, 1 AS times FROM ({part.sql})"  # noqa: S608 - our own tables
    grouped = ", ".join(str(place) for place in range(1, len(_columns(db, part)) + 1))
    return f"SELECT *, count(*) AS times FROM ({part.sql}) GROUP BY {grouped}"  # noqa: S608 - ours


def _columns(db: Connection, part: Part) -> list[str]:
    described = apsw.ext.query_info(db, part.sql).description
    return [str(column[0]) for column in described]


def _shown(row: Row) -> Row:
    return {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in row.items()
        if (name, value) != ("times", 1)
    }


def _count(db: Connection, part: Part | None) -> int:
    if part is None:
        return 0
    sql = f"SELECT count(*) FROM ({part.sql})"  # noqa: S608 - our own tables
    rows: list[Any] = db.execute(sql).fetchall()
    return int(rows[0][0])


def _letters(files: list[Path]) -> Mapping[tuple[Any, ...], int]:
    found: dict[tuple[Any, ...], int] = {}
    for row in _each_letter(files):
        found[row] = found.get(row, 0) + 1
    return found


def _each_letter(files: list[Path]) -> Iterator[tuple[Any, ...]]:
    for path in files:
        with closing(open_reader()) as db:
            attach(db, KINDS["market"], path, "file")
            yield from db.execute("SELECT ts_ns, type, reason, body FROM file.dead_letter")


def _first(some: Mapping[tuple[Any, ...], int], others: Mapping[tuple[Any, ...], int]) -> list[Row]:
    lacking = [row for row, count in some.items() if others.get(row, 0) < count]
    names = ("ts_ns", "type", "reason", "body")
    return [_shown(dict(zip(names, row, strict=True))) for row in lacking[:ROWS_SHOWN]]
