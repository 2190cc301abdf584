"""Views over months: tables of SQLite whose rows are looked up in the files as one asks for them.

SQLite cannot see that months are files, nor look into chunks. It tells such a table what a
SELECT compares and in which order it wants rows; the table turns that into searches by key.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import apsw

from bus.bars import BarReader
from bus.reading import Value
from bus.view_asks import Asked, plan_text, read_plan
from bus.view_rows import BAR_NAMES, TICK_NAMES, Row, bar_rows, tick_rows

Find = Callable[[BarReader, Asked], Iterator[Row]]

OPS = {
    apsw.SQLITE_INDEX_CONSTRAINT_EQ: "=",
    apsw.SQLITE_INDEX_CONSTRAINT_LT: "<",
    apsw.SQLITE_INDEX_CONSTRAINT_LE: "<=",
    apsw.SQLITE_INDEX_CONSTRAINT_GT: ">",
    apsw.SQLITE_INDEX_CONSTRAINT_GE: ">=",
}
COUNTS = {
    apsw.SQLITE_INDEX_CONSTRAINT_LIMIT: "limit",
    apsw.SQLITE_INDEX_CONSTRAINT_OFFSET: "offset",
}
NAMES = ("symbol", "timeframe")
WHOLE = frozenset({"open_ms", "ts_ms", "trade_id"})

ROWS = 100_000_000.0
LESS_BY = {"symbol": 100.0, "timeframe": 6.0, "trade_id": 1e6}
LESS_BY_TIME, LESS_BY_BOUND = 1e5, 10.0
OVERHEAD = 100.0


class MarketView:
    """One view: its columns, those that say when, and what finds its rows."""

    def __init__(
        self, reader: BarReader, columns: Sequence[str], times: Sequence[str], find: Find
    ) -> None:
        self.columns = columns
        self.times = times
        self.keys = {*NAMES, *times, "trade_id"} & {*columns}
        self._reader = reader
        self._find = find

    def rows(self, asked: Asked) -> Iterator[Row]:
        """Yield the rows that are asked for, each with its number behind its columns.

        SQLite tells by the number whether it has shown a row before, for another side of an OR.
        """
        return self._find(self._reader, asked)

    # What follows has the names that SQLite's virtual tables have for it.

    def Create(  # noqa: N802 - as above
        self, db: apsw.Connection, *_: Any
    ) -> tuple[str, "MarketView"]:
        db.vtab_config(apsw.SQLITE_VTAB_INNOCUOUS)
        kinds = (f"{name} {self._kind(name)}" for name in self.columns)
        return f"CREATE TABLE x ({', '.join(kinds)})", self

    Connect = Create

    def _kind(self, name: str) -> str:
        # By its kind SQLite converts what a column is compared with; others are taken as they are.
        if name not in self.keys:
            return ""
        return "INTEGER" if name in WHOLE else "TEXT"

    def BestIndexObject(self, info: apsw.IndexInfo) -> bool:  # noqa: N802 - as above
        Plan(self, info).write()
        return True

    def Open(self) -> "Cursor":  # noqa: N802 - as above
        return Cursor(self)

    def Disconnect(self) -> None:  # noqa: N802 - as above
        """Nothing is held."""

    Destroy = Disconnect


class Plan:
    """How one SELECT is answered: which of its comparisons are used, and in which order."""

    def __init__(self, view: MarketView, info: apsw.IndexInfo) -> None:
        self._view = view
        self._info = info
        self._terms: list[str] = []
        self._given: set[str] = set()  # Columns that have one value alone.
        self._complete = True
        self._rows = ROWS

    def write(self) -> None:
        """Tell SQLite."""
        info = self._info
        counts: dict[str, int] = {}
        for at in range(info.nConstraint):
            op = info.get_aConstraint_op(at)
            if op in COUNTS:
                counts[COUNTS[op]] = at
            elif not self._use(at, OPS.get(op)):
                self._complete = False
        ordered, descending = self._order()
        if self._complete and ordered and "limit" in counts:
            for name in sorted(counts):
                self._take(counts[name], name)
        flags = ["desc"] * descending + ["once"] * self._once()
        columns = [
            self._view.columns[at] for at in sorted(info.colUsed) if at < len(self._view.columns)
        ]
        info.idxStr = plan_text(self._terms, flags, columns)
        info.orderByConsumed = bool(info.nOrderBy and ordered)
        info.estimatedRows = max(1, int(self._rows))
        info.estimatedCost = self._rows + OVERHEAD

    def _use(self, at: int, op: str | None) -> bool:
        info = self._info
        if op is None or not info.get_aConstraint_usable(at):
            return False
        place = info.get_aConstraint_iColumn(at)
        name = self._view.columns[place] if place >= 0 else ""
        if name not in self._view.keys or (name in NAMES and op != "="):
            return False
        if name not in WHOLE and info.get_aConstraint_collation(at) != "BINARY":
            return False
        several = op == "=" and info.get_aConstraintUsage_in(at)
        if several and name in NAMES:
            info.set_aConstraintUsage_in(at, True)
        elif several:
            self._complete = False  # One value after the other: SQLite alone can count them.
        self._take(at, f"{name}{op}")
        info.set_aConstraintUsage_omit(at, name != "time")
        self._narrow(name, op, several=several)
        return True

    def _take(self, at: int, term: str) -> None:
        self._terms.append(term)
        self._info.set_aConstraintUsage_argvIndex(at, len(self._terms))

    def _narrow(self, name: str, op: str, *, several: bool) -> None:
        if op != "=":
            self._rows /= LESS_BY_BOUND
            return
        self._rows /= LESS_BY.get(name, LESS_BY_TIME)
        if not several:
            self._given.add(name)

    def _order(self) -> tuple[bool, bool]:
        """Return whether rows come as they are wanted, and whether that is from the end."""
        info = self._info
        wanted = [
            (self._view.columns[info.get_aOrderBy_iColumn(at)], info.get_aOrderBy_desc(at))
            for at in range(info.nOrderBy)
            if info.get_aOrderBy_iColumn(at) >= 0
        ]
        if len(wanted) < info.nOrderBy:
            return False, False
        wanted = [(name, desc) for name, desc in wanted if name not in self._given]
        ways = {desc for _, desc in wanted}
        natural = [name for name in (*NAMES, "time") if name in self._view.columns]
        natural = [name for name in natural if name not in self._given]
        names = ["time" if name in self._view.times else name for name, _ in wanted]
        ordered = names == natural[: len(names)] and len(ways) < 2
        return ordered, ordered and ways == {True}

    def _once(self) -> bool:
        # Whatever else SQLite may still look at, it says the same of all rows of a series.
        info = self._info
        wanted = {self._view.columns[info.get_aOrderBy_iColumn(at)] for at in range(info.nOrderBy)}
        used = {self._view.columns[at] for at in info.colUsed}
        return info.distinct in {2, 3} and bool(wanted) and wanted | used <= {*NAMES}


class Cursor:
    """The rows of one SELECT, one at a time."""

    def __init__(self, view: MarketView) -> None:
        self._view = view
        self._rows: Iterator[Row] = iter(())
        self._done = True
        self.Column: Callable[[int], Value] = ().__getitem__

    def Filter(  # noqa: N802 - as SQLite names it
        self, _number: int, plan: str, values: Sequence[object]
    ) -> None:
        self._rows = self._view.rows(read_plan(plan, values))
        self.Next()

    def Next(self) -> None:  # noqa: N802 - as above
        row = next(self._rows, None)
        if row is None:
            self._done = True
            return
        self._done = False
        self.Column = row.__getitem__

    def Eof(self) -> bool:  # noqa: N802 - as above
        return self._done

    def Rowid(self) -> Value:  # noqa: N802 - as above
        return self.Column(-1)

    def Close(self) -> None:  # noqa: N802 - as above
        self._rows = iter(())


def lay_views(db: apsw.Connection, reader: BarReader) -> None:
    """Lay `bars` and `ticks` over all months of a reader."""
    views = {
        "bars": MarketView(reader, BAR_NAMES, ("open_ms", "time"), partial(bar_rows, {})),
        "ticks": MarketView(reader, TICK_NAMES, ("ts_ms", "time"), partial(tick_rows, {})),
    }
    for name, view in views.items():
        add_view(db, name, view, view.columns)


def add_view(db: apsw.Connection, name: str, table: Any, columns: Sequence[str]) -> None:
    """Make a table known under a name, with its columns where people look for them."""
    db.create_module(
        f"{name}_over_months", table, use_bestindex_object=True, eponymous_only=True, read_only=True
    )
    shown = f"SELECT {', '.join(columns)} FROM {name}_over_months"  # noqa: S608 - names of ours
    db.execute(f"CREATE TEMP VIEW {name} AS {shown}")
