"""What stands around somebody's code in the running engine: its time, its memory, and its name.

Before each call the strategy's name goes into a file that outlives the process, so that the next
life knows whom the last one died in.

    budget   processor time of a call; then, and again and again, `Overran` is raised inside it
    patience wall time of a call, for one that sleeps; the same follows
    end      the process dies: the kernel counts, so that code that never comes back dies, too
"""

import faulthandler
import gc
import inspect
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, ClassVar, NoReturn

from bus.clock import NS_PER_MS, Clock, cpu_ns
from services.engine.boundary import DEATHS, Bare, Guard, Overran, is_foreign, is_library
from services.engine.edge_crumb import Crumb
from services.engine.edge_fence import Fence

__all__ = ["EXIT_CODE", "Bare", "Guard", "Overran", "Watched"]

PATIENCE = 10
PATIENCE_MAX_MS = 2_000
LEAST = 2
"""The warden ends whoever is silent for three seconds, and a call is silent."""

SILENCE_NS = 3_000_000_000
"""Within so long, all that wait share one patience, since nothing of the house is heard between."""

END_MS = 500
"""From the end of all patience to the end of the process."""

NAGS = 10
"""How often in one budget `Overran` is raised again in a call that swallows it."""

LATER_S = 0.001
"""When the house's own code runs inside a call, it comes to its end first."""

RELIED_ON = (signal.SIGALRM, signal.SIGPROF, signal.SIGTERM, signal.SIGINT)

EXIT_CODE = 71
EXIT = os._exit
STATM = Path("/proc/self/statm")
DATA_FIELD = 5


class Watched:
    """Calls with a budget. Made in the main thread, which alone hears signals, and called there."""

    passes: ClassVar[tuple[type[BaseException], ...]] = ()

    def __init__(self, run: Path, clock: Clock, call_ms: int, memory_mib: int) -> None:
        patience_ms = max(call_ms, min(PATIENCE * call_ms, PATIENCE_MAX_MS))
        self._clock = clock
        self._call_ms = call_ms
        self._budget_ns = call_ms * NS_PER_MS
        self._patience_ns = patience_ms * NS_PER_MS
        self._end_ns = self._patience_ns + END_MS * NS_PER_MS
        self._calling = False
        self._overran: Overran | None = None
        self._cpu_ns = self._wall_ns = 0
        self._least_ns = min(LEAST * self._budget_ns, self._patience_ns)
        self._left_ns, self._waited_ns = self._patience_ns, 0
        self._fence = Fence()
        self._room = Room(memory_mib)
        self._crumb = Crumb(run, clock.wall_ns())
        self.deaths = self._crumb.deaths
        self._before = signal.signal(signal.SIGALRM, self._alarm)
        faulthandler.register(signal.SIGPROF, all_threads=False, chain=True)
        os._exit = _leave

    @property
    def fold(self) -> str:
        """Why no turn is to be run again: somebody's code would be called by it."""
        names = [name for name, count in self.deaths if count >= DEATHS]
        if names:
            return f"this process died again and again in {' '.join(names)}"
        return "the last life ended with an error" if self._crumb.broke else ""

    def run(self, name: str, call: Callable[[], object]) -> object:
        """Return what a call returns; raise what it raises, or `Overran`."""
        assert not self._calling, f"a call of {name} inside of another"
        before, changed = _process(), False
        self._crumb.enter(name)
        narrow = self._room.narrow()
        self._arm()
        try:
            resource.setrlimit(resource.RLIMIT_DATA, narrow)
            answer = self._fence.raised().run(call)
        finally:
            if not self._fence.lowered():
                EXIT(EXIT_CODE)
            # Before all else that may need memory.
            resource.setrlimit(resource.RLIMIT_DATA, self._room.wide)
            self._disarm()
            self._crumb.leave()
            changed = _process() != before and _put_back(before)
            self._require_in_time()
        if changed:
            raise RuntimeError("it changed signal handlers or gc, which are the process's")
        self._crumb.forgive(name)
        return answer

    def close(self) -> None:
        """Let go of the signals and the file."""
        signal.signal(signal.SIGALRM, self._before)
        faulthandler.unregister(signal.SIGPROF)
        os._exit = EXIT
        self._crumb.close()

    def _arm(self) -> None:
        self._cpu_ns, self._wall_ns = cpu_ns(), self._clock.mono_ns()
        if self._wall_ns - self._waited_ns > SILENCE_NS:
            self._left_ns = self._patience_ns
        self._calling = True
        signal.setitimer(signal.ITIMER_PROF, self._end_ns / 1e9)
        signal.setitimer(signal.ITIMER_REAL, self._budget_ns / 1e9)

    def _disarm(self) -> None:
        self._calling = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _require_in_time(self) -> None:
        # It may have swallowed it, or have come back before the signal was looked at.
        overran, self._overran = self._overran, None  # It holds every frame that it passed.
        if overran is not None:
            self._waited_ns = self._clock.mono_ns()
            waited_ns = self._waited_ns - self._wall_ns
            self._left_ns = max(self._least_ns, self._left_ns - waited_ns)
            raise overran
        if cpu_ns() - self._cpu_ns > self._budget_ns:
            raise Overran(self._too_long(slept=False))

    def _alarm(self, _signal: int, frame: FrameType | None) -> None:
        if not self._calling:
            return  # It was on its way when the call ended.
        used_ns = cpu_ns() - self._cpu_ns
        waited_ns = self._clock.mono_ns() - self._wall_ns
        if waited_ns > self._end_ns:
            EXIT(EXIT_CODE)
        left_ns = min(self._budget_ns - used_ns, self._left_ns - waited_ns)
        if left_ns > 0:
            signal.setitimer(signal.ITIMER_REAL, max(LATER_S, left_ns / 1e9))
        elif not _is_theirs(frame, Watched.run.__code__):
            signal.setitimer(signal.ITIMER_REAL, LATER_S)
        else:
            signal.setitimer(signal.ITIMER_REAL, max(LATER_S, self._budget_ns / 1e9 / NAGS))
            if self._overran is None:
                self._overran = Overran(self._too_long(slept=used_ns < self._budget_ns))
            raise self._overran

    def _too_long(self, *, slept: bool) -> str:
        if slept:
            return f"a call may last {self._left_ns // NS_PER_MS} ms in all"
        return f"a call may use {self._call_ms} ms of processor time"


class Room:
    """How much more memory a call may take, on systems that count it."""

    def __init__(self, memory_mib: int) -> None:
        self.wide = resource.getrlimit(resource.RLIMIT_DATA)
        self._bytes = memory_mib << 20
        self._page_bytes = resource.getpagesize()
        self._statm = os.open(STATM, os.O_RDONLY | os.O_CLOEXEC) if STATM.exists() else -1

    def narrow(self) -> tuple[int, int]:
        """Return the limit of a call: what the process has now, and its share."""
        soft, hard = self.wide
        if self._statm < 0:
            return self.wide
        pages = os.pread(self._statm, 128, 0).split()[DATA_FIELD]
        limit = int(pages) * self._page_bytes + self._bytes
        return (limit if soft == resource.RLIM_INFINITY else min(soft, limit)), hard


_handler_of: Callable[[int], Any] = inspect.unwrap(signal.getsignal)
"""Itself: what stands around it tries to make an Enum of each, which is a sixth of a whole call."""


def _process() -> tuple[Any, ...]:
    """Return what a call might change of the process and the house relies on."""
    return (gc.isenabled(), *map(_handler_of, RELIED_ON))


def _put_back(before: tuple[Any, ...]) -> bool:
    collects, *handlers = before
    (gc.enable if collects else gc.disable)()
    for number, handler in zip(RELIED_ON, handlers, strict=True):
        signal.signal(number, handler)
    faulthandler.register(signal.SIGPROF, all_threads=False, chain=True)
    return True


def _leave(status: int) -> NoReturn:
    # One that leaves with 0 is not started again: its supervisor takes it for a clean end.
    here = inspect.currentframe()
    caller = here.f_back if here is not None else None
    if caller is not None and is_foreign(caller) and not is_library(caller):
        raise SystemExit(f"os._exit({status})")
    EXIT(status)


def _is_theirs(frame: FrameType | None, way_in: CodeType) -> bool:
    """Return whether somebody's own code was interrupted inside a call, and no code of the house.

    To raise within the house would leave its books half changed: what a strategy has called comes
    to its end first. What calls a strategy has to bear whatever that raises.
    """
    while frame is not None and is_library(frame):
        frame = frame.f_back
    if frame is None or not is_foreign(frame):
        return False
    while frame is not None and frame.f_code is not way_in:
        frame = frame.f_back
    return frame is not None
