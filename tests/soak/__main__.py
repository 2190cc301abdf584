"""`make soak`: what holds for an hour or at a hundred million rows; each figure as a JSON line.

`ONLY=shards`, `SERIES=n` (a series is a year and a month of minutes), `KILLS=n`; `ONLY=sim`,
`MINUTES=n`, `FROM=k`: the seeds of the simulator for an hour.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator

from tests.bench import shards_keep, shards_read
from tests.bench.figure import Figure
from tests.bench.shards_place import market
from tests.sim.campaign import Campaign, say

SERIES = 176  # a hundred million bars
KILLS = 500
MINUTES = 60
FIRST = 1_000_000
"""The first seed of an hour, far from those that every check runs."""

OFTEN = 100
SLOWER_MAX = 2.0
VIEW_US_MAX = 20_000.0


def shards() -> Iterator[Figure]:
    """Read a hundred million bars and a million in turns; kill a writer hundreds of times."""
    with market(_number("SERIES", SERIES)) as big, market(2) as small:
        yield Figure("shards.bars", float(big.bars), float(small.bars), "bars")
        yield from shards_read.sizes(big)
        yield from shards_read.scale(big, small, "soak")
        yield from shards_read.scan(big)
    yield from shards_keep.recovery(_number("KILLS", KILLS))


def sim() -> Iterator[Figure]:
    """Run seeds for an hour; every fault and every step of an order has to occur often."""
    campaign = Campaign(0, _number("MINUTES", MINUTES), _number("FROM", FIRST))
    campaign.run()
    say(campaign.table())
    say(campaign.line())
    yield Figure("sim.seeds", float(campaign.seeds), float(campaign.events), "seeds")
    yield Figure("sim.failed", float(len(campaign.failed)), 0.0, "seeds")
    rare = campaign.missing(OFTEN)
    if rare:
        say(f"sim: occurred less than {OFTEN} times: {'; '.join(rare)}")
    yield Figure("sim.rare", float(len(rare)), 0.0, "kinds")


FAMILIES: dict[str, Callable[[], Iterator[Figure]]] = {"shards": shards, "sim": sim}


def main(only: list[str]) -> None:
    """Run some families, or all; exit 1 when a promise is broken."""
    unknown = sorted(set(only) - set(FAMILIES))
    if unknown:
        sys.exit(f"soak: no family {', '.join(unknown)}; there are {', '.join(FAMILIES)}")
    broken = []
    for name in only or FAMILIES:
        for figure in FAMILIES[name]():
            sys.stdout.write(json.dumps(figure.row()) + "\n")
            sys.stdout.flush()
            broken += _broken(figure)
    if broken:
        sys.exit(f"soak: broken: {'; '.join(broken)}")


def _broken(figure: Figure) -> list[str]:
    if figure.name == "shards.recovery_lost" and figure.ours:
        return [f"{figure.ours:.0f} kills lost a row that was acknowledged"]
    if figure.name in {"sim.failed", "sim.rare"} and figure.ours:
        return [f"{figure.name} is {figure.ours:.0f}"]
    if not figure.name.startswith("shards.scale_"):
        return []
    found = []
    if figure.ratio > SLOWER_MAX:
        found.append(f"{figure.name} is {figure.ratio:.1f} times slower in the big market")
    if figure.name.endswith("view") and figure.ours > VIEW_US_MAX:
        found.append(f"{figure.name} takes {figure.ours / 1e3:.0f} ms")
    return found


def _number(name: str, default: int) -> int:
    said = os.environ.get(name) or str(default)
    if not said.isdecimal() or int(said) < 1:
        sys.exit(f"soak: {name} is {said!r}, expected a whole number from 1 on")
    return int(said)


if __name__ == "__main__":
    main([name for arg in sys.argv[1:] for name in arg.split()])
