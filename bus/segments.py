"""The files of one stream: `<first position, 20 digits>.seg`, sealed one after the other.

A segment begins with a mark that repeats the hash of the segment before it, and ends with a mark
that holds its own. A segment is sealed and synced before the next one exists, so only the newest
may lack its end.
"""

import errno
import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bus.clock import Clock
from bus.errors import JournalError
from bus.held import Held
from bus.record import packed
from bus.repair import damaged, end_mark, find_record, missing_bytes, record_at
from schema.frame import HEADER_BYTES, Frame, Kind
from schema.house import SegmentEnd
from schema.messages import encode
from schema.streams import Stream

SUFFIX = ".seg"
CHUNK_BYTES = 1 << 20
WINDOW_BYTES = 1 << 17
HASH_BYTES = 32


def segment_path(directory: Path, base: int) -> Path:
    """Return the file of the segment that begins at a position."""
    return directory / f"{base:020d}{SUFFIX}"


def bases(directory: Path) -> list[int]:
    """Return where the segments of a stream begin, oldest first; none when there is no stream."""
    try:
        names = os.listdir(directory)  # noqa: PTH208 - four times faster, and asked at each tail
    except FileNotFoundError:
        return []
    stems = (name[: -len(SUFFIX)] for name in names if name.endswith(SUFFIX))
    return sorted(int(stem) for stem in stems if stem.isdecimal())


def make_directory(path: Path) -> None:
    """Make a directory that only its owner may enter, and its parents, and keep their entries."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent)


def sync_file(fd: int) -> None:
    """Bring a file to the disk itself; on macOS a plain fsync stops at the drive's cache."""
    if sys.platform != "darwin":
        os.fdatasync(fd)
        return
    try:
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.ENOTTY, errno.EINVAL):
            raise
        os.fsync(fd)  # A file system that does not know the stronger word.


def sync_directory(path: Path) -> None:
    """Bring the entries of a directory to the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_whole(fd: int, data: bytes | memoryview) -> None:
    """Write all bytes; a system call may take fewer."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


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


@contextmanager
def failing(path: Path) -> Iterator[None]:
    """Turn a failure of the system under this path into a JournalError."""
    try:
        yield
    except OSError as error:
        raise JournalError(
            f"{path} cannot be written: {error}",
            "Make room or repair the disk: what was said is safe, the next start cuts the rest",
        ).of_disk(error) from error


class Segment:
    """One segment, open for reading from a place in it."""

    def __init__(self, directory: Path, base: int, stream: Stream) -> None:
        self.base = base
        self.path = segment_path(directory, base)
        self.offset = 0
        self.last = 0  # the last position passed; 0 before the first
        self.sealed = False  # the end mark was passed
        self.holes = 0
        self._stream = stream
        self._held = Held(os.open(self.path, os.O_RDONLY | os.O_CLOEXEC))
        self._fd = self._held.fd

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
        self.offset = low

    def skip_all(self) -> None:
        """Go to the end of what is written so far."""
        while not self.sealed:
            if self._chunk(1 << 62, CHUNK_BYTES) is None and not self._step_over():
                break

    def settle(self) -> None:
        """Bring what was read to the disk, unless it is there for certain."""
        if not self.sealed:
            sync_file(self._fd)

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

    def _pass(self, frame: Frame) -> None:
        self.last = frame.last if frame.count else self.last
        self.sealed = end_mark(frame, self.base) is not None

    def _step_over(self) -> bool:
        # Nothing valid here: the end so far, or damage, which has something valid behind it.
        rest = self._rest()
        if record_at(rest, 0, self._stream.name):
            return True  # Written since.
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
