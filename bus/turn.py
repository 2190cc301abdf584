"""One turn: a bounded batch of inputs, one moment, and what the core made of it.

The runner and the recovery call the same function, so that a turn that is run again decides the
same.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec

from bus.clock import Clock
from bus.service import Heard, Input, Run, Said, Service, each
from schema.head import Local, Message, Noticed
from schema.house import Inputs
from schema.messages import encode_inline
from schema.streams import STREAMS

SILENT_NS = 1_000_000_000
SILENT_INPUTS_MAX = 10_000

Learnt = tuple[int, Noticed]
"""The index of an input, and what was noticed while it was handled."""


class Outcome(msgspec.Struct):
    """What a turn led to."""

    said: list[Message]
    effects: list[Local]
    noticed: list[Learnt] = []


class _Families(dict[type, bool]):
    """Whether a type is a message; `isinstance` asks abstract classes at twice the cost."""

    def __missing__(self, kind: type) -> bool:
        self[kind] = found = issubclass(kind, Message)
        return found


_MESSAGE = _Families()


def run_turn(core: Service, inputs: Sequence[Input], now_ns: int) -> Outcome:
    """Let the core decide on each input in order, and apply what it says at once."""
    outcome = Outcome([], [], [])
    folds = _numbers(core.folds)
    hear, handle = core.hear, core.handle
    placed = type(core).hear is not Service.hear  # Most look at no place: a call less for each.
    begin = 0
    for run in inputs:
        if core.whole and isinstance(run, Run):
            outcome.effects += _effects(core.hear_run(run, now_ns))
            begin += len(run.messages)
            continue
        folded = run.stream in folds
        for index, message in enumerate(run.messages):
            if folded:
                assert isinstance(message, Message)
                core.apply(message)
            outs = hear(run.at(index), now_ns) if placed else handle(message, now_ns)
            if outs:
                _take(core, outcome, outs, run.at(index), begin + index)
        begin += len(run.messages)
    return outcome


def _effects(outs: Sequence[Said]) -> list[Local]:
    effects = [out for out in outs if isinstance(out, Local)]
    assert len(effects) == len(outs), "a sink says nothing on a stream"
    return effects


def _take(core: Service, outcome: Outcome, outs: Sequence[Any], heard: Heard, index: int) -> None:
    said, apply = outcome.said, core.apply
    caused = _MESSAGE[type(heard.message)]
    keeps = type(core).apply is not Service.apply  # Who keeps no books says the most at once.
    for out in outs:
        if _MESSAGE[type(out)]:
            if caused:
                _stamp(out, heard)
            if keeps:
                apply(out)
            said.append(out)
        elif isinstance(out, Noticed):
            outcome.noticed.append((index, out))
        else:
            outcome.effects.append(out)


@cache
def _numbers(names: tuple[str, ...]) -> frozenset[int]:
    return frozenset(STREAMS[name].number for name in names)


def _stamp(out: Message, heard: Heard) -> None:
    # Only here is it known what a message was caused by; it is nobody else's yet.
    if heard.stream and out.cause == (0, 0):
        msgspec.structs.force_setattr(out, "cause", (heard.stream, heard.pos))
    if out.trace == 0 and isinstance(heard.message, Message):
        msgspec.structs.force_setattr(out, "trace", heard.message.trace)


def record(
    turn: int, now_ns: int, code: str, inputs: Sequence[Input], noticed: Sequence[Learnt] = ()
) -> Inputs:
    """Return the record of a turn: ranges of positions, and inline what no journal has.

    What was learnt of an input stands before it, since it is to be heard before it.
    """
    if noticed:
        inputs = each(inputs)
        for at, learnt in reversed(noticed):
            inputs.insert(at, Heard(learnt))
    slices: list[tuple[int, int, int]] = []
    local: list[tuple[int, bytes]] = []
    index = 0
    for run in inputs:
        stream, last = run.stream, run.pos + len(run.messages) - 1
        if not stream:
            local.append((index, encode_inline(run.messages[0])))
        elif slices and slices[-1][0] == stream and not _interrupted(local, index):
            slices[-1] = (stream, slices[-1][1], last)
        else:
            slices.append((stream, run.pos, last))
        index += len(run.messages)
    return Inputs(
        ts_event=now_ns,
        turn=turn,
        now_ns=now_ns,
        code=code,
        slices=tuple(slices),
        local=tuple(local),
    )


def _interrupted(local: list[tuple[int, bytes]], index: int) -> bool:
    return bool(local) and local[-1][0] == index - 1


class Record:
    """The record of turns: one that says nothing waits, bounded, for one that speaks."""

    def __init__(self, clock: Clock, code: str, *, keeps: bool) -> None:
        self._clock = clock
        self._code = code
        self._keeps = keeps  # Sources and sinks are never run again.
        self._silent: list[Inputs] = []
        self._inputs = 0
        self._since_ns = 0

    def add(
        self, turn: int, now_ns: int, inputs: Sequence[Input], outcome: Outcome
    ) -> list[Inputs]:
        """Keep a turn; return it, and those that waited for it, when it speaks."""
        if not self._keeps:
            assert not outcome.noticed, f"{outcome.noticed[0]} is for turns that are run again"
            return []
        if not self._silent:
            self._since_ns = self._clock.mono_ns()
        self._silent.append(record(turn, now_ns, self._code, inputs, outcome.noticed))
        self._inputs += sum(len(run.messages) for run in inputs)
        return self.take() if outcome.said else []

    def take(self) -> list[Inputs]:
        """Return the turns that wait, to be written."""
        turns, self._silent, self._inputs = self._silent, [], 0
        return turns

    def due(self) -> bool:
        """Return whether silence has lasted too long, or holds too much."""
        if not self._silent:
            return False
        aged = self._clock.mono_ns() - self._since_ns > SILENT_NS
        return aged or self._inputs >= SILENT_INPUTS_MAX
