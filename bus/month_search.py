"""Looks for bars and ticks in the files of months: which hold them, and what comes of all of them.

A file may go away between two looks: whatever is asked is then asked again of what is there now.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from bus.clock import Clock
from bus.columns import TICK_COLUMNS, Part, taken, united
from bus.errors import ShardError
from bus.market_files import MarketFiles, OpenFile, Series
from bus.month_names import IDX_MASK, TICKS, month_of
from bus.month_parts import Batch, bar_part, sealed_chunks
from bus.reading import Deadline, SqlError, no_shard, read_failure
from bus.tick_parts import tick_part
from schema.units import SECOND_NS

T = TypeVar("T")

TRIES = 5
FOREVER_NS = 1 << 62


class MonthSearch:
    """The files of some places, and how they are asked."""

    def __init__(
        self, db_dirs: Sequence[Path], clock: Clock, allowed: Deadline, *, renews: bool = True
    ) -> None:
        self._clock = clock
        self._allowed = allowed
        self._renews = renews  # Whether each call may take the whole time.
        self.files = MarketFiles(db_dirs, clock, allowed)
        self._looked_ns = clock.mono_ns()
        if not self.ask(self._any):
            raise no_shard("market", db_dirs[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        self.files.close()

    def _any(self) -> bool:
        return any(self.files.opened(month) for month in reversed(self.files.months))

    def months(self, first_ns: int, stop_ns: int) -> list[int]:
        """Return the months, as yyyymm, whose files may hold something of a stretch."""
        first, last = month_of(max(0, first_ns)), month_of(max(0, stop_ns - 1))
        return [month for month in self.files.months if first <= month <= last]

    def ask(self, ask: Callable[[], T]) -> T:
        """Return an answer; a file that went away meanwhile is looked for again."""
        if self._renews:
            self._allowed.renew()
        self.look()
        for _ in range(TRIES):
            try:
                return ask()
            except FileNotFoundError:
                self.files.forget()
        raise restless(self.files)

    def look(self) -> None:
        """See which files are there."""
        self.files.look()
        self._looked_ns = self._clock.mono_ns()

    def holding(
        self, month: int, symbol: str, timeframe: str, *, own: bool = False
    ) -> Iterator[tuple[OpenFile, Series]]:
        """Yield the files of a month that have a series, those that win first."""
        for file in self.files.opened(month, own=own):
            series = self.read(file, OpenFile.series, symbol, timeframe)
            if series is not None:
                yield file, series

    def series_of(self, month: int) -> list[tuple[OpenFile, Series]]:
        """Return what the files of a month have series of."""
        return [
            (file, one)
            for file in self.files.opened(month)
            for one in self.read(file, OpenFile.all_series)
        ]

    def bars_of(
        self,
        month: int,
        symbol: str,
        timeframe: str,
        columns: Sequence[str],
        limit: int,
        first_ns: int = 0,
        stop_ns: int = FOREVER_NS,
        *,
        newest: bool = False,
    ) -> Part:
        """Return bars of one month by their open; a limit that is not -1 counts from one end."""
        parts = []
        for file, series in self.holding(month, symbol, timeframe):
            span = _span(series, first_ns, stop_ns)
            if span[0] <= span[1]:
                asked = (series, span, columns, limit)
                parts.append(self.read(file, bar_part, *asked, newest=newest))
        self._allowed.check()
        part = united(parts, columns, f"{symbol} {timeframe}")
        if limit < 0 or len(part) <= limit:
            return part
        return taken(part, slice(-limit, None) if newest else slice(limit))

    def spans(
        self, symbol: str, timeframe: str, columns: Sequence[str], first_ns: int, stop_ns: int
    ) -> Iterator[Part]:
        """Yield the bars of a stretch, oldest first."""
        # Months that stand in one archive alone are decoded together: it is much faster.
        batch = Batch(columns)
        for month in self.months(first_ns, stop_ns):
            found = list(self.holding(month, symbol, timeframe))
            if len(found) == 1 and found[0][0].archived:
                ((file, series),) = found
                span = _span(series, first_ns, stop_ns)
                if span[0] > span[1]:
                    continue
                if not batch.takes(series):
                    yield batch.opened()
                batch.add(series, span, self.read(file, sealed_chunks, series, span))
                self._allowed.check()
            elif found:
                yield batch.opened()
                yield self.bars_of(month, symbol, timeframe, columns, -1, first_ns, stop_ns)
        yield batch.opened()

    def ticks_of(
        self, month: int, symbol: str, first_ns: int, stop_ns: int, ids: tuple[int, int] | None
    ) -> Part:
        """Return trades of one month, keyed by their ids."""
        parts = [
            self.read(file, tick_part, series, first_ns, stop_ns, ids)
            for file, series in self.holding(month, symbol, TICKS, own=True)
        ]
        self._allowed.check()
        return united(parts, ("ts_ns", *TICK_COLUMNS), f"{symbol} {TICKS}")

    def read(self, file: OpenFile, read: Callable[..., T], *args: Any, **more: Any) -> T:
        """Return what a function reads of a file."""
        try:
            return read(file, *args, **more)
        except SqlError as error:
            raise read_failure(file.file.path, error, there=file.is_there()) from error


def _span(series: Series, first_ns: int, stop_ns: int) -> tuple[int, int]:
    step_ns = series.tf_s * SECOND_NS
    return max(0, -(-first_ns // step_ns)), min(IDX_MASK, (stop_ns - 1) // step_ns)


def restless(files: MarketFiles) -> ShardError:
    """Return what is raised when files go away faster than they are found again."""
    return ShardError(
        f"the files of {files.db_dir} come and go faster than they can be opened",
        "Ask again; if it lasts, look at what works in that directory",
    )
