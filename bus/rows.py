"""Reading shards: what a SELECT finds, in tables and in views for people.

A reader attaches a shard's file and lays temporary views over its tables, in which numbers become
decimal text and times become ISO text. Those of the market reach over all months, and into their
archives. It never holds the writer up.
"""

import contextlib
import re
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bus.clock import Clock, SystemClock
from bus.errors import ShardError
from bus.migrations import KINDS, Kind, older, refused, view_sources
from bus.month_names import MONTH, PREFIX, month_named
from bus.reading import (
    Deadline,
    Rows,
    SqlError,
    Value,
    add_function,
    attach,
    attach_late,
    no_shard,
    open_reader,
    restrict,
    select,
)
from bus.shard import Connection
from schema.units import iso_ms, to_text

if TYPE_CHECKING:
    from bus.bars import BarReader

TIME_LIMIT_MS = 10_000
FILES_MAX = 120  # This SQLite attaches 125.

_month_name = re.compile(MONTH)


def shard_files(db_dir: Path, kind: Kind) -> list[Path]:
    """Return the files of a shard, newest month first."""
    found = db_dir.glob(f"{PREFIX}*[0-9].db" if kind.monthly else f"{kind.name}.db")
    return sorted(
        (path for path in found if not kind.monthly or month_named(path.name)), reverse=True
    )


class Reader:
    """One shard, open for reading; `with` closes it.

    The market has views over all its months, archives, and the history behind them. Of its tables
    those of the newest month are there, and those of another when a statement names its file.
    """

    def __init__(
        self,
        db_dir: Path,
        shard: str,
        clock: Clock | None = None,
        time_limit_ms: int = TIME_LIMIT_MS,
        history: Sequence[Path] = (),
    ) -> None:
        self.kind = _kind(shard)
        clock = clock or SystemClock()
        self._allowed = Deadline(clock, time_limit_ms)
        self._attached: set[Path] = set()
        self._db_dir = db_dir
        self.db = open_reader(time_limit_ms)
        self._bars: BarReader | None = None
        self.older: ShardError | None = None  # said of a file that is yet to be brought up to date
        with contextlib.ExitStack() as failed:
            failed.callback(self.close)
            add_functions(self.db)
            if self.kind.monthly:
                self._lay_over_months((db_dir, *(place / "db" for place in history)), clock)
            else:
                self._attach_whole()
            restrict(self.db, self._allowed)
            failed.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def rows(self, sql: str, bindings: Sequence[Value] = ()) -> Rows:
        """Yield the rows of a SELECT as objects; it may take the whole time."""
        self._allowed.renew()
        if self.kind.monthly:
            self._attach_named(sql)
        return self._explained(select(self.db, sql, bindings))

    def _explained(self, rows: Rows) -> Rows:
        """Say of a query that asks an older file for what it has not, that it is an older one."""
        try:
            yield from rows
        except ShardError as error:
            why = error.__cause__
            if self.older is None or not isinstance(why, SqlError) or "no such" not in str(why):
                raise
            told = f"{error.what}: {self.older.what}"
            raise refused(told, self.older.hint, self.older.exit_code) from error

    def close(self) -> None:
        """Let go of the files."""
        self.db.close()
        if self._bars is not None:
            self._bars.close()

    def _lay_over_months(self, db_dirs: Sequence[Path], clock: Clock) -> None:
        from bus.bars import BarReader  # noqa: PLC0415 - numpy, which the other shards do without
        from bus.view_union import lay_unions  # noqa: PLC0415 - as above
        from bus.views import lay_views  # noqa: PLC0415 - as above

        self._bars = BarReader(db_dirs, clock, self._allowed, renews=False)
        for path in shard_files(self._db_dir, self.kind):
            if attach(self.db, self.kind, path, path.stem):
                self._attached.add(path)
                break
        lay_views(self.db, self._bars)
        lay_unions(self.db, self._bars, view_sources(self.kind), add_functions)

    def _attach_whole(self) -> None:
        paths = shard_files(self._db_dir, self.kind)
        found = [path for path in paths if attach(self.db, self.kind, path, path.stem)]
        if not found:
            raise no_shard(self.kind.name, self._db_dir)
        self.older = older(self.kind, found[0], self.db, self.kind.name)
        for name, source in view_sources(self.kind).items():
            self.db.execute(f"CREATE TEMP VIEW {name} AS {source.format(db=self.kind.name)}")

    def _attach_named(self, sql: str) -> None:
        for name in {*_month_name.findall(sql.lower())}:
            path = self._db_dir / f"{name}.db"
            if path in self._attached or not path.exists():
                continue
            if len(self._attached) == FILES_MAX:
                raise refused(
                    f"{name} would be one more than the {FILES_MAX} months whose tables can be "
                    "asked for at once",
                    "Ask for fewer, or the views, which reach all months",
                    1,
                )
            if attach_late(self.db, self.kind, path, name):
                self._attached.add(path)


def read_rows(
    db_dir: Path,
    shard: str,
    sql: str,
    bindings: Sequence[Value] = (),
    time_limit_ms: int = TIME_LIMIT_MS,
    history: Sequence[Path] = (),
) -> Rows:
    """Yield the rows of one SELECT on a shard; ends with the reader closed."""
    with Reader(db_dir, shard, None, time_limit_ms, history) as reader:
        yield from reader.rows(sql, bindings)


def add_functions(db: Connection) -> None:
    """Let SQL say numbers and times as people read them."""
    add_function(db, "decimal_text", decimal_text, 2)
    add_function(db, "iso_time", iso_time, 1)
    add_function(db, "average_price", average_price, 5)


def decimal_text(number: int | None, exponent: int | None) -> str | None:
    """Return an integer of so many decimals as plain text, exactly; None stays None."""
    if number is None or exponent is None:
        return None
    return to_text(number, exponent)


def iso_time(ns: int | None) -> str | None:
    """Return nanoseconds since 1970 as UTC text; of one width, so that text sorts as time does."""
    return None if ns is None else iso_ms(ns)


def average_price(qty: int, qty_exp: int, cost: int, quote_exp: int, px_exp: int) -> str | None:
    """Return cost / quantity for people, four decimals finer than a price; None when flat."""
    if qty == 0:
        return None
    with localcontext() as context:
        context.prec = 60
        price = Decimal(cost).scaleb(-quote_exp) / Decimal(qty).scaleb(-qty_exp)
        step = Decimal(1).scaleb(-px_exp - 4)
        return f"{price.quantize(step, ROUND_HALF_EVEN):f}"


def _kind(shard: str) -> Kind:
    found = KINDS.get(shard)
    if found is None:
        raise ShardError(f"there is no shard {shard!r}", f"The shards are: {', '.join(KINDS)}")
    return found
