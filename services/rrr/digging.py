"""Finds records in a journal's files, compressed or not, by what they hold and by their time.

Nothing is indexed: a needle of bytes is looked for in the raw file, a time by halves. What is found
counts only when a whole record with a valid checksum stands there.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bus.archive import bases, open_segment, read_head, read_segment
from bus.held import Held
from bus.repair import MAGIC_AT, find_record, record_at
from bus.segments import WINDOW_BYTES
from schema.frame import FRAME_BYTES_MAX, HEADER_BYTES, MAGIC, Frame
from schema.streams import Stream

HEAD_BYTES = 4096
"""More than the mark that a segment begins with."""

LOOK_BACK_BYTES = 16 << 20
"""How far before a time something is looked for that was said just before it."""


def directory_of(journals: Path, stream: Stream) -> Path:
    """Return where the files of a stream lie."""
    return journals / stream.owner / stream.channel


def holding(journals: Path, stream: Stream, needle: bytes) -> Iterator[Frame]:
    """Yield the records that hold some bytes, newest first."""
    directory = directory_of(journals, stream)
    for base in reversed(bases(directory)):
        with suppress(FileNotFoundError):  # Retention was faster.
            yield from _found(read_segment(directory, base), stream, needle)


def holding_before(
    journals: Path, stream: Stream, needle: bytes, wall_ns: int, oldest_ns: int
) -> Iterator[Frame]:
    """Yield the records that hold some bytes and were written before a time, newest first.

    Only a bounded stretch before that time is looked at, and nothing older than `oldest_ns`.
    """
    left = LOOK_BACK_BYTES
    for fd in _begun_by(directory_of(journals, stream), stream, wall_ns):
        end = _offset(fd, stream, wall_ns) + 2 * WINDOW_BYTES + FRAME_BYTES_MAX
        begin = max(0, end - left - FRAME_BYTES_MAX)
        data = os.pread(fd, end - begin, begin)
        yield from (one for one in _found(data, stream, needle) if one.ts_ns <= wall_ns)
        left -= len(data)
        first = _first(data, stream)
        if left <= 0 or (first is not None and first.ts_ns < oldest_ns):
            return


def position_at(journals: Path, stream: Stream, wall_ns: int) -> int:
    """Return a position that was written before a time, and not long before; 0 without one."""
    for fd in _begun_by(directory_of(journals, stream), stream, wall_ns):
        offset = _offset(fd, stream, wall_ns)
        frame = _first(os.pread(fd, 2 * WINDOW_BYTES, offset), stream)
        if frame is not None and frame.ts_ns < wall_ns:
            return max(0, frame.pos - 1)
    return 0


def newest_first(journals: Path, stream: Stream) -> Iterator[Frame]:
    """Yield all records of a stream, newest first."""
    return holding(journals, stream, MAGIC)


def _begun_by(directory: Path, stream: Stream, wall_ns: int) -> Iterator[int]:
    """Yield the segments that were begun by then, newest first; each is closed at the next one.

    Of later ones only the head is looked at, so that it is not unpacked.
    """
    for base in reversed(bases(directory)):
        with suppress(FileNotFoundError):  # Retention was faster.
            first = _first(read_head(directory, base, HEAD_BYTES), stream)
            if first is not None and first.ts_ns > wall_ns:
                continue
            held = Held(open_segment(directory, base)[0])
            yield held.fd
            held.close()


def _offset(fd: int, stream: Stream, wall_ns: int) -> int:
    """Return where a record begins that is older than a time, near the first one that is not."""
    low, high = 0, os.fstat(fd).st_size
    while high - low > 2 * WINDOW_BYTES:
        middle = (low + high) // 2
        data = os.pread(fd, WINDOW_BYTES, middle)
        at = find_record(data, 0, stream.name, 0)
        frame = record_at(data, at, stream.name) if at >= 0 else None
        if frame is not None and frame.ts_ns < wall_ns:
            low = middle + at
        else:
            high = middle
    return low


def _first(data: bytes, stream: Stream) -> Frame | None:
    at = 0 if record_at(data, 0, stream.name) else find_record(data, 0, stream.name, 0)
    return record_at(data, at, stream.name) if at >= 0 else None


def _found(data: bytes, stream: Stream, needle: bytes) -> Iterator[Frame]:
    hit = data.rfind(needle)
    while hit >= 0:
        begin, frame = _around(data, hit, stream)
        if frame is not None:
            yield frame
        hit = data.rfind(needle, 0, begin + len(needle) - 1 if frame is not None else hit)


def _around(data: bytes, hit: int, stream: Stream) -> tuple[int, Frame | None]:
    """Return the record that a place lies in, and where it begins."""
    lowest = max(0, hit - FRAME_BYTES_MAX)
    magic = data.rfind(MAGIC, lowest, hit + len(MAGIC))
    while magic >= MAGIC_AT:
        begin = magic - MAGIC_AT
        frame = record_at(data, begin, stream.name)
        if frame is not None:
            holds = hit < begin + HEADER_BYTES + len(frame.body)
            return (begin, frame) if holds else (hit, None)
        magic = data.rfind(MAGIC, lowest, magic)
    return hit, None
