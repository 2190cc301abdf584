"""Recorded bars as columns: one symbol's, all of one length, exact, oldest first.

A row may be absent, and a hole then parts its neighbours. Longer bars are made of shorter ones as
ingest makes them: none that the history begins inside of, and none that has not closed.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from schema.setting_types import TIMEFRAMES_NS
from schema.units import DAY_NS, INT64_LIMIT, MINUTE_NS, quote_exp
from services.venue.noise import Floats, Ints

EXP = 8
SAFE = float(INT64_LIMIT // 2)


Exps = tuple[int, int, int]
"""Decimals of prices, quantities and quote volumes."""


class Columns(msgspec.Struct, frozen=True):
    """Bars of one length; numbers have the decimals named beside them."""

    timeframe: str
    open_ns: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    money: Ints  # quote volume
    trades: Ints
    px_exp: int
    qty_exp: int
    money_exp: int

    def __len__(self) -> int:
        return len(self.open_ns)

    @property
    def exps(self) -> Exps:
        return self.px_exp, self.qty_exp, self.money_exp

    @property
    def step_ns(self) -> int:
        return TIMEFRAMES_NS[self.timeframe]

    @property
    def first_ns(self) -> int:
        return int(self.open_ns[0])

    @property
    def end_ns(self) -> int:
        """When the last bar closes."""
        return int(self.open_ns[-1]) + self.step_ns

    def rows(self) -> tuple[Ints, ...]:
        """Return the columns in their order."""
        return (
            self.open_ns,
            self.open,
            self.high,
            self.low,
            self.close,
            self.volume,
            self.money,
            self.trades,
        )

    def part(self, first: int, last: int) -> tuple[list[int], ...]:
        """Return the rows [first, last) as plain numbers, column by column."""
        return tuple(column[first:last].tolist() for column in self.rows())

    def between(self, start_ns: int, stop_ns: int) -> tuple[int, int]:
        """Return which rows open and close within a stretch."""
        first = np.searchsorted(self.open_ns, start_ns, "left")
        last = np.searchsorted(self.open_ns, stop_ns - self.step_ns, "right")
        return int(first), max(int(first), int(last))


def columns_of(timeframe: str, rows: Sequence[Ints], exps: Exps) -> Columns:
    """Return bars of their columns, in the order of `rows`."""
    open_ns, open_, high, low, close, volume, money, trades = rows
    return Columns(timeframe, open_ns, open_, high, low, close, volume, money, trades, *exps)


def step_of(open_ns: Ints) -> int:
    """Return the most frequent distance between two times; a minute when there is one alone."""
    steps, times = np.unique(np.diff(open_ns), return_counts=True)
    return int(steps[np.argmax(times)]) if len(steps) else MINUTE_NS


def timeframe_of(step_ns: int) -> str | None:
    """Return the name of a length that the house knows."""
    return next((name for name, ns in TIMEFRAMES_NS.items() if ns == step_ns), None)


def rounded(prices: Ints, exp: int, places: int) -> Ints:
    """Return prices with fewer decimals, a half to the even one."""
    if places >= exp:
        return prices
    unit = 10 ** (exp - places)
    whole, rest = np.divmod(prices, unit)
    up = (2 * rest > unit) | ((2 * rest == unit) & (whole % 2 == 1))
    found: Ints = whole + up
    return found


def fitting_exp(sizes: Ints, open_ns: Ints, exp: int) -> int:
    """Return how many decimals a day's sum has room for, of eight; `sizes` have `exp`."""
    return _room(sizes / 10.0**exp, open_ns, EXP)


def rescaled(sizes: Ints, exp: int, wanted: int) -> Ints:
    """Return sizes with other decimals, rounded down where there are fewer."""
    if wanted >= exp:
        return sizes * int(10 ** (wanted - exp))
    found: Ints = sizes // int(10 ** (exp - wanted))
    return found


def money_of(close: Ints, volume: Ints, open_ns: Ints, exps: tuple[int, int]) -> tuple[Ints, int]:
    """Return what was about paid in each bar, and its decimals: as many as a day's sum allows."""
    px_exp, qty_exp = exps
    about = close / 10.0**px_exp * (volume / 10.0**qty_exp)
    exp = _room(about, open_ns, quote_exp(px_exp, qty_exp))
    return np.rint(about * 10.0**exp).astype(np.int64), exp


def _room(sizes: Floats, open_ns: Ints, most_exp: int) -> int:
    day = (open_ns - open_ns[0]) // DAY_NS
    most = float(np.bincount(day, weights=sizes).max())
    fits = (exp for exp in range(most_exp, 0, -1) if most * 10.0**exp < SAFE)
    return next(fits, 0)


def fold(base: Columns, timeframe: str) -> Columns:
    """Return the bars of a longer timeframe that some bars make."""
    if timeframe == base.timeframe or not len(base):
        return base
    step_ns = TIMEFRAMES_NS[timeframe]
    frame = base.open_ns - base.open_ns % step_ns
    starts = np.flatnonzero(np.diff(frame, prepend=frame[0] - 1))
    ends = np.append(starts[1:], len(frame)) - 1
    whole = (frame[starts] >= base.first_ns) & (frame[starts] + step_ns <= base.end_ns)
    if not whole.any():
        starts = ends = starts[:0]
        whole = whole[:0]
    columns = _folded(base, frame, starts, ends)
    kept = [column[whole] for column in columns]
    return columns_of(timeframe, kept, base.exps)


def _folded(base: Columns, frame: Ints, starts: Ints, ends: Ints) -> tuple[Ints, ...]:
    if not len(starts):
        return tuple(column[:0] for column in base.rows())
    return (
        frame[starts],
        base.open[starts],
        np.maximum.reduceat(base.high, starts),
        np.minimum.reduceat(base.low, starts),
        base.close[ends],
        np.add.reduceat(base.volume, starts),
        np.add.reduceat(base.money, starts),
        np.add.reduceat(base.trades, starts),
    )
