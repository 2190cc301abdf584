"""What every journal of a house must be, however often its owner was killed."""

from collections.abc import Iterator
from pathlib import Path

from bus.journal import open_reader
from schema.frame import Frame, Kind, epoch_of
from schema.head import Message
from schema.house import EpochOpened
from schema.messages import decode
from schema.streams import STREAMS, Stream


def frames(directory: Path, stream: Stream) -> Iterator[Frame]:
    """Yield every frame of a stream."""
    reader = open_reader(directory / stream.owner / stream.channel, stream)
    after = 0
    while found := reader.read(after):
        yield from found
        after = found[-1].last
    reader.close()


def messages(directory: Path, name: str) -> list[Message]:
    """Return every message that was said on a stream."""
    stream = STREAMS[name]
    data = (frame for frame in frames(directory, stream) if frame.kind == Kind.DATA)
    return [message for frame in data for message in decode(stream.number, frame.body)]


def holes(directory: Path) -> list[str]:
    """Return every place where a journal does not follow itself."""
    found = []
    for stream in STREAMS.values():
        last = 0
        for frame in frames(directory, stream) if stream.journaled else ():
            if not _follows(stream, frame, last):
                found.append(f"{stream.name}: {frame.pos} after {last}")
            last = frame.last
    return found


def _follows(stream: Stream, frame: Frame, last: int) -> bool:
    if frame.kind != Kind.EPOCH:
        return frame.pos == last + 1
    (opened,) = decode(stream.number, frame.body)
    assert isinstance(opened, EpochOpened)
    return opened.prev_pos == last and epoch_of(frame.pos) > epoch_of(last)
