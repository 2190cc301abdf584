"""Which side is stronger: Wilder's index of gains and losses, his directions, balanced volume."""

from math import nan

import msgspec


class Rsi(msgspec.Struct, tag="rsi", gc=False):
    """Wilder's relative strength index: 100 * gains / (gains + losses), 50 without any move.

    Gains and losses are sums of the first `bars` moves; from then on a sum loses its part
    1 / bars before a move is added, which is Wilder's mean times `bars`.
    """

    keep: float
    left: int  # moves that the beginning still wants
    close: float = nan
    gains: float = 0.0
    losses: float = 0.0
    value: float = nan

    @classmethod
    def of(cls, bars: int) -> "Rsi":
        """Return one over so many moves."""
        return cls(keep=(bars - 1) / bars, left=bars)

    def update(self, high: float, low: float, close: float, volume: float) -> None:
        """Follow one bar."""
        move = close - self.close
        self.close = close
        if self.left:
            self._begin(move)
            return
        keep = self.keep
        if move > 0.0:
            self.gains = gains = self.gains * keep + move
            self.losses = losses = self.losses * keep
        else:
            self.gains = gains = self.gains * keep
            self.losses = losses = self.losses * keep - move
        total = gains + losses
        self.value = 100.0 * (gains / total) if total > 0.0 else 50.0

    def _begin(self, move: float) -> None:
        if move != move:  # noqa: PLR0124 - nan: the first close is no move
            return
        self.gains += max(move, 0.0)
        self.losses += max(-move, 0.0)
        self.left -= 1
        total = self.gains + self.losses
        if not self.left:
            self.value = 100.0 * (self.gains / total) if total else 50.0


class Adx(msgspec.Struct, tag="adx", gc=False):
    """Wilder's directional index: `plus` and `minus` (+DI, -DI), and how far they differ.

    Sums are as in `Rsi`. Without any range or direction what would be divided is 0.
    """

    bars: int
    keep: float
    left: int  # ranges that the directions still want
    left_dx: int  # values that their mean still wants
    high: float = nan
    low: float = nan
    close: float = nan
    ranges: float = 0.0
    ups: float = 0.0
    downs: float = 0.0
    total: float = 0.0  # of the values of the beginning
    plus: float = nan
    minus: float = nan
    value: float = nan

    @classmethod
    def of(cls, bars: int) -> "Adx":
        """Return one over so many bars; its value comes after twice as many."""
        return cls(bars=bars, keep=(bars - 1) / bars, left=bars, left_dx=bars)

    def update(self, high: float, low: float, close: float, volume: float) -> None:
        """Follow one bar."""
        up, down, before = high - self.high, self.low - low, self.close
        self.high, self.low, self.close = high, low, close
        if before != before:  # noqa: PLR0124 - nan: the first bar
            return
        keep = 1.0 if self.left else self.keep
        self.ranges = self.ranges * keep + (max(high, before) - min(low, before))
        self.ups = self.ups * keep + (up if up > down and up > 0.0 else 0.0)
        self.downs = self.downs * keep + (down if down > up and down > 0.0 else 0.0)
        if self.left:
            self.left -= 1
        if not self.left:
            self._value()

    def _value(self) -> None:
        ranges, ups, downs = self.ranges, self.ups, self.downs
        self.plus = 100.0 * (ups / ranges) if ranges else 0.0
        self.minus = 100.0 * (downs / ranges) if ranges else 0.0
        both = ups + downs
        dx = 100.0 * (abs(ups - downs) / both) if both else 0.0
        if not self.left_dx:
            self.value += (dx - self.value) * (1.0 / self.bars)
            return
        self.total += dx
        self.left_dx -= 1
        if not self.left_dx:
            self.value = self.total / self.bars


class Obv(msgspec.Struct, tag="obv", gc=False):
    """On-balance volume: what was traded in rising bars less what was in falling ones, from 0."""

    close: float = nan
    value: float = nan

    @classmethod
    def of(cls) -> "Obv":
        """Return one."""
        return cls()

    def update(self, high: float, low: float, close: float, volume: float) -> None:
        """Follow one bar."""
        before = self.close
        self.close = close
        if close > before:
            self.value += volume
        elif close < before:
            self.value -= volume
        elif before != before:  # noqa: PLR0124 - nan: the first close
            self.value = 0.0
