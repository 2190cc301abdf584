"""Views for people, as an export writes them.

Those of the market reach over months, and are read batch by batch; those of a shard that is one
file are read at the same moment as its tables.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from bus.migrations import Kind, view_sources
from bus.reading import Value
from bus.rows import Reader, add_functions
from schema.units import MS_NS, iso_ms
from services.rrr.db_export_choice import Selection
from services.writer.dump import BATCH_ROWS, Row, Snapshot

TIMES: Mapping[str, Any] = {
    "open_ms": lambda ns: -(-ns // MS_NS),
    "ts_ms": lambda ns: -(-ns // MS_NS),
    "time": iso_ms,
    "created": iso_ms,
    "opened": iso_ms,
    "first": iso_ms,
}
"""The column that says when, the first of these that a view has, and how it says it."""

OVER_MONTHS = ("bars", "ticks")
PARTITIONED = {"bars": "bar", "ticks": "tick"}
"""Views that Parquet has as partitions of what a table holds."""

COLUMNS = "SELECT name FROM pragma_table_info(?)"
NO_LIMIT_MS = 1 << 40


class Views(Protocol):
    """The views of a shard, or of a file of it."""

    def columns(self, name: str) -> Sequence[str]: ...

    def rows(self, name: str) -> Iterator[list[Row]]: ...


def view_names(kind: Kind) -> tuple[str, ...]:
    """Return the names of a shard's views."""
    return (*(OVER_MONTHS if kind.monthly else ()), *view_sources(kind))


class FileViews:
    """The views of a shard that is one file, at the moment of a snapshot."""

    def __init__(self, snapshot: Snapshot, selection: Selection) -> None:
        self._snapshot = snapshot
        self._selection = selection
        add_functions(snapshot.db)
        for name, source in view_sources(snapshot.kind).items():
            snapshot.db.execute(f"CREATE TEMP VIEW {name} AS {source.format(db='shard')}")

    def columns(self, name: str) -> Sequence[str]:
        """Return the names of a view's columns."""
        found = self._snapshot.db.execute(COLUMNS, (name,)).fetchall()
        return [str(name) for (name,) in found]

    def rows(self, name: str) -> Iterator[list[Row]]:
        """Yield the rows of a view, some at a time."""
        where, bindings = terms(self.columns(name), self._selection)
        sql = f"SELECT * FROM temp.{name} WHERE {where}"  # noqa: S608 - ours
        yield from self._snapshot.batches(sql, bindings)


class MonthViews:
    """The views over the months of a market."""

    def __init__(self, place: Path, kind: Kind, selection: Selection) -> None:
        self._reader = Reader(place / "db", kind.name, time_limit_ms=NO_LIMIT_MS)
        self._selection = selection

    def close(self) -> None:
        """Let go of the files."""
        self._reader.close()

    def columns(self, name: str) -> Sequence[str]:
        """Return the names of a view's columns."""
        found = self._reader.rows(COLUMNS, (name,))
        return [str(row["name"]) for row in found]

    def rows(self, name: str) -> Iterator[list[Row]]:
        """Yield the rows of a view, some at a time."""
        where, bindings = terms(self.columns(name), self._selection)
        sql = f"SELECT * FROM {name} WHERE {where}"  # noqa: S608 - a name of ours
        rows: list[Row] = []
        for row in self._reader.rows(sql, bindings):
            rows.append(tuple(row.values()))
            if len(rows) == BATCH_ROWS:
                yield rows
                rows = []
        if rows:
            yield rows


def terms(columns: Sequence[str], wanted: Selection) -> tuple[str, tuple[Value, ...]]:
    """Return the condition that chooses rows of a view, and what it binds."""
    found: list[tuple[str, Value]] = []
    for name in ("symbol", "timeframe"):
        value = getattr(wanted, name)
        if value is not None and name in columns:
            found.append((f'"{name}" = ?', value))
    with suppress(StopIteration):
        time = next(name for name in TIMES if name in columns)
        bounds = ((">=", wanted.since_ns), ("<", wanted.until_ns))
        found += [(f'"{time}" {sign} ?', TIMES[time](ns)) for sign, ns in bounds if ns is not None]
    where = " AND ".join(term for term, _ in found) or "1"
    return where, tuple(value for _, value in found)
