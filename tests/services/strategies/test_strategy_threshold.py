"""The strategy `threshold`: what it makes of a forecast, and how it sizes a position."""

from itertools import pairwise
from math import log, sqrt
from statistics import stdev
from typing import Any

import pytest

from services.engine.strategy import Target
from strategies.threshold import STOP_SHARE_MAX, STOP_SHARE_MIN, Threshold
from tests.services.strategies.desk import Desk

CLOSE = 60_000.0


def desk(wobble: float = 30.0, *, equity: float = 10_000.0, **params: Any) -> Desk:
    made = Desk(Threshold(Threshold.Params(**params)), equity=equity)
    made.bars(CLOSE + (wobble if n % 2 else -wobble) for n in range(240))
    made.price = CLOSE
    return made


def answer(made: Desk, probability: float) -> Target:
    found = made.forecasts(probability)
    assert found is not None
    return found


def test_the_size_is_what_a_stop_may_lose_and_at_most_the_worth() -> None:
    made = desk(risk_bps=20)
    closes = made.view().close.tolist()
    moves = [log(b) - log(a) for a, b in pairwise(closes)]
    share = 4.0 * stdev(moves) * sqrt(15)
    assert STOP_SHARE_MIN < share < STOP_SHARE_MAX
    target = answer(made, 0.6)
    assert target.kind == "notional"
    assert target.size == pytest.approx(20 / share)
    assert target.stop == pytest.approx(CLOSE * (1 - share))
    assert target.expires == made.now + 60 * made.bar_ns
    assert answer(desk(risk_bps=10_000), 0.6).size == 10_000


@pytest.mark.parametrize(("wobble", "share"), [(1, STOP_SHARE_MIN), (20_000, STOP_SHARE_MAX)])
def test_a_stop_is_never_too_near_or_too_far(wobble: float, share: float) -> None:
    assert answer(desk(wobble), 0.6).stop == pytest.approx(CLOSE * (1 - share))


@pytest.mark.parametrize(
    ("probability", "position", "kind"),
    [
        (0.529, 0.0, "keep"),
        (0.53, 0.0, "notional"),
        (0.53, 0.1, "keep"),
        (0.48, 0.1, "keep"),
        (0.479, 0.1, "flat"),
        (0.1, 0.0, "keep"),
    ],
)
def test_it_enters_at_one_probability_and_leaves_below_another(
    probability: float, position: float, kind: str
) -> None:
    made = desk()
    made.position = position
    assert answer(made, probability).kind == kind


def test_nothing_is_asked_before_the_warm_up() -> None:
    assert Desk(Threshold()).forecasts(0.9) is None


def test_a_deviation_that_is_not_known_buys_nothing() -> None:
    made = Desk(Threshold(), cold=True)
    made.bar(CLOSE)
    assert answer(made, 0.9) == Target.keep("the deviation is not known yet")


def test_who_has_lost_everything_does_not_go_short() -> None:
    assert answer(desk(equity=-5.0), 0.9).kind == "keep"


def test_the_notes_tell_what_decided() -> None:
    made = desk()
    answer(made, 0.6)
    names = [name for name, _ in made.strategy.take_notes()]
    assert names[:3] == ["probability", "source", "price"]
    assert {"enter", "deviation", "stop_share", "risked"} <= set(names)


@pytest.mark.parametrize("probability", [0.53, 0.6])
def test_an_exit_at_or_above_the_entry_is_refused(probability: float) -> None:
    with pytest.raises(ValueError, match=r"expected below enter, 0\.53; it would sell what"):
        Threshold.Params(exit=probability)
