"""What a window of bars tells: of its bars alone, never of nothing, never a division by zero."""

from collections.abc import Callable
from math import isfinite, isnan, log, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.engine.bars import Bars
from services.engine.series import Series

Answer = float | tuple[float, ...]

QUESTIONS: dict[str, tuple[Callable[[Bars], Answer], int]] = {
    "sma": (lambda bars: bars.sma(5), 5),
    "wma": (lambda bars: bars.wma(5), 5),
    "deviation": (lambda bars: bars.deviation(5), 6),
    "bollinger": (lambda bars: bars.bollinger(5), 5),
    "zscore": (lambda bars: bars.zscore(5), 5),
    "highest": (lambda bars: bars.highest(5), 5),
    "lowest": (lambda bars: bars.lowest(5), 5),
    "donchian": (lambda bars: bars.donchian(5), 5),
    "roc": (lambda bars: bars.roc(5), 6),
    "stochastic": (lambda bars: bars.stochastic(3, 2, 2), 5),
    "mfi": (lambda bars: bars.mfi(5), 6),
    "vwap": (lambda bars: bars.vwap(5), 5),
}
"""What is asked, and how many bars it looks at."""

ROWS = [
    (100.0 + step * step % 7, 1.0 + step % 3, float(step % 2), 3.0 + step % 5) for step in range(40)
]


def told(answer: Answer) -> tuple[float, ...]:
    return answer if isinstance(answer, tuple) else (answer,)


def shown(rows: list[tuple[float, float, float, float]], count: int) -> Bars:
    series = Series(size=count)
    for close, up, down, volume in rows:
        series.append((close, close + up, close - down, close, volume))
    return Bars(series, count)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_hangs_on_the_bars_that_it_looks_at_alone(name: str) -> None:
    ask, wanted = QUESTIONS[name]
    whole = told(ask(shown(ROWS, 20)))
    assert whole == told(ask(shown(ROWS[-wanted:], wanted)))
    assert whole == told(ask(shown(ROWS[17:], 11)))
    assert all(isinstance(value, float) and isfinite(value) for value in whole)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_is_nan_while_too_few_bars_have_closed(name: str) -> None:
    ask, wanted = QUESTIONS[name]
    assert all(isnan(value) for value in told(ask(shown(ROWS[: wanted - 1], 20))))
    assert all(isnan(value) for value in told(ask(shown([], 20))))


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_for_more_bars_than_declared_is_refused_with_the_remedy(name: str) -> None:
    ask, wanted = QUESTIONS[name]
    with pytest.raises(ValueError, match=f"{wanted} closed bars.*write warmup = {wanted}") as why:
        ask(shown(ROWS, wanted - 1))
    assert str(why.value).startswith(name if name != "donchian" else "lowest")


@pytest.mark.parametrize("bars", [0, -1, 2.5])
def test_a_length_that_is_no_number_of_bars_is_refused(bars: Any) -> None:
    view = shown(ROWS, 20)
    for ask in (view.sma, view.wma, view.deviation, view.roc, view.stochastic, view.mfi, view.ema):
        with pytest.raises(ValueError, match="is a whole number of bars"):
            ask(bars)


@pytest.mark.parametrize("volume", [0.0, 2.0])
def test_prices_that_never_move_divide_nothing_by_zero(volume: float) -> None:
    bars = shown([(0.1, 0.0, 0.0, volume) for _ in range(30)], 20)
    assert (bars.zscore(20), bars.deviation(19), bars.roc(19)) == (0.0, 0.0, 0.0)
    assert bars.bollinger(20) == (0.1, 0.1, 0.1)
    assert bars.stochastic() == (50.0, 50.0)
    assert bars.mfi() == 50.0
    assert bars.vwap(20) == pytest.approx(0.1)


def test_bars_without_volume_have_a_plain_mean_and_no_flow() -> None:
    bars = shown([(close, up, down, 0.0) for close, up, down, _ in ROWS], 20)
    typical = (bars.high + bars.low + bars.close) / 3.0
    assert bars.vwap(20) == typical.mean()
    assert bars.mfi() == 50.0


def test_a_deviation_is_that_of_log_returns_as_of_a_sample() -> None:
    bars = shown([(close, 0.0, 0.0, 1.0) for close in (100.0, 110.0, 99.0, 121.0)], 4)
    moves = [log(1.1), log(0.9), log(121.0 / 99.0)]
    mean = sum(moves) / 3
    assert bars.deviation(3) == pytest.approx(sqrt(sum((m - mean) ** 2 for m in moves) / 2))


def test_an_author_reads_every_output_of_an_indicator() -> None:
    bars = shown(ROWS, 40)
    line, signal, histogram = bars.macd(3, 6, 4)
    assert histogram == line - signal
    assert line == bars.ema(3) - bars.ema(6)
    plus, minus = bars.di(5)
    assert 0.0 < plus < 100.0 and 0.0 < minus < 100.0 and 0.0 < bars.adx(5) < 100.0
    for stop, rising in (bars.supertrend(5, 2.0), bars.psar()):
        assert bool(stop < bars.close[-1]) is rising
    others = (bars.rma(5), bars.rsi(5), bars.atr(5), bars.kama(5), bars.obv())
    assert all(isfinite(value) for value in others)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(1e-6, 1e6, allow_subnormal=False), min_size=20, max_size=30))
def test_a_window_tells_finite_numbers_within_their_bounds(closes: list[float]) -> None:
    bars = shown([(close, close / 7, close / 9, 1.0) for close in closes], 20)
    answers = [value for ask, _ in QUESTIONS.values() for value in told(ask(bars))]
    assert all(isfinite(value) for value in answers)
    near = 1e-9
    assert -near <= bars.stochastic(5)[0] <= 100.0 + near
    assert 0.0 <= bars.mfi(5) <= 100.0 + near
    assert bars.lowest(9) <= bars.vwap(9) * (1.0 + near)
    assert bars.vwap(9) <= bars.highest(9) * (1.0 + near)
    assert np.all(np.diff(bars.bollinger(9)) >= 0.0)
