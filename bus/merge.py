"""Repeat, next or gap? The rule by which a subscriber makes one order of live frames and journal.

Pure: it holds a position and answers with a step. A live frame is delivered only when it is exactly
next; everything else is read from the journal, which was written first. A position only grows, so
nothing is delivered twice or out of order; only what follows it is delivered, so nothing is missed.
"""

from typing import Literal

import msgspec

from bus.errors import ProtocolError
from schema.frame import Frame, Kind, epoch_of
from schema.house import EpochOpened
from schema.messages import UNREADABLE

Action = Literal["deliver", "drop", "catch_up", "hole", "ahead"]

_MARKS = int(Kind.EPOCH), int(Kind.EOF)

_opened = msgspec.msgpack.Decoder(list[EpochOpened])


class Step(msgspec.Struct, frozen=True, gc=False):
    """What to do with a frame.

    deliver   its messages from the `skip`-th on; the position has moved behind it
    drop      nothing: known already
    catch_up  read the journal: something lies between
    hole      the journal lacks positions `expected` to `found` - 1; the position has not moved
    ahead     an epoch began behind us: its owner lost, by a power cut, a tail that we hold; the
              position has moved into the new epoch, and what we hold stays
    """

    action: Action
    skip: int = 0
    expected: int = 0
    found: int = 0


DELIVER = Step("deliver")
DROP = Step("drop")
CATCH_UP = Step("catch_up")


class Merge:
    """Where one subscriber stands in one stream; 0 is before everything that is kept."""

    def __init__(self, pos: int = 0) -> None:
        self.pos = pos

    def begin(self, frame: Frame, first: int) -> None:
        """Begin where a journal does: `first` ought to be there, and `frame` is what comes first.

        Where damage took the very first records, that is a hole like any other.
        """
        assert not self.pos
        if frame.pos > first and (frame.kind != Kind.EPOCH or _prev_pos(frame) >= first):
            self.pos = first - 1

    def live(self, frame: Frame) -> Step:
        """Take a frame from the wire."""
        if frame.last <= self.pos:
            return DROP  # A repeat, or a writer of an epoch that is over.
        if frame.kind in _MARKS or not self._follows(frame):
            return CATCH_UP
        return self._deliver(frame)

    def journal(self, frame: Frame) -> Step:
        """Take a frame from the journal."""
        if frame.last <= self.pos:
            return DROP
        if frame.kind == Kind.EPOCH and self.pos not in (0, frame.pos - 1):
            return self._epoch(frame)
        if self.pos and frame.pos != self.pos + 1 and not self._follows(frame):
            return Step("hole", expected=self.pos + 1, found=frame.pos)
        return self._deliver(frame)

    def heartbeat(self, last_pos: int) -> bool:
        """Return whether the owner has said more than is here: the end of a burst can be lost."""
        return last_pos > self.pos

    def jump(self, frame: Frame) -> None:
        """Go on behind a hole; the frame is delivered when it is taken again."""
        assert frame.pos > self.pos
        self.pos = frame.pos - 1

    def _follows(self, frame: Frame) -> bool:
        return epoch_of(frame.pos) == epoch_of(self.pos) and frame.pos <= self.pos + 1

    def _deliver(self, frame: Frame) -> Step:
        skip = self.pos + 1 - frame.pos
        self.pos = frame.last
        return Step("deliver", skip=skip) if skip > 0 else DELIVER

    def _epoch(self, frame: Frame) -> Step:
        prev_pos = _prev_pos(frame)
        if prev_pos > self.pos:
            return Step("hole", expected=self.pos + 1, found=frame.pos)
        behind = self.pos
        self._deliver(frame)
        if prev_pos < behind:
            return Step("ahead", expected=behind, found=prev_pos)
        return DELIVER


def _prev_pos(frame: Frame) -> int:
    try:
        return _opened.decode(frame.body)[0].prev_pos
    except (*UNREADABLE, IndexError) as error:
        raise ProtocolError(
            f"{frame.stream} at {frame.pos}: an epoch record that cannot be read: {error}",
            "Its publisher runs newer code: restart this service on the same tree",
        ) from error
