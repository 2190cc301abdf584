"""What the journals say of the past: messages with their places, and the inputs of a past turn."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from heapq import merge
from itertools import count, groupby, repeat
from operator import attrgetter
from typing import Any

import msgspec

from bus.holes import missing
from bus.intake import read_frame
from bus.journals import Journals
from bus.merge import Merge
from bus.record import JournalReader
from bus.service import Heard
from schema.frame import Frame, Kind
from schema.head import Message
from schema.house import Inputs
from schema.messages import inline_decoder
from schema.streams import BY_NUMBER, TURNS, Stream

SLICE_BYTES = 1 << 20

_RECORDS = frozenset(TURNS)


class Said(msgspec.Struct, frozen=True, gc=False):
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
        self.jumped = ""  # a hole that was passed: what stands behind it was said knowing more

    def since(self, stream: Stream, after: int, *, own: bool = False) -> Iterator[Said]:
        """Yield every message of a stream behind a position, the bus's own records included.

        Of an own stream the snapshots, too; those of another's are passed over, as when heard.
        """
        kinds = (Kind.DATA, Kind.EPOCH, Kind.SNAPSHOT) if own else (Kind.DATA, Kind.EPOCH)
        with closing(self._journals.reader(stream)) as reader:
            pos = after
            first = reader.first()
            lane = Merge(after if first <= after else 0)
            while frames := reader.read(pos, SLICE_BYTES):
                self._beat()
                pos = frames[-1].last
                if not lane.pos:
                    lane.begin(frames[0], first)
                for frame in frames:
                    self._follow(reader, lane, frame)
                    if frame.kind in kinds:
                        yield from _messages(stream, frame, after)

    def _follow(self, reader: JournalReader, lane: Merge, frame: Frame) -> None:
        # What retention took from the front is no hole; it is told in other ways.
        step = lane.journal(frame)
        if step.action != "hole":
            return
        stream, first, last = reader.stream, step.expected, step.found - 1
        if stream.durability in "AB" and not reader.accepts(first, last):
            raise missing(stream, step)
        self.jumped = f"{stream.name} lacks {first} to {last}"
        lane.jump(frame)
        lane.journal(frame)


_said: Any = Said  # of what is None, too: that goes out again at once


def _messages(stream: Stream, frame: Frame, after: int) -> list[Said]:
    messages = read_frame(stream, frame)
    said = map(_said, repeat(stream), count(frame.pos), repeat(frame.ts_ns), messages)
    return [one for one in said if one.message is not None and one.pos > after]


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
    for run in merge(*map(_runs, streams), key=lambda run: run[0].ts_ns):
        for said in run:
            if type(said.message) not in _RECORDS:
                yield said


def _runs(stream: Iterable[Said]) -> Iterator[list[Said]]:
    # What was appended at once need not be compared one by one.
    for _, run in groupby(stream, attrgetter("ts_ns")):
        yield list(run)


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
