"""What a watcher hears: journaled streams from their files, the others from their sockets.

Reading files costs the publishers nothing at all; a watcher can be as slow as it likes.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bus.clock import Clock
from bus.intake import read_body
from bus.journal import JournalReader, open_reader
from bus.wire import Subscriber
from schema.frame import Frame, FrameError, Kind, unpack
from schema.head import Message
from schema.streams import STREAMS, TURNS, Stream
from services.rrr.places import after_and_since

SPOKEN = frozenset({Kind.DATA, Kind.HEARTBEAT})
WAIT_MS = 50


class Seen(msgspec.Struct, frozen=True):
    """One message and where it stood."""

    stream: str
    pos: int
    ts_ns: int
    message: Message


class Tail:
    """One journaled stream, read on from some place."""

    def __init__(self, directory: Path, stream: Stream, offset: str, now_ns: int) -> None:
        self.stream = stream
        self._reader: JournalReader = open_reader(directory / stream.owner / stream.channel, stream)
        self._after, self._since_ns = after_and_since(self._reader, offset, now_ns)

    def take(self) -> list[Seen]:
        """Return what has been written since, a bounded slice of it."""
        frames = self._reader.read(self._after)
        if frames:
            self._after = max(self._after, frames[-1].last)
        return [seen for frame in frames for seen in opened(frame) if seen.ts_ns >= self._since_ns]


def journal_tails(directory: Path, names: Sequence[str], offset: str, now_ns: int) -> list[Tail]:
    """Return a tail for each stream that has a journal."""
    streams = [STREAMS[name] for name in names]
    return [Tail(directory, stream, offset, now_ns) for stream in streams if stream.journaled]


def opened(frame: Frame) -> list[Seen]:
    """Return the messages of a frame; what the bus says to itself is left out."""
    stream = STREAMS.get(frame.stream)
    if stream is None or frame.kind not in SPOKEN:
        return []
    return [
        Seen(frame.stream, frame.pos + index, frame.ts_ns, message)
        for index, message in enumerate(read_body(stream, frame.body))
        if message is not None and type(message) not in TURNS
    ]


def listen(
    tails: Sequence[Tail],
    subscriber: Subscriber | None,
    clock: Clock,
    timeout_ns: int,
    *,
    follow: bool,
) -> Iterator[Seen]:
    """Yield messages in the order of their records, as they come, until time is up."""
    begun_ns = clock.mono_ns()
    while not timeout_ns or clock.mono_ns() - begun_ns < timeout_ns:
        heard = [seen for tail in tails for seen in tail.take()]
        yield from sorted(heard, key=lambda seen: seen.ts_ns)
        if heard:
            continue
        if not follow:
            return
        if subscriber is None:
            clock.pause_ms(WAIT_MS)
            continue
        for raw in subscriber.receive(WAIT_MS):
            yield from _whole(raw)


def _whole(raw: bytes) -> list[Seen]:
    try:
        return opened(unpack(raw))
    except FrameError:
        return []
