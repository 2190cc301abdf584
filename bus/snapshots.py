"""What a late joiner begins with: a stream's own word of how things stand, at a place of its own.

A snapshot says nothing new. It stands alone in a frame of its own kind, so that whoever follows the
stream passes over it, and in the stream itself, so that no power cut leaves it without what it
tells of. Its core says it when the runner asks; the asking is an input like any other, recorded, so
a turn that is run again says the same. Why it is the runner that asks: docs/adr/0022.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import msgspec

from bus.clock import Clock
from schema.frame import Frame, Kind
from schema.head import Message
from schema.house import SnapshotDue
from schema.messages import decode
from schema.streams import STREAMS, home

DUE_NS = 60_000_000_000
"""Monotonic time: it bounds what a joiner reads, and reading costs real time, not market time."""

DUE_MESSAGES = 10_000


class Due(msgspec.Struct):
    """One stream whose state its owner says now and then."""

    said: int  # since the last snapshot, itself not counted
    asked_ns: int


class Dues:
    """When a service is asked to say how things stand on its own streams."""

    def __init__(self, names: Sequence[str], clock: Clock) -> None:
        assert all(STREAMS[name].snapshot for name in names), f"{names}: no word for how they stand"
        self._clock = clock
        self._dues = {STREAMS[name].number: Due(1, clock.mono_ns()) for name in names}
        # A life begins with one message that nobody counts: the record of its epoch.

    def count(self, said: Sequence[Message]) -> None:
        """Note what a turn said."""
        if not self._dues:
            return
        for message in said:
            stream = home(type(message))
            if stream is not None and stream.snapshot is not type(message):
                due = self._dues.get(stream.number)
                if due is not None:
                    due.said += 1

    def hurry(self) -> None:
        """Ask for every snapshot that would tell something, as soon as there is nothing else."""
        for due in self._dues.values():
            due.asked_ns = min(due.asked_ns, self._clock.mono_ns() - DUE_NS)

    def take(self, *, idle: bool) -> list[SnapshotDue]:
        """Return what is to be asked for; in a pass that hears of orders only what is overdue."""
        if not self._dues:
            return []
        found = []
        now_ns = self._clock.mono_ns()
        times = 1 if idle else 2
        for number, due in self._dues.items():
            aged = now_ns - due.asked_ns >= times * DUE_NS
            if due.said and (aged or due.said >= times * DUE_MESSAGES):
                due.said, due.asked_ns = 0, now_ns
                found.append(SnapshotDue(stream=number))
        return found


def runs(
    kind: type[Message], messages: Sequence[Message]
) -> Iterator[tuple[Kind, Sequence[Message]]]:
    """Yield messages as they share frames: each snapshot is alone in one of its own kind."""
    for apart, group in groupby(messages, lambda message: type(message) is kind):
        if apart:
            yield from ((Kind.SNAPSHOT, [message]) for message in group)
        else:
            yield Kind.DATA, list(group)


def newest_whole(number: int, newest_first: Iterable[Frame]) -> int:
    """Return where the newest snapshot begins whose parts are all there; 0 when there is none.

    The parts of one stand side by side; a power cut may have taken the last ones.
    """
    above, wanted = 0, 0
    for frame in newest_first:
        part, parts = parts_of(number, frame)
        if part == parts or (frame.pos == above - 1 and part == wanted):
            if part == 1:
                return frame.pos
            above, wanted = frame.pos, part - 1
    return 0


def parts_of(number: int, frame: Frame) -> tuple[int, int]:
    """Return which part a record of a snapshot is, of how many; (0, -1) when it cannot be read."""
    try:
        (message,) = decode(number, frame.body)
    except (ValueError, RecursionError):
        return 0, -1  # Of other code, or none at all: whoever follows the stream is told.
    return getattr(message, "part", 1), getattr(message, "parts", 1)
