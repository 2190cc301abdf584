"""`make fuzz`: every target for a while, led by what it reaches; a JSON line for each.

`SECONDS=60` for each target, `TARGET=name` for one. It needs atheris, which is in no lock: Linux
alone, `pip install atheris`. What it finds lies in `data/cache/fuzz/<target>/`.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from bus.clock import SystemClock
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
FOUND = ROOT / "data" / "cache" / "fuzz"
SECONDS = 60
RSS_MIB = 1024
"""More than this for a few kilobytes of input is a finding, too."""

DONE = re.compile(r"Done (\d+) runs")


def main(names: list[str], seconds: int) -> None:
    """Run some targets, or all; exit 5 when one of them finds something."""
    unknown = sorted(set(names) - set(TARGETS))
    if unknown:
        sys.exit(f"fuzz: no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    if importlib.util.find_spec("atheris") is None:
        sys.stderr.write("fuzz: skipped, atheris is not installed: pip install atheris (Linux)\n")
        return
    found = [name for name in names or TARGETS if not _quiet(name, seconds)]
    if found:
        sys.exit(5)


def _quiet(name: str, seconds: int) -> bool:
    clock, corpus = SystemClock(), FOUND / name
    corpus.mkdir(parents=True, exist_ok=True)
    began_ns = clock.mono_ns()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.one", name, str(corpus)),
            *(f"-max_total_time={seconds}", f"-rss_limit_mb={RSS_MIB}", "-max_len=4096"),
            *("-timeout=10", f"-artifact_prefix={corpus}/found-", "-verbosity=1"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    runs = DONE.search(done.stderr)
    row = {
        "name": f"fuzz.{name}",
        "executions": int(runs[1]) if runs else 0,
        "seconds": round((clock.mono_ns() - began_ns) / 1e9, 1),
        "findings": int(done.returncode != 0),
    }
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()
    if done.returncode:
        sys.stderr.write(done.stdout[-3000:] + done.stderr[-3000:] + "\n")
    return done.returncode == 0


if __name__ == "__main__":
    target = os.environ.get("TARGET", "")
    main(target.split(), int(os.environ.get("SECONDS") or SECONDS))
