"""Runs plans: one by one, many in two processes, and a failing one again until it is small."""

import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from bus.telling import step_name, tell, told_of
from schema.frame import Kind
from schema.messages import decode
from schema.streams import STREAMS
from tests.sim.odds import ODDS, Plan
from tests.sim.stand import Stand
from tests.sim.story import Story

TOLD = ("engine.intent", "risk.verdict", "gateway.order")
LAST = 40
HALVES = 6
"""So often the number of passes of a failing plan is cut."""


class Result(msgspec.Struct):
    """What came of a plan."""

    plan: Plan
    events: int = 0
    trace: str = ""
    why: str = ""  # of a failure; empty when all held
    where: str = ""
    last: list[str] = []
    seen: dict[str, int] = {}

    @property
    def law(self) -> str:
        """Return the invariant that was broken, or the kind of failure."""
        return self.why.partition(":")[0][:60]


def run(plan: Plan) -> Result:
    """Live through a plan."""
    with TemporaryDirectory() as path:
        story: list[Story] = []
        try:
            story.append(Story(Path(path), plan))
            story[0].run()
        except Exception as error:  # noqa: BLE001 - whatever ends a run is what it found
            return _failed(plan, error, story)
        stand = story[0].stand
        digest, seen = stand.trace.hexdigest(), dict(stand.counts.seen)
        return Result(plan, stand.events, digest, seen=seen)


def _failed(plan: Plan, error: Exception, story: list[Story]) -> Result:
    stack = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(stack[-5:]))
    text = str(error).strip() or where
    why = text if isinstance(error, AssertionError) else f"{type(error).__name__}: {text}"
    if not story:
        return Result(plan, why=why, where=where)
    stand = story[0].stand
    return Result(
        plan, stand.events, stand.trace.hexdigest(), why, where, _told(stand), stand.counts.seen
    )


def _told(stand: Stand) -> list[str]:
    """Return the last that was said of orders, in words."""
    found: list[tuple[int, str]] = []
    for name in TOLD:
        frames = stand.journals.tape(STREAMS[name]).frames
        for frame in frames[-4 * LAST :]:
            if frame.kind != Kind.DATA:
                continue
            for message in decode(STREAMS[name].number, frame.body):
                order_id = getattr(message, "client_order_id", "")[-6:]
                text = f"{step_name(message)} {order_id or told_of(message)}: {tell(message)}"
                found.append((frame.mono_ns, text))
    found.sort(key=lambda one: one[0])
    return [f"{mono_ns / 1e9:9.3f} s  {text[:150]}" for mono_ns, text in found[-LAST:]]


def shrink(failed: Result, again: Callable[[Plan], Result] = run) -> Result:
    """Return the same failure with fewer kinds of faults and fewer passes."""
    best = failed
    for name in ODDS:
        if best.seen.get(name) or not best.seen:
            best = _better(best, _without(best.plan, name), again)
    low, high = 0, best.plan.steps
    for _ in range(HALVES):
        steps = (low + high) // 2
        found = _better(best, msgspec.structs.replace(best.plan, steps=steps), again)
        low, high = (low, steps) if found is not best else (steps, high)
        best = found
    return best


def _without(plan: Plan, name: str) -> Plan:
    return msgspec.structs.replace(plan, without=(*plan.without, name))


def _better(best: Result, plan: Plan, again: Callable[[Plan], Result]) -> Result:
    found = again(plan)
    return found if found.law == best.law else best


def told(failed: Result) -> str:
    """Return a failure as a person reads it."""
    command = f'python -m tests.sim again "{failed.plan.text}"'
    lines = [f"seed {failed.plan.seed} fails: {failed.why[:600]}", f"at {failed.where}"]
    return "\n".join([*lines, f"again: {command}", *failed.last])


def summed(results: list[Result]) -> Counter[str]:
    """Return how often each fault and step occurred in all of them."""
    total: Counter[str] = Counter()
    for result in results:
        total.update(result.seen)
    return total
