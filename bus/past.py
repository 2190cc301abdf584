"""What the journals say of the past: messages with their places, and the inputs of a past turn."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from heapq import merge

import msgspec

from bus.intake import read_body
from bus.journals import Journals
from bus.service import Heard
from schema.frame import Frame, Kind
from schema.head import Message
from schema.house import Inputs
from schema.messages import inline_decoder
from schema.streams import BY_NUMBER, TURNS, Stream

SLICE_BYTES = 1 << 20


class Said(msgspec.Struct, frozen=True):
    """One message of an own or folded stream, with its place."""

    stream: Stream
    pos: int
    ts_ns: int
    message: Message


class Past:
    """The journals as a recovery reads them: however long it takes, it gives signs of life."""

    def __init__(self, journals: Journals, beat: Callable[[], None]) -> None:
        self._journals = journals
        self._beat = beat

    def since(self, stream: Stream, after: int) -> Iterator[Said]:
        """Yield every message of a stream behind a position, the bus's own records included."""
        with closing(self._journals.reader(stream)) as reader:
            pos = after
            while frames := reader.read(pos, SLICE_BYTES):
                self._beat()
                pos = frames[-1].last
                for frame in frames:
                    yield from _messages(stream, frame, after)


def _messages(stream: Stream, frame: Frame, after: int) -> Iterator[Said]:
    if frame.kind not in (Kind.DATA, Kind.EPOCH):
        return
    for index, message in enumerate(read_body(stream, frame.body)):
        if message is not None and frame.pos + index > after:
            yield Said(stream, frame.pos + index, frame.ts_ns, message)


def until(said: Iterator[Said], last: int) -> Iterator[Said]:
    """Yield what stands up to a position, it included."""
    for one in said:
        if one.pos > last:
            return
        yield one


def in_order(streams: Iterable[Iterable[Said]]) -> Iterator[Said]:
    """Yield the messages of several streams in the order in which they were appended.

    Between streams the wall clock decides; within one its positions do, since a clock may be set.
    """
    for said in merge(*streams, key=lambda said: said.ts_ns):
        if type(said.message) not in TURNS:
            yield said


class Rewind:
    """The inputs of past turns; each turn goes on where the last one ended in every stream."""

    def __init__(self, past: Past) -> None:
        self._past = past
        self._streams: dict[int, Iterator[Said]] = {}

    def heard(self, turn: Inputs) -> list[Heard] | None:
        """Return what the next turn heard, in the order of then; None when some of it is gone."""
        heard: list[Heard] = []
        for number, first, last in turn.slices:
            found = self._slice(number, first, last)
            if not found or found[0].pos != first or found[-1].pos != last:
                return None
            heard += found
        for index, packed in turn.local:
            heard.insert(index, Heard(inline_decoder().decode(packed)))
        return heard

    def _slice(self, number: int, first: int, last: int) -> list[Heard]:
        if number not in self._streams:
            self._streams[number] = self._past.since(BY_NUMBER[number], first - 1)
        found = []
        for said in self._streams[number]:
            if said.pos >= first and type(said.message) not in TURNS:
                found.append(Heard(said.message, number, said.pos))
            if said.pos >= last:
                break
        return found
