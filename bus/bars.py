"""Bars and ticks as numbers: live months, archives and history as one, read-only, in bounded time.

A reader opens a file when something is asked of it, the newest first, and keeps it open. Between
two calls nothing is held: no transaction, no half-read cursor, so the writer's log stays free.
"""

from collections.abc import Sequence
from pathlib import Path

from bus.clock import Clock, SystemClock
from bus.columns import NUMBERS, TICK_COLUMNS, Bars, Candle, Part, Ticks, chained, ticks_of
from bus.market_files import market_dirs
from bus.month_names import TICKS, month_of
from bus.month_parts import candle_row, count_bars, newest_idx
from bus.month_search import FOREVER_NS, TRIES, MonthSearch, restless
from bus.reading import Deadline, SqlError, read_failure
from bus.tick_parts import tick_edge_ns
from schema.units import SECOND_NS

__all__ = ["FOREVER_NS", "BarReader", "open_bars"]

TIME_LIMIT_MS = 10_000
LOOK_NS = 50_000_000


class BarReader(MonthSearch):
    """The bars and ticks of a market, open for reading; `with` closes it."""

    def series(self, first_ns: int = 0, stop_ns: int = FOREVER_NS) -> list[tuple[str, str]]:
        """Return symbol and timeframe of all that months of a stretch may hold, in order."""

        def ask() -> list[tuple[str, str]]:
            months = self.months(first_ns, stop_ns)
            found = (one for month in months for _, one in self.series_of(month))
            return sorted({(one.symbol, one.timeframe) for one in found})

        return self.ask(ask)

    def symbols(self) -> list[str]:
        """Return the symbols that have bars in the newest month that has any."""

        def ask() -> list[str]:
            for month in reversed(self.files.months):
                found = {one.symbol for _, one in self.series_of(month) if one.tf_s}
                if found:
                    return sorted(found)
            return []

        return self.ask(ask)

    def last(
        self, symbol: str, timeframe: str, count: int, columns: Sequence[str] = NUMBERS
    ) -> Bars:
        """Return the newest closed bars, oldest first: at most `count` of them."""

        def ask() -> Bars:
            parts: list[Part] = []
            need = count
            for month in reversed(self.files.months):
                if need <= 0:
                    break
                part = self.bars_of(month, symbol, timeframe, columns, need, newest=True)
                parts.append(part)
                need -= len(part)
            return _bars(chained(parts[::-1], columns, f"{symbol} {timeframe}"))

        return self.ask(ask)

    def between(
        self,
        symbol: str,
        timeframe: str,
        first_ns: int,
        stop_ns: int,
        columns: Sequence[str] = NUMBERS,
    ) -> Bars:
        """Return the closed bars that open within [first_ns, stop_ns), oldest first."""

        def ask() -> Bars:
            parts = list(self.spans(symbol, timeframe, columns, first_ns, stop_ns))
            return _bars(chained(parts, columns, f"{symbol} {timeframe}"))

        return self.ask(ask)

    def page(
        self,
        month: int,
        name: tuple[str, str],
        span_ns: tuple[int, int],
        columns: Sequence[str],
        limit: int,
        *,
        newest: bool = False,
    ) -> Bars:
        """Return some bars of one month: at most `limit`, from the old or the new end of a span."""
        return self.ask(
            lambda: _bars(self.bars_of(month, *name, columns, limit, *span_ns, newest=newest))
        )

    def at(self, symbol: str, timeframe: str, open_ns: int) -> Candle | None:
        """Return the bar that opens at a time, or None."""
        if self._clock.mono_ns() - self._looked_ns > LOOK_NS:
            self.look()
        if self._renews:
            self._allowed.renew()
        month = month_of(open_ns)
        for _ in range(TRIES):
            try:
                found = self._candle(month, symbol, timeframe, open_ns)
                if found is None:  # It may stand in a file that has come since.
                    self.look()
                    found = self._candle(month, symbol, timeframe, open_ns)
                return found  # noqa: TRY300 - as above
            except FileNotFoundError:
                self.files.forget()
        raise restless(self.files)

    def count(self, symbol: str, timeframe: str) -> int:
        """Return how many closed bars are kept."""

        def ask() -> int:
            return sum(
                count_bars(*found[0])
                if len(found) == 1
                else len(self.bars_of(month, symbol, timeframe, (), -1))
                for month in self.files.months
                if (found := list(self.holding(month, symbol, timeframe)))
            )

        return self.ask(ask)

    def newest_ns(self) -> int:
        """Return when the newest bar of any series closes; 0 when there is none."""

        def ask() -> int:
            for month in reversed(self.files.months):
                ends = [
                    (newest_idx(file, one) + 1) * one.tf_s * SECOND_NS
                    for file, one in self.series_of(month)
                    if one.tf_s
                ]
                if max(ends, default=0):
                    return max(ends)
            return 0

        return self.ask(ask)

    def ticks(
        self,
        symbol: str,
        first_ns: int = 0,
        stop_ns: int = FOREVER_NS,
        ids: tuple[int, int] | None = None,
    ) -> Ticks:
        """Return the trades within [first_ns, stop_ns) by time; `ids`: only from one to another."""

        def ask() -> Ticks:
            parts = [
                self.ticks_of(month, symbol, first_ns, stop_ns, ids)
                for month in self.months(first_ns, stop_ns)
            ]
            return ticks_of(chained(parts, ("ts_ns", *TICK_COLUMNS), f"{symbol} ticks"))

        return self.ask(ask)

    def tick_edge_ns(
        self, symbol: str, first_ns: int, stop_ns: int, *, newest: bool = False
    ) -> int | None:
        """Return a time at or before the first trade of a stretch, and close to it; None: no trade.

        With `newest` it is at or behind the last one.
        """

        def ask() -> int | None:
            months = self.months(first_ns, stop_ns)
            for month in reversed(months) if newest else months:
                found = [
                    self.read(file, tick_edge_ns, series, first_ns, stop_ns, newest=newest)
                    for file, series in self.holding(month, symbol, TICKS, own=True)
                ]
                times = [one for one in found if one is not None]
                if times:
                    return max(times) if newest else min(times)
            return None

        return self.ask(ask)

    def _candle(self, month: int, symbol: str, timeframe: str, open_ns: int) -> Candle | None:
        for file in self.files.opened(month):
            series = file.names.get((symbol, timeframe)) or file.series(symbol, timeframe)
            if series is None or open_ns % (series.tf_s * SECOND_NS):
                continue
            try:
                row = candle_row(file, series, open_ns // (series.tf_s * SECOND_NS))
            except SqlError as error:
                raise read_failure(file.file.path, error, there=file.is_there()) from error
            if row is not None:
                return Candle(open_ns, series.exponents, *row)
        return None


def open_bars(
    db_dir: Path,
    clock: Clock | None = None,
    time_limit_ms: int = TIME_LIMIT_MS,
    history: Sequence[Path] = (),
) -> BarReader:
    """Return a reader of the market in `db_dir`, its archives, and the places behind it.

    Each call may take the time limit; ShardError where there is no market yet.
    """
    clock = clock or SystemClock()
    return BarReader(market_dirs(db_dir, history), clock, Deadline(clock, time_limit_ms))


def _bars(part: Part) -> Bars:
    return Bars(part.exponents, part.keys, part.columns)
