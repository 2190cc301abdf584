"""Indicators tell bar by bar what they tell of all bars at once, to the last bit."""

from math import isfinite, nan

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.engine.batch import batch
from services.engine.indicators import KINDS, Indicator, make
from services.engine.series import Series

Bar = tuple[float, float, float, float]  # high, low, close, volume

CASES = [
    ("adx", (1,), 1, ("value", "plus", "minus")),
    ("adx", (3,), 5, ("value", "plus", "minus")),
    ("atr", (1,), 1, ("value",)),
    ("atr", (4,), 4, ("value",)),
    ("ema", (1,), 0, ("value",)),
    ("ema", (5,), 0, ("value",)),
    ("kama", (3, 2, 10), 3, ("value",)),
    ("macd", (2, 5, 3), 0, ("value", "signal", "histogram")),
    ("obv", (), 0, ("value",)),
    ("psar", (0.02, 0.2), 1, ("value", "rising")),
    ("rma", (3,), 2, ("value",)),
    ("rsi", (1,), 1, ("value",)),
    ("rsi", (4,), 4, ("value",)),
    ("supertrend", (3, 1.5), 3, ("value", "rising")),
]
"""Name, settings, the first bar with a value, outputs."""

prices = st.one_of(
    st.sampled_from([0.1, 100.0, 100.25, 101.0]),
    st.floats(1e-6, 1e6, allow_subnormal=False),
)
sizes = st.one_of(st.just(0.0), st.floats(0.0, 1e9, allow_subnormal=False))


@st.composite
def some_bars(draw: st.DrawFn) -> list[Bar]:
    told = draw(st.lists(st.tuples(prices, prices, prices, sizes), min_size=1, max_size=40))
    return [(max(bar[:3]), min(bar[:3]), bar[1], bar[3]) for bar in told]


def follow(indicator: Indicator, bars: list[Bar], outputs: tuple[str, ...]) -> np.ndarray:
    told = []
    for bar in bars:
        indicator.update(*bar)
        told.append([getattr(indicator, output) for output in outputs])
    return np.array(told, np.float64).T


def test_every_indicator_is_among_the_cases() -> None:
    assert {case[0] for case in CASES} == set(KINDS)


@settings(max_examples=60, deadline=None)
@given(some_bars())
def test_bar_by_bar_and_at_once_are_the_same_to_the_last_bit(bars: list[Bar]) -> None:
    high, low, close, volume = np.array(bars, np.float64).T
    for name, numbers, first, outputs in CASES:
        found = follow(make(name, *numbers), bars, outputs)
        for output, told in zip(outputs, found, strict=True):
            at_once = batch(name, numbers, high, low, close, volume, output)
            assert np.array_equal(told, at_once, equal_nan=True), (name, output)
        assert np.isnan(found[0, :first]).all(), name
        assert np.isfinite(found[:, first:]).all(), name


@settings(max_examples=30, deadline=None)
@given(some_bars(), st.integers(0, 40))
def test_a_snapshot_between_two_bars_changes_no_number(bars: list[Bar], cut: int) -> None:
    for name, numbers, _, outputs in CASES:
        whole, first = make(name, *numbers), make(name, *numbers)
        follow(first, bars[:cut], outputs)
        kept = msgspec.msgpack.encode(first)
        again = msgspec.msgpack.decode(kept, type=Indicator)
        assert msgspec.msgpack.encode(again) == kept, name
        told = follow(again, bars[cut:], outputs)
        assert np.array_equal(
            follow(whole, bars, outputs)[:, cut:], told.reshape(len(outputs), -1), equal_nan=True
        ), name


@settings(max_examples=30, deadline=None)
@given(some_bars())
def test_a_strength_index_stays_between_its_ends(bars: list[Bar]) -> None:
    rsi, adx = make("rsi", 3), make("adx", 3)
    values = follow(rsi, bars, ("value",))[0, 3:], follow(adx, bars, ("value",))[0, 5:]
    assert all(0.0 <= value <= 100.0 for told in values for value in told)


def flat(name: str, numbers: tuple[float, ...], volume: float) -> Indicator:
    indicator = make(name, *numbers)
    for _ in range(200):
        indicator.update(0.1, 0.1, 0.1, volume)
    return indicator


@pytest.mark.parametrize("volume", [0.0, 5.0])
def test_prices_that_never_move_have_a_middling_strength_and_no_range(volume: float) -> None:
    told = {case[0]: flat(case[0], case[1], volume).value for case in CASES}
    assert all(isfinite(value) for value in told.values()), told
    assert told["rsi"] == 50.0
    assert (told["atr"], told["adx"], told["macd"], told["obv"]) == (0.0, 0.0, 0.0, 0.0)
    assert (told["ema"], told["kama"], told["psar"]) == (0.1, 0.1, 0.1)


def test_no_bars_at_once_are_no_values() -> None:
    nothing = np.empty(0)
    for name, numbers, *_ in CASES:
        assert batch(name, numbers, nothing, nothing, nothing, nothing).shape == (0,)


BAD = [
    ("sma", (3,), "there is no indicator 'sma'; there are adx, atr, ema"),
    ("rsi", (0,), "rsi: bars is a whole number of bars, 1 or more; found 0"),
    ("ema", (-3,), "ema: bars is a whole number of bars, 1 or more; found -3"),
    ("atr", (2.5,), "atr: bars is a whole number of bars, 1 or more; found 2.5"),
    ("ema", (nan,), "ema: bars is a whole number of bars"),
    ("ema", ("3",), "ema: bars is a whole number of bars"),
    ("macd", (12, 0, 9), "macd: slow is a whole number of bars"),
    ("supertrend", (10, 0.0), "supertrend: factor is a number above 0; found 0.0"),
    ("psar", (0.02, -1.0), "psar: most is a number above 0"),
    ("ema", (), "ema is made of bars; found ()"),
    ("obv", (3,), "obv is made of nothing; found (3,)"),
]


@pytest.mark.parametrize(("name", "numbers", "why"), BAD)
def test_a_bad_setting_is_refused_with_what_is_expected(
    name: str, numbers: tuple[float, ...], why: str
) -> None:
    with pytest.raises(ValueError, match=r"indicator|whole number|above 0|made of") as refused:
        make(name, *numbers)
    assert str(refused.value).startswith(why)


def test_a_series_finds_an_indicator_again_after_a_snapshot_and_forgets_it_behind_a_hole() -> None:
    series = Series()
    for close in (100.0, 101.0, 103.0):
        series.append((close, close, close, close, 1.0))
    ema = series.indicator("ema", 3)
    assert series.indicator("ema", float(np.int64(3))) is ema is series.indicator("ema", 3.0)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(series), type=Series)
    assert again.indicator("ema", 3).value == ema.value == 101.75
    assert len(again.indicators) == 1
    again.append((105.0, 105.0, 105.0, 105.0, 1.0))
    assert again.indicator("ema", 3).value == 103.375
    again.clear()
    again.append((7.0, 7.0, 7.0, 7.0, 1.0))
    assert again.indicator("ema", 3).value == 7.0
