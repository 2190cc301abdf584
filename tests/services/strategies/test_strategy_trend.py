"""The strategy `trend`: when it buys, how its stop follows, and that a stopped trend is over."""

from typing import Any

import pytest

from strategies.trend import Trend
from tests.services.strategies.desk import Desk, entries

FALL = [100.0 - n * 0.1 for n in range(200)]
RISE = [FALL[-1] + n * 0.2 for n in range(1, 60)]


def desk(hours: float = 70.0, **params: Any) -> Desk:
    made = Desk(Trend(Trend.Params(**params)))
    made.feed("1h", [hours] * 100)
    return made


def rising(hours: float = 70.0) -> Desk:
    made = desk(hours)
    made.bars(FALL)
    while not entries([made.bar(made.price + 0.2)]):
        assert made.price < 200
    return made


def test_nothing_is_bought_while_the_fast_mean_is_below() -> None:
    assert {a.why for a in desk().bars(FALL) if a} == {"cross_down"}


def test_it_buys_when_the_fast_mean_is_above_the_slow_one() -> None:
    made = desk()
    made.bars(FALL)
    target = entries(made.bars(RISE))[0]
    closes = made.view().close
    assert closes[-10:].mean() > closes[-30:].mean()
    assert (target.kind, target.size, target.why) == ("weight", 0.2, "cross_up")


def test_the_stop_lies_two_ranges_below_the_close() -> None:
    made = rising()
    again = made.bar(made.price + 0.2)
    assert again is not None
    assert again.stop == pytest.approx(made.price - 2 * made.view().atr(14))


def test_a_stop_rises_with_the_price_and_never_falls() -> None:
    made = rising()
    made.fills(2.0)
    stops = [t.stop for t in entries(made.bars([made.price + n % 3 * 0.3 for n in range(12)]))]
    assert len(stops) > 3
    assert stops == sorted(stops)


def test_a_close_below_the_stop_is_left_at_once() -> None:
    made = rising()
    made.fills(2.0)
    answer = made.bar(made.strategy.state.stop - 0.01)
    assert answer is not None
    assert (answer.kind, answer.why) == ("flat", "below_stop")


def test_a_trend_that_its_stop_ended_is_not_bought_again() -> None:
    made = rising()
    made.fills(2.0)
    made.fills(-2.0, leg="stop")
    made.restart()
    assert {a.why for a in made.bars([made.price + n * 0.2 for n in range(9)]) if a} == {
        "stopped_out"
    }
    made.bars([made.price - n * 0.5 for n in range(60)])
    assert not made.strategy.state.out
    assert entries(made.bars([made.price + n * 0.5 for n in range(60)]))


def test_nothing_is_bought_against_the_hour() -> None:
    made = desk(hours=1000.0)
    answers = made.bars(FALL + RISE)
    assert not entries(answers)
    assert answers[-1] is not None
    assert answers[-1].why == "against_the_hour"


def test_nothing_is_asked_before_the_hours_are_there() -> None:
    made = Desk(Trend())
    made.feed("1h", [70.0] * 99)
    assert made.bars(FALL + RISE) == [None] * len(FALL + RISE)


def test_a_market_that_stands_still_has_no_range_to_trade() -> None:
    assert not entries(desk().bars([100.0] * 260))


def test_a_fast_mean_is_shorter_than_a_slow_one() -> None:
    with pytest.raises(ValueError, match="fast is 40: expected below slow, 30"):
        Trend.Params(fast=40)
