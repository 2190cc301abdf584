"""Views over the small tables of all months: each is its SELECT on one file after the other."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

from bus.bars import BarReader
from bus.market_files import File, OpenFile
from bus.reading import Value
from bus.shard import Connection
from bus.view_asks import Asked
from bus.view_rows import Row
from bus.views import MarketView, add_view

WHERE_FROM = ("month", "kept")
"""The columns that come first: the month, and whether it is live, archived or history."""

_column = re.compile(r"\bAS (\w+),?[^\n]*$", re.MULTILINE)
_table = re.compile(r"\{db\}\.(\w+)")


class UnionView(MarketView):
    """What a SELECT finds in each month, the newest first."""

    def __init__(
        self, reader: BarReader, source: str, prepare: Callable[[Connection], None]
    ) -> None:
        columns = (*WHERE_FROM, *view_columns(source))
        super().__init__(reader, columns, (), self._every)
        self.keys = set()
        self._sql = source.format(db="main")
        self._tables = frozenset(_table.findall(source))
        self._prepare = prepare

    def _every(self, reader: BarReader, _asked: Asked) -> Iterator[Row]:
        number = count()
        for month in reversed(reader.files.months):
            for row in reader.ask(partial(self._of_month, reader, month)):
                yield (*row, next(number))

    def _of_month(self, reader: BarReader, month: int) -> list[Row]:
        found: list[Row] = []
        for file in reader.files.opened(month):
            if self._tables <= file.tables:  # Older code left it, and knew no such table.
                begin = (f"{month // 100:04d}-{month % 100:02d}", kept(file.file))
                found += [begin + row for row in reader.read(file, self._rows)]
        return found

    def _rows(self, file: OpenFile) -> list[tuple[Value, ...]]:
        self._prepare(file.db)
        rows: list[Any] = file.db.execute(self._sql).fetchall()
        return rows


def lay_unions(
    db: Connection,
    reader: BarReader,
    sources: Mapping[str, str],
    prepare: Callable[[Connection], None],
) -> None:
    """Lay views over all months, each by its SELECT for one file; `prepare` adds its functions."""
    for name, source in sources.items():
        view = UnionView(reader, source, prepare)
        add_view(db, name, view, view.columns)


def view_columns(source: str) -> Sequence[str]:
    """Return the columns that the SELECT of a view for people names."""
    return _column.findall(source[: source.index("\nFROM ")])


def kept(file: File) -> str:
    """Return where a file belongs, in one word."""
    if not file.own:
        return "history"
    return "archive" if file.archived else "live"
