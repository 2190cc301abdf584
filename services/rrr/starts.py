"""Finds in a journal where a person wants to begin; no stream is read from its beginning for it."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from bus.errors import HouseError
from bus.journal import open_reader
from schema.frame import Frame
from schema.streams import Stream
from services.rrr.digging import directory_of, newest_first, position_at
from services.rrr.ears import Seen, shown
from services.rrr.places import Place, position_text

Wanted = Callable[[Seen], bool]


class Start(msgspec.Struct, frozen=True):
    """Where to begin: behind a position, with what was written at or after a wall time."""

    after: int = 0
    since_ns: int = 0


def start_of(
    journals: Path, stream: Stream, place: Place, now_ns: int, wanted: Wanted | None = None
) -> Start:
    """Return where a place is; of -N, only `wanted` messages count."""
    match place.kind:
        case "beginning":
            return Start()
        case "end":
            return Start(last_position(journals, stream))
        case "snapshot":
            return Start(max(0, _snapshot(journals, stream) - 1))
        case "position":
            require_kept(journals, stream, place.number)
            return Start(max(0, place.number - 1))
        case "back":
            return Start(_back(journals, stream, place.number, wanted))
        case "time" | "ago":
            wall_ns = place.number if place.kind == "time" else now_ns - place.number
            return Start(position_at(journals, stream, wall_ns), wall_ns)


def last_position(journals: Path, stream: Stream) -> int:
    """Return the last position of a stream that is kept; 0 when nothing is."""
    return next((frame.last for frame in numbered(journals, stream)), 0)


def first_position(journals: Path, stream: Stream) -> int:
    """Return the first position of a stream that is still kept; 0 when nothing is."""
    with closing(open_reader(directory_of(journals, stream), stream)) as reader:
        return reader.first()


def numbered(journals: Path, stream: Stream) -> Iterator[Frame]:
    """Yield the records of a stream that hold positions, newest first."""
    return (frame for frame in newest_first(journals, stream) if frame.count)


def require_kept(journals: Path, stream: Stream, pos: int) -> None:
    """Refuse a position that retention has taken away; it is told what is kept."""
    first = first_position(journals, stream)
    if 0 < pos < first:
        raise not_kept(journals, stream, pos)


def not_kept(journals: Path, stream: Stream, pos: int) -> HouseError:
    """Return the failure that names a position and what is kept."""
    first, last = first_position(journals, stream), last_position(journals, stream)
    kept = f"kept are {_both(first)} to {_both(last)}" if last else "nothing is kept of it yet"
    return HouseError(
        f"{stream.name} holds no position {_both(pos)}: {kept}",
        f"`rrr bus info {stream.name}` says more; `-o beginning` begins with what is kept",
    )


def _both(pos: int) -> str:
    return f"{position_text(pos)} ({pos})"


def _snapshot(journals: Path, stream: Stream) -> int:
    with closing(open_reader(directory_of(journals, stream), stream)) as reader:
        return reader.snapshot()


def _back(journals: Path, stream: Stream, count: int, wanted: Wanted | None) -> int:
    if not count:
        return last_position(journals, stream)
    left = count
    for frame in numbered(journals, stream):
        for seen in reversed(shown(frame)):
            left -= wanted is None or wanted(seen)
            if not left:
                return seen.pos - 1
    return 0
