"""The strategy `mean_reversion`: a fall is bought once, and given up at the mean or in time."""

from typing import Any

import pytest

from services.engine.strategy import Target
from strategies.mean_reversion import MeanReversion
from tests.services.strategies.desk import Desk, entries

QUIET = [100.0 + (n % 4 - 1.5) * 0.1 for n in range(240)]
FALL = [99.5, 99.0, 98.4, 97.8]


def desk(**params: Any) -> Desk:
    made = Desk(MeanReversion(MeanReversion.Params(**params)))
    made.bars(QUIET)
    return made


def fallen(**params: Any) -> tuple[Desk, Target]:
    made = desk(**params)
    for close in FALL:
        if found := entries([made.bar(close)]):
            return made, found[0]
    raise AssertionError("nothing was bought")


def test_a_quiet_market_is_left_alone() -> None:
    made = Desk(MeanReversion())
    assert not entries(made.bars(QUIET))


def test_a_deep_fall_is_bought_behind_a_stop_and_for_a_time() -> None:
    made, target = fallen()
    assert (target.kind, target.size, target.why) == ("weight", 0.2, "fell_too_far")
    assert target.stop == pytest.approx(made.price - 3 * made.view().atr(14))
    assert target.expires == made.now + 48 * made.bar_ns


def test_the_index_of_strength_has_to_agree() -> None:
    assert not entries(desk(rsi=1.0).bars(FALL))


def test_a_signal_is_bought_once_also_over_a_restart() -> None:
    made, _ = fallen()
    made.fills(2.0)
    made.fills(-2.0, leg="stop")
    made.restart()
    assert not entries(made.bars([made.price - n * 0.5 for n in range(1, 9)]))


def test_the_position_is_sold_at_the_mean() -> None:
    made, _ = fallen()
    made.fills(2.0)
    kept, sold = made.bar(98.0), made.bar(100.5)
    assert kept is None
    assert sold == Target.flat("mean_reached")


def test_the_next_fall_after_the_mean_is_bought_again() -> None:
    made, _ = fallen()
    made.bars(QUIET[:60])
    assert entries(made.bars(FALL))


def test_a_market_without_any_move_is_left_alone() -> None:
    assert not entries(Desk(MeanReversion()).bars([100.0] * 240))


def test_it_leaves_above_where_it_enters() -> None:
    with pytest.raises(ValueError, match=r"leave is -2\.0: expected above -2\.0"):
        MeanReversion.Params(leave=-2.0)
