"""`python -m tests.sim`: the order path under everything that can happen to it, by seeds.

`SEEDS=n` or `MINUTES=n`, `FROM=k`; `again "PLAN"`: one plan anew; `mutants`: the planted bugs.
"""

import os
import sys

from tests.sim.campaign import Campaign, say
from tests.sim.mutants_found import search_all
from tests.sim.odds import plan_of
from tests.sim.run import run, shrink, told

SEEDS = 300


def main(args: list[str]) -> int:
    """Do what was asked; 1 when something does not hold, 2 when it cannot be understood."""
    match args:
        case []:
            return _campaign()
        case ["again", text]:
            return _again(text)
        case ["mutants", *names]:
            return search_all(names)
    say(str(__doc__))
    return 2


def _campaign() -> int:
    minutes, seeds = _number("MINUTES"), _number("SEEDS")
    campaign = Campaign(seeds or (0 if minutes else SEEDS), minutes, _number("FROM"))
    campaign.run()
    say(campaign.table())
    missing = campaign.missing(1)
    if missing:
        say(f"never occurred: {'; '.join(missing)}")
    say(campaign.line())
    return 1 if campaign.failed else 0


def _again(text: str) -> int:
    try:
        plan = plan_of(text)
    except ValueError as error:
        say(f"sim: {error}")
        return 2
    result = run(plan)
    if not result.why:
        say(f"sim: {plan.text}: all held; {result.events} events, trace {result.trace}")
        return 0
    say(told(shrink(result)))
    return 1


def _number(name: str) -> int:
    said = os.environ.get(name) or "0"
    if not said.isdecimal():
        sys.exit(f"sim: {name} is {said!r}, expected a whole number")
    return int(said)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
