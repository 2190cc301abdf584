"""What a watcher hears: journaled streams from their files, the others from their sockets.

Reading files costs the publishers nothing at all; a watcher can be as slow as it likes.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from bus.clock import Clock
from bus.intake import read_body
from bus.journal import JournalReader, open_reader
from bus.merge import Merge
from bus.wire import Subscriber
from schema.frame import HEADER_BYTES, N_MASK, Frame, FrameError, Kind, epoch_of, pack, unpack
from schema.head import Message
from schema.house import EpochOpened, Heartbeat
from schema.streams import BY_NUMBER, STREAMS, TURNS, Stream

SPOKEN = frozenset({Kind.DATA, Kind.HEARTBEAT})
SHOWN = SPOKEN | {Kind.SNAPSHOT}
WAIT_MS = 50


class Seen(msgspec.Struct, frozen=True):
    """One message and where it stood."""

    stream: str
    pos: int
    ts_ns: int
    message: Message
    mono_ns: int = 0
    size: int = 0  # its share of the bytes of its frame


class Whole(msgspec.Struct, frozen=True):
    """One frame, byte for byte as it was written."""

    stream: str
    pos: int
    ts_ns: int
    raw: bytes


class Lost(msgspec.Struct, frozen=True):
    """Positions that a journal lacks, or frames that a socket did not bring; `pos` is behind it."""

    stream: str
    pos: int
    ts_ns: int
    count: int
    stops: bool = False  # a journal lacks them, and its readers must not go on


Item = TypeVar("Item", Seen, Whole)
Opener = Callable[[Frame], list[Item]]


def opened(frame: Frame) -> list[Seen]:
    """Return the messages of a frame; what the bus says to itself is left out."""
    return _messages(frame) if frame.kind in SPOKEN else []


def shown(frame: Frame) -> list[Seen]:
    """Return the messages of a frame, those of a snapshot too."""
    return _messages(frame) if frame.kind in SHOWN else []


def whole(frame: Frame) -> list[Whole]:
    """Return a frame as the bytes that it was."""
    return [Whole(frame.stream, frame.pos, frame.ts_ns, pack(frame))]


def _messages(frame: Frame) -> list[Seen]:
    stream = STREAMS.get(frame.stream)
    if stream is None:
        return []
    size = (HEADER_BYTES + len(frame.body)) // max(1, frame.count)
    return [
        Seen(frame.stream, frame.pos + index, frame.ts_ns, message, frame.mono_ns, size)
        for index, message in enumerate(read_body(stream, frame.body, frame.pos))
        if message is not None and type(message) not in TURNS
    ]


class Tail(Generic[Item]):
    """One journaled stream, read on from some place."""

    def __init__(
        self, journals: Path, stream: Stream, after: int, since_ns: int, opener: Opener[Item]
    ) -> None:
        self.stream = stream
        self.ready: deque[Item | Lost] = deque()
        self._reader: JournalReader = open_reader(journals / stream.owner / stream.channel, stream)
        self._after, self._since_ns = after, since_ns
        self._merge = Merge(after)
        self._open: Opener[Item] = opener

    def fill(self) -> bool:
        """Take what has been written since, a bounded slice of it; False when nothing has."""
        while not self.ready and (frames := self._reader.read(self._after)):
            for frame in frames:
                self._take(frame)
            self._after = max(self._after, frames[-1].last)
        return bool(self.ready)

    def close(self) -> None:
        """Let go of the files."""
        self._reader.close()

    def _take(self, frame: Frame) -> None:
        before = self._merge.pos
        step = self._merge.journal(frame)
        if step.action == "hole":
            count = _between(before, _behind(frame, self.stream))
            stops = self.stream.durability in "AB" and not self._reader.accepts(
                step.expected, step.found - 1
            )
            self.ready.append(Lost(frame.stream, frame.pos, frame.ts_ns, count, stops))
            self._merge.jump(frame)
            self._merge.journal(frame)
        if frame.ts_ns >= self._since_ns:
            self.ready += [one for one in self._open(frame) if one.pos > before or not before]


class Ear(Generic[Item]):
    """The sockets of some streams; what does not follow was lost on the way here.

    The end of a burst has nothing behind it, so the heartbeats of the owners are heard too: what
    one said of its last position has come by the time of the next one, or it was lost.
    """

    def __init__(self, run: Path, streams: Iterable[str], opener: Opener[Item]) -> None:
        self._streams = frozenset(streams)
        beats = {f"{STREAMS[name].owner}.hb" for name in self._streams}
        self._subscriber = Subscriber(run, self._streams | beats & STREAMS.keys())
        self._open: Opener[Item] = opener
        self._lasts: dict[str, int] = {}
        self._claims: dict[str, int] = {}

    def take(self, timeout_ms: int) -> Iterator[Item | Lost]:
        """Yield what came, as soon as anything does; nothing when time is up."""
        for raw in self._subscriber.receive(timeout_ms):
            try:
                frame = unpack(raw)
            except FrameError:
                continue
            if frame.kind == Kind.HEARTBEAT:
                yield from self._missed(frame)
            if frame.stream in self._streams:
                yield from self._gap(frame)
                yield from self._open(frame)

    def close(self) -> None:
        """Leave the bus."""
        self._subscriber.close()

    def _gap(self, frame: Frame) -> Iterator[Lost]:
        before = self._lasts.get(frame.stream, frame.pos - 1)
        self._lasts[frame.stream] = max(before, frame.last)
        if count := _between(before, frame.pos):
            yield Lost(frame.stream, frame.pos, frame.ts_ns, count)

    def _missed(self, frame: Frame) -> Iterator[Lost]:
        for beat in _messages(frame):
            told = beat.message.last if isinstance(beat.message, Heartbeat) else ()
            named = ((BY_NUMBER[number].name, last) for number, last in told if number in BY_NUMBER)
            for name, last in named:
                if name in self._streams:
                    yield from self._unheard(name, last, frame.ts_ns)

    def _unheard(self, name: str, last: int, ts_ns: int) -> Iterator[Lost]:
        before = self._lasts.setdefault(name, last)
        claim = self._claims.get(name, 0)
        self._claims[name] = last
        if claim > before:
            self._lasts[name] = claim
            if count := _between(before, claim + 1):
                yield Lost(name, claim + 1, ts_ns, count)


def _behind(frame: Frame, stream: Stream) -> int:
    """Return the position behind what must stand before a frame."""
    if frame.kind == Kind.EPOCH:
        opening = read_body(stream, frame.body, frame.pos)[0]
        if isinstance(opening, EpochOpened):
            return opening.prev_pos + 1
    return frame.pos


def _between(before: int, pos: int) -> int:
    """Return how many positions lie between two; of an epoch that ended unseen, none is known."""
    if epoch_of(before) == epoch_of(pos):
        return max(0, pos - before - 1)
    return pos & N_MASK if pos > before else 0


def hear(
    tails: Sequence[Tail[Item]],
    ear: Ear[Item] | None,
    clock: Clock,
    timeout_ns: int = 0,
    *,
    follow: bool,
    wait_ms: int = WAIT_MS,
) -> Iterator[Item | Lost | None]:
    """Yield what is said in the order of its records, until time is up; None before each wait.

    Without `follow`, the end of the journals is the end.
    """
    begun_ns = clock.mono_ns()

    def over() -> bool:
        return bool(timeout_ns) and clock.mono_ns() - begun_ns >= timeout_ns

    while not over():
        heard = False
        for item in _merged(tails, lambda: ear is not None or over()):
            heard = True
            yield item
        if heard or not follow:
            yield None
        if not heard and not follow:
            return
        if ear is not None:
            yield None
            yield from ear.take(0 if heard else wait_ms)
        elif not heard:
            yield None
            clock.pause_ms(wait_ms)


def _merged(tails: Sequence[Tail[Item]], enough: Callable[[], bool]) -> Iterator[Item | Lost]:
    """Yield what stands in the journals now, oldest first: all of it, or a bounded slice."""
    while busy := [tail for tail in tails if tail.fill()]:
        # As long as every one of these has something, the oldest of all is among them.
        while all(tail.ready for tail in busy):
            yield min(busy, key=lambda tail: tail.ready[0].ts_ns).ready.popleft()
        if enough():
            return
