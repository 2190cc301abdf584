"""What a corrected bar changes of a window, and what it leaves as it was said."""

import msgspec
import pytest

from schema.market import Bar
from services.predictor.core import Predictor
from services.predictor.features import LOOKBACK, Window, amend, update
from tests.services.predictor.markets import bar, settings, walk


def filled(bars: list[Bar]) -> Window:
    window = Window()
    for one in bars:
        update(window, one)
    return window


def again(one: Bar, **changes: int) -> Bar:
    return msgspec.structs.replace(one, revision=1, **changes)


@pytest.mark.parametrize("minute", [3, LOOKBACK + 5, LOOKBACK + 28, LOOKBACK + 29])
def test_a_window_that_is_amended_is_one_that_was_filled_with_what_is_right(minute: int) -> None:
    bars = walk(LOOKBACK + 30)
    right = again(bars[minute], close=1_040_000, high=1_050_000, low=900_000, volume=7)
    window = filled(bars)
    amend(window, right)
    fresh = filled([*bars[:minute], right, *bars[minute + 1 :]])
    assert window == fresh
    assert update(window, bar(LOOKBACK + 30)) == update(fresh, bar(LOOKBACK + 30))


def test_the_price_that_stood_still_behind_a_bar_follows_it() -> None:
    bars = [one for n, one in enumerate(walk(LOOKBACK + 30)) if n not in {50, 51, 52}]
    right = again(bars[49], close=1_040_000, high=1_050_000)
    window = filled(bars)
    amend(window, right)
    assert window == filled([*bars[:49], right, *bars[50:]])


@pytest.mark.parametrize("minute", [0, LOOKBACK + 31])
def test_a_correction_beyond_the_window_changes_nothing(minute: int) -> None:
    window = filled(walk(LOOKBACK + 30))
    before = msgspec.msgpack.encode(window)
    amend(window, again(bar(minute), close=5))
    assert msgspec.msgpack.encode(window) == before


def test_a_corrected_bar_is_forecast_of_once() -> None:
    core, bars = Predictor(settings()), walk(LOOKBACK + 20)
    said = [out for one in bars for out in core.handle(one, one.ts_event)]
    right = again(bars[-1], close=1_040_000, high=1_050_000)
    assert said
    assert core.handle(right, right.ts_event) == []
    assert core.state.windows.lines["BTC/USDT"].window.highs[-1] == pytest.approx(4.654, abs=1e-3)
