"""What a chunk of bars adds to those that are there: new, equal or differing, bar by bar."""

import msgspec
import numpy as np

from bus.columns import NUMBERS, Bars
from schema.setting_types import TIMEFRAMES_NS
from schema.units import INT64_LIMIT
from services.writer.history_chunks import Chunk, Exponents, Matrix

PRICES, QTY, QUOTE, TRADES = slice(1, 5), 5, 6, 7
USUAL = 8
ROOM = 1000
"""Later values may be so many times as large."""

Bools = np.ndarray[tuple[int], np.dtype[np.bool_]]


class Compared(msgspec.Struct):
    """A part of a chunk beside what was there; all in the same decimals."""

    exponents: Exponents
    columns: Matrix  # of the chunk, (8, bars)
    there: Matrix  # of what was there, (8, other bars)
    met: Matrix  # (2, pairs): the same time, in `columns` and in `there`
    new: Bools  # over the bars of the chunk
    differing: Bools  # likewise: they are there, and not like this
    richer: Bools  # likewise: like this, but for a quote volume and trades that are unknown there

    @property
    def equal(self) -> int:
        return int((~self.new & ~self.differing).sum())


class TooFineError(ValueError):
    """Numbers that 64 bits do not hold with the decimals of others beside them."""


def compare(chunk: Chunk, there: Bars) -> Compared:
    """Return what a chunk adds to bars of the same stretch.

    Quote volume and trades that are both 0 are unknown, and say nothing against others.
    """
    exponents = finest(chunk.exponents, there.exponents if len(there) else chunk.exponents)
    ours = rescaled(chunk.columns, chunk.exponents, exponents)
    idx = there.open_ns // TIMEFRAMES_NS[chunk.timeframe]
    theirs = np.array([idx, *(there[name] for name in NUMBERS)], np.int64).reshape(8, len(there))
    theirs = rescaled(theirs, there.exponents, exponents) if len(there) else theirs
    _, mine, other = np.intersect1d(ours[0], theirs[0], assume_unique=True, return_indices=True)
    new = np.ones(chunk.bars, np.bool_)
    new[mine] = False
    differing, richer = np.zeros(chunk.bars, np.bool_), np.zeros(chunk.bars, np.bool_)
    differing[mine], richer[mine] = _differences(ours[:, mine], theirs[:, other])
    met = np.array([mine, other], np.int64)
    return Compared(exponents, ours, theirs, met, new, differing, richer)


def finest(one: Exponents, other: Exponents) -> Exponents:
    """Return the most decimals of both."""
    return (max(one[0], other[0]), max(one[1], other[1]), max(one[2], other[2]))


def roomy(compared: Compared) -> Exponents:
    """Return the decimals of a series that is new: eight where they fit, for finer files to come.

    An archive packs what all values have in common: it costs nothing there.
    """
    columns = compared.columns
    rows = {0: slice(1, 5), 1: slice(QTY, QUOTE), 2: slice(QUOTE, TRADES)}
    found = list(compared.exponents)
    for at, which in rows.items():
        largest = int(columns[which].max(initial=0)) * ROOM
        while found[at] < USUAL and largest * 10 < INT64_LIMIT:
            largest, found[at] = largest * 10, found[at] + 1
    return found[0], found[1], found[2]


def rescaled(columns: Matrix, before: Exponents, after: Exponents) -> Matrix:
    """Return bars with more decimals; TooFineError when 64 bits do not hold them."""
    if before == after or not columns.shape[1]:
        return columns
    steps = [after[at] - before[at] for at in range(3)]
    factors = np.array([1, *[10 ** steps[0]] * 4, 10 ** steps[1], 10 ** steps[2], 1], np.int64)
    largest = columns.max(axis=1)
    for most, factor in zip(largest.tolist(), factors.tolist(), strict=True):
        if most * factor >= INT64_LIMIT:
            raise TooFineError(f"{most} does not fit with {factor} times its decimals")
    return columns * factors[:, None]


def _differences(ours: Matrix, theirs: Matrix) -> tuple[Bools, Bools]:
    same = (ours[1:6] == theirs[1:6]).all(axis=0)
    ours_unknown = (ours[QUOTE:] == 0).all(axis=0)
    theirs_unknown = (theirs[QUOTE:] == 0).all(axis=0)
    same_rest = (ours[QUOTE:] == theirs[QUOTE:]).all(axis=0)
    differing = ~same | ~(same_rest | ours_unknown | theirs_unknown)
    return differing, same & theirs_unknown & ~ours_unknown
