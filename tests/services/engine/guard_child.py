"""A process that calls somebody's code as the engine does, and tells what became of it.

`python -m tests.services.engine.guard_child RUN CASE` says who the lives before died in, then makes
one good call, then the one that is asked for, then another good one.
"""

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from select import select

import msgspec

from bus.clock import SystemClock
from services.engine.boundary import Failure, ask
from services.engine.edge import Watched

CALL_MS = 20
MEMORY_MIB = 256


def swallow_for_ever() -> None:
    while True:
        try:
            while True:
                try:
                    spin()
                except:  # noqa: E722 - somebody's code
                    continue
        except:  # noqa: E722 - it may be raised between two tries, too
            continue


def spin() -> None:
    while True:
        pass


def sleep_for_ever() -> None:
    while True:
        with contextlib.suppress(BaseException):
            select([], [], [], 60)


def kill() -> None:
    ctypes.CDLL(None).kill(os.getpid(), signal.SIGKILL)  # Python would be asked, and refused.


CASES: dict[str, Callable[[], object]] = {
    "good": lambda: None,
    "exit": lambda: os._exit(3),
    "swallow": swallow_for_ever,
    "sleep": sleep_for_ever,
    "sum": lambda: sum(range(10**13)),
    "kill": kill,
}


def main(run: Path, case: str) -> None:
    """Tell each outcome in a line."""
    faulthandler.enable()
    guard = Watched(run, SystemClock(), CALL_MS, MEMORY_MIB)
    tell(["deaths", *guard.deaths, guard.fold])
    for name, call in (("steady", CASES["good"]), ("shaky", CASES[case]), ("steady", str)):
        answer = ask(guard, name, call)
        tell([name, answer.reason if isinstance(answer, Failure) else "fine"])


def tell(what: object) -> None:
    """Write a line that is out before anything can happen."""
    os.write(1, msgspec.json.encode(what) + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
