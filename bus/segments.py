"""The files of one stream: `<first position, 20 digits>.seg`, sealed one after the other.

Sealed ones are compressed in time; a segment is read from wherever `archive` finds it.

A segment begins with a mark that repeats the hash of the segment before it, and ends with a mark
that holds its own. A segment is sealed and synced before the next one exists, so only the newest
may lack its end.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from bus.archive import SUFFIX, bases, open_segment, segment_path
from bus.clock import Clock
from bus.digest import HASH_BYTES
from bus.disk import sync_file, write_whole
from bus.errors import JournalError
from bus.held import Held
from bus.record import packed
from bus.repair import damaged, end_mark, find_record, missing_bytes, record_at
from schema.frame import FRAME_BYTES_MAX, HEADER_BYTES, MAGIC, VERSION, Frame, Kind, topic
from schema.house import SegmentEnd
from schema.messages import encode
from schema.streams import Stream

__all__ = [
    "CHUNK_BYTES",
    "HASH_BYTES",
    "WINDOW_BYTES",
    "Segment",
    "bases",
    "cut",
    "end_of_segment",
    "failing",
    "save_beside",
    "segment_path",
    "unwritten",
    "write_all",
]

CHUNK_BYTES = 1 << 20
WINDOW_BYTES = 1 << 17
MARK_BYTES = 38
PARTS_MAX = 256  # Far below what a system takes at once.


def write_all(fd: int, parts: Sequence[bytes]) -> None:
    """Write all parts, one behind the other, with one call where the system takes so many."""
    if len(parts) > PARTS_MAX:
        write_whole(fd, b"".join(parts))
        return
    written = os.writev(fd, parts)
    if written < sum(map(len, parts)):
        write_whole(fd, memoryview(b"".join(parts))[written:])


def cut(path: Path, length: int) -> None:
    """Let a file end at a length, on the disk too."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.ftruncate(fd, length)
        sync_file(fd)
    finally:
        os.close(fd)


def save_beside(path: Path, data: bytes) -> None:
    """Keep bytes that are about to be cut from a file, next to it; never over earlier ones."""
    for n in range(1000):
        target = path.with_name(f"{path.name}{f'.{n}' if n else ''}.torn")
        try:
            fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        try:
            write_whole(fd, data)
            sync_file(fd)
        finally:
            os.close(fd)
        return
    raise JournalError(
        f"{path.parent} holds a thousand torn tails of one segment",
        "The disk or its cable is failing: look at it, then move the .torn files away",
    )


def end_of_segment(stream: Stream, pos: int, digest: bytes, next_base: int, clock: Clock) -> bytes:
    """Return the mark that ends a segment, and that begins the next one."""
    mark = SegmentEnd(ts_event=clock.market_ns(), blake2b=digest, next_base=next_base)
    times = clock.wall_ns(), clock.mono_ns()
    return packed(stream, Kind.EOF, pos, times, encode([mark]), 0)


@cache
def snapshot_mark(stream: str) -> re.Pattern[bytes]:
    """Return what the first 38 bytes of a record look like that holds a snapshot of a stream."""
    kind = bytes((VERSION, Kind.SNAPSHOT))
    return re.compile(re.escape(topic(stream) + MAGIC) + b".{8}" + re.escape(kind), re.DOTALL)


MAKE_ROOM = "Make room or repair the disk: what was said is safe, the next start cuts the rest"


@contextmanager
def failing(path: Path, hint: str = MAKE_ROOM) -> Iterator[None]:
    """Turn a failure of the system under this path into a JournalError."""
    try:
        yield
    except OSError as error:
        raise unwritten(path, error, hint) from error


def unwritten(path: Path, error: OSError, hint: str = MAKE_ROOM) -> JournalError:
    """Return the failure that says what the system said of a path."""
    return JournalError(f"{path} cannot be written: {error}", hint).of_disk(error)


class Segment:
    """One segment, open for reading from a place in it."""

    def __init__(self, directory: Path, base: int, stream: Stream) -> None:
        self.base = base
        self.offset = 0
        self.last = 0  # the last position passed; 0 before the first
        self.sealed = False  # the end mark was passed
        self.holes = 0
        self._leapt = False  # where it stands now was found by `seek` and not by reading
        self._stream = stream
        self._fd, self.path = open_segment(directory, base)
        self._held = Held(self._fd)
        self._plain = self.path.name.endswith(SUFFIX)

    def frames(self, after: int, max_bytes: int) -> list[Frame]:
        """Return the next frames behind a position; none at the end of what is written so far."""
        found: list[Frame] = []
        size = 0
        while size < max_bytes and not self.sealed:
            taken = self._chunk(after, max_bytes - size)
            if taken is None and (found or not self._step_over()):
                break  # What is valid is given out before the damage behind it is met.
            found += taken or ()
            size += sum(HEADER_BYTES + len(frame.body) for frame in taken or ())
        return found

    def seek(self, after: int) -> None:
        """Go near the first record behind a position, by halves; what is passed is not looked at.

        A place is known by a valid record, so this needs no index, and damage cannot mislead it.
        A message may hold the bytes of a record: where that leads astray, reading begins anew.
        """
        low, high = 0, os.fstat(self._fd).st_size
        while high - low > 2 * WINDOW_BYTES:
            middle = (low + high) // 2
            data = os.pread(self._fd, WINDOW_BYTES, middle)
            at = find_record(data, 0, self._stream.name, 0)
            frame = record_at(data, at, self._stream.name) if at >= 0 else None
            if frame is not None and frame.last <= after:
                low, self.last = middle + at, frame.pos - 1
            else:
                high = middle
        self.offset, self._leapt = low, low > 0

    def snapshots(self) -> Iterator[Frame]:
        """Yield the valid records of snapshots, newest first; all else is only leapt over."""
        mark = snapshot_mark(self._stream.name)
        high = os.fstat(self._fd).st_size
        while high > 0:
            low = max(0, high - CHUNK_BYTES)
            data = os.pread(self._fd, high - low + MARK_BYTES - 1, low)
            for at in reversed([found.start() for found in mark.finditer(data)]):
                frame = self._whole(low + at)
                if frame is not None:
                    yield frame
            high = low

    def skip_all(self) -> None:
        """Go to the end of what is written so far."""
        while not self.sealed:
            if self._chunk(1 << 62, CHUNK_BYTES) is None and not self._step_over():
                break

    def settle(self) -> None:
        """Bring what was read to the disk, unless it is there for certain."""
        if not self.sealed and self._plain:
            sync_file(self._fd)

    @property
    def replaced(self) -> bool:
        """Whether another file has taken its place since it was opened."""
        try:
            return self._plain and self.path.stat().st_ino != os.fstat(self._fd).st_ino
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Let go of the file."""
        self._held.close()
        self._fd = -1

    def _chunk(self, after: int, max_bytes: int) -> list[Frame] | None:
        data = os.pread(self._fd, max(max_bytes, HEADER_BYTES), self.offset)
        needed = missing_bytes(data, 0)
        if needed > len(data):
            data = os.pread(self._fd, needed, self.offset)
        found: list[Frame] = []
        at = 0
        while at < len(data) and not self.sealed:
            frame = record_at(data, at, self._stream.name)
            if frame is None:
                break
            at += HEADER_BYTES + len(frame.body)
            self._pass(frame)
            if frame.count and frame.last > after:
                found.append(frame)
        self.offset += at
        return found if at else None

    def _whole(self, offset: int) -> Frame | None:
        data = os.pread(self._fd, FRAME_BYTES_MAX, offset)
        return record_at(data, 0, self._stream.name)

    def _pass(self, frame: Frame) -> None:
        self.last = frame.last if frame.count else self.last
        self.sealed = end_mark(frame, self.base) is not None

    def _step_over(self) -> bool:
        # Nothing valid here: the end so far, or damage, which has something valid behind it.
        rest = self._rest()
        if record_at(rest, 0, self._stream.name):
            return True  # Written since.
        if rest and self._leapt:
            self.offset, self.last, self._leapt = 0, 0, False
            return True
        behind = find_record(rest, 1, self._stream.name, max(self.last + 1, self.base))
        if behind < 0:
            return False
        if self._stream.durability in "AB":
            raise damaged(str(self.path), self.offset, f"a record of {self._stream.name}")
        self.offset += behind
        self.holes += 1
        return True

    def _rest(self) -> bytes:
        rest = bytearray()
        while data := os.pread(self._fd, CHUNK_BYTES, self.offset + len(rest)):
            rest += data
        return bytes(rest)
