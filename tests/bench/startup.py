"""From nothing to all READY: seconds and memory, against the twelve containers before it.

The second start is measured, with warm caches. Memory is the proportional set size where the system
tells it, else the resident one; a service stands beside a bare interpreter.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships none, and the lock has none

from bus.clock import SystemClock
from tests.bench.figure import Figure
from tests.system.checkout import Checkout

CONTAINERS_S = 30.0
CONTAINERS_MIB = 6144.0
MIB = 1 << 20


def measure() -> Iterator[Figure]:
    """Start a house twice, and measure the second one."""
    house = Checkout()
    clock = SystemClock()
    try:
        house.up()
        house.rrr("down")
        begun_ns = clock.mono_ns()
        house.up()
        yield Figure("startup.ready", (clock.mono_ns() - begun_ns) / 1e9, CONTAINERS_S, "s")
        yield from _memory(house)
    finally:
        house.close()


def _memory(house: Checkout) -> Iterator[Figure]:
    bare_mib = _bare_mib()
    services = {name: pss_mib(pid) for name, pid in house.pids().items()}
    for name, ours in services.items():
        yield Figure(f"startup.memory.{name}", ours, bare_mib, "MiB")
    everything = sum(pss_mib(process.pid) for process in house.processes())
    yield Figure("startup.memory", everything, CONTAINERS_MIB, "MiB")


def pss_mib(pid: int) -> float:
    """Return the proportional set size of a process, the resident one where that is not told."""
    path = Path(f"/proc/{pid}/smaps_rollup")
    if not path.exists():
        return float(psutil.Process(pid).memory_info().rss) / MIB
    lines = path.read_text().splitlines()
    (kib,) = (int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kib / 1024


def _bare_mib() -> float:
    script = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as bare:
        assert bare.stdout is not None
        bare.stdout.readline()
        return pss_mib(bare.pid)
