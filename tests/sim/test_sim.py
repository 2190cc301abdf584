"""The order path under everything that can happen to it, by seeds; a failing one names itself."""

from pathlib import Path

import pytest

from tests.sim.story import Story

SEEDS = 24


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_order_is_lost_doubled_or_forgotten(seed: int, tmp_path: Path) -> None:
    """Live through the story of one seed."""
    Story(tmp_path, seed).run()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1_000, 1_000 + SEEDS // 3))
def test_nor_where_a_strategy_sells_what_it_does_not_have(seed: int, tmp_path: Path) -> None:
    """The same, with positions below zero out of what the account holds."""
    Story(tmp_path, seed, flips=True).run()
