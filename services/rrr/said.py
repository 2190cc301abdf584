"""What was said, read from the journals: at a position, behind one, and by what it holds.

It works while all runs and when nothing does, and costs the publishers nothing.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TypeVar

import msgspec

from bus.journal import open_reader
from schema.head import Message
from schema.streams import BY_NUMBER, STREAMS
from services.rrr.digging import (
    directory_of,
    holding,
    holding_before,
    newest_first,
    position_at,
)
from services.rrr.ears import Seen, opened

READ_BYTES = 1 << 16
SLICE_BYTES = 1 << 20

Kind = TypeVar("Kind", bound=Message)


def said_at(journals: Path, number: int, pos: int) -> Seen | None:
    """Return the message at a position; None when it is not kept."""
    stream = BY_NUMBER.get(number)
    if stream is None or not stream.journaled:
        return None
    around = said_from(journals, stream.name, pos, pos)
    return next((seen for seen in around if seen.pos == pos), None)


def said_from(journals: Path, name: str, first: int, last: int = 1 << 62) -> Iterator[Seen]:
    """Yield the messages from a position to another one, both included."""
    stream = STREAMS[name]
    reader = open_reader(directory_of(journals, stream), stream)
    after = max(0, first - 1)
    try:
        while frames := reader.read(after, SLICE_BYTES if last > first + 1000 else READ_BYTES):
            after = frames[-1].last
            seen = chain.from_iterable(map(opened, frames))
            yield from (one for one in seen if first <= one.pos <= last)
            if after >= last:
                return
    finally:
        reader.close()


def said_since(journals: Path, name: str, wall_ns: int) -> Iterator[Seen]:
    """Yield the messages that were said since a wall time."""
    first = position_at(journals, STREAMS[name], wall_ns)
    return (seen for seen in said_from(journals, name, first) if seen.ts_ns >= wall_ns)


def said_with(journals: Path, name: str, text: str, *, part: bool = False) -> Iterator[Seen]:
    """Yield the messages of the records that hold a text as a whole field, newest first.

    `part`: it may be a part of a field as well.
    """
    return said_holding(journals, name, text.encode() if part else msgspec.msgpack.encode(text))


def said_holding(journals: Path, name: str, needle: bytes) -> Iterator[Seen]:
    """Yield the messages of the records that hold some bytes, newest first."""
    for frame in holding(journals, STREAMS[name], needle):
        yield from reversed(opened(frame))


def said_before(
    journals: Path, name: str, needle: bytes, wall_ns: int, oldest_ns: int
) -> Iterator[Seen]:
    """Yield the messages of records that hold some bytes, from a wall time backwards."""
    for frame in holding_before(journals, STREAMS[name], needle, wall_ns, oldest_ns):
        yield from reversed(opened(frame))


def last_said(journals: Path, name: str) -> Seen | None:
    """Return the newest message of a stream."""
    spoken = (opened(frame) for frame in newest_first(journals, STREAMS[name]))
    return next((seen[-1] for seen in spoken if seen), None)


def last_of(journals: Path, name: str, after: int, kind: type[Kind]) -> Kind | None:
    """Return the newest message of a kind behind a position."""
    found: Kind | None = None
    for seen in said_from(journals, name, after + 1):
        if isinstance(seen.message, kind):
            found = seen.message
    return found
