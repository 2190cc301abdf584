"""What a core does per bar: indicators against TA-Lib's streams, which are written in C."""

from collections.abc import Callable, Iterator
from statistics import median

import numpy as np
from talib import stream

from bus.clock import SystemClock
from services.engine.indicators import Indicator, make
from tests.bench.core_books import books
from tests.bench.core_risk import verdicts
from tests.bench.figure import Figure

UPDATES = 2_000
ROUNDS = 301  # short ones in turns, so that what else the machine does meets both
HISTORY = 200
BARS = 14
SEED = 7

Run = Callable[[], None]
Bar = tuple[float, float, float, float]
_clock = SystemClock()


def measure() -> Iterator[Figure]:
    """Measure what a core is made of."""
    yield from indicators()
    yield from books()
    yield from verdicts()


def indicators() -> Iterator[Figure]:
    """Time an update of RSI, ATR and EMA beside TA-Lib's, in turns, and of all three."""
    ours_ns, raw_ns = {}, {}
    for name, (ours, raw) in _pairs().items():
        ours_ns[name], raw_ns[name] = _in_turns(ours, raw)
        yield Figure(f"core.indicators.{name}", ours_ns[name], raw_ns[name], "ns/update")
    total = sum(ours_ns.values()), sum(raw_ns.values())
    yield Figure("core.indicators", *total, "ns/3 updates")


def _pairs() -> dict[str, tuple[Run, Run]]:
    bars = _walk(HISTORY + UPDATES)
    high, low, close = np.array(bars[:HISTORY]).T[:3].copy()
    told = bars[HISTORY:]
    closes = [close for _, _, close, _ in told]
    ranges = [bar[:3] for bar in told]
    return {
        "rsi": (_with_bars(_warm("rsi", bars), told), _with_each(stream.RSI(close, BARS), closes)),
        "atr": (
            _with_bars(_warm("atr", bars), told),
            _with_ranges(stream.ATR(high, low, close, BARS), ranges),
        ),
        "ema": (_with_bars(_warm("ema", bars), told), _with_each(stream.EMA(close, BARS), closes)),
    }


def _walk(count: int) -> list[Bar]:
    chance = np.random.default_rng(SEED)
    close = 60_000.0 * np.exp(chance.normal(0.0, 0.001, count).cumsum())
    high = close * (1.0 + abs(chance.normal(0.0, 0.0005, count)))
    low = close * (1.0 - abs(chance.normal(0.0, 0.0005, count)))
    rows = (high, low, close, chance.uniform(0.0, 10.0, count))
    return list(zip(*(row.tolist() for row in rows), strict=True))


def _warm(name: str, bars: list[Bar]) -> Indicator:
    indicator = make(name, BARS)
    for bar in bars[:HISTORY]:
        indicator.update(*bar)
    return indicator


# Each loop calls its update as its users do: ours with the bar that all indicators of a series
# hear, TA-Lib's with the numbers that it wants.


def _with_bars(indicator: Indicator, bars: list[Bar]) -> Run:
    def run() -> None:
        update = indicator.update
        for high, low, close, volume in bars:
            update(high, low, close, volume)

    return run


def _with_each(raw: stream.RSI | stream.EMA, closes: list[float]) -> Run:
    def run() -> None:
        update = raw.update
        for close in closes:
            update(close)

    return run


def _with_ranges(raw: stream.ATR, ranges: list[tuple[float, float, float]]) -> Run:
    def run() -> None:
        update = raw.update
        for high, low, close in ranges:
            update(high, low, close)

    return run


def _in_turns(ours: Run, raw: Run) -> tuple[float, float]:
    rounds = [(_timed_ns(ours), _timed_ns(raw)) for _ in range(ROUNDS)]
    ours_ns, raw_ns = (median(column) for column in zip(*rounds, strict=True))
    return ours_ns / UPDATES, raw_ns / UPDATES


def _timed_ns(run: Run) -> int:
    begun_ns = _clock.mono_ns()
    run()
    return _clock.mono_ns() - begun_ns
