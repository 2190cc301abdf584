"""Many seeds in two processes, until there are enough of them or the time is over."""

import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path

from bus.clock import SystemClock
from tests.sim.odds import ODDS, Plan, never, plan_of
from tests.sim.run import Result, run, shrink, told
from tests.sim.steps import KINDS, STEP_NAMES, UNREAL

REGRESSIONS = Path(__file__).with_name("regressions.txt")
WORKERS = 2
CHUNK = 5
TELL_NS = 10_000_000_000
FLIPS_IN = 4
"""One seed in so many has a strategy that goes short."""

WANTED = (*ODDS, *KINDS, *STEP_NAMES)
"""What has to occur in every run that is long enough."""


def regressions() -> list[Plan]:
    """Return the plans that failed once: they are always run first."""
    lines = REGRESSIONS.read_text().splitlines() if REGRESSIONS.exists() else []
    return [plan_of(line.partition("#")[0]) for line in lines if line.partition("#")[0].strip()]


def plans(first: int) -> Iterator[Plan]:
    """Yield the plan of every seed from a first one on."""
    return (Plan(seed, flips=seed % FLIPS_IN == FLIPS_IN - 1) for seed in count(first))


def run_all(chunk: list[Plan]) -> list[Result]:
    """Run some plans in this process."""
    return [run(plan) for plan in chunk]


class Campaign:
    """What one campaign has come to."""

    def __init__(self, seeds: int, minutes: float, first: int) -> None:
        self._clock = SystemClock()
        self._started_ns = self._clock.mono_ns()
        self._told_ns = self._started_ns
        self._end_ns = self._started_ns + int(minutes * 60e9) if minutes else 0
        self._plans = plans(first)
        if seeds:
            self._plans = islice(self._plans, seeds)
        self.seen: Counter[str] = Counter()
        self.seeds = self.events = 0
        self.failed: list[Result] = []

    def run(self) -> None:
        """Run until the seeds or the minutes are used up."""
        with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
            waiting: set[Future[list[Result]]] = set()
            todo: Iterator[list[Plan]] = iter(self._chunks())
            more = True
            while more or waiting:
                while more and len(waiting) < 2 * WORKERS:
                    chunk = next(todo, None)
                    more = chunk is not None
                    if chunk is not None:
                        waiting.add(pool.submit(run_all, chunk))
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    self._take(future.result())

    def table(self) -> str:
        """Return how often each fault and each step occurred."""
        rows = [f"{self.seen[name]:9}  {name}" for name in WANTED]
        return "\n".join(rows + [f"        -  {name}: {why}" for name, why in UNREAL.items()])

    def missing(self, least: int) -> list[str]:
        """Return what occurred less often than it has to."""
        return never(self.seen, least, WANTED)

    def line(self) -> str:
        """Return in one line how it stands."""
        seconds = max(1e-9, (self._clock.mono_ns() - self._started_ns) / 1e9)
        return (
            f"sim: {self.seeds} seeds, {self.events} events, {self.seeds / seconds:.1f} seeds/s, "
            f"{self.events / seconds:.0f} events/s, {len(self.failed)} failed"
        )

    def _chunks(self) -> Iterator[list[Plan]]:
        yield from ([plan] for plan in regressions())
        while not self._end_ns or self._clock.mono_ns() < self._end_ns:
            chunk = list(islice(self._plans, CHUNK))
            if not chunk:
                return
            yield chunk

    def _take(self, results: list[Result]) -> None:
        for result in results:
            self.seeds += 1
            self.events += result.events
            self.seen.update(result.seen)
            if result.why:
                self._fail(result)
        if self._clock.mono_ns() - self._told_ns > TELL_NS:
            self._told_ns = self._clock.mono_ns()
            say(self.line())

    def _fail(self, result: Result) -> None:
        self.failed.append(result)
        say(f"seed {result.plan.seed} fails: {result.why[:200]}; it is made small")
        small = shrink(result)
        say(told(small))
        known = {plan.text for plan in regressions()}
        if result.plan.text not in known:
            with REGRESSIONS.open("a") as file:
                file.write(f"{result.plan.text}  # {result.law}\n")


def say(text: str) -> None:
    """Tell whoever started it."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
