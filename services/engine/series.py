"""The closed bars of one symbol and timeframe: what a strategy sees as arrays, kept as bytes.

A snapshot of the engine keeps it whole, with the indicators that were asked for, so that a turn
that is run again sees the same numbers to the last bit.
"""

from bisect import bisect_left
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.engine.indicators import Indicator, make

KEPT_BARS = 256
"""Kept of every symbol and timeframe heard, so that a strategy that is added finds its warm-up."""

INDICATORS_MAX = 64
ROWS = 5
OPEN, HIGH, LOW, CLOSE, VOLUME = range(ROWS)
CELL_BYTES = 8

Floats = NDArray[np.float64]
Sides = tuple[float, float, float, float, float]
"""A bar's open, high, low, close and volume."""


class Series(msgspec.Struct, dict=True):
    """The newest `size` bars and up to as many older ones; `end` counts the columns in use."""

    size: int = KEPT_BARS
    cells: bytearray = msgspec.field(default_factory=bytearray)
    end: int = 0
    open_ns: int = 0  # of the newest bar
    close_ns: int = 0
    indicators: dict[str, Indicator] = {}
    opens: bytearray = msgspec.field(default_factory=bytearray)  # of each column, in ns; 0: unknown

    def __post_init__(self) -> None:
        if not self.cells:
            self.cells = bytearray(ROWS * 2 * self.size * CELL_BYTES)
        if not self.opens:
            self.opens = bytearray(len(self.cells) // ROWS)
        self.times = memoryview(self.opens).cast("q")
        self.flat = memoryview(self.cells).cast("d")  # one number is put faster than by the grid
        self.width = len(self.flat) // ROWS
        self.grid: Any = np.frombuffer(self.cells, np.float64).reshape(ROWS, -1)
        self.shown: Any = self.grid.view()
        self.shown.flags.writeable = False
        self.quick: dict[tuple[str, tuple[float, ...]], Indicator] = {}  # no text at each call

    def append(self, sides: Sides, open_ns: int = 0) -> None:
        """Add a bar."""
        if self.end == self.width:
            self._renew(self.size)
        at, width, flat = self.end, self.width, self.flat
        open_, high, low, close, volume = sides
        flat[at], flat[at + width], flat[at + 2 * width] = open_, high, low
        flat[at + 3 * width], flat[at + 4 * width] = close, volume
        self.times[at] = open_ns
        self.end = at + 1
        for indicator in self.indicators.values():
            indicator.update(high, low, close, volume)

    def replace(self, sides: Sides, open_ns: int) -> bool:
        """Put a corrected bar in the place of the one that opened then; False when none did.

        Indicators are made anew of all bars that are kept, as one is that is asked for first.
        """
        at = bisect_left(self.times, open_ns, 0, self.end)
        if at == self.end or self.times[at] != open_ns:
            return False
        at -= self.end
        self._renew(self.size)  # What somebody still holds stays as it was decided on.
        if at < -self.end:
            return False
        self.grid[:, self.end + at] = sides
        for key in self.indicators:
            name, *settings = key.split()
            self.indicators[key] = self._made(make(name, *map(float, settings)))
        self.quick = {}
        return True

    def clear(self) -> None:
        """Begin anew behind a hole."""
        self.end = 0
        self._renew(self.size)
        self.indicators.clear()

    def grow(self, size: int) -> None:
        """Keep more bars from now on."""
        if size > self.size:
            self._renew(size)

    def row(self, row: int, bars: int) -> Floats:
        """Return the newest values of a row, read-only, oldest first."""
        found: Floats = self.shown[row, max(0, self.end - bars) : self.end]
        return found

    def indicator(self, name: str, *settings: float) -> Indicator:
        """Return an indicator as of the newest bar; it follows all bars from now on."""
        found = self.quick.get((name, settings))
        if found is None:
            found = self.quick[name, settings] = self._followed(name, settings)
        return found

    def _followed(self, name: str, settings: tuple[float, ...]) -> Indicator:
        fresh = make(name, *settings)
        key = " ".join([name, *(f"{float(setting)!r}" for setting in settings)])
        found = self.indicators.get(key)
        if found is None:
            if len(self.indicators) >= INDICATORS_MAX:
                raise ValueError(
                    f"{INDICATORS_MAX} indicators of one symbol and timeframe are in use; "
                    f"{key} is one too many: ask for the same lengths at every bar"
                )
            found = self.indicators[key] = self._made(fresh)
        return found

    def _made(self, fresh: Indicator) -> Indicator:
        for _, high, low, close, volume in self.shown[:, : self.end].T.tolist():
            fresh.update(high, low, close, volume)
        return fresh

    def drop_after(self, count: int) -> None:
        """Forget the indicators that were asked for last, all but so many."""
        for key in list(self.indicators)[count:]:
            del self.indicators[key]
            self.quick = {}

    def _renew(self, size: int) -> None:
        # Arrays that somebody still holds keep their numbers: the old cells are left alone.
        kept = self.shown[:, max(0, self.end - size) : self.end]
        times = self.times[max(0, self.end - size) : self.end]
        self.size, self.cells = size, bytearray(ROWS * 2 * size * CELL_BYTES)
        self.opens = bytearray()
        self.__post_init__()
        self.end = kept.shape[1]
        self.grid[:, : self.end] = kept
        self.times[: self.end] = times
