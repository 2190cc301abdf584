"""Every planted bug of the order path is found by the simulator: else it is too weak."""

import pytest

from tests.sim.mutants_found import PLANTED, find, hints
from tests.sim.planting import MUTANTS

LEAST = 25


def test_there_are_enough_mutants_and_each_says_where_it_was_met() -> None:
    assert PLANTED
    assert len(MUTANTS) >= LEAST
    assert all(mutant.body.__doc__ for mutant in MUTANTS.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_found(name: str) -> None:
    """Plant it, and run the plan that found it last, and then as many seeds as it takes."""
    found = find(name, hints().get(name))
    assert found is not None, f"{name} survives: {MUTANTS[name].body.__doc__}"
