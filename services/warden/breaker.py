"""When a program that keeps ending is left alone, and when it is tried again.

            five unexpected exits             the respawned one runs       it stopped
    (none) ───────────────────────▶ breaking ───────────────────▶ stopping ─────────▶ resting
    (none) ── exit 75 ──▶ resting ── its time ──▶ trying ── it runs ──▶ (none)
    (none) ── exit 78 ──▶ refused ── settings changed ──▶ trying

The supervisor respawns at once whatever ended unexpectedly, so a loop is broken by stopping the
respawned process. A person's start or stop clears everything.
"""

from typing import Literal

import msgspec

Phase = Literal["", "breaking", "stopping", "resting", "trying", "refused"]
Order = Literal["", "start", "stop"]

BUSY, REFUSED = 75, 78
HELD: frozenset[Phase] = frozenset({"breaking", "stopping", "resting", "trying"})


class Terms(msgspec.Struct, frozen=True):
    """The warden's settings, in nanoseconds of its clock."""

    exits: int
    within_ns: int
    retry_ns: int
    retry_max_ns: int


class Program(msgspec.Struct):
    """What is remembered of one program."""

    phase: Phase = ""
    looping: bool = False
    restarts: int = 0
    retries: int = 0
    retry_at_ns: int = 0
    since_ns: int = 0
    exits_ns: list[int] = []


def exited(program: Program, code: int, now_ns: int, terms: Terms, *, expected: bool) -> None:
    """Take the end of a process that nobody had asked for."""
    if expected and code == REFUSED:
        program.phase = "refused"
    elif expected and code == BUSY:
        _rest(program, now_ns, terms)
    elif not expected and program.phase not in {"breaking", "stopping"}:
        recent = [at for at in program.exits_ns if now_ns - at < terms.within_ns]
        program.exits_ns = [*recent, now_ns]
        if len(program.exits_ns) >= terms.exits:
            program.phase, program.looping, program.exits_ns = "breaking", True, []


def started(program: Program, before: str, now_ns: int) -> Order:
    """Take the start of a process; a loop that is to be broken is broken now."""
    program.since_ns = now_ns
    if before in {"EXITED", "BACKOFF"} or program.phase == "trying":
        program.restarts += 1
    if program.phase == "breaking" and before != "STOPPED":
        program.phase = "stopping"
        return "stop"
    if program.phase == "trying":
        program.phase = ""
    else:
        by_hand = program.phase in {"resting", "refused", "breaking"}
        clear(program) if by_hand else None
    return ""


def runs(program: Program) -> None:
    """Take what already runs: it was started while no warden looked."""
    if program.phase == "trying":
        program.phase = ""
    elif program.phase in {"resting", "refused"}:
        clear(program)


def stopped(program: Program, now_ns: int, terms: Terms) -> None:
    """Take a stop: our own, or a person's."""
    if program.phase in {"breaking", "stopping"}:
        _rest(program, now_ns, terms)
    else:
        clear(program)


def clear(program: Program) -> None:
    """Forget all grudges: a person has decided, or it has held out."""
    program.phase, program.looping = "", False
    program.retries, program.retry_at_ns, program.exits_ns = 0, 0, []


def due(program: Program, now_ns: int, terms: Terms, *, runs: bool) -> Order:
    """Return what is to be done as time goes by."""
    if program.phase in {"resting", "trying"} and now_ns >= program.retry_at_ns:
        program.phase = "trying"
        program.retry_at_ns = now_ns + terms.retry_ns
        return "start"
    held_out = runs and now_ns - program.since_ns >= terms.within_ns
    if program.phase == "" and held_out and (program.retries or program.looping):
        clear(program)
    return ""


def _rest(program: Program, now_ns: int, terms: Terms) -> None:
    wait_ns = min(terms.retry_ns << min(program.retries, 20), terms.retry_max_ns)
    program.phase = "resting"
    program.retries += 1
    program.retry_at_ns = now_ns + wait_ns
