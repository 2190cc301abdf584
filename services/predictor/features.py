"""What a forecast is made from: one function of the newest bars, for training and live alike.

A vector is a pure function of the last LOOKBACK bars and of nothing before them, so a window that
is filled anew gives the same numbers to the last bit. Minutes without a trade have no bar: a short
hole is filled with the price standing still, so that a place in the window is a time; after a long
one the window begins again. All numbers are free of the market's scale, finite and bounded.
"""

from itertools import pairwise
from math import cos, log, pi, sin, sqrt
from operator import mul

import msgspec

from schema.market import Bar
from schema.setting_types import TIMEFRAMES_NS
from schema.units import DAY_NS

VERSION = 1
"""Grows with every change to what the numbers mean; a model of another version is refused."""

NAMES = (
    *("return_1", "return_3", "return_5", "return_15", "return_30", "return_60"),
    *("volatility", "volatility_ratio", "range", "close_in_bar", "close_in_15", "close_in_60"),
    *("trend_fast", "trend_slow", "strength", "echo", "volume", "flow", "hour_sin", "hour_cos"),
)
DIRECTIONLESS = frozenset(
    {"volatility", "volatility_ratio", "range", "echo", "volume", "hour_sin", "hour_cos"}
)
"""These stay as they are in a market turned upside down; all others change their sign."""

LOOKBACK = 60
GAP_BARS_MAX = 10
"""A longer hole is no quiet minute any more: what lies before it says nothing."""

BOUND = 4.0
SPANS = (1, 3, 5, 15, 30, 60)
DEVIATION_MIN = 1e-12
USUAL_DEVIATION = 1e-3

Vector = tuple[float, ...]


class Window(msgspec.Struct):
    """The newest bars of one symbol, without a hole; prices as logarithms."""

    open_ns: int = 0  # of the newest bar; 0 before the first
    closes: list[float] = []
    highs: list[float] = []
    lows: list[float] = []
    volumes: list[float] = []


def is_next(window: Window, bar: Bar) -> bool:
    """Return whether a bar is newer than the window, and of a market that has a price."""
    prices = min(bar.open, bar.high, bar.low, bar.close)
    return bar.open_ns > window.open_ns and prices > 0 and bar.volume >= 0


def is_torn(window: Window, bar: Bar) -> bool:
    """Return whether the hole before a bar is too long to be filled."""
    step_ns = TIMEFRAMES_NS[bar.timeframe]
    return bar.open_ns - window.open_ns > (GAP_BARS_MAX + 1) * step_ns


def update(window: Window, bar: Bar) -> Vector | None:
    """Take the next bar and return its features; None while the window is not full."""
    if is_torn(window, bar):
        _empty(window)
    step_ns = TIMEFRAMES_NS[bar.timeframe]
    while window.closes and bar.open_ns - window.open_ns > step_ns:
        window.open_ns += step_ns
        still = window.closes[-1]
        _push(window, still, still, still, 0.0)
    window.open_ns = bar.open_ns
    unit = 10.0**bar.px_exp
    close, high, low = log(bar.close / unit), log(bar.high / unit), log(bar.low / unit)
    _push(window, close, max(high, close), min(low, close), bar.volume / 10.0**bar.qty_exp)
    return vector(window, bar.ts_event) if len(window.closes) > LOOKBACK else None


def amend(window: Window, bar: Bar) -> None:
    """Put a corrected bar in its place, and the price that stood still behind it.

    Vectors from the next bar on are made of it, as those of a window that is filled anew. What was
    forecast and learned of the bar as it was first said stands.
    """
    step_ns = TIMEFRAMES_NS[bar.timeframe]
    at = len(window.closes) - 1 - (window.open_ns - bar.open_ns) // step_ns
    if at < 0 or bar.open_ns > window.open_ns or min(bar.low, bar.close) <= 0:
        return
    unit = 10.0**bar.px_exp
    close, high, low = log(bar.close / unit), log(bar.high / unit), log(bar.low / unit)
    window.closes[at], window.highs[at] = close, max(high, close)
    window.lows[at], window.volumes[at] = min(low, close), bar.volume / 10.0**bar.qty_exp
    for still in range(at + 1, len(window.closes)):
        if window.volumes[still] > 0:
            return
        window.closes[still] = window.highs[still] = window.lows[still] = close


def vector(window: Window, close_ns: int) -> Vector:
    """Return the features of a full window whose newest bar closed at a time; see NAMES."""
    closes, lows, highs = window.closes, window.lows, window.highs
    moves = [after - before for before, after in pairwise(closes)]
    unit = _deviation(moves)
    found = (
        *_returns(closes, unit),
        log(unit / USUAL_DEVIATION) / 2,
        log(_deviation(moves[-10:]) / unit),
        (highs[-1] - lows[-1]) / unit - 1,
        *(_place(closes[-1], lows[-span:], highs[-span:]) for span in (1, 15, 60)),
        *_trends([close - closes[-1] for close in closes], unit),
        _strength(moves[-14:]),
        _echo(moves[-30:]),
        *_volumes(window.volumes, moves),
        *_hour(close_ns),
    )
    return tuple(min(BOUND, max(-BOUND, value)) for value in found)


def deviation(window: Window) -> float:
    """Return the typical move of the logarithm of the price from one bar to the next."""
    return _deviation([after - before for before, after in pairwise(window.closes)])


def _empty(window: Window) -> None:
    for column in (window.closes, window.highs, window.lows, window.volumes):
        column.clear()


def _push(window: Window, close: float, high: float, low: float, volume: float) -> None:
    window.closes.append(close)
    window.highs.append(high)
    window.lows.append(low)
    window.volumes.append(volume)
    if len(window.closes) > LOOKBACK + 1:
        for column in (window.closes, window.highs, window.lows, window.volumes):
            del column[0]


def _returns(closes: list[float], unit: float) -> list[float]:
    return [(closes[-1] - closes[-1 - span]) / (unit * sqrt(span)) for span in SPANS]


def _deviation(moves: list[float]) -> float:
    if not moves:
        return DEVIATION_MIN
    return max(sqrt(sum(map(mul, moves, moves)) / len(moves)), DEVIATION_MIN)


def _place(close: float, lows: list[float], highs: list[float]) -> float:
    low, high = min(lows), max(highs)
    return (2 * close - low - high) / (high - low) if high > low else 0.0


def _strength(moves: list[float]) -> float:
    ways = sum(map(abs, moves))
    return sum(moves) / ways if ways > 0 else 0.0


def _echo(moves: list[float]) -> float:
    squares = sum(map(mul, moves, moves))
    return sum(map(mul, moves[1:], moves[:-1])) / squares if squares > 0 else 0.0


def _volumes(volumes: list[float], moves: list[float]) -> tuple[float, float]:
    usual = sum(volumes[-LOOKBACK:]) / LOOKBACK
    newest, lately = volumes[-1], volumes[-10:]
    traded = sum(lately)
    signs = [(move > 0) - (move < 0) for move in moves[-10:]]
    relative = (newest - usual) / (newest + usual) if newest + usual > 0 else 0.0
    return relative, sum(map(mul, lately, signs)) / traded if traded > 0 else 0.0


def _hour(close_ns: int) -> tuple[float, float]:
    angle = 2 * pi * (close_ns % DAY_NS) / DAY_NS
    return sin(angle), cos(angle)


def _fading(span: int) -> list[float]:
    # The weights of an exponential mean that has forgotten all before the window.
    weights = [pow(1 - 2 / (span + 1), float(age)) for age in range(LOOKBACK, -1, -1)]
    total = sum(weights)
    return [weight / total for weight in weights]


_FAST, _MIDDLE, _SLOW = _fading(8), _fading(21), _fading(55)


def _trends(distances: list[float], unit: float) -> tuple[float, float]:
    # Distances from the newest price: where that stands still, they are exactly zero.
    fast, middle, slow = (
        float(sum(map(mul, distances, weights))) for weights in (_FAST, _MIDDLE, _SLOW)
    )
    return (fast - middle) / unit / 2, -slow / unit / 5
