"""`make bench`: every figure as a JSON line, and as a table on a terminal."""

import json
import sys
from collections.abc import Callable, Iterator
from itertools import chain

from services.rrr.screen import table
from tests.bench import bus, core, data, edited, oracle, path, shards, startup
from tests.bench.figure import Figure

FAMILIES: dict[str, Callable[[], Iterator[Figure]]] = {
    "core": lambda: chain(core.measure(), oracle.measure(), edited.measure()),
    "startup": startup.measure,
    "bus": bus.measure,
    "shards": shards.measure,
    "path": path.measure,
    "data": data.measure,
}


def main(only: list[str]) -> None:
    """Measure some families, or all."""
    unknown = sorted(set(only) - set(FAMILIES))
    if unknown:
        sys.exit(f"bench: no family {', '.join(unknown)}; there are {', '.join(FAMILIES)}")
    figures = []
    for name in only or FAMILIES:
        for figure in FAMILIES[name]():
            figures.append(figure)
            sys.stdout.write(json.dumps(figure.row()) + "\n")
            sys.stdout.flush()
    if sys.stdout.isatty():
        head = ("NAME", "OURS", "RAW", "RATIO", "UNIT")
        lines = table([head, *(figure.cells() for figure in figures)])
        sys.stdout.write("\n" + "\n".join([*lines, *_batches(figures)]) + "\n")


def _batches(figures: list[Figure]) -> list[str]:
    found = {figure.name: figure.batches for figure in figures if figure.batches}
    if not found:
        return []
    sizes = sorted({size for counts in found.values() for size in counts})
    rows = [
        (name, *(str(counts.get(size, "")) for size in sizes)) for name, counts in found.items()
    ]
    return ["", *table([("MESSAGES A FRAME, UP TO", *map(str, sizes)), *rows])]


if __name__ == "__main__":
    main([name for arg in sys.argv[1:] for name in arg.split()])
