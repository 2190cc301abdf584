"""Indicators of many bars at once, for research: to the last bit what they tell bar by bar."""

from collections.abc import Callable
from itertools import accumulate
from math import fsum

import numpy as np

from services.engine.indicators import make
from services.engine.ranges import Psar
from services.engine.series import Floats

Outputs = dict[str, Floats]


def batch(
    name: str,
    settings: tuple[float, ...],
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
    output: str = "value",
) -> Floats:
    """Return an output of an indicator after each bar; nan where it has not heard enough."""
    make(name, *settings)  # refuses a bad setting as it does
    outputs = BATCHES[name](settings, high, low, close, volume) if len(close) else {}
    return outputs.get(output, np.empty(0))


def _ema(close: Floats, bars: float) -> Floats:
    return _follow(close, 2.0 / (bars + 1), close[:1])


def _follow(values: Floats, alpha: float, begun: Floats) -> Floats:
    # `begun` is what stands before the first step; its last value begins the recursion.
    rest = values[len(begun) :].tolist()
    steps = accumulate(rest, lambda mean, x: mean + (x - mean) * alpha, initial=float(begun[-1]))
    return np.concatenate((begun[:-1], np.fromiter(steps, np.float64)))


def _wilder_mean(values: Floats, bars: float) -> Floats:
    count = int(bars)
    if len(values) < count:
        return np.full(len(values), np.nan)
    begun = np.full(count, np.nan)
    begun[-1] = np.cumsum(values[:count])[-1] / count
    return _follow(values, 1.0 / count, begun)


def _wilder_sum(values: Floats, bars: float) -> Floats:
    count = int(bars)
    begun, keep = np.cumsum(values[:count]), (count - 1) / count
    if len(values) <= count:
        return begun
    rest = values[count:].tolist()
    sums = accumulate(rest, lambda total, x: total * keep + x, initial=float(begun[-1]))
    return np.concatenate((begun[:-1], np.fromiter(sums, np.float64)))


def _later(values: Floats, bars: int = 1) -> Floats:
    return np.concatenate((np.full(bars, np.nan), values))


def _share(part: Floats, whole: Floats, otherwise: float) -> Floats:
    shares = np.full(len(whole), otherwise / 100.0)
    np.divide(part, whole, out=shares, where=whole != 0.0)
    return 100.0 * shares


def _from(values: Floats, first: int) -> Floats:
    told = values.copy()
    told[:first] = np.nan
    return told


def _true_ranges(high: Floats, low: Floats, close: Floats) -> Floats:
    before, high, low = close[:-1], high[1:], low[1:]
    jumps = np.maximum(np.abs(high - before), np.abs(low - before))
    return np.maximum(high - low, jumps)


def _atr(high: Floats, low: Floats, close: Floats, bars: float) -> Floats:
    return _later(_wilder_mean(_true_ranges(high, low, close), bars))


def _rsi(close: Floats, bars: float) -> Floats:
    moves = np.diff(close)
    gains = _wilder_sum(np.maximum(moves, 0.0), bars)
    losses = _wilder_sum(np.maximum(-moves, 0.0), bars)
    return _later(_from(_share(gains, gains + losses, 50.0), int(bars) - 1))


def _adx(high: Floats, low: Floats, close: Floats, bars: float) -> Outputs:
    first = int(bars) - 1
    rises, falls = np.diff(high), -np.diff(low)
    ups = _wilder_sum(np.where((rises > falls) & (rises > 0.0), rises, 0.0), bars)
    downs = _wilder_sum(np.where((falls > rises) & (falls > 0.0), falls, 0.0), bars)
    ranges = _wilder_sum(_true_ranges(high, low, close), bars)
    apart = _share(np.abs(ups - downs), ups + downs, 0.0)
    return {
        "value": _later(_later(_wilder_mean(apart[first:], bars), min(first, len(apart)))),
        "plus": _later(_from(_share(ups, ranges, 0.0), first)),
        "minus": _later(_from(_share(downs, ranges, 0.0), first)),
    }


def _macd(close: Floats, fast: float, slow: float, signal: float) -> Outputs:
    line = _ema(close, fast) - _ema(close, slow)
    smooth = _follow(line, 2.0 / (signal + 1), np.zeros(1))
    return {"value": line, "signal": smooth, "histogram": line - smooth}


def _obv(close: Floats, volume: Floats) -> Floats:
    return np.cumsum(np.concatenate(([0.0], np.sign(np.diff(close)) * volume[1:])))


def _kama(close: Floats, bars: float, fast: float, slow: float) -> Floats:
    count = int(bars)
    if len(close) <= count:
        return np.full(len(close), np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(np.abs(np.diff(close)), count)
    ways = np.array([fsum(window) for window in windows.tolist()])
    straight = np.ones(len(ways))
    np.divide(np.abs(close[count:] - close[:-count]), ways, out=straight, where=ways != 0.0)
    low = 2.0 / (slow + 1)
    alphas = np.minimum(straight, 1.0) * (2.0 / (fast + 1) - low) + low
    means, mean = [], float(close[count - 1])
    for x, alpha in zip(close[count:].tolist(), (alphas * alphas).tolist(), strict=True):
        mean += (x - mean) * alpha
        means.append(mean)
    return _later(np.array(means), count)


def _supertrend(high: Floats, low: Floats, close: Floats, bars: float, factor: float) -> Outputs:
    width, middle = factor * _atr(high, low, close, bars), (high + low) / 2.0
    lower, upper, rising = middle - width, middle + width, np.ones(len(close), np.bool_)
    for now in range(int(bars) + 1, len(close)):
        if close[now - 1] >= lower[now - 1]:
            lower[now] = max(lower[now], lower[now - 1])
        if close[now - 1] <= upper[now - 1]:
            upper[now] = min(upper[now], upper[now - 1])
    for now in range(int(bars), len(close)):
        up = now == int(bars) or rising[now - 1]
        rising[now] = close[now] >= lower[now] if up else close[now] > upper[now]
    return {"value": np.where(rising, lower, upper), "rising": rising.astype(np.float64)}


def _psar(*rows: Floats, settings: tuple[float, ...]) -> Outputs:
    # A stop that turns on its own price hangs on each bar before it: only bar by bar is it found.
    indicator = make("psar", *settings)
    assert isinstance(indicator, Psar)
    found = []
    for bar in np.array(rows).T.tolist():
        indicator.update(*bar)
        found.append((indicator.value, indicator.rising))
    value, rising = np.array(found, np.float64).T
    return {"value": value, "rising": rising}


BATCHES: dict[str, Callable[..., Outputs]] = {
    "adx": lambda s, high, low, close, _: _adx(high, low, close, *s),
    "atr": lambda s, high, low, close, _: {"value": _atr(high, low, close, *s)},
    "ema": lambda s, _, __, close, ___: {"value": _ema(close, *s)},
    "kama": lambda s, _, __, close, ___: {"value": _kama(close, *s)},
    "macd": lambda s, _, __, close, ___: _macd(close, *s),
    "obv": lambda _, __, ___, close, volume: {"value": _obv(close, volume)},
    "psar": lambda s, *rows: _psar(*rows, settings=s),
    "rma": lambda s, _, __, close, ___: {"value": _wilder_mean(close, *s)},
    "rsi": lambda s, _, __, close, ___: {"value": _rsi(close, *s)},
    "supertrend": lambda s, high, low, close, _: _supertrend(high, low, close, *s),
}
