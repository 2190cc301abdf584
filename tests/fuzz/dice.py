"""Bytes of chance turned into choices, so that chance gets past checksums and into what is behind.

What a fuzzer changes in its bytes changes a kind, a position, a body; the frame stays one.
"""

import struct
import zlib

from schema.frame import HEADER_BYTES, MAGIC, VERSION, topic
from schema.house import ProcessState
from schema.messages import encode
from schema.orders import RequestWeight
from schema.streams import STREAMS, Stream
from tests.bus.rigs import said

ALL = tuple(STREAMS.values())
BODY_BYTES_MAX = 4096
CHANGE = ProcessState(ts_event=1, program="engine", state="EXITED", before="RUNNING")


class Dice:
    """Takes choices from bytes until they are used up, then zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def number(self, size: int) -> int:
        """Return the next bytes as a number."""
        return int.from_bytes(self.take(size), "little")

    def below(self, limit: int) -> int:
        return self.number(2) % limit

    def take(self, size: int) -> bytes:
        found = self._data[self._at : self._at + size]
        self._at += size
        return found

    def rest(self) -> bytes:
        return self.take(max(0, self.left))

    def stream(self) -> Stream:
        return ALL[self.below(len(ALL))]

    def body(self, stream: Stream) -> bytes:
        """Return a body: whole, changed at one place, or nothing but chance."""
        size = self.below(BODY_BYTES_MAX)
        match self.below(4):
            case 0:
                return self.take(size)
            case 1:
                return encode([said(self.number(4)) for _ in range(self.below(4))])
            case 2 if stream.name == "gateway.order":
                return encode([RequestWeight(ts_event=self.number(4), used=1, limit=2)])
            case 2 if not stream.journaled:
                return encode([CHANGE])
            case _:
                whole = bytearray(encode([said(self.number(2)) for _ in range(3)]))
                for _ in range(self.below(4)):
                    whole[self.below(len(whole))] = self.number(1)
                return bytes(whole)

    def frame(self, stream: Stream) -> bytes:
        """Return a frame with a true checksum around whatever chance says."""
        body = self.body(stream)
        tail = struct.pack(
            "<BBHqqqII",
            VERSION if self.below(16) else self.number(1),
            self.below(9),
            self.below(8),
            self.position(),
            self.number(7),
            self.number(7),
            self.number(4) if not self.below(8) else self.below(5),
            self.number(4),
        )
        name = topic(stream.name) if self.below(16) else self.take(24).ljust(24, b"\0")
        checksum = zlib.crc32(body, zlib.crc32(tail))
        head = struct.pack("<24s4sII", name, MAGIC, HEADER_BYTES + len(body), checksum)
        return head + tail + body

    def position(self) -> int:
        """Return a position near others, at the edge of what there is, or anywhere."""
        match self.below(8):
            case 0:
                return self.number(8) - (1 << 63)
            case 1:
                return (1 << 63) - 1 - self.below(3)
            case _:
                return (self.below(4) << 40) + self.below(12)
