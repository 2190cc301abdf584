"""Means that never quite forget a bar: exponential, Wilder's, Kaufman's, and MACD of two."""

from math import fsum, nan

import msgspec


class Ema(msgspec.Struct, tag="ema", gc=False):
    """The exponential mean of closes; it begins with the first close."""

    alpha: float
    value: float = nan

    @classmethod
    def of(cls, bars: int) -> "Ema":
        """Return one of alpha 2 / (bars + 1)."""
        return cls(alpha=2.0 / (bars + 1))

    def update(self, high: float, low: float, close: float, volume: float) -> None:
        """Follow one bar."""
        before = self.value
        if before == before:  # noqa: PLR0124 - nan alone differs from itself: no close was heard
            self.value = before + (close - before) * self.alpha
        else:
            self.value = close


class Rma(msgspec.Struct, tag="rma", gc=False):
    """Wilder's mean of closes, alpha 1 / bars; it begins with the mean of the first `bars`."""

    bars: int
    alpha: float
    left: int  # closes that the beginning still wants
    total: float = 0.0  # of the closes of the beginning
    value: float = nan

    @classmethod
    def of(cls, bars: int) -> "Rma":
        """Return one over so many bars."""
        return cls(bars=bars, alpha=1.0 / bars, left=bars)

    def update(self, high: float, low: float, close: float, volume: float) -> None:
        """Follow one bar."""
        if not self.left:
            before = self.value
            self.value = before + (close - before) * self.alpha
            return
        self.total += close
        self.left -= 1
        if not self.left:
            self.value = self.total / self.bars


class Macd(msgspec.Struct, tag="macd", gc=False):
    """A fast exponential mean less a slow one, and the exponential mean of that, its signal."""

    fast_alpha: float
    slow_alpha: float
    signal_alpha: float
    fast: float = nan
    slow: float = nan
    value: float = nan
    signal: float = nan
    histogram: float = nan  # value less signal

    @classmethod
    def of(cls, fast: int, slow: int, signal: int) -> "Macd":
        """Return one of three lengths in bars."""
        return cls(2.0 / (fast + 1), 2.0 / (slow + 1), 2.0 / (signal + 1))

    def update(self, high: float, low: float, close: float, volume: float) -> None:
        """Follow one bar."""
        fast, slow, signal = self.fast, self.slow, self.signal
        if fast != fast:  # noqa: PLR0124 - nan: all three begin with the first close
            fast = slow = close
            signal = 0.0
        self.fast = fast = fast + (close - fast) * self.fast_alpha
        self.slow = slow = slow + (close - slow) * self.slow_alpha
        self.value = value = fast - slow
        self.signal = signal = signal + (value - signal) * self.signal_alpha
        self.histogram = value - signal


class Kama(msgspec.Struct, tag="kama"):
    """Kaufman's adaptive mean of closes: fast while a move of `bars` goes straight, else slow.

    It begins with the close before the first full window. A window without any move counts as
    straight.
    """

    bars: int
    slow_alpha: float
    span_alpha: float  # what the fast alpha has over the slow one
    closes: list[float] = []
    moves: list[float] = []  # without signs, between the closes
    value: float = nan

    @classmethod
    def of(cls, bars: int, fast: int, slow: int) -> "Kama":
        """Return one that looks back `bars`, between the lengths of two exponential means."""
        slow_alpha = 2.0 / (slow + 1)
        return cls(bars=bars, slow_alpha=slow_alpha, span_alpha=2.0 / (fast + 1) - slow_alpha)

    def update(self, high: float, low: float, close: float, volume: float) -> None:
        """Follow one bar."""
        closes, moves = self.closes, self.moves
        if closes:
            moves.append(abs(close - closes[-1]))
        closes.append(close)
        if len(moves) < self.bars:
            return
        way = fsum(moves)
        straight = min(1.0, abs(close - closes[0]) / way) if way else 1.0
        alpha = straight * self.span_alpha + self.slow_alpha
        value = self.value
        before = value if value == value else closes[-2]  # noqa: PLR0124 - nan: the first window
        self.value = before + (close - before) * (alpha * alpha)
        del closes[0], moves[0]
