"""Whether a strategy may be trusted: it is rehearsed on stored bars, and asked again and again.

Nobody who does not see the future, remembers in `state` alone and looks at nothing but `view`
answers otherwise when the same is asked again.
"""

import gc
import tempfile
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from bus.clock import Clock
from schema.units import SECOND_NS
from services.backtest import findings as told
from services.backtest.again import Again
from services.backtest.findings import Finding
from services.backtest.findings_targets import of_targets
from services.backtest.fresh import Told
from services.backtest.outside import LOADING, Outside
from services.backtest.rehearsal import Rehearsal, Task, Tell
from services.backtest.witness import ACTS, Call, Witness
from services.engine.edge import Watched
from services.engine.loading import Loaded, load

REFILLS = 20
MORE = (2, 3, 5, 10)
"""So many times the warm-up is tried when it is too short."""

CUTS = 10
PATIENCE = 10
PATIENCE_S = 30
"""Another interpreter may take so many times as long as this one, and this long for its start."""


class Elsewhere(Protocol):
    """Another interpreter that rehearses meanwhile."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def told(self, timeout_s: float) -> Told:
        """Return what it came to."""


class Means(NamedTuple):
    """What a check needs of the world around it."""

    clock: Clock
    tell: Tell
    elsewhere: Callable[[Task], Elsewhere]


class Checking:
    """One check of a strategy, step by step."""

    def __init__(self, task: Task, means: Means) -> None:
        self._clock, self._tell, self._elsewhere = means
        self._outside = Outside()
        with self._outside.watched(LOADING):
            self._loaded: Loaded = load(task.offer)
        self._task = task
        self.calls: list[Call] = []

    def findings(self) -> list[Finding]:
        """Return what was found, in the order in which a person should read it."""
        try:
            return self._findings()
        finally:
            gc.unfreeze()

    def _findings(self) -> list[Finding]:
        began_ns = self._clock.mono_ns()
        witness, run = self._first()
        self._tell(0.3)
        self.calls = witness.calls
        found = of_targets(self._task.offer, self._loaded, run, witness.calls)
        if run.failed or not witness.calls:
            return [*found, told.of_outside(self._outside)]
        took_s = (self._clock.mono_ns() - began_ns) / SECOND_NS
        with self._elsewhere(self._task) as other:
            looked = [*self._steps(Again(self._loaded, witness, self._outside), witness)]
            grown_bytes = 0
            if all(one.level != told.FAILED for one in looked):  # Else it would tell no more.
                fresh = other.told(PATIENCE_S + PATIENCE * took_s)
                grown_bytes = fresh.grown_bytes
                looked.append(told.of_another(witness.calls, fresh.traces))
        self._tell(1.0)
        call_ms = self._task.settings.engine.call_ms
        timed = told.of_time(witness.calls, call_ms, grown_bytes)
        return [*looked, told.of_outside(self._outside), timed, *found]

    def _steps(self, again: Again, witness: Witness) -> Iterator[Finding]:
        yield self._prefix(again, witness)
        self._tell(0.35)
        yield self._refill(again, witness)
        self._tell(0.4)
        yield self._state(witness)
        self._tell(0.9)

    def _first(self) -> tuple[Witness, Rehearsal]:
        own = self._task.settings.engine
        with tempfile.TemporaryDirectory(prefix="rrr.") as folder:
            guard = Watched(Path(folder), self._clock, own.call_ms, own.memory_mib)
            try:
                witness = Witness(self._outside, guard)
                return witness, Rehearsal(self._task, witness, self._within(0.0, 0.3)).play()
            finally:
                guard.close()

    def _within(self, first: float, last: float) -> Tell:
        return lambda share: self._tell(first + share * (last - first))

    def _prefix(self, again: Again, witness: Witness) -> Finding:
        asked = [call for call in witness.calls if call.indicators]
        acts = [call for call in asked if call.action in ACTS]
        return told.of_prefix(again.differing(asked), len(acts), len(asked))

    def _refill(self, again: Again, witness: Witness) -> Finding:
        kept = [call for call in witness.calls if call.indicators]
        late = kept[len(kept) // 4 :] or kept
        points = sorted(late, key=_drawn)[:REFILLS]
        found = [odd for point in points if (odd := again.refilled(point, 1)) is not None]
        enough = 0
        if found:
            enough = next((n for n in MORE if _all_agree(again, points, n)), 0)
        return told.of_refill(self._loaded, found, len(points), enough)

    def _state(self, witness: Witness) -> Finding:
        fresh = Witness(Outside(), fresh=True)
        Rehearsal(self._task, fresh, self._within(0.4, 0.7)).play()
        where = told.first_difference(witness.traces, fresh.traces)
        if where is None:
            return self._cut(witness)
        plain = Witness(Outside())
        Rehearsal(self._task, plain).play()
        alone = told.first_difference(witness.traces, plain.traces)
        return told.of_runs(witness.calls, where, fresh.calls, by_itself=alone is not None)

    def _cut(self, witness: Witness) -> Finding:
        """Run from the start and end early, for as long as half of a whole run takes."""
        acts = [call for call in witness.calls if call.action in ACTS]
        span_ns = (self._task.stop_ns - self._task.start_ns) // 2
        cuts = 0
        for call in acts[:: max(1, len(acts) // CUTS)][:CUTS]:
            span_ns -= call.now_ns - self._task.start_ns
            if span_ns < 0 and cuts:
                break
            cuts += 1
            short = Witness(Outside())
            Rehearsal(self._task, short).play(call.now_ns)
            traces = witness.traces[: len(short.calls)]
            where = told.first_difference(traces, short.traces)
            if where is not None:
                return told.of_runs(witness.calls, where, short.calls, by_itself=True)
        return told.same_runs(len(witness.calls), cuts)


def _drawn(call: Call) -> bytes:
    # As good as by chance, and the same at every check.
    return blake2b(f"{call.now_ns} {call.symbol} {call.event}".encode(), digest_size=8).digest()


def _all_agree(again: Again, points: Sequence[Call], factor: int) -> bool:
    return all(again.refilled(point, factor) is None for point in points)
