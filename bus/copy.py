"""Given frames, written into a stream's files byte for byte: positions, epochs and times are kept.

What is written so is read by every reader of journals: a recording, or the journal of a sandbox.
It is never the journal of a house, which has one writer that numbers by itself.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bus.clock import Clock
from bus.disk import make_directory, sync_directory, sync_file, write_whole
from bus.held import Held
from bus.journal import SEGMENT_BYTES_MAX
from bus.record import packed
from bus.segments import HASH_BYTES, end_of_segment, failing, segment_path
from schema.frame import HEADER_BYTES, Frame, Kind, epoch_of, pack, position
from schema.house import EpochOpened
from schema.messages import encode
from schema.streams import Stream

SAID = frozenset({Kind.DATA, Kind.HEARTBEAT, Kind.SNAPSHOT})
"""The records that hold messages; the others are the bus's own."""


class CopiedFile(msgspec.Struct, frozen=True):
    """One file of a copy, and the hash of all its bytes."""

    name: str
    size: int
    blake2b: str


class Copied(msgspec.Struct):
    """What has been copied of one stream."""

    first: int = 0
    last: int = 0
    first_ns: int = 0
    last_ns: int = 0
    frames: int = 0
    messages: int = 0
    size: int = 0
    files: list[CopiedFile] = []

    def note(self, frame: Frame) -> None:
        """Count one more frame."""
        if not self.frames:
            self.first, self.first_ns = frame.pos, frame.ts_ns
        self.last, self.last_ns = frame.last, frame.ts_ns
        self.frames += 1
        self.messages += frame.count if frame.kind in SAID else 0
        self.size += HEADER_BYTES + len(frame.body)


def opening(stream: Stream, pos: int, times: tuple[int, int], prev_pos: int) -> bytes:
    """Return a record that begins an epoch of a copy at a position, behind another one."""
    opened = EpochOpened(
        ts_event=times[0], prev_pos=prev_pos, clean=True, boot_id="", pid=0, code="copied"
    )
    return packed(stream, Kind.EPOCH, pos, times, encode([opened]), 1)


class Copy:
    """The files of one stream; each is contiguous, and sealed before the next one exists."""

    def __init__(self, directory: Path, stream: Stream, clock: Clock) -> None:
        self.stream = stream
        self.done = Copied()
        self._directory = directory
        self._clock = clock
        self._held: Held | None = None
        self._base = -1
        self._size = 0
        self._digest = b""
        self._hash = hashlib.blake2b(digest_size=HASH_BYTES)

    def add(self, frames: Sequence[Frame]) -> list[bytes]:
        """Append frames; return the bytes of those that are new here, in order."""
        kept: list[bytes] = []
        with failing(self._directory):
            for frame in frames:
                if frame.last > self.done.last:
                    self._place(frame)
                    kept.append(self._keep(frame))
        return kept

    def close(self) -> Copied:
        """Seal and sync what was copied, and tell what that is."""
        with failing(self._directory):
            self._seal(position(epoch_of(self.done.last) + 1, 0))
        return self.done

    def _keep(self, frame: Frame) -> bytes:
        data = pack(frame)
        self._write(data)
        self.done.note(frame)
        return data

    def _place(self, frame: Frame) -> None:
        """Begin another file where one is full, or where positions do not follow each other."""
        last = self.done.last
        jumps = epoch_of(frame.pos) != epoch_of(last)
        if self.stream.journaled:  # A socket loses single frames, and nothing surveys its files.
            jumps = jumps or frame.pos > last + 1
        if self._held is None or jumps or self._size >= SEGMENT_BYTES_MAX:
            self._seal(frame.pos)
            self._begin(frame.pos)

    def _begin(self, base: int) -> None:
        make_directory(self._directory)
        path = segment_path(self._directory, base)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._held = Held(os.open(path, flags, 0o600))
        self._base, self._size = base, 0
        self._hash = hashlib.blake2b(digest_size=HASH_BYTES)
        self._write(end_of_segment(self.stream, base, self._digest, base, self._clock))

    def _seal(self, next_base: int) -> None:
        if self._held is None:
            return
        self._digest = self._hash.digest()
        place = self.done.last + 1
        self._write(end_of_segment(self.stream, place, self._digest, next_base, self._clock))
        sync_file(self._held.fd)
        self._held.close()
        self._held = None
        sync_directory(self._directory)
        name = segment_path(self._directory, self._base).name
        self.done.files.append(CopiedFile(name, self._size, self._hash.hexdigest()))

    def _write(self, data: bytes) -> None:
        assert self._held is not None
        write_whole(self._held.fd, data)
        self._hash.update(data)
        self._size += len(data)
