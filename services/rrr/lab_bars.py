"""Bars out of the months of a market, live or archived, one month at a time.

Each month is read and let go before anything is handed out, so that a notebook which stops in the
middle holds no writer up.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from bus.bars import FOREVER_NS, BarReader, open_bars
from bus.columns import NUMBERS as NAMES
from bus.columns import Bars
from bus.errors import HouseError
from bus.month_names import month_span_ns
from schema.setting_types import TIMEFRAMES_NS
from schema.units import MINUTE_NS
from services.rrr.lab_table import Array


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


def months(db_dir: Path, want: Wanted, history: Sequence[Path] = ()) -> Iterator[dict[str, Array]]:
    """Yield the columns of each month that holds some of the bars, oldest first.

    A month without the series itself has it made of its minutes; an open bar is left out.
    """
    with open_bars(db_dir, history=history) as reader:
        found = reader.months(want.since_ns, want.until_ns)
        newest = reader.months(0, FOREVER_NS)[-1]
    for month in found:
        with open_bars(db_dir, history=history) as reader:
            columns = _read(reader, want, month, newest=month == newest)
        if len(columns["time"]):
            yield columns


def joined(parts: list[dict[str, Array]]) -> dict[str, Array]:
    """Return months as one; columns without rows when there is none."""
    if not parts:
        numbers = {name: np.empty(0) for name in NAMES[:-1]}
        whole = np.empty(0, dtype=np.int64)
        return {"time": whole, **numbers, "trades": whole}
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def symbols(db_dir: Path, history: Sequence[Path] = ()) -> list[str]:
    """Return the symbols that have bars in the newest month that is whole."""
    with open_bars(db_dir, history=history) as reader:
        return reader.symbols()


def _read(reader: BarReader, want: Wanted, month: int, *, newest: bool) -> dict[str, Array]:
    first_ns, stop_ns = month_span_ns(month)
    # The bars of a longer timeframe need their minutes whole, on both sides.
    since_ns, until_ns = (
        -(-at_ns // want.step_ns) * want.step_ns for at_ns in (want.since_ns, want.until_ns)
    )
    span = (max(first_ns, since_ns), min(stop_ns, until_ns))
    own = reader.between(want.symbol, want.timeframe, *span)
    if len(own) or want.step_ns == MINUTE_NS:
        return _scaled(_matrix(own), *own.exponents)
    made = reader.between(want.symbol, "1m", *span)
    return _scaled(_folded(_matrix(made), want.step_ns, newest=newest), *made.exponents)


def _matrix(bars: Bars) -> Array:
    return np.stack((bars.open_ns, *(bars[name] for name in NAMES)))


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
