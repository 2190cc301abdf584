"""Indicators against TA-Lib, and against values that others recorded."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import talib

from services.engine.bars import Bars
from services.engine.batch import batch
from services.engine.series import Floats, Series

SHARED = Path(__file__).parents[3] / ".." / "shared" / "data"
LEAN, TA = SHARED / "oracle_indicators_lean", SHARED / "oracle_indicators_ta"
recorded = pytest.mark.skipif(not LEAN.exists(), reason="../shared/data is not here")

SETTLED = 500  # bars after which another beginning has died out


def walk() -> tuple[Floats, Floats, Floats, Floats]:
    chance = np.random.default_rng(3)
    close = np.round(100.0 * np.exp(chance.normal(0.0, 0.01, 700).cumsum()), 2)
    high = np.round(close * (1.0 + abs(chance.normal(0.0, 0.004, 700))), 2)
    low = np.round(close * (1.0 - abs(chance.normal(0.0, 0.004, 700))), 2)
    return high, low, close, np.round(chance.uniform(0.0, 100.0, 700), 3)


H, L, C, V = walk()
PSAR = talib.SAR(H, L, 0.02, 0.2)
MACD = talib.MACD(C, 12, 26, 9)

LIBRARY = [
    ("ema", (14,), "value", talib.EMA(C, 14), SETTLED),
    ("rma", (14,), "value", talib.RMA(C, 14), 13),
    ("rsi", (14,), "value", talib.RSI(C, 14), 14),
    ("atr", (14,), "value", talib.ATR(H, L, C, 14), 14),
    ("adx", (14,), "value", talib.ADX(H, L, C, 14), SETTLED),
    ("adx", (14,), "plus", talib.PLUS_DI(H, L, C, 14), SETTLED),
    ("adx", (14,), "minus", talib.MINUS_DI(H, L, C, 14), SETTLED),
    ("macd", (12, 26, 9), "value", MACD[0], SETTLED),
    ("macd", (12, 26, 9), "signal", MACD[1], SETTLED),
    ("macd", (12, 26, 9), "histogram", MACD[2], SETTLED),
    ("obv", (), "value", talib.OBV(C, V) - V[0], 0),
    ("kama", (10, 2, 30), "value", talib.KAMA(C, 10), 10),
    ("psar", (0.02, 0.2), "value", PSAR, 1),
    ("supertrend", (10, 3.0), "value", talib.SUPERTREND(H, L, C, 10, 3.0)[0], 10),
]
"""Name, settings, output, what TA-Lib tells, and the bar from which on it is the same."""


@pytest.mark.parametrize(("name", "numbers", "output", "told", "since"), LIBRARY)
def test_an_indicator_is_what_talib_tells(
    name: str, numbers: tuple[float, ...], output: str, told: Floats, since: int
) -> None:
    found = batch(name, numbers, H, L, C, V, output)
    assert np.isfinite(told[since])
    np.testing.assert_allclose(found[since:], told[since:], rtol=1e-10, atol=1e-10)


def shown(count: int, rows: tuple[Floats, ...]) -> Bars:
    series = Series(size=count)
    for high, low, close, volume in zip(*rows, strict=True):
        series.append((close, high, low, close, volume))
    return Bars(series, count)


WINDOWS: list[tuple[Callable[[Bars], float | tuple[float, ...]], tuple[Floats, ...]]] = [
    (lambda bars: bars.sma(20), (talib.SMA(C, 20),)),
    (lambda bars: bars.wma(20), (talib.WMA(C, 20),)),
    (lambda bars: bars.bollinger(20, 2.0), talib.BBANDS(C, 20, 2.0, 2.0)[::-1]),
    (lambda bars: bars.zscore(20), ((C - talib.SMA(C, 20)) / talib.STDDEV(C, 20),)),
    (lambda bars: bars.highest(20), (talib.MAX(H, 20),)),
    (lambda bars: bars.lowest(20), (talib.MIN(L, 20),)),
    (lambda bars: bars.donchian(20), talib.DONCHIAN(H, L, 20)[::-1]),
    (lambda bars: bars.roc(20), (talib.ROC(C, 20),)),
    (lambda bars: bars.stochastic(14, 3, 5), talib.STOCH(H, L, C, 14, 3, slowd_period=5)),
    (lambda bars: bars.mfi(14), (talib.MFI(H, L, C, V, 14),)),
]


@pytest.mark.parametrize("number", range(len(WINDOWS)))
def test_a_window_of_bars_tells_what_talib_tells(number: int) -> None:
    ask, told = WINDOWS[number]
    found = ask(shown(60, (H, L, C, V)))
    np.testing.assert_allclose(found, [row[-1] for row in told], rtol=1e-9, atol=1e-9)


def column(rows: list[list[str]], name: str) -> Floats:
    place = [cell.strip() for cell in rows[0]].index(name)
    return np.array([float(row[place] or "nan") for row in rows[1:]])


def read(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return [row for row in csv.reader(file) if row]


def bars_of(rows: list[list[str]]) -> list[Floats]:
    names = {cell.strip().lower(): cell.strip() for cell in rows[0]}
    close = column(rows, names["close"])
    found = (names.get(name) for name in ("high", "low", "close", "volume"))
    return [column(rows, name) if name else close for name in found]


RECORDED = [
    (LEAN / "spy_atr_wilder.txt", "atr", (14,), "value", "Average True Range 14", 100, 1e-4),
    (LEAN / "spy_ema.csv", "ema", (14,), "value", "EMA14", 200, 1e-9),
    (LEAN / "spy_with_indicators.txt", "rsi", (14,), "value", "RSI 14 Wilder", 14, 1e-5),
    (LEAN / "spy_kama.txt", "kama", (5, 2, 30), "value", "KAMA_5", 5, 1e-9),
    (LEAN / "spy_with_adx.txt", "adx", (14,), "value", "ADX 14", 27, 2e-4),
    (TA / "cs-adx.csv", "adx", (14,), "plus", "+DI14", 14, 1e-6),
    (TA / "cs-adx.csv", "adx", (14,), "minus", "-DI14", 14, 1e-6),
    (TA / "cs-adx.csv", "adx", (14,), "value", "ADX", 27, 1e-6),
    (TA / "cs-obv.csv", "obv", (), "value", "OBV", 1, 1e-12),
    (TA / "cs-macd.csv", "macd", (12, 26, 9), "value", "MACD_line", 1, 1e-6),
    (TA / "cs-kama.csv", "kama", (10, 2, 30), "value", "KAMA", 12, 1e-2),
]
"""File, name, settings, output, column, the bar to begin with, and how many digits it has."""


@recorded
@pytest.mark.parametrize(("path", "name", "numbers", "output", "told", "since", "near"), RECORDED)
def test_an_indicator_is_what_others_recorded(
    path: Path,
    name: str,
    numbers: tuple[float, ...],
    output: str,
    told: str,
    since: int,
    near: float,
) -> None:
    rows = read(path)
    expected = column(rows, told)[since:]
    high, low, close, volume = np.nan_to_num(bars_of(rows))
    found = batch(name, numbers, high, low, close, volume, output)[since:]
    known = np.isfinite(expected)
    assert known.sum() > 10
    np.testing.assert_allclose(found[known], expected[known], rtol=near)


WINDOWS_RECORDED: list[tuple[Path, Callable[[Bars], float], str, int, float]] = [
    (
        LEAN / "spy_bollinger_bands.txt",
        lambda b: b.bollinger(20)[2],
        "Bollinger Bands® 20 2 Top",
        20,
        1e-5,
    ),
    (
        LEAN / "spy_with_don50.txt",
        lambda b: b.donchian(50)[1],
        "Donchian Channels 50 Mean",
        50,
        1e-5,
    ),
    (
        LEAN / "spy_with_roc50.txt",
        lambda b: b.roc(50) * b.close[0] / 100.0,
        "Rate of Change 50",
        51,
        1e-4,
    ),
    (LEAN / "spy_with_stoch12k3.txt", lambda b: b.stochastic(12, 3, 5)[1], "%D 5", 18, 1e-4),
    (TA / "cs-vwap.csv", lambda b: b.vwap(14), "vwap", 14, 1e-5),
    (LEAN / "spy_mfi.txt", lambda b: b.mfi(20), "Money Flow Index 20", 21, 1e-4),
    (TA / "cs-wma.csv", lambda b: b.wma(9), "WMA", 9, 1e-6),
    (TA / "cs-mfi.csv", lambda b: b.mfi(14), "MFI", 15, 1e-4),
    (TA / "cs-roc.csv", lambda b: b.roc(12), "ROC", 13, 1e-7),
]
"""File, question, column, how many bars it looks at, and how many digits the column has."""


@recorded
@pytest.mark.parametrize("number", range(len(WINDOWS_RECORDED)))
def test_a_window_of_bars_tells_what_others_recorded(number: int) -> None:
    path, ask, told, count, near = WINDOWS_RECORDED[number]
    rows = read(path)
    expected, series, found = column(rows, told), Series(size=count), []
    for high, low, close, volume in zip(*bars_of(rows), strict=True):
        series.append((close, high, low, close, volume))
        found.append(ask(Bars(series, count)))
    known = np.isfinite(expected) & np.isfinite(found)
    assert known.sum() > 5
    np.testing.assert_allclose(np.array(found)[known], expected[known], rtol=near, atol=near)
