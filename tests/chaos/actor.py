"""One of the small services as a process: `python -m tests.chaos.actor ROLE [UNTIL RATE]`."""

import sys

from bus.clock import Clock
from bus.house import House
from bus.process import main
from bus.service import Parts
from tests.chaos.parts import Mint, Sieve, Tally
from tests.chaos.shelf import CountStore


def run(role: str, until: int, rate: int) -> None:
    """Be a mint, a sieve or a tally, until told to stop."""

    def build(house: House, clock: Clock) -> Parts:
        if role == Mint.name:
            return Parts(Mint(until, rate))
        if role == Sieve.name:
            return Parts(Sieve())
        return Parts(Tally(), store=CountStore(house.db_dir, clock, house.settings.writer))

    main(role, build)


if __name__ == "__main__":
    run(sys.argv[1], *map(int, sys.argv[2:4]))
