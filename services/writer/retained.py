"""What the journals still hold, read by one who only looks, in the order in which it was said."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import msgspec

from bus.clock import Clock
from bus.journal import open_reader
from bus.journals import DiskJournals
from bus.past import Past, Said, in_order
from bus.record import JournalReader
from schema.frame import Frame, Kind
from schema.house import EpochOpened
from schema.messages import UNREADABLE
from schema.streams import BY_NUMBER, STREAMS, Stream

_opened = msgspec.msgpack.Decoder(list[EpochOpened])


class Span(msgspec.Struct, frozen=True):
    """What a journal holds of one stream; all 0 where it holds nothing."""

    stream: str
    before: int = 0  # the position that came before its first one; 0: nothing ever did
    first: int = 0
    last: int = 0
    first_ns: int = 0

    def follows(self, pos: int) -> bool:
        """Return whether nothing is missing between a position and what the journal holds."""
        return self.before <= pos


class Shelf(DiskJournals):
    """The journals of a world as they lie on the disk: nothing is synced, nothing is written."""

    def reader(self, stream: Stream) -> JournalReader:
        return open_reader(self._folder(stream), stream)


class Course:
    """How far each stream was read, the bus's own records too, and what market time it was then.

    The epochs of a stream tell that; it only has to be good enough to tell a time of today from
    garbage, as the writer does.
    """

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self._anchors: dict[int, tuple[int, int]] = {}
        self.reached: dict[int, int] = {}

    def noting(self, said: Iterable[Said]) -> Iterator[Said]:
        """Pass on what was said on one stream, and learn from it."""
        for one in said:
            if isinstance(one.message, EpochOpened) or one.stream.number not in self._anchors:
                self._anchors[one.stream.number] = one.ts_ns, one.message.ts_event
            self.reached[one.stream.number] = one.pos
            yield one

    def at(self, said: Said) -> int:
        """Return the market time, in ns, at which something was said."""
        wall_ns, market_ns = self._anchors[said.stream.number]
        return market_ns + int((said.ts_ns - wall_ns) * self._scale)


def spans(journal_dir: Path, streams: Iterable[str], clock: Clock) -> dict[str, Span]:
    """Return what the journals hold of some streams."""
    shelf = Shelf(journal_dir, clock)
    return {name: _span(shelf, STREAMS[name]) for name in streams}


def said_since(
    journal_dir: Path,
    after: Mapping[str, int],
    wanted: Callable[[Said], bool],
    course: Course,
    clock: Clock,
) -> Iterator[Said]:
    """Yield what was said on streams behind positions, as long as it is wanted of each stream."""
    past = Past(Shelf(journal_dir, clock), lambda: None)
    lanes = (
        course.noting(_while(past.since(STREAMS[name], pos), wanted)) for name, pos in after.items()
    )
    yield from in_order(lanes)


def behind_bye(
    journal_dir: Path, reached: Mapping[int, int], until_ns: int, clock: Clock
) -> dict[int, int]:
    """Return the same positions, each moved over the record by which a stream's owner took leave.

    It says nothing and is no message, but who hears the stream live has passed it.
    """
    shelf, found = Shelf(journal_dir, clock), dict(reached)
    for number, pos in reached.items():
        with closing(shelf.reader(BY_NUMBER[number])) as reader:
            following = reader.read(pos, 1)
        if following and following[0].kind == Kind.BYE and following[0].ts_ns <= until_ns:
            found[number] = following[0].last
    return found


def _while(said: Iterator[Said], wanted: Callable[[Said], bool]) -> Iterator[Said]:
    with closing(said):  # type: ignore[type-var] # a generator, whose reader is closed with it
        for one in said:
            if not wanted(one):
                return
            yield one


def _span(shelf: Shelf, stream: Stream) -> Span:
    with closing(shelf.reader(stream)) as reader:
        found = reader.read(0, 1)
        if not found:
            return Span(stream.name)
        first = found[0]
        return Span(stream.name, _before(first), first.pos, reader.last(), first.ts_ns)


def _before(first: Frame) -> int:
    if first.kind == Kind.EPOCH:
        try:
            return _opened.decode(first.body)[0].prev_pos
        except (*UNREADABLE, IndexError):
            return first.pos - 1
    return first.pos - 1
