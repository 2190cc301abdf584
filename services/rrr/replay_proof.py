"""What a replay found of one service, and what the journals hold for it to be compared with."""

from collections.abc import Iterator

import msgspec

from bus.past import Past, Said
from schema.frame import epoch_of
from schema.house import Inputs
from schema.streams import TURNS, Stream


class Stretch(msgspec.Struct):
    """Turns that could not be verified, and why."""

    first: int
    last: int
    from_ns: int
    until_ns: int
    why: str


class Difference(msgspec.Struct):
    """Where a turn that was run again said something else than the journal holds."""

    turn: int
    stream: str
    pos: int
    journal: str
    again: str


class Proof(msgspec.Struct):
    """What was found of one service."""

    service: str
    turns: int = 0
    outputs: int = 0
    stretches: list[Stretch] = []
    difference: Difference | None = None
    missing: int = 0  # outputs that a start would append, or that a power cut took

    def skip(self, turn: Inputs, why: str) -> None:
        """Note a turn that cannot be verified."""
        now, stretch = turn.now_ns, self.stretches[-1] if self.stretches else None
        if stretch is not None and (stretch.why, stretch.last) == (why, turn.turn - 1):
            stretch.last, stretch.until_ns = turn.turn, now
        else:
            self.stretches.append(Stretch(turn.turn, turn.turn, now, now, why))


class Lane:
    """What one stream holds, message by message."""

    def __init__(self, past: Past, stream: Stream, end: int) -> None:
        self.stream = stream
        self.end = end  # what stands up to here has its turn on the record
        said = past.since(stream, 0, own=True)
        self._rest: Iterator[Said] = (one for one in said if type(one.message) not in TURNS)
        self.next = next(self._rest, None)

    def pop(self) -> None:
        """Go on to the next one."""
        self.next = next(self._rest, None)

    def skip(self, *, to_epoch: int = 0, behind: int = 0) -> None:
        """Pass over what was said before an epoch, or up to a position."""
        while self.next is not None and (
            epoch_of(self.next.pos) < to_epoch or self.next.pos <= behind
        ):
            self.pop()
