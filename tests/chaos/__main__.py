"""`make chaos`: processes die by the hundred, and a line of JSON says what that cost.

`ONLY=bus`, `SEED=n`, `MESSAGES=n`, `KILLS=n`.
"""

import os
import sys

import msgspec

from tests.chaos.storm import Storm, rage
from tests.services.bare import bare_house

FAMILIES = ("bus",)
MESSAGES = 10_000_000
KILLS = 200


def main(only: list[str]) -> None:
    """Run some families, or all; exit 5 when anything was lost, doubled or out of order."""
    unknown = sorted(set(only) - set(FAMILIES))
    if unknown:
        sys.exit(f"chaos: no family {', '.join(unknown)}; there are {', '.join(FAMILIES)}")
    storm = Storm(
        messages=_number("MESSAGES", MESSAGES),
        kills=_number("KILLS", KILLS),
        seed=_number("SEED", int.from_bytes(os.urandom(4), "little")),
    )
    sys.stderr.write(
        f"chaos: SEED={storm.seed}, {storm.messages} messages, {storm.kills} kills, "
        f"about {storm.messages // storm.rate} s\n"
    )
    with bare_house() as house:
        report = rage(house, storm)
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    if report.lost or report.doubled or report.reordered or report.differences:
        sys.exit(5)


def _number(name: str, default: int) -> int:
    said = os.environ.get(name) or str(default)
    if not said.isdecimal() or int(said) < 1:
        sys.exit(f"chaos: {name} is {said!r}, expected a whole number from 1 on")
    return int(said)


if __name__ == "__main__":
    main([name for arg in sys.argv[1:] for name in arg.split()])
