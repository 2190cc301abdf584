"""What a check found, in words for a person: what it looked at, what is wrong, and what to do."""

from collections.abc import Sequence

import msgspec

from schema.units import MS_NS, iso
from services.backtest.again import FOLLOWED, Difference
from services.backtest.outside import Outside
from services.backtest.witness import Call, Trace, target_of
from services.engine.loading import Loaded
from services.engine.plain import plain

OK, WARNING, FAILED = "ok", "warning", "FAILED"
PART = 4
"""A call that takes more than such a part of its budget is told."""

GROWN_BYTES = 32 << 20
STATE_BYTES = 4096


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    check: str
    level: str
    told: str
    todo: str = ""


HIDDEN = (
    "Keep what it remembers in State alone: no module variable, no class attribute, no cache; "
    "no randomness and no clock"
)


def of_prefix(found: Sequence[Difference], acts: int, asked: int) -> Finding:
    """Tell whether decisions change when the future is cut off."""
    what = "future"
    if not found:
        return Finding(
            what, OK, f"{acts} entries and exits, {asked} calls: the same with the bars after cut"
        )
    first = found[0]
    return Finding(
        what,
        FAILED,
        f"{len(found)} of {asked} calls differ when all bars after them are gone; at "
        f"{at(first.call)}: {_changed(first.call, first.found, first.after)}",
        HIDDEN,
    )


def of_refill(loaded: Loaded, found: Sequence[Difference], points: int, enough: int) -> Finding:
    """Tell whether the warm-up is long enough."""
    what, kind = "warm-up", loaded.kind
    bars = f"warmup {kind.warmup}" + (f", also {dict(kind.also)}" if kind.also else "")
    if not found:
        then = f"{points} refills with {bars}: the next {FOLLOWED} calls decide the same"
        return Finding(what, OK, then)
    first = next((one for one in found if one.found != one.call.answer), found[0])
    odd = ", ".join(dict.fromkeys(name for one in found for name in one.odd))
    named = f"; it differs in {odd}" if odd else ""
    wrong = [one for one in found if one.found != one.call.answer]
    more = (
        f"with {enough} x as many bars it agrees: write warmup = {enough * kind.warmup}"
        if enough
        else "not even 10 x as many bars agree: it looks at what never ends, or remembers outside "
        "of State"
    )
    if not wrong:
        told = f"{bars} is short{named}; its decisions agreed at {points} refills. {more}"
        return Finding(what, WARNING, told, "Declare more bars")
    change = _changed(first.call, first.found, first.call.after)
    told = f"{bars} is too short: at {at(first.call)} a restart decides otherwise: {change}"
    return Finding(what, FAILED, f"{told}{named}; {more}", "Declare more bars")


def of_runs(
    calls: Sequence[Call], where: int, others: Sequence[Call], *, by_itself: bool
) -> Finding:
    """Tell where a second run parted from the first."""
    change = _apart(calls, where, [call.trace for call in others])
    if by_itself:
        return Finding("state", FAILED, f"a second run is another one: {change}", HIDDEN)
    return Finding(
        "state",
        FAILED,
        f"with its state written and read back before each call it decides otherwise: {change}",
        "Keep plain numbers, text, lists and dicts in State, and nothing in the instance",
    )


def same_runs(calls: int, cuts: int) -> Finding:
    """Tell that runs agree."""
    told = f"{calls} calls again with the state read back, {cuts} runs cut off early: the same"
    return Finding("state", OK, told)


def of_another(calls: Sequence[Call], traces: Sequence[Trace]) -> Finding:
    """Tell whether another interpreter comes to the same."""
    where = first_difference([call.trace for call in calls], traces)
    if where is None:
        return Finding("elsewhere", OK, "another interpreter, another hash seed: the same")
    told = f"another interpreter decides otherwise: {_apart(calls, where, traces)}"
    todo = f"Sort a set before it is walked through, and use no hash(). {HIDDEN}"
    return Finding("elsewhere", FAILED, told, todo)


def of_outside(outside: Outside) -> Finding:
    """Tell what it reached for."""
    if not outside.found:
        return Finding("outside", OK, "no file, no network, no process, no clock")
    return Finding(
        "outside",
        FAILED,
        f"it {'; it '.join(outside.found)}",
        "A strategy sees what `view` shows and nothing else; `view.now` is the time; "
        "imports stand at the top of the file",
    )


def first_difference(one: Sequence[Trace], other: Sequence[Trace]) -> int | None:
    """Return where two runs part; None when they never do."""
    for number, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return number
    return None if len(one) == len(other) else min(len(one), len(other))


def of_time(calls: Sequence[Call], call_ms: int, grown_bytes: int) -> Finding:
    """Tell how long a call takes, and what it leaves behind."""
    times = sorted(call.cpu_ns / MS_NS for call in calls)
    middle, late, most = times[len(times) // 2], times[len(times) * 99 // 100], times[-1]
    took = f"p50 {middle:.3f} ms, p99 {late:.3f} ms, at most {most:.1f} ms of {call_ms} ms"
    state = max(len(call.after) for call in calls)
    if most > call_ms:
        return Finding("time", FAILED, took, "Compute less in a call: it would be broken off")
    if late > call_ms / PART:
        todo = "A slower machine may break it off: use the indicators of `view`, or fewer bars"
        return Finding("time", WARNING, took, todo)
    if grown_bytes > GROWN_BYTES:
        told = f"{took}; a run leaves {grown_bytes >> 20} MiB behind"
        return Finding("time", WARNING, told, "Something grows outside of State: let it go")
    if state > STATE_BYTES:
        told = f"{took}; its state has {state} bytes, written at each change"
        return Finding("time", WARNING, told, "Keep less in State")
    return Finding("time", OK, took)


def _apart(calls: Sequence[Call], where: int, others: Sequence[Trace]) -> str:
    if where >= len(calls) or where >= len(others):
        return f"it was asked {len(calls)} times and then {len(others)} times"
    call, other = calls[where], others[where]
    if call.trace[:3] != tuple(other[:3]):
        return f"at {at(call)} it is asked {call.event}, then {other[1]} at {iso(other[2])}"
    return f"at {at(call)}: {_changed(call, other[3], other[4])}"


def _changed(call: Call, found: bytes, after: bytes) -> str:
    if found != call.answer:
        return f"{shown(call.answer)}, then {shown(found)}"
    was, then = (msgspec.msgpack.decode(state) for state in (call.after, after))
    odd = [
        f"{key} {was[key]!r}, then {then.get(key)!r}" for key in was if was[key] != then.get(key)
    ]
    return plain(f"state {'; '.join(odd)}")


def at(call: Call) -> str:
    """Return when and of what a call was made."""
    return f"{iso(call.now_ns)} {call.symbol}"


def shown(answer: bytes) -> str:
    """Return an answer in words."""
    if not answer:
        return "None"
    target = target_of(answer)
    if target is None:
        return plain(answer.decode(errors="replace").lstrip("!?"))
    default = type(target)(target.kind)
    names = [name for name in type(target).__struct_fields__ if name != "kind"]
    values = ((name, getattr(target, name)) for name in names)
    told = ", ".join(
        f"{name} {value:.8g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values
        if value != getattr(default, name)
    )
    return f"{target.kind}({told})"
