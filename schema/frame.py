"""The frame: one record of a journal and one message part of ZeroMQ, byte for byte the same.

Little-endian, 72 bytes of header, then one msgpack array of `count` tagged arrays:

    0 topic 24s · 24 "BUS1" · 28 length u32 = 72 + body · 32 crc32 u32 of [36:length]
    36 version u8 · 37 kind u8 · 38 flags u16 · 40 pos i64 · 48 ts_ns i64 · 56 mono_ns i64
    64 count u32 · 68 schema u32 · 72 body

A position is one integer, `epoch << 40 | n`; a frame holds positions pos … pos + count - 1.
"""

import struct
import zlib
from enum import IntEnum, IntFlag
from functools import lru_cache

import msgspec

VERSION = 1
MAGIC = b"BUS1"
HEADER_BYTES = 72
TOPIC_BYTES = 24
FRAME_BYTES_MAX = 1 << 20
EPOCH_SHIFT = 40
N_MASK = (1 << EPOCH_SHIFT) - 1

_HEADER = struct.Struct("<24s4sIIBBHqqqII")
_LENGTH = struct.Struct("<4sI")
_HEAD = struct.Struct("<24s4sII")
_TAIL = struct.Struct("<BBHqqqII")
assert _HEADER.size == HEADER_BYTES

Place = tuple[int, int, int, int, int, int, int]
"""Kind, flags, position, wall and monotonic time, count and schema of a frame."""


class Kind(IntEnum):
    """What a frame is; EOF alone consumes no position."""

    DATA = 1
    EPOCH = 2
    HEARTBEAT = 3
    SNAPSHOT = 4
    EOF = 5
    BYE = 6


class Flag(IntFlag):
    """How far a frame had come when it was sent."""

    JOURNALED = 1
    SYNCED = 2
    REPLAYED = 4


class FrameError(ValueError):
    """Bytes that are no frame; the text says what was expected and what was found."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One frame, its body not yet decoded."""

    stream: str
    kind: int
    flags: int
    pos: int
    ts_ns: int  # wall time of the append
    mono_ns: int
    count: int
    schema: int
    body: bytes

    @property
    def last(self) -> int:
        """The last position that the frame holds (pos - 1 for a frame without any)."""
        return self.pos + self.count - 1


def position(epoch: int, n: int) -> int:
    """Return the position of the n-th place of an epoch."""
    return epoch << EPOCH_SHIFT | n


def epoch_of(pos: int) -> int:
    """Return the epoch of a position."""
    return pos >> EPOCH_SHIFT


@lru_cache(256)
def topic(stream: str) -> bytes:
    """Return the 24 bytes to subscribe to; the NUL padding keeps prefixes apart."""
    name = stream.encode("ascii")
    if not 0 < len(name) < TOPIC_BYTES:
        raise FrameError(f"stream name {stream!r}: expected 1 to 23 ASCII bytes, found {len(name)}")
    return name.ljust(TOPIC_BYTES, b"\0")


def pack(frame: Frame) -> bytes:
    """Return the frame's bytes, its length and checksum computed."""
    times = frame.ts_ns, frame.mono_ns
    place = (frame.kind, frame.flags, frame.pos, *times, frame.count, frame.schema)
    return assembled(frame.stream, place, frame.body)


def assembled(stream: str, place: Place, body: bytes) -> bytes:
    """Return the bytes of the frame that has these fields."""
    length = HEADER_BYTES + len(body)
    if length > FRAME_BYTES_MAX:
        raise FrameError(f"{stream}: a frame of {length} bytes; at most {FRAME_BYTES_MAX}")
    tail = _TAIL.pack(VERSION, *place)
    crc = zlib.crc32(body, zlib.crc32(tail))
    return b"".join((_HEAD.pack(topic(stream), MAGIC, length, crc), tail, body))


def length_of(data: bytes | memoryview, offset: int = 0) -> int:
    """Return the length that a frame's header states; FrameError where no header stands."""
    if len(data) - offset < HEADER_BYTES:
        raise FrameError(f"expected a header of 72 bytes, found {len(data) - offset}")
    magic: bytes
    length: int
    magic, length = _LENGTH.unpack_from(data, offset + 24)
    if magic != MAGIC:
        raise FrameError(f"expected magic {MAGIC!r}, found {magic!r}")
    if not HEADER_BYTES <= length <= FRAME_BYTES_MAX:
        raise FrameError(f"expected a length of 72 to {FRAME_BYTES_MAX}, found {length}")
    return length


def unpack(data: bytes | memoryview, offset: int = 0) -> Frame:
    """Return the frame at an offset; FrameError when it is short, foreign or damaged."""
    length = length_of(data, offset)
    if len(data) - offset < length:
        raise FrameError(f"expected {length} bytes, found {len(data) - offset}")
    name, _, _, crc, version, kind, flags, pos, ts_ns, mono_ns, count, schema = _HEADER.unpack_from(
        data, offset
    )
    found = zlib.crc32(memoryview(data)[offset + 36 : offset + length])
    if found != crc:
        raise FrameError(f"expected checksum {crc:08x}, found {found:08x}")
    if version != VERSION:
        raise FrameError(f"expected frame version {VERSION}, found {version}")
    if pos < 0 or (pos & N_MASK) + count > N_MASK:
        raise FrameError(f"expected positions of one epoch, found {count} from {pos} on")
    body = bytes(data[offset + HEADER_BYTES : offset + length])
    return Frame(_name(name), kind, flags, pos, ts_ns, mono_ns, count, schema, body)


@lru_cache(256)
def _name(padded: bytes) -> str:
    name = padded.rstrip(b"\0")
    if not name.isascii():
        raise FrameError(f"expected a stream name in ASCII, found {name!r}")
    return name.decode("ascii")
