"""Bars out of the months of the market shard, one month at a time.

Each month is read in a transaction of its own that ends before anything is handed out, so that a
notebook which stops in the middle holds no writer up.
"""

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bus.clock import SystemClock
from bus.errors import HouseError, ShardError
from bus.migrations import KINDS
from bus.rows import FILES_MAX, IDX_BITS, IDX_MASK, TIME_LIMIT_MS, shard_files
from bus.shard import Connection, attach, guard, open_reader, select
from schema.settings import TIMEFRAMES_NS
from schema.units import MINUTE_NS, SECOND_NS
from services.rrr.lab_table import Array

KIND = KINDS["market"]
NAMES = ("open", "high", "low", "close", "volume", "quote_volume", "trades")
SERIES = "SELECT id, tf_s, px_exp, qty_exp, quote_exp FROM m.series WHERE symbol = ?"
KEPT = "SELECT DISTINCT symbol FROM m.series WHERE tf_s > 0 ORDER BY symbol"
BARS = """
SELECT (k & ?) * ? AS t, o, h, l, c, v, q, n FROM m.bar WHERE k BETWEEN ? AND ? ORDER BY k
"""


class Wanted(msgspec.Struct, frozen=True):
    """Bars of a symbol that open in [since_ns, until_ns)."""

    symbol: str
    timeframe: str
    since_ns: int
    until_ns: int

    @property
    def step_ns(self) -> int:
        return TIMEFRAMES_NS[self.timeframe]


def wanted(symbol: str, timeframe: str, since_ns: int, until_ns: int) -> Wanted:
    """Return what to read; HouseError for a timeframe that no bar has."""
    if timeframe not in TIMEFRAMES_NS:
        known = ", ".join(TIMEFRAMES_NS)
        raise HouseError(f"there are no bars of {timeframe!r}", f"The timeframes are: {known}")
    return Wanted(symbol.upper(), timeframe, since_ns, until_ns)


def months(db_dir: Path, want: Wanted) -> Iterator[dict[str, Array]]:
    """Yield the columns of each month that holds some of the bars, oldest first.

    A month without the series itself has it made of its minutes; an open bar is left out.
    """
    files = shard_files(db_dir, KIND)[:FILES_MAX]
    if not files:
        raise ShardError(
            f"there is no market shard in {db_dir} yet",
            "writer_market makes it with its first rows: `rrr status` shows how it is",
        )
    for path in reversed(files):
        first_ns, end_ns = _span(path)
        if first_ns < want.until_ns and want.since_ns < end_ns:
            found = _read(path, want, newest=path == files[0])
            if found is not None and len(found["time"]):
                yield found


def joined(parts: list[dict[str, Array]]) -> dict[str, Array]:
    """Return months as one; columns without rows when there is none."""
    if not parts:
        numbers = {name: np.empty(0) for name in NAMES[:-1]}
        whole = np.empty(0, dtype=np.int64)
        return {"time": whole, **numbers, "trades": whole}
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def symbols(db_dir: Path) -> list[str]:
    """Return the symbols that have bars in the newest month that is whole."""
    for path in shard_files(db_dir, KIND):
        with _month(path) as db:
            if db is not None:
                return [str(row["symbol"]) for row in select(db, KEPT)]
    return []


@contextlib.contextmanager
def _month(path: Path) -> Iterator[Connection | None]:
    """Open one month read-only; None while it is being made."""
    with contextlib.closing(open_reader()) as db:
        there = attach(db, KIND, path, "m")
        guard(db, SystemClock(), TIME_LIMIT_MS)
        yield db if there else None


def _read(path: Path, want: Wanted, *, newest: bool) -> dict[str, Array] | None:
    with _month(path) as db:
        if db is None:
            return None
        series: dict[int, Any] = {
            int(str(row["tf_s"])): tuple(row.values()) for row in select(db, SERIES, (want.symbol,))
        }
        own = series.get(want.step_ns // SECOND_NS)
        used = own or series.get(MINUTE_NS // SECOND_NS)
        if used is None:
            return None
        rows = _rows(db, used, want)
    return _scaled(rows if own else _folded(rows, want.step_ns, newest=newest), *used[2:])


def _rows(db: Connection, series: Any, want: Wanted) -> Array:
    number, tf_s = series[:2]
    step_ns = tf_s * SECOND_NS
    # The bars of a longer timeframe need their minutes whole, on both sides.
    first, end = (-(-at // want.step_ns) * want.step_ns for at in (want.since_ns, want.until_ns))
    low = number << IDX_BITS
    between = (low | min(IDX_MASK, max(0, first) // step_ns), low | _last(end, step_ns))
    rows = select(db, BARS, (IDX_MASK, step_ns, *between))
    return np.array([tuple(row.values()) for row in rows], dtype=np.int64).reshape(-1, 8).T


def _last(end_ns: int, step_ns: int) -> int:
    return max(0, min(IDX_MASK, end_ns // step_ns - 1))


def _folded(rows: Array, step_ns: int, *, newest: bool) -> Array:
    """Return minutes as longer bars; the newest one only when its last minute is there."""
    if not rows.shape[1]:
        return rows
    buckets = rows[0] // step_ns
    starts = np.flatnonzero(np.diff(buckets, prepend=-1))
    ends = np.append(starts[1:], len(buckets)) - 1
    made = np.stack(
        (
            buckets[starts] * step_ns,
            rows[1][starts],
            np.maximum.reduceat(rows[2], starts),
            np.minimum.reduceat(rows[3], starts),
            rows[4][ends],
            *(np.add.reduceat(rows[at], starts) for at in (5, 6, 7)),
        )
    )
    open_still = newest and rows[0][-1] + MINUTE_NS < made[0][-1] + step_ns
    return made[:, :-1] if open_still else made


def _scaled(rows: Array, px_exp: int, qty_exp: int, quote_exp: int) -> dict[str, Array]:
    scales = (px_exp, px_exp, px_exp, px_exp, qty_exp, quote_exp)
    found = {
        name: rows[at] / 10.0**exp
        for at, (name, exp) in enumerate(zip(NAMES[:-1], scales, strict=True), 1)
    }
    return {"time": rows[0], **found, "trades": rows[7]}


def _span(path: Path) -> tuple[int, int]:
    year, month = (int(part) for part in path.stem.split("_")[-2:])
    ends = ((year, month), (year + month // 12, month % 12 + 1))
    first, end = (int(dt.datetime(*at, 1, tzinfo=dt.UTC).timestamp()) for at in ends)
    return first * SECOND_NS, end * SECOND_NS
