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
