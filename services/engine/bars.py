"""What a strategy sees of one symbol and timeframe: closed bars as arrays, and indicators on them.

Arrays are read-only, the oldest bar first, and hold exactly as many bars as the strategy declares,
so that what it computes of them does not hang on how long the engine has been running.
"""

from math import nan
from typing import Any

import numpy as np

from services.engine.indicators import whole
from services.engine.means import Macd
from services.engine.momentum import Adx
from services.engine.ranges import Psar, Supertrend
from services.engine.series import CLOSE, HIGH, LOW, OPEN, VOLUME, Floats, Series


class Bars:
    """The newest closed bars.

    What looks at `bars` of them is nan while fewer have closed, and refuses to look at more than
    the strategy declares. `ema`, `rma`, `rsi`, `atr`, `adx`, `di`, `macd`, `kama`, `supertrend`,
    `psar` and `obv` reach back to the first bar that is kept.
    """

    def __init__(self, series: Series, count: int) -> None:
        self._series = series
        self._count = count

    @property
    def series(self) -> Series:
        """The engine's: not for authors."""
        return self._series

    @property
    def count(self) -> int:
        """As many bars as the strategy declares."""
        return self._count

    def __len__(self) -> int:
        return min(self._count, self._series.end)

    @property
    def open(self) -> Floats:
        return self._series.row(OPEN, self._count)

    @property
    def high(self) -> Floats:
        return self._series.row(HIGH, self._count)

    @property
    def low(self) -> Floats:
        return self._series.row(LOW, self._count)

    @property
    def close(self) -> Floats:
        return self._series.row(CLOSE, self._count)

    @property
    def volume(self) -> Floats:
        return self._series.row(VOLUME, self._count)

    def ema(self, bars: int) -> float:
        """Return the exponential mean of closes, alpha 2 / (bars + 1), from the first close on."""
        return self._series.indicator("ema", bars).value

    def rma(self, bars: int) -> float:
        """Return Wilder's mean of closes, alpha 1 / bars; nan before `bars` closes."""
        return self._series.indicator("rma", bars).value

    def rsi(self, bars: int = 14) -> float:
        """Return Wilder's strength index, 0 to 100, 50 without moves; nan before `bars` moves."""
        return self._series.indicator("rsi", bars).value

    def atr(self, bars: int = 14) -> float:
        """Return Wilder's average true range; nan before `bars` ranges."""
        return self._series.indicator("atr", bars).value

    def adx(self, bars: int = 14) -> float:
        """Return Wilder's directional index, 0 to 100; nan before `2 * bars` bars."""
        return self._series.indicator("adx", bars).value

    def di(self, bars: int = 14) -> tuple[float, float]:
        """Return Wilder's +DI and -DI, 0 to 100; nan before `bars` ranges."""
        found = self._series.indicator("adx", bars)
        assert isinstance(found, Adx)
        return found.plus, found.minus

    def macd(self, fast: int = 12, slow: int = 26, signal: int = 9) -> tuple[float, float, float]:
        """Return ema(fast) - ema(slow), the exponential mean of it (signal), and the difference."""
        found = self._series.indicator("macd", fast, slow, signal)
        assert isinstance(found, Macd)
        return found.value, found.signal, found.histogram

    def kama(self, bars: int = 10, fast: int = 2, slow: int = 30) -> float:
        """Return Kaufman's adaptive mean of closes; nan before `bars` moves."""
        return self._series.indicator("kama", bars, fast, slow).value

    def supertrend(self, bars: int = 10, factor: float = 3.0) -> tuple[float, bool]:
        """Return a stop `factor` * atr(bars) off, and whether it is below; nan as `atr`."""
        found = self._series.indicator("supertrend", bars, factor)
        assert isinstance(found, Supertrend)
        return found.value, found.rising

    def psar(self, step: float = 0.02, most: float = 0.2) -> tuple[float, bool]:
        """Return Wilder's parabolic stop, and whether it is below; nan at the first bar."""
        found = self._series.indicator("psar", step, most)
        assert isinstance(found, Psar)
        return found.value, found.rising

    def obv(self) -> float:
        """Return the volume of rising bars less that of falling ones, from 0 at the first bar."""
        return self._series.indicator("obv").value

    def sma(self, bars: int) -> float:
        """Return the mean of closes."""
        return float(self._newest("sma", CLOSE, bars).mean())

    def wma(self, bars: int) -> float:
        """Return the mean of closes with weights 1 (oldest) to `bars` (newest)."""
        closes = self._newest("wma", CLOSE, bars)
        weights = np.arange(1.0, len(closes) + 1.0)
        return float((closes * weights).sum() / weights.sum())

    def deviation(self, bars: int) -> float:
        """Return the sample standard deviation of the newest `bars` log returns, per bar."""
        bars = whole("deviation: bars", bars, 2)
        closes = self._newest("deviation", CLOSE, bars, 1)
        return float(np.diff(np.log(closes)).std(ddof=1))

    def bollinger(self, bars: int = 20, width: float = 2.0) -> tuple[float, float, float]:
        """Return lower, middle, upper: the mean of closes, `width` population deviations around."""
        mean, deviation = _spread(self._newest("bollinger", CLOSE, bars))
        return mean - width * deviation, mean, mean + width * deviation

    def zscore(self, bars: int) -> float:
        """Return (close - mean) / population deviation of closes; 0 when all are the same."""
        closes = self._newest("zscore", CLOSE, bars)
        mean, deviation = _spread(closes)
        return float((closes[-1] - mean) / deviation) if deviation else 0.0

    def highest(self, bars: int) -> float:
        """Return the highest high, the newest bar included."""
        return float(self._newest("highest", HIGH, bars).max())

    def lowest(self, bars: int) -> float:
        """Return the lowest low, the newest bar included."""
        return float(self._newest("lowest", LOW, bars).min())

    def donchian(self, bars: int = 20) -> tuple[float, float, float]:
        """Return the lowest low, the middle, the highest high, the newest bar included."""
        lower, upper = self.lowest(bars), self.highest(bars)
        return lower, (lower + upper) / 2.0, upper

    def roc(self, bars: int) -> float:
        """Return how much the close rose since `bars` bars before, in percent."""
        closes = self._newest("roc", CLOSE, bars, 1)
        return float(100.0 * (closes[-1] / closes[0] - 1.0))

    def stochastic(self, bars: int = 14, smooth: int = 1, signal: int = 3) -> tuple[float, float]:
        """Return %K and %D: where the close is from the lowest low (0) to the highest high (100).

        %K is the mean of `smooth` such places, %D that of `signal` %K; a place is 50 in no range.
        """
        bars, smooth = whole("stochastic: bars", bars), whole("stochastic: smooth", smooth)
        more = smooth + whole("stochastic: signal", signal) - 2
        rows = (self._newest("stochastic", row, bars, more) for row in (HIGH, LOW, CLOSE))
        high, low, close = rows
        top, bottom = _windows(high, bars).max(axis=1), _windows(low, bars).min(axis=1)
        places = _percent(close[bars - 1 :] - bottom, top - bottom)
        k = _windows(places, smooth).mean(axis=1)
        return float(k[-1]), float(k.mean())

    def mfi(self, bars: int = 14) -> float:
        """Return the share of typical price * volume that rose, 0 to 100; 50 when none moved."""
        names = (HIGH, LOW, CLOSE, VOLUME)
        high, low, close, volume = (self._newest("mfi", row, bars, 1) for row in names)
        typical = (high + low + close) / 3.0
        moves, flows = np.diff(typical), (typical * volume)[1:]
        rising, falling = flows[moves > 0.0].sum(), flows[moves < 0.0].sum()
        return float(_percent(rising, rising + falling)) if len(self) > bars else nan

    def vwap(self, bars: int) -> float:
        """Return the mean of (high + low + close) / 3 by volume; the plain one without volume."""
        names = (HIGH, LOW, CLOSE, VOLUME)
        high, low, close, volume = (self._newest("vwap", row, bars) for row in names)
        typical, total = (high + low + close) / 3.0, volume.sum()
        return float((typical * volume).sum() / total if total else typical.mean())

    def _newest(self, name: str, row: int, bars: int, more: int = 0) -> Floats:
        wanted = whole(f"{name}: bars", bars) + more
        if wanted > self._count:
            raise ValueError(
                f"{name} of {bars} looks at {wanted} closed bars, and the strategy declares "
                f"{self._count}: write warmup = {wanted}, or the same in `also`"
            )
        found = self._series.row(row, wanted)
        return found if len(found) == wanted else np.full(wanted, nan)


def _spread(values: Floats) -> tuple[float, float]:
    # A mean of equal numbers may be off by its last bit, which must not look like a deviation.
    if values.min() == values.max():
        return float(values[0]), 0.0
    return float(values.mean()), float(values.std())


def _windows(values: Floats, bars: int) -> Floats:
    return np.lib.stride_tricks.sliding_window_view(values, bars)


def _percent(part: Any, whole_of_it: Any) -> Any:
    return np.where(
        whole_of_it == 0.0, 50.0, 100.0 * (part / np.where(whole_of_it, whole_of_it, 1))
    )
