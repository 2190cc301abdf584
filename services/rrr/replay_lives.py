"""The lives of a processor as its journals tell them: where each began, how, and by which code."""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from operator import attrgetter

import msgspec

from bus.journals import Journals
from bus.past import Past, Said
from schema.house import Inputs, Started
from schema.messages import UNREADABLE, inline_decoder
from schema.streams import Stream


class Life(msgspec.Struct):
    """A stretch of turns from one start to the next; times are the market's."""

    epoch: int
    grade: str  # fresh | exact | folded
    code: str
    first: int
    last: int
    from_ns: int
    until_ns: int

    @property
    def turns(self) -> int:
        """How many turns it may have had."""
        return self.last - self.first + 1


class Day(msgspec.Struct, frozen=True):
    """A stretch of market time."""

    from_ns: int
    until_ns: int

    def has(self, life: Life) -> bool:
        """Return whether any turn of a life may be within."""
        return life.from_ns < self.until_ns and life.until_ns >= self.from_ns


def turns_of(past: Past, own: Sequence[Stream]) -> Iterator[Inputs]:
    """Yield all recorded turns of a service in their order; each stands on one of its streams."""
    return merge(*(_turns(past.since(stream, 0, own=True)) for stream in own),
                 key=attrgetter("turn"))  # fmt: skip


def _turns(said: Iterable[Said]) -> Iterator[Inputs]:
    return (one.message for one in said if isinstance(one.message, Inputs))


def started(turn: Inputs) -> Started | None:
    """Return how a life began, when this turn was its first."""
    if not turn.local or turn.local[0][0] != 0:
        return None
    try:
        first = inline_decoder().decode(turn.local[0][1])
    except UNREADABLE:
        return None
    return first if isinstance(first, Started) else None


def lives(journals: Journals, own: Sequence[Stream]) -> list[Life]:
    """Return every life of which a turn is kept, oldest first."""
    found: list[Life] = []
    for turn in turns_of(Past(journals, _silent), own):
        begun = started(turn)
        if begun is not None or not found or turn.code != found[-1].code:
            epoch, grade = (begun.epoch, begun.grade) if begun else (0, "cut")
            now = turn.now_ns
            found.append(Life(epoch, grade, turn.code, turn.turn, turn.turn, now, now))
        life = found[-1]
        life.last = turn.turn
        life.from_ns, life.until_ns = (
            min(life.from_ns, turn.now_ns),
            max(life.until_ns, turn.now_ns),
        )
    return found


def _silent() -> None:
    """Do nothing: nobody waits for a sign of life."""
