"""How far prices swing in a bar, and stops that trail them by it."""

from math import nan

import msgspec


class Atr(msgspec.Struct, tag="atr", gc=False):
    """Wilder's mean of true ranges; it begins with the mean of the first `bars`.

    A true range reaches from the close before, so that the first bar has none.
    """

    bars: int
    alpha: float
    left: int  # ranges that the beginning still wants
    close: float = nan
    total: float = 0.0  # of the ranges of the beginning
    value: float = nan

    @classmethod
    def of(cls, bars: int) -> "Atr":
        """Return one over so many ranges."""
        return cls(bars=bars, alpha=1.0 / bars, left=bars)

    def update(self, high: float, low: float, close: float, volume: float) -> None:
        """Follow one bar."""
        before = self.close
        self.close = close
        if before > high:
            high = before
        elif before < low:
            low = before
        if self.left:
            self._begin(before, high - low)
            return
        value = self.value
        self.value = value + (high - low - value) * self.alpha

    def _begin(self, before: float, true_range: float) -> None:
        if before != before:  # noqa: PLR0124 - nan: the first bar has no close before it
            return
        self.total += true_range
        self.left -= 1
        if not self.left:
            self.value = self.total / self.bars


class Supertrend(msgspec.Struct, tag="supertrend", gc=False):
    """A stop `factor` true ranges from the middle of the bar, which only follows the trend.

    It stands below a rising market and above a falling one, and changes sides when a close
    goes through it.
    """

    factor: float
    atr: Atr
    lower: float = nan
    upper: float = nan
    close: float = nan
    rising: bool = True
    value: float = nan

    @classmethod
    def of(cls, bars: int, factor: float) -> "Supertrend":
        """Return one of so many mean ranges over so many bars."""
        return cls(factor=factor, atr=Atr.of(bars))

    def update(self, high: float, low: float, close: float, volume: float) -> None:
        """Follow one bar."""
        self.atr.update(high, low, close, volume)
        before, self.close = self.close, close
        if self.atr.left:
            return
        width, middle = self.factor * self.atr.value, (high + low) / 2.0
        lower, upper = middle - width, middle + width
        if lower < self.lower and before >= self.lower:
            lower = self.lower
        if upper > self.upper and before <= self.upper:
            upper = self.upper
        self.lower, self.upper = lower, upper
        self.rising = close >= lower if self.rising else close > upper
        self.value = lower if self.rising else upper


class Psar(msgspec.Struct, tag="psar", gc=False):
    """Wilder's parabolic stop and reverse; `rising` while it stands below the market.

    It begins with the second bar, on the side that the first two bars tell.
    """

    step: float
    most: float
    pace: float
    ahead: float = nan  # the stop of the bar to come
    best: float = nan  # the farthest price since the last turn
    high: float = nan
    low: float = nan
    rising: bool = True
    value: float = nan

    @classmethod
    def of(cls, step: float, most: float) -> "Psar":
        """Return one whose pace grows by `step` with each new best price, up to `most`."""
        return cls(step=step, most=most, pace=min(step, most))

    def update(self, high: float, low: float, close: float, volume: float) -> None:
        """Follow one bar."""
        high_before, low_before = self.high, self.low
        self.high, self.low = high, low
        if high_before != high_before:  # noqa: PLR0124 - nan: the first bar
            return
        if self.ahead != self.ahead:  # nan: the second bar
            down = low_before - low
            self.rising = not (down > 0.0 and down > high - high_before)
            self.ahead = low_before if self.rising else high_before
            self.best = high if self.rising else low
            high_before, low_before = high, low
        top, bottom = max(high_before, high), min(low_before, low)
        if low <= self.ahead if self.rising else high >= self.ahead:
            self._turn(top, bottom)
            self.best, self.pace = (high if self.rising else low), min(self.step, self.most)
        else:
            self._go_on(high, low)
        ahead = self.value + self.pace * (self.best - self.value)
        self.ahead = min(ahead, bottom) if self.rising else max(ahead, top)

    def _turn(self, top: float, bottom: float) -> None:
        self.value = max(self.best, top) if self.rising else min(self.best, bottom)
        self.rising = not self.rising

    def _go_on(self, high: float, low: float) -> None:
        self.value = self.ahead
        if high > self.best if self.rising else low < self.best:
            self.best = high if self.rising else low
            self.pace = min(self.pace + self.step, self.most)
