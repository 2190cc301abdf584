"""Under random kills, power cuts, losses and repeats every subscriber gets the same whole story.

And the schedules can tell: each mutant of the system is caught by them.
"""

from pathlib import Path

import pytest

from tests.bus.rigs import A, B, DiskRig, MemoryRig
from tests.bus.schedules import MUTANTS, Rules, World

STEPS = 80
SEEDS = 1000
SEEDS_SLOW = 10_000


def run(rules: Rules, first: int, last: int) -> None:
    for seed in range(first, last):
        World(MemoryRig((A, B)[seed % 2]), rules, seed).run(STEPS)


def run_on_disk(root: Path, first: int, last: int) -> None:
    for seed in range(first, last):
        World(DiskRig(root / str(seed), (A, B)[seed % 2]), Rules(), seed).run(STEPS)


def test_no_schedule_loses_doubles_or_reorders_anything() -> None:
    run(Rules(), 0, SEEDS)


@pytest.mark.parametrize("name", MUTANTS)
def test_the_schedules_catch_a_system_that(name: str) -> None:
    with pytest.raises(AssertionError):
        run(MUTANTS[name], 0, SEEDS)


def test_the_same_holds_for_files(tmp_path: Path) -> None:
    run_on_disk(tmp_path, 0, 12)


@pytest.mark.slow
def test_no_schedule_of_many_loses_doubles_or_reorders_anything(tmp_path: Path) -> None:
    run(Rules(), SEEDS, SEEDS_SLOW)
    run_on_disk(tmp_path, 100, 300)
