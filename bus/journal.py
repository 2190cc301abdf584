"""Streams on the disk: the one writer and the readers.

Order of a start: lease, epoch counter synced, tail mended and sealed, new segment, epoch record
synced; only then is anything said. Bytes go to the kernel in one unbuffered write, so a killed
process loses nothing that it appended; only a power cut can, and only what was not yet synced.
"""

import os
from bisect import bisect_right
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from bus.archive import plain_bases
from bus.clock import Clock
from bus.digest import Digest
from bus.disk import make_directory, sync_directory, sync_file, write_whole
from bus.epoch import EpochCounter, boot_id
from bus.errors import JournalError
from bus.held import Held
from bus.holes import repairs
from bus.mend import mark_unsynced, mend
from bus.record import Before, JournalReader, JournalWriter
from bus.repair import damaged
from bus.segments import Segment, bases, end_of_segment, failing, segment_path, unwritten, write_all
from bus.shapes import keep_shape
from schema.frame import Frame, position
from schema.streams import Stream
from schema.units import DAY_NS

__all__ = [
    "DiskReader",
    "DiskWriter",
    "EpochCounter",
    "JournalReader",
    "JournalWriter",
    "boot_id",
    "open_reader",
    "open_writer",
]

SEGMENT_BYTES_MAX = 64 << 20


def open_writer(
    directory: Path, stream: Stream, epoch: int, clock: Clock, code: str
) -> JournalWriter:
    """Repair a stream's tail and open it for its one writer, who holds the service's lease."""
    assert all(base < position(epoch, 0) for base in bases(directory)), "an epoch is for one life"
    with failing(directory):
        make_directory(directory)
        before, digest = mend(directory, stream, epoch, clock)
        keep_shape(directory, stream)
        writer = DiskWriter(directory, stream, epoch, clock, before)
        writer.begin(digest, code)
    return writer


def open_reader(directory: Path, stream: Stream, *, acts: bool = False) -> JournalReader:
    """Open a stream for reading; it may not exist yet.

    Who `acts` on what it reads of class A has it on the disk first; who only looks syncs nothing.
    """
    return DiskReader(directory, stream, acts=acts)


class DiskWriter(JournalWriter):
    """Appends to the newest segment; made by `open_writer`."""

    def __init__(
        self, directory: Path, stream: Stream, epoch: int, clock: Clock, before: Before
    ) -> None:
        super().__init__(stream, epoch, clock, before)
        self.path = directory
        self._directory = directory
        self._held: Held | None = None
        self._fd = -1

    def fail(self, error: JournalError) -> JournalError:
        mark_unsynced(self._directory)
        return super().fail(error)

    def begin(self, digest: bytes, code: str) -> None:
        """Create the first segment of the epoch and put the epoch record into it."""
        self._create(digest)
        self._open(boot_id(), os.getpid(), code)

    def _create(self, digest: bytes) -> None:
        self._base = self._next
        self.path = segment_path(self._directory, self._base)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._held = Held(os.open(self.path, flags, 0o600))
        self._fd = self._held.fd
        self._digest = Digest()
        self._size = 0
        self._midnight_ns = (self._clock.wall_ns() // DAY_NS + 1) * DAY_NS
        self._keep(end_of_segment(self.stream, self._base, digest, self._base, self._clock))
        sync_directory(self._directory)

    def _write(self, frames: Sequence[bytes], wall_ns: int) -> None:
        try:
            full = self._size >= SEGMENT_BYTES_MAX or wall_ns >= self._midnight_ns
            if full and self._next > self._base:
                self._roll()
            write_all(self._fd, frames)
            self._size += sum(map(len, frames))
        except OSError as error:
            raise self._broken(error) from error

    def _roll(self) -> None:
        digest = self._end(self._next)
        self.confirm(self.last)
        self._release()
        self._create(digest)

    def _end(self, next_base: int) -> bytes:
        digest = self._digest.upto(self._fd, self._size)
        write_whole(
            self._fd, end_of_segment(self.stream, self._next, digest, next_base, self._clock)
        )
        sync_file(self._fd)
        return digest

    def _keep(self, data: bytes) -> None:
        write_whole(self._fd, data)
        self._size += len(data)

    def _flush(self) -> None:
        try:
            sync_file(self._fd)
        except OSError as error:
            raise self._broken(error) from error

    def _duplicate(self) -> int:
        try:
            return os.dup(self._fd)
        except OSError as error:
            raise self._broken(error) from error

    def in_background(self) -> Callable[[int], object]:
        return partial(self._digest.upto, size=self._size)

    def _seal(self) -> None:
        try:
            self._end(position(self.epoch + 1, 0))
        except OSError as error:
            raise self._broken(error) from error

    def _release(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held, self._fd = None, -1

    def _broken(self, error: OSError) -> JournalError:
        return self.fail(unwritten(self.path, error))


class DiskReader(JournalReader):
    """Reads with `pread`, so that a file cut short under it is an answer and no signal."""

    def __init__(self, directory: Path, stream: Stream, *, acts: bool) -> None:
        self.stream = stream
        self._settles = acts and stream.durability == "A"
        self._directory = directory
        self._segment: Segment | None = None
        self._tail: Segment | None = None
        self._after = -1
        self._holes = 0

    @property
    def holes(self) -> int:
        return self._holes + (self._segment.holes if self._segment is not None else 0)

    def accepts(self, first: int, last: int) -> bool:
        return repairs(self._directory).accept(first, last)

    def read(self, after: int, max_bytes: int = 1 << 18) -> list[Frame]:
        if self._segment is None or after != self._after:
            self._seek(after)
        found: list[Frame] = []
        while self._segment is not None and not found:
            found = self._segment.frames(after, max_bytes)
            if found or not (newer := self._newer(self._segment)):
                break
            # Look again: the old segment was finished before the newer one was made.
            found = self._segment.frames(after, max_bytes)
            if found:
                break
            if self._segment.replaced:
                self._seek(after)  # It was salvaged meanwhile, and its end is in the new file.
                continue
            self._refuse_open(self._segment)
            self._enter(newer)
        self._after = found[-1].last if found else after
        self._settle(found)
        return found

    def first(self) -> int:
        return next(iter(bases(self._directory)), 0)

    def last(self) -> int:
        kept = plain_bases(self._directory)[-1:] or bases(self._directory)[-1:]
        if not kept:
            return 0
        if self._tail is None or self._tail.base != kept[-1]:
            self._tail = self._replaced(self._tail, kept)
        if self._tail is None:
            return self.last()
        self._tail.skip_all()
        return self._tail.last or self._last_before(bases(self._directory)[:-1])

    def close(self) -> None:
        self._enter([])
        self._tail = self._replaced(self._tail, [])

    def _snapshots(self) -> Generator[Frame]:
        for base in reversed(bases(self._directory)):
            segment = self._replaced(None, [base])
            if segment is not None:
                with closing(segment):
                    yield from segment.snapshots()

    def _last_before(self, kept: Sequence[int]) -> int:
        for base in reversed(kept):
            segment = self._replaced(None, [base])
            if segment is not None:
                segment.skip_all()
                segment.close()
                if segment.last:
                    return segment.last
        return 0

    def _seek(self, after: int) -> None:
        kept = bases(self._directory)
        here = max(0, bisect_right(kept, after) - 1)
        self._enter(kept[here:])
        if self._segment is not None and self._segment.base <= after:
            self._segment.seek(after)

    def _enter(self, candidates: Sequence[int]) -> None:
        self._holes = self.holes
        self._segment = self._replaced(self._segment, candidates)

    def _settle(self, found: Sequence[Frame]) -> None:
        # Class A is synced before it is sent; who reads the file may be faster than that sync.
        segment = self._segment
        if found and segment is not None and self._settles:
            with failing(segment.path):
                segment.settle()

    def _newer(self, segment: Segment) -> list[int]:
        if segment.base in plain_bases(self._directory)[-1:]:
            return []  # It is the newest, and that is never compressed: no need to look further.
        return [base for base in bases(self._directory) if base > segment.base]

    def _refuse_open(self, segment: Segment) -> None:
        if segment.sealed or not segment.path.exists():
            return  # Of a segment that was taken away, the merge tells what is missing.
        if self.stream.durability in "AB":
            raise damaged(str(segment.path), segment.offset, "a record or the mark of its end")
        self._holes += 1

    def _replaced(self, segment: Segment | None, candidates: Sequence[int]) -> Segment | None:
        if segment is not None:
            segment.close()
        for base in candidates:
            try:
                return Segment(self._directory, base, self.stream)
            except FileNotFoundError:
                continue  # Retention was faster; the merge sees the hole that it leaves.
        return None
