"""Finds each planted bug: by the plan that found it last, and then through a thousand seeds."""

from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from tests.sim import mutants_known, mutants_placed, mutants_sent
from tests.sim.campaign import WORKERS, plans, say
from tests.sim.odds import Plan, plan_of
from tests.sim.planting import MUTANTS
from tests.sim.run import Result, run

HINTS = Path(__file__).with_name("mutants.txt")
SEEDS = 1_000
PLANTED = (mutants_known.__name__, mutants_sent.__name__, mutants_placed.__name__)
"""Where they are declared."""


def hints() -> dict[str, Plan]:
    """Return the plan that finds each mutant."""
    lines = HINTS.read_text().splitlines() if HINTS.exists() else []
    return {name: plan_of(text) for name, _, text in (line.partition(" ") for line in lines)}


def find(name: str, hint: Plan | None = None, seeds: int = SEEDS) -> Result | None:
    """Return the first failure that a planted bug alone makes, None when it survives all seeds."""
    for plan in (*filter(None, [hint]), *islice(plans(0), seeds)):
        with MUTANTS[name].planted():
            found = run(plan)
        if found.why and not run(plan).why:
            return found
    return None


def search_all(names: list[str]) -> int:
    """Search for all mutants, or some; say and keep what finds them; 1 when one survives."""
    if unknown := sorted(set(names) - set(MUTANTS)):
        say(f"sim: no mutant is called {', '.join(unknown)}; there are {', '.join(MUTANTS)}")
        return 2
    known, survived = hints(), []
    with ProcessPoolExecutor(WORKERS, get_context("spawn"), max_tasks_per_child=1) as pool:
        waiting = {pool.submit(find, name, known.get(name)): name for name in names or MUTANTS}
        for future in as_completed(waiting):
            name, found = waiting[future], future.result()
            if found is None:
                survived.append(name)
                known.pop(name, None)
            else:
                known[name] = found.plan
            say(
                f"{name}: "
                + (f"seed {found.plan.text}: {found.why[:110]}" if found else "SURVIVES")
            )
    HINTS.write_text("".join(f"{name} {known[name].text}\n" for name in MUTANTS if name in known))
    say(f"sim: {len(waiting)} mutants, {len(survived)} survive")
    return 1 if survived else 0
