"""Features: finite, bounded, free of scale, of the past alone, and the same however they come."""

import math
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.market import Bar
from services.predictor.features import (
    BOUND,
    DIRECTIONLESS,
    GAP_BARS_MAX,
    LOOKBACK,
    NAMES,
    Vector,
    Window,
    is_next,
    update,
)
from services.predictor.outcomes import UNSAID, Line, advance, await_outcome
from tests.services.predictor.markets import bar, moved, walk

PRICES = st.integers(1, (1 << 63) - 1)


@st.composite
def markets(draw: st.DrawFn) -> list[Bar]:
    """Any positive prices and volumes, in any order of high and low, with holes between them."""
    shape = st.tuples(PRICES, PRICES, PRICES, st.integers(0, 1 << 62), st.integers(1, 14))
    few = draw(st.lists(shape, min_size=1, max_size=8))
    minute, found = 0, []
    for n in range(LOOKBACK + 10):
        close, high, low, volume, step = few[n % len(few)]
        minute += step if n < 4 else 1
        found.append(bar(minute, open=close, close=close, high=high, low=low, volume=volume))
    return found


def vectors(bars: list[Bar]) -> list[Vector | None]:
    window = Window()
    return [update(window, one) for one in bars]


def named(vector: Vector | None) -> dict[str, float]:
    assert vector is not None
    return dict(zip(NAMES, vector, strict=True))


@given(markets())
def test_any_positive_market_has_finite_and_bounded_features(bars: list[Bar]) -> None:
    found = vectors(bars)
    assert found[-1] is not None
    for vector in filter(None, found):
        assert len(vector) == len(NAMES)
        assert all(math.isfinite(value) and abs(value) <= BOUND for value in vector)


def test_a_market_that_stands_still_has_no_direction() -> None:
    found = named(vectors([bar(n, volume=0) for n in range(LOOKBACK + 1)])[-1])
    assert all(value == 0 for name, value in found.items() if name not in DIRECTIONLESS)


def test_features_come_once_the_window_is_full() -> None:
    found = vectors(walk(LOOKBACK + 3))
    assert [vector is None for vector in found] == [True] * LOOKBACK + [False] * 3


@given(st.integers(LOOKBACK + 1, 140), st.integers(0, 5))
def test_features_are_those_of_the_last_bars_alone(count: int, seed: int) -> None:
    bars = walk(150, seed)[:count]
    assert vectors(bars)[-1] == vectors(bars[-LOOKBACK - 1 :])[-1]


def test_a_window_goes_on_the_same_after_a_snapshot() -> None:
    bars = walk(100)
    window = Window()
    for one in bars[:80]:
        update(window, one)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(window), type=Window)
    assert [update(again, one) for one in bars[80:]] == [update(window, one) for one in bars[80:]]


@given(st.integers(LOOKBACK, 118))
def test_the_future_changes_no_feature(now: int) -> None:
    one, other = walk(120, seed=1), walk(120, seed=2)
    assert vectors(one)[: now + 1] == vectors(one[: now + 1] + other[now + 1 :])[: now + 1]


def test_features_do_not_hang_on_the_price_itself() -> None:
    bars = walk(80)
    cheap, dear = vectors(bars)[-1], vectors(moved(bars, 1000))[-1]
    assert named(cheap) == pytest.approx(named(dear), abs=1e-9)


def test_a_market_upside_down_changes_the_sign_of_what_has_a_direction() -> None:
    bars = walk(80)
    turned = [
        bar(n, 1e4 / (b.close / 1e4), high=round(1e12 / b.low), low=round(1e12 / b.high),
            volume=b.volume)
        for n, b in enumerate(bars)
    ]  # fmt: skip
    one, other = named(vectors(bars)[-1]), named(vectors(turned)[-1])
    for name in NAMES:
        wanted = one[name] if name in DIRECTIONLESS else -one[name]
        assert other[name] == pytest.approx(wanted, abs=1e-3), name


def test_a_short_hole_is_the_price_standing_still() -> None:
    bars = walk(90)
    close = bars[80].close
    still = [
        bar(n, open=close, high=close, low=close, close=close, volume=0) for n in range(81, 85)
    ]
    whole = vectors([*bars[:81], *still, *bars[85:]])
    assert vectors([*bars[:81], *bars[85:]])[-5:] == whole[-5:]


def test_after_a_long_hole_the_window_begins_again() -> None:
    bars = walk(200)
    hole = GAP_BARS_MAX + 1
    found = vectors(bars[:70] + bars[70 + hole :])
    assert found[69] is not None
    assert found[70 : 70 + LOOKBACK] == [None] * LOOKBACK
    assert found[70 + LOOKBACK] == vectors(bars[70 + hole :])[LOOKBACK]


def test_a_bar_that_is_no_news_or_no_market_is_none_that_is_next() -> None:
    window = Window()
    update(window, bar(5))
    assert is_next(window, bar(6))
    assert not is_next(window, bar(5))
    assert not is_next(window, bar(4))
    assert not is_next(window, bar(6, low=0))


def outcomes(bars: list[Bar], horizon: int) -> dict[int, bool]:
    line = Line()
    found: dict[int, bool] = {}
    for one in bars:
        features, came = advance(line, one)
        found |= {outcome.sample.due_ns: outcome.up for outcome in came}
        if features is not None:
            await_outcome(line, one, features, horizon)
    return found


def test_an_outcome_is_the_close_a_horizon_later() -> None:
    bars = walk(120)
    found = outcomes(bars, 15)
    closes = {one.ts_event: one.close for one in bars}
    assert len(found) == 120 - LOOKBACK - 15
    for due_ns, up in found.items():
        assert up == (closes[due_ns] > closes[due_ns - 15 * 60_000_000_000])


def test_an_outcome_in_a_hole_is_the_close_before_it() -> None:
    bars = walk(120)
    found = outcomes(bars[:90] + bars[95:], 3)
    assert found[bars[91].ts_event] == (bars[89].close > bars[88].close)


def test_no_outcome_reaches_over_a_long_hole() -> None:
    bars = walk(300)
    found = outcomes(bars[:90] + bars[190:], 15)
    assert not [due for due in found if bars[89].ts_event < due < bars[190 + LOOKBACK].ts_event]


def test_of_a_long_horizon_few_samples_wait_at_once() -> None:
    line = Line()
    for one in walk(400):
        features, _ = advance(line, one)
        if features is not None:
            await_outcome(line, one, features, 240)
    assert 10 <= len(line.waiting) <= 20
    gaps = {later.due_ns - earlier.due_ns for earlier, later in pairwise(line.waiting)}
    assert gaps == {16 * 60_000_000_000}
    assert line.waiting[0].probability == UNSAID
