"""A journal's one segment as bytes: cut anywhere, any bit turned over, read again by the rules."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from bus.journal import open_reader
from bus.repair import DamageError
from bus.segments import segment_path
from schema.frame import HEADER_BYTES, Frame, unpack
from schema.house import Recovered
from schema.streams import Stream
from tests.bus.rigs import DiskRig

BASE = 1 << 40
SLICE_BYTES = 1 << 18


class Strip(msgspec.Struct):
    """What a killed writer left, and where each record of it begins."""

    stream: Stream
    data: bytes
    starts: list[int]  # with the end behind the last one
    lasts: list[int]  # the last position up to each start; before the first one, none

    def record_of(self, offset: int) -> int:
        """Return the index of the record that a byte belongs to."""
        return sum(start <= offset for start in self.starts) - 1

    def kept(self, length: int) -> int:
        """Return how many whole records the first bytes hold."""
        return sum(start <= length for start in self.starts) - 1


def written(root: Path, stream: Stream, sizes: list[int]) -> Strip:
    """Return a segment whose records have about these sizes."""
    rig = DiskRig(root, stream)
    writer = rig.start()
    for n, size in enumerate(sizes, 1):
        text = "x" * max(0, size - HEADER_BYTES - 24)
        writer.append([Recovered(ts_event=n, grade="fresh", from_turn=n, missing=text)])
    writer._release()
    return strip_of(stream, rig.newest().read_bytes())


def strip_of(stream: Stream, data: bytes) -> Strip:
    """Return a segment's bytes with their records found by their lengths."""
    starts, lasts = [0], [BASE - 1]
    while starts[-1] < len(data):
        frame = unpack(data, starts[-1])
        starts.append(starts[-1] + HEADER_BYTES + len(frame.body))
        lasts.append(frame.last if frame.count else lasts[-1])
    return Strip(stream, data, starts, lasts)


class Readings:
    """Reads changed copies of one segment as a subscriber does."""

    def __init__(self, root: Path, strip: Strip) -> None:
        self._folder = root / strip.stream.owner / strip.stream.channel
        self._folder.mkdir(parents=True)
        self.path = segment_path(self._folder, BASE)
        self._stream = strip.stream
        self.holes = 0

    def read(self, data: bytes, after: int = 0) -> tuple[list[int], bool]:
        """Return every position that is given out, and whether the reader then refused."""
        self.path.write_bytes(data)
        return self.read_again(after)

    def read_again(self, after: int = 0) -> tuple[list[int], bool]:
        """Read what stands there now."""
        reader = open_reader(self._folder, self._stream)
        found: list[int] = []
        try:
            while frames := reader.read(after, SLICE_BYTES):
                found += positions(frames)
                after = frames[-1].last
        except DamageError:
            return found, True
        finally:
            self.holes = reader.holes
            reader.close()
        return found, False


def positions(frames: list[Frame]) -> Iterator[int]:
    """Yield every position of some frames."""
    for frame in frames:
        yield from range(frame.pos, frame.last + 1)


def flipped(data: bytes, bit: int) -> bytes:
    """Return the bytes with one bit turned over."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
