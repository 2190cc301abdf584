"""`make chaos`: processes die by the hundred, and a line of JSON says what that cost.

`ONLY=bus`, `SEED=n`, `MESSAGES=n`, `KILLS=n`; of `ONLY=shards`, `SEED=n`, `SECONDS=n`; of
`ONLY=orders`, `SEED=n`, `CELLS=n` of the matrix or all, and names in `SERVICE`, `STEP`, `FAULT`.
"""

import os
import sys
from collections.abc import Callable

import msgspec

from tests.chaos import orders_storm, shards_storm
from tests.chaos.orders_cells import matrix, sample
from tests.chaos.storm import Storm, rage
from tests.services.bare import bare_house

MESSAGES = 10_000_000
KILLS = 200
SECONDS = 180
CELL_S = 7


def main(only: list[str]) -> None:
    """Run some families, or all; exit 5 when anything was lost, doubled or differs."""
    unknown = sorted(set(only) - set(FAMILIES))
    if unknown:
        sys.exit(f"chaos: no family {', '.join(unknown)}; there are {', '.join(FAMILIES)}")
    whole = [FAMILIES[name]() for name in only or FAMILIES]
    if not all(whole):
        sys.exit(5)


def _bus() -> bool:
    storm = Storm(
        messages=_number("MESSAGES", MESSAGES), kills=_number("KILLS", KILLS), seed=_seed()
    )
    sys.stderr.write(
        f"chaos: bus SEED={storm.seed}, {storm.messages} messages, {storm.kills} kills, "
        f"about {storm.messages // storm.rate} s\n"
    )
    with bare_house() as house:
        report = rage(house, storm)
    _tell(report)
    return not (report.lost or report.doubled or report.reordered or report.differences)


def _shards() -> bool:
    weather = shards_storm.Weather(seconds=_number("SECONDS", SECONDS), seed=_seed())
    sys.stderr.write(
        f"chaos: shards SEED={weather.seed}, {weather.seconds} s, and a minute for the proof\n"
    )
    report = shards_storm.rage(weather)
    _tell(report)
    return not report.differences


def _orders() -> bool:
    seed, count = _seed(), _number("CELLS", 1 << 31)
    cells = matrix(*orders_storm.chosen())
    cells = sample(seed, count) if count < len(cells) else cells
    sys.stderr.write(
        f"chaos: orders SEED={seed}, {len(cells)} cells, about {len(cells) * CELL_S // 60} min\n"
    )
    report = orders_storm.rage(cells, seed)
    _tell(report)
    return not (report.failed or report.never_reached or report.never_struck)


FAMILIES: dict[str, Callable[[], bool]] = {"bus": _bus, "orders": _orders, "shards": _shards}


def _tell(report: msgspec.Struct) -> None:
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    sys.stdout.flush()


def _seed() -> int:
    return _number("SEED", int.from_bytes(os.urandom(4), "little") or 1)


def _number(name: str, default: int) -> int:
    said = os.environ.get(name) or str(default)
    if not said.isdecimal() or int(said) < 1:
        sys.exit(f"chaos: {name} is {said!r}, expected a whole number from 1 on")
    return int(said)


if __name__ == "__main__":
    main([name for arg in sys.argv[1:] for name in arg.split()])
