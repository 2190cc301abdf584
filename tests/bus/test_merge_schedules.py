"""Under random kills, power cuts, losses and repeats every subscriber gets the same whole story.

And the schedules can tell: each mutant of the system is caught by a tenth of those that the system
as it ships passes.
"""

from pathlib import Path

import pytest

from bus.errors import JournalError
from tests.bus.byte_schedules import ByteRig, ByteWorld
from tests.bus.joiners import JoinWorld, caught, rig
from tests.bus.mutants import BYTE_MUTANTS, JOIN_MUTANTS, MUTANTS, Rules
from tests.bus.rigs import A, B, DiskRig, MemoryRig
from tests.bus.schedules import World

STEPS = 80
SEEDS = 1000
SEEDS_OF_MUTANTS = SEEDS // 10
SEEDS_SLOW = 10_000
JOINS = 150
BYTES = 40
BYTES_SLOW = 150


def run(rules: Rules, first: int, last: int) -> None:
    for seed in range(first, last):
        World(MemoryRig((A, B)[seed % 2]), rules, seed).run(STEPS)


def run_on_disk(root: Path, first: int, last: int) -> None:
    for seed in range(first, last):
        World(DiskRig(root / str(seed), (A, B)[seed % 2]), Rules(), seed).run(STEPS)


def run_bytes(root: Path, rules: Rules, seed: int) -> ByteWorld:
    """Let a schedule end in which bytes go bad."""
    world = ByteWorld(ByteRig(root / str(seed), (A, B)[seed % 2], rules), rules, seed)
    world.run(STEPS)
    return world


def is_caught(root: Path, rules: Rules, seed: int) -> bool:
    """Return whether bad bytes tell a system from the right one."""
    try:
        run_bytes(root, rules, seed)
    except (AssertionError, JournalError):
        return True
    return False


def run_joins(first: int, last: int) -> int:
    """Return how many began with a snapshot."""
    worlds = [JoinWorld(rig(), Rules(), seed) for seed in range(first, last)]
    for world in worlds:
        world.run(STEPS)
    return sum(world.joined for world in worlds)


def test_no_schedule_loses_doubles_or_reorders_anything() -> None:
    run(Rules(), 0, SEEDS)


@pytest.mark.parametrize("name", MUTANTS)
def test_the_schedules_catch_a_system_that(name: str) -> None:
    with pytest.raises(AssertionError):
        run(MUTANTS[name], 0, SEEDS_OF_MUTANTS)


def test_the_same_holds_for_files(tmp_path: Path) -> None:
    run_on_disk(tmp_path, 0, 12)


def test_torn_tails_cost_nothing_and_damage_is_never_passed(tmp_path: Path) -> None:
    worlds = [run_bytes(tmp_path, Rules(), seed) for seed in range(BYTES)]
    assert sum(world.rig.rotten is not None for world in worlds) > BYTES // 2
    assert sum(one.told for world in worlds for one in world.subscribers) > BYTES // 2


@pytest.mark.parametrize("name", BYTE_MUTANTS)
def test_bad_bytes_catch_a_system_that(tmp_path: Path, name: str) -> None:
    assert any(is_caught(tmp_path, BYTE_MUTANTS[name], seed) for seed in range(4))


def test_whoever_joins_late_stands_where_all_others_stand() -> None:
    assert run_joins(0, JOINS) > JOINS


@pytest.mark.parametrize("name", JOIN_MUTANTS)
def test_joiners_catch_a_system_that(name: str) -> None:
    assert any(caught(JOIN_MUTANTS[name], seed, STEPS) for seed in range(JOINS // 10))


@pytest.mark.slow
def test_no_schedule_of_many_loses_doubles_or_reorders_anything(tmp_path: Path) -> None:
    run(Rules(), SEEDS, SEEDS_SLOW)
    run_on_disk(tmp_path, 100, 140)
    run_joins(JOINS, 5 * JOINS)
    for seed in range(BYTES, BYTES_SLOW):
        run_bytes(tmp_path / "bytes", Rules(), seed)
