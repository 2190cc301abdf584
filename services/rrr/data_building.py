"""Higher bars from lower ones: of what is there alone, where all of its span is covered."""

from collections.abc import Sequence

import numpy as np

from bus.bars import BarReader
from bus.columns import NUMBERS, Bars
from bus.errors import ShardError
from schema.setting_types import TIMEFRAMES_NS
from schema.units import INT64_LIMIT, iso
from services.rrr.data_bars import Series, values_text
from services.rrr.data_digits import Bools, Ints
from services.writer.history_chunks import Chunk
from services.writer.history_compare import Compared, compare, finest, rescaled

FOREVER_NS = 1 << 62
Matrix = np.ndarray[tuple[int, int], np.dtype[np.int64]]


class Built:
    """What lower bars make of one higher timeframe, beside the higher bars that were there."""

    def __init__(self, timeframe: str) -> None:
        self.timeframe = timeframe
        self.new = 0
        self.equal = 0
        self.differing: list[dict[str, str]] = []  # open, built, there
        self._parts: list[tuple[tuple[int, int, int], Matrix]] = []

    def add(self, made: Chunk, there: Bars, *, replace: bool) -> None:
        """Count what a month makes, and keep what is to be written."""
        compared = compare(made, there)
        self.new += int(compared.new.sum())
        self.equal += compared.equal
        self.differing += _differing(compared, TIMEFRAMES_NS[self.timeframe])
        writes = compared.new | compared.differing if replace else compared.new
        if writes.any():
            self._parts.append((compared.exponents, compared.columns[:, writes]))

    def series(self) -> Series | None:
        """Return what is to be written; None where nothing is."""
        if not self._parts:
            return None
        exponents = self._parts[0][0]
        for other, _ in self._parts:
            exponents = finest(exponents, other)
        parts = [rescaled(part, of, exponents) for of, part in self._parts]
        columns = np.concatenate(parts, axis=1)
        return Series(self.timeframe, exponents, columns, "", 0, 0, [])


def build(
    reader: BarReader, symbol: str, lower: str, higher: Sequence[str], *, replace: bool = False
) -> list[Built]:
    """Return the bars of higher timeframes that lower ones make, month by month.

    No bar of the house lies in two months. ShardError for sums that 64 bits do not hold.
    """
    found = [Built(timeframe) for timeframe in higher]
    opens_ns = reader.between(symbol, lower, 0, FOREVER_NS, ()).open_ns
    if not len(opens_ns):
        return found
    first_ns, stop_ns = int(opens_ns[0]), int(opens_ns[-1]) + TIMEFRAMES_NS[lower]
    for month in np.unique(opens_ns.astype("M8[ns]").astype("M8[M]")):
        begin_ns, end_ns = (_ns(one) for one in (month, month + 1))
        bars = reader.between(symbol, lower, begin_ns, end_ns, NUMBERS)
        for one in found:
            columns = aggregated(bars, lower, one.timeframe)
            tf_ns = TIMEFRAMES_NS[one.timeframe]
            whole = (columns[0] * tf_ns >= first_ns) & ((columns[0] + 1) * tf_ns <= stop_ns)
            if whole.any():
                made = Chunk(symbol, one.timeframe, bars.exponents, columns[:, whole])
                there = reader.between(symbol, one.timeframe, begin_ns, end_ns)
                one.add(made, there, replace=replace)
    return found


def aggregated(bars: Bars, lower: str, higher: str) -> Matrix:
    """Return one bar for each span of the higher timeframe in which there are any.

    A quote volume or a number of trades that some bar with a volume does not know is 0, unknown.
    """
    idx = bars.open_ns // TIMEFRAMES_NS[higher]
    starts = np.flatnonzero(np.concatenate(([True], np.diff(idx) != 0)))
    stops = np.concatenate((starts[1:], [len(idx)])) - 1
    most = int((stops - starts).max(initial=0)) + 1
    for name in ("volume", "quote_volume", "trades"):
        if int(bars[name].max(initial=0)) * most >= INT64_LIMIT:
            raise ShardError(
                f"the sum of the {name} of {most} bars of {lower} does not fit into 64 bits",
                "Build a lower timeframe",
            )
    return np.array(
        [
            idx[starts],
            bars["open"][starts],
            np.maximum.reduceat(bars["high"], starts),
            np.minimum.reduceat(bars["low"], starts),
            bars["close"][stops],
            np.add.reduceat(bars["volume"], starts),
            _known_sum(bars["quote_volume"], bars["volume"], starts),
            _known_sum(bars["trades"], bars["volume"], starts),
        ]
    )


def _ns(month: "np.datetime64") -> int:
    return int(month.astype("M8[ns]").astype(np.int64))


def _known_sum(column: Ints, volume: Ints, starts: Ints) -> Ints:
    unknown: Bools = (column == 0) & (volume > 0)
    sums = np.add.reduceat(column, starts)
    known: Ints = np.where(np.logical_or.reduceat(unknown, starts), 0, sums)
    return known


def _differing(compared: Compared, tf_ns: int) -> list[dict[str, str]]:
    mine, there = compared.met[:, compared.differing[compared.met[0]]]
    return [
        {
            "open": iso(int(compared.columns[0, one]) * tf_ns),
            "built": values_text(compared.columns[1:, one].tolist(), compared.exponents),
            "there": values_text(compared.there[1:, other].tolist(), compared.exponents),
        }
        for one, other in zip(mine.tolist(), there.tolist(), strict=True)
    ]
