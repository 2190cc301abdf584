"""From an edited strategy to its result: 90 days of minutes in a process of their own.

It is started as a person starts it, at least for the second time, with compiled files at hand. The
bare way is a process that reads the same file into arrays, and does nothing with it.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bus.clock import SystemClock
from tests.bench.figure import Figure
from tests.services.backtest.recorded import walk_file

MINUTES = 90 * 24 * 60
SEED = 3
ROUNDS = 3
ROOT = Path(__file__).parents[2]
READ = """
import csv, sys
import numpy as np
with open(sys.argv[1], newline="") as file:
    rows = csv.reader(file)
    next(rows)
    columns = [np.array(column, np.float64) for column in zip(*rows)]
"""

_clock = SystemClock()


def measure() -> Iterator[Figure]:
    """Time a run beside a bare read of its bars, in turns."""
    with TemporaryDirectory() as made:
        home = Path(made)
        file = str(walk_file(home / "walk.csv", MINUTES, SEED))
        run = ["-m", "services.rrr", "backtest", "trend", "--file", file, "--symbol", "BTC/USDT"]
        _started_s(run, home)  # What it imports is compiled.
        rounds = [
            (_started_s(run, home), _started_s(["-c", READ, file], home)) for _ in range(ROUNDS)
        ]
    ours, raw = (min(column) for column in zip(*rounds, strict=True))
    yield Figure("core.edit_to_result", ours, raw, "s")


def _started_s(words: list[str], home: Path) -> float:
    foreign = ("RRR_", "MODE", "PYTHONDONTWRITEBYTECODE")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(foreign)}
    places = {"RRR_HOME": str(home), "RRR_RUN": str(home / "run")}
    begun_ns = _clock.mono_ns()
    subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**kept, **places},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return (_clock.mono_ns() - begun_ns) / 1e9
