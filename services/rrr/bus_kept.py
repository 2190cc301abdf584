"""What is kept of a stream, and how far those who hear it have come.

Who runs is asked; of who does not, the files tell. What nobody knows is None.
"""

from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from bus.archive import bases, place_of, plain_bases, read_head
from bus.cursors import read_cursors
from bus.disk import file_bytes
from bus.errors import JournalError, ProtocolError
from bus.health import last_positions
from bus.house import House
from bus.journal import open_reader
from bus.repair import record_at
from schema.frame import N_MASK, epoch_of
from schema.streams import Stream
from schema.units import SECOND_NS
from services.rrr.digging import directory_of
from services.rrr.ears import opened
from services.rrr.places import position_text
from services.rrr.starts import last_position
from services.rrr.survey import Survey

HEAD_BYTES = 4096
COUNTED_BYTES = 4 << 20
"""Of what a consumer has not read, this much is counted message by message, more by positions."""


class Consumer(msgspec.Struct, frozen=True):
    """One service that hears a stream, and how far it is behind its end."""

    consumer: str
    stream: str
    durable: bool  # retention waits for it
    cursor: int | None
    last: int
    behind: int | None  # messages
    behind_s: float | None  # the age of the oldest message that it has not read
    known_from: str  # heartbeat | file | nothing


def segments(journals: Path, stream: Stream) -> list[dict[str, Any]]:
    """Return the files of a stream, oldest first."""
    directory = directory_of(journals, stream)
    plain = set(plain_bases(directory))
    return [
        {
            "base": base,
            "place": position_text(base),
            "bytes": file_bytes(place_of(directory, base)),
            "archived": base not in plain,
        }
        for base in bases(directory)
    ]


def oldest_ns(journals: Path, stream: Stream) -> int:
    """Return when the oldest segment that is kept was begun, wall time; 0 without one."""
    directory = directory_of(journals, stream)
    for base in bases(directory):
        try:
            frame = record_at(read_head(directory, base, HEAD_BYTES), 0, stream.name)
        except (FileNotFoundError, JournalError):
            continue  # Retention was faster, or it is damaged: `journal verify` tells.
        if frame is not None:
            return frame.ts_ns
    return 0


def last_of(house: House, found: Survey, stream: Stream) -> int:
    """Return the last position of a stream: what its owner says, else what its files hold."""
    if not stream.journaled:
        return 0
    said = last_positions(found.heartbeats.values()).get(stream.number)
    return said or last_position(house.journal_dir, stream)


def synced_of(found: Survey, stream: Stream) -> int | None:
    """Return up to where a stream is on the disk for certain; only its owner knows."""
    owner = found.heartbeats.get(stream.owner)
    return dict(owner.synced).get(stream.number) if owner is not None else None


def consumers(
    house: House, found: Survey, stream: Stream, *, all_of_them: bool = True
) -> list[Consumer]:
    """Return who hears a stream: those that retention waits for, then the others that run."""
    if not stream.journaled:
        return []
    last = last_of(house, found, stream)
    told = read_cursors(house.journal_dir, stream)
    live = {
        name: cursor
        for name, heartbeat in found.heartbeats.items()
        if (cursor := dict(heartbeat.cursors).get(stream.number)) is not None
    }
    durable = [name for name in stream.durable if name in house.programs]
    others = [name for name in live if name not in durable] if all_of_them else []
    return [
        _consumer(house, found, stream, name, live.get(name), told.get(name), last)
        for name in (*durable, *others)
    ]


def _consumer(
    house: House,
    found: Survey,
    stream: Stream,
    name: str,
    live: int | None,
    told: int | None,
    last: int,
) -> Consumer:
    cursor = live if live is not None else told
    source = "heartbeat" if live is not None else "file" if told is not None else "nothing"
    try:
        behind, since_ns = _unread(house.journal_dir, stream, cursor, last)
    except (JournalError, ProtocolError):
        behind, since_ns = None, 0  # Damaged, or of newer code: `journal verify` tells.
    return Consumer(
        consumer=name,
        stream=stream.name,
        durable=name in stream.durable,
        cursor=cursor,
        last=last,
        behind=behind,
        behind_s=_seconds(behind, found.wall_ns - since_ns),
        known_from=source,
    )


def _seconds(behind: int | None, age_ns: int) -> float | None:
    if behind is None:
        return None
    return round(max(0, age_ns) / SECOND_NS, 3) if behind else 0.0


def _unread(
    journals: Path, stream: Stream, cursor: int | None, last: int
) -> tuple[int | None, int]:
    """Return how many messages follow a cursor, and when the first of them was written."""
    if cursor is None:
        return (0, 0) if not last else (None, 0)
    count, size, after, since_ns = 0, 0, cursor, 0
    with closing(open_reader(directory_of(journals, stream), stream)) as reader:
        while after < last and (frames := reader.read(after)):
            seen = [one for frame in frames for one in opened(frame) if after < one.pos <= last]
            count += len(seen)
            since_ns = since_ns or (seen[0].ts_ns if seen else 0)
            after = frames[-1].last
            size += sum(len(frame.body) for frame in frames)
            if size > COUNTED_BYTES and after < last:
                return count + _positions(after, last), since_ns
    return count, since_ns


def _positions(after: int, last: int) -> int:
    # Of the epochs between, those that ended are not looked up: the newest one is most of it.
    if epoch_of(after) == epoch_of(last):
        return last - after
    return (last & N_MASK) + 1
