"""Reading shards: views for people, and the newest bars as numbers.

A month is a file, and SQLite cannot see that months belong together: a reader attaches the files,
newest first, and lays temporary views over them, in which numbers become decimal text and times
become ISO text. It never holds the writer up.
"""

import contextlib
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from bus.clock import Clock, SystemClock
from bus.errors import ShardError
from bus.migrations import KINDS, Kind, view_sources
from bus.shard import Rows, Value, add_function, attach, guard, open_reader, select
from schema.units import SECOND_NS, iso_ms, to_text

if TYPE_CHECKING:
    import numpy as np

TIME_LIMIT_MS = 10_000
FILES_MAX = 120  # This SQLite attaches 125.
IDX_BITS = 26
IDX_MASK = (1 << IDX_BITS) - 1

BarRow = tuple[int, int, int, int, int, int, int, int]
"""open_ns, open, high, low, close, volume, quote volume, trades, in the exponents asked for."""


Exponents = tuple[int, int, int]
"""Decimals of price, quantity and quote volume."""


def shard_files(db_dir: Path, kind: Kind) -> list[Path]:
    """Return the files of a shard, newest month first."""
    month = "market_data_[0-9][0-9][0-9][0-9]_[0-9][0-9].db"
    pattern = month if kind.monthly else f"{kind.name}.db"
    return sorted(db_dir.glob(pattern), reverse=True)


class Reader:
    """One shard, open for reading; `with` closes it."""

    def __init__(
        self,
        db_dir: Path,
        shard: str,
        clock: Clock | None = None,
        time_limit_ms: int = TIME_LIMIT_MS,
    ) -> None:
        self.kind = _kind(shard)
        self.db = open_reader()
        self.files = self._attach(db_dir)
        if not self.files:
            self.db.close()
            raise ShardError(
                f"there is no {shard} shard in {db_dir} yet",
                f"writer_{shard} makes it with its first rows: `rrr status` shows how it is",
            )
        self._lay_views()
        guard(self.db, clock or SystemClock(), time_limit_ms)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def rows(self, sql: str, bindings: Sequence[Value] = ()) -> Rows:
        """Yield the rows of a SELECT as objects."""
        return select(self.db, sql, bindings)

    def last_bars(self, symbol: str, timeframe: str, count: int) -> tuple[Exponents, list[BarRow]]:
        """Return the newest closed bars, oldest first, and the decimals of their numbers."""
        found: list[BarRow] = []
        wanted: Exponents | None = None
        for name in self.files:
            if len(found) >= count:
                break
            rows, exponents = self._month(name, symbol, timeframe, count - len(found))
            if rows and wanted is None:
                wanted = exponents
            if rows and wanted != exponents:
                raise ShardError(
                    f"{symbol} {timeframe} has {exponents} decimals in {name}, {wanted} later",
                    "Read these months one by one, or ask the view `bars`, which shows decimals",
                )
            found += rows
        return wanted or (0, 0, 0), found[::-1]

    def close(self) -> None:
        """Let go of the files."""
        self.db.close()

    def _attach(self, db_dir: Path) -> list[str]:
        paths = shard_files(db_dir, self.kind)[:FILES_MAX]
        return [path.stem for path in paths if attach(self.db, self.kind, path, path.stem)]

    def _lay_views(self) -> None:
        add_function(self.db, "decimal_text", decimal_text, 2)
        add_function(self.db, "iso_time", iso_time, 1)
        add_function(self.db, "average_price", average_price, 5)
        for name, source in view_sources(self.kind).items():
            arms = "\nUNION ALL\n".join(source.format(db=file) for file in self.files)
            self.db.execute(f"CREATE TEMP VIEW {name} AS {arms}")

    def _month(
        self, name: str, symbol: str, timeframe: str, count: int
    ) -> tuple[list[BarRow], Exponents]:
        series: list[Any] = self.db.execute(
            "SELECT id, tf_s, px_exp, qty_exp, quote_exp "  # noqa: S608 - a file of ours
            f'FROM "{name}".series WHERE symbol = ? AND timeframe = ?',
            (symbol, timeframe),
        ).fetchall()
        if not series:
            return [], (0, 0, 0)
        ((series_id, tf_s, px_exp, qty_exp, quote_exp),) = series
        low = series_id << IDX_BITS
        rows: list[Any] = self.db.execute(
            "SELECT (k & ?) * ?, o, h, l, c, v, q, n "  # noqa: S608 - a file of ours
            f'FROM "{name}".bar WHERE k BETWEEN ? AND ? ORDER BY k DESC LIMIT ?',
            (IDX_MASK, tf_s * SECOND_NS, low, low | IDX_MASK, count),
        ).fetchall()
        return rows, (px_exp, qty_exp, quote_exp)


def read_rows(
    db_dir: Path,
    shard: str,
    sql: str,
    bindings: Sequence[Value] = (),
    time_limit_ms: int = TIME_LIMIT_MS,
) -> Rows:
    """Yield the rows of one SELECT on a shard; ends with the reader closed."""
    with contextlib.closing(Reader(db_dir, shard, time_limit_ms=time_limit_ms)) as reader:
        yield from reader.rows(sql, bindings)


def bar_arrays(rows: Sequence[BarRow]) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    """Return bars as an int64 array of shape (8, bars), one row per column of `BarRow`."""
    import numpy as np  # noqa: PLC0415 - a writer or a status line never pays for it

    return np.array(rows, dtype=np.int64).reshape(-1, 8).T.copy()


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
