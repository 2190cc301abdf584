"""The contract of what is remembered: `journal` keeps it on the disk, `memory` within one process.

A stream has one writer and any number of readers. The writer numbers, packs and appends; what it
returns is sent over the wire byte for byte as it was appended. A failure breaks a writer for good:
after a failed sync the system may have dropped what it could not write, so only a new start, which
reads the bytes back, knows what is there.
"""

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import cache
from typing import Any

import msgspec

from bus.clock import Clock
from bus.errors import JournalError
from bus.snapshots import newest_whole, runs
from schema.frame import (
    HEADER_BYTES,
    Flag,
    Frame,
    Kind,
    assembled,
    epoch_of,
    position,
)
from schema.head import Message
from schema.house import Bye, EpochOpened
from schema.messages import encode, union
from schema.streams import BY_NUMBER, TURNS, Stream

FRAME_MESSAGES_MAX = 512
FRAME_BYTES_GOAL = 64 << 10
"""Caps of one frame, so that a stuck subscriber costs its publisher a bounded queue."""

FEW = 16
"""So few are encoded without a look at how large they are."""

KEPT = int(Flag.JOURNALED)
KEPT_AND_SYNCED = int(Flag.JOURNALED | Flag.SYNCED)

SYNC_WAIT_NS = {"A": 0, "B": 50_000_000, "C": 5_000_000_000}
SYNC_WAIT_BYTES = {"A": 0, "B": 1 << 20, "C": 2 << 20}


class Before(msgspec.Struct, frozen=True):
    """How a stream stood when its writer opened it."""

    last: int = 0  # the last valid position; 0 for a new stream
    clean: bool = False  # the owner before said goodbye
    torn_bytes: int = 0  # cut from the tail, kept beside it
    holes: int = 0  # damaged stretches that class C steps over


class JournalWriter(ABC):
    """The one writer of a stream; used from one thread."""

    def __init__(self, stream: Stream, epoch: int, clock: Clock, before: Before) -> None:
        assert epoch > epoch_of(before.last), "an epoch is for one life"
        self.stream = stream
        self.epoch = epoch
        self.before = before
        self.synced = 0
        self.opened = b""  # the frame that opened the epoch, for the wire
        self._clock = clock
        self._next = position(epoch, 0)
        self._failed: JournalError | None = None
        self._waiting_bytes = 0
        self._waiting_since_ns = 0
        self._asked = 0  # the position that a detached descriptor is to bring to the disk

    @property
    def last(self) -> int:
        """The last position appended."""
        return self._next - 1

    def append(self, messages: Sequence[Message]) -> list[bytes]:
        """Append messages and return their frames, which may be sent once the class allows it."""
        apart = self.stream.snapshot
        if apart is not None and apart in map(type, messages):
            parts = [(kind, bodies(run)) for kind, run in runs(apart, messages)]
            return self._put([(kind, *body) for kind, found in parts for body in found])
        return self._put([(Kind.DATA, body, count) for body, count in bodies(messages)])

    def append_body(self, kind: Kind, body: bytes, count: int) -> bytes:
        """Append one record whose body is encoded already."""
        return self._put([(kind, body, count)])[0]

    def sync(self) -> None:
        """Bring everything appended to the disk; JournalError when that fails, and ever after."""
        self._refuse_failed()
        self._flush()
        self.confirm(self.last)
        self._waiting_bytes = 0

    def due(self, now_mono_ns: int) -> bool:
        """Return whether what waits for the disk has waited long enough."""
        if not self._waiting_bytes or self._asked > self.synced:
            return False  # One request at a time: a slow disk must not cost descriptors.
        name = self.stream.durability
        waited_ns = now_mono_ns - self._waiting_since_ns
        return waited_ns >= SYNC_WAIT_NS[name] or self._waiting_bytes >= SYNC_WAIT_BYTES[name]

    def detach(self) -> tuple[int, int]:
        """Return a descriptor to sync and then close, and the position that it brings to disk."""
        self._refuse_failed()
        fd = self._duplicate()
        self._waiting_bytes, self._asked = 0, self.last
        return fd, self.last

    def in_background(self) -> Callable[[int], object]:
        """Return what may be done with a detached descriptor while nobody waits for it."""
        return int

    def confirm(self, pos: int) -> None:
        """Note that everything up to a position is on the disk."""
        self.synced = max(self.synced, pos)

    def close(self, reason: str) -> list[bytes]:
        """Say goodbye, seal and sync; return the last frames to send. A broken writer just goes."""
        frames: list[bytes] = []
        if self._failed is None:
            bye = Bye(ts_event=self._clock.market_ns(), reason=reason)
            frames = self._put([(Kind.BYE, encode([bye]), 1)])
            self._seal()
            self.confirm(self.last)
        self._release()
        return frames

    def fail(self, error: JournalError) -> JournalError:
        """Break this writer for good; return the failure for its caller to raise."""
        self._failed = self._failed or error
        return self._failed

    def _open(self, boot_id: str, pid: int, code: str) -> None:
        opened = EpochOpened(
            ts_event=self._clock.market_ns(),
            prev_pos=self.before.last,
            clean=self.before.clean,
            boot_id=boot_id,
            pid=pid,
            code=code,
        )
        self.opened = self._put([(Kind.EPOCH, encode([opened]), 1)])[0]
        self.sync()

    def _put(self, records: Sequence[tuple[Kind, bytes, int]]) -> list[bytes]:
        self._refuse_failed()
        times = self._clock.wall_ns(), self._clock.mono_ns()
        pos = self._next
        frames = []
        for kind, body, count in records:
            frames.append(packed(self.stream, kind, pos, times, body, count))
            pos += count
        if frames:
            self._write(frames, times[0])
            self._next = pos
            self._wait_for_sync(sum(map(len, frames)), times[1])
        return frames

    def _wait_for_sync(self, size: int, mono_ns: int) -> None:
        if not self._waiting_bytes:
            self._waiting_since_ns = mono_ns
        self._waiting_bytes += size

    def _refuse_failed(self) -> None:
        if self._failed is not None:
            raise self._failed

    @abstractmethod
    def _write(self, frames: Sequence[bytes], wall_ns: int) -> None:
        """Keep all frames, or fail."""

    @abstractmethod
    def _flush(self) -> None:
        """Bring everything kept to the disk, or fail."""

    @abstractmethod
    def _duplicate(self) -> int:
        """Return a descriptor of its own for another thread to sync."""

    @abstractmethod
    def _seal(self) -> None:
        """Mark the end and bring it to the disk."""

    @abstractmethod
    def _release(self) -> None:
        """Let go of what is held."""


class JournalReader(ABC):
    """A reader of a stream that may not exist yet, may be growing, or whose owner may be dead."""

    stream: Stream

    @property
    def holes(self) -> int:
        """How many damaged stretches were stepped over; in class C alone."""
        return 0

    def accepts(self, first: int, last: int) -> bool:
        """Return whether a person lets readers pass the hole of these positions."""
        return False

    @abstractmethod
    def read(self, after: int, max_bytes: int = 1 << 18) -> list[Frame]:
        """Return the frames that hold positions behind `after`, in order; none at the end.

        Bounded: at least one frame where there is one, then about `max_bytes`.
        """

    @abstractmethod
    def first(self) -> int:
        """Return the first position that is still kept; 0 while there is none."""

    @abstractmethod
    def last(self) -> int:
        """Return the last position that can be read; 0 while there is none."""

    def snapshot(self) -> int:
        """Return where the newest whole snapshot begins; 0 while there is none."""
        if self.stream.snapshot is None:
            return 0
        with closing(self._snapshots()) as newest_first:
            return newest_whole(self.stream.number, newest_first)

    @abstractmethod
    def _snapshots(self) -> Generator[Frame]:
        """Yield the records of snapshots, newest first."""

    @property
    def oldest_epoch(self) -> int:
        """The epoch of the first position that is still kept."""
        return epoch_of(self.first())

    def close(self) -> None:
        """Let go of what is held."""


def packed(
    stream: Stream, kind: Kind, pos: int, times: tuple[int, int], body: bytes, count: int
) -> bytes:
    """Return one record of a stream, written at a wall and a monotonic time."""
    flags = KEPT_AND_SYNCED if stream.durability == "A" else KEPT
    place = (kind, flags, pos, *times, count, schema_id(stream.number))
    return assembled(stream.name, place, body)


def bodies(messages: Sequence[Message]) -> list[tuple[bytes, int]]:
    """Return encoded bodies within the caps of a frame; a message too large stands alone."""
    if len(messages) < FEW:
        return _halved(list(messages))
    # Judged by the first one, so that what is alike is encoded once; whatever else is halved.
    fit = (FRAME_BYTES_GOAL - HEADER_BYTES) // len(encode([messages[0]]))
    most = min(max(1, fit), FRAME_MESSAGES_MAX)
    parts = [list(messages[start : start + most]) for start in range(0, len(messages), most)]
    return [body for part in parts for body in _halved(part)]


def _halved(messages: list[Message]) -> list[tuple[bytes, int]]:
    if not messages:
        return []
    body = encode(messages)
    if len(body) + HEADER_BYTES <= FRAME_BYTES_GOAL or len(messages) == 1:
        return [(body, len(messages))]
    middle = len(messages) // 2
    return _halved(messages[:middle]) + _halved(messages[middle:])


@cache
def schema_id(number: int) -> int:
    """Return the checksum of the shape of a stream's messages; prose does not count."""
    return zlib.crc32(msgspec.json.encode(shape(number), order="sorted"))


def shape(number: int) -> Any:
    """Return the JSON schema of all that may stand on a stream, without prose."""
    kinds = BY_NUMBER[number].messages + TURNS
    return _without_prose(msgspec.json.schema(union(kinds)))


def state_shape(kind: type[msgspec.Struct]) -> int:
    """Return the checksum of the shape of a service's state; prose does not count."""
    return zlib.crc32(
        msgspec.json.encode(_without_prose(msgspec.json.schema(kind)), order="sorted")
    )


def _without_prose(shape: Any) -> Any:
    if isinstance(shape, dict):
        return {k: _without_prose(v) for k, v in shape.items() if k not in {"description", "title"}}
    return [_without_prose(item) for item in shape] if isinstance(shape, list) else shape
