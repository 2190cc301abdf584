"""All that reads bytes which others wrote: any bytes give what is documented, and nothing else.

A target takes bytes of chance; what it raises is a finding. `HouseError` says what was expected,
what was found and what to do: that is an answer, wherever a file or a neighbour is at fault.
"""

import contextlib
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import ClassVar

import msgspec

from bus import recovery, wire
from bus.answers import answer_of
from bus.archive import archive_path
from bus.audit import audit
from bus.clock import ManualClock
from bus.cursors import read_cursors
from bus.epoch import EpochCounter
from bus.errors import HouseError, ProtocolError
from bus.holes import repairs
from bus.hub import Hub
from bus.intake import Intake, Lane, read_body
from bus.journals import DiskJournals
from bus.memory import MemoryJournals
from bus.repair import foreign_at, survey
from schema.frame import HEADER_BYTES, FrameError, length_of, pack, unpack
from schema.streams import STREAMS
from tests.bus.rigs import A, B, C
from tests.bus.strips import BASE, Readings, Strip, written
from tests.bus.toy import Toy
from tests.fuzz.dice import Dice

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""A place in memory, where the system has one: each run writes files."""

Target = Callable[[bytes], None]

HEARS = (A.name, B.name, C.name, "warden.process")

UNREAD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, IndexError)
"""What the control socket passes over and counts."""


def frame(data: bytes) -> None:
    """Any bytes are a frame, which packs to the same bytes again, or a FrameError."""
    with contextlib.suppress(FrameError):
        assert HEADER_BYTES <= length_of(data) <= 1 << 20
    with contextlib.suppress(FrameError):
        found = unpack(data)
        assert pack(found) == data[: HEADER_BYTES + len(found.body)]


def sealed(data: bytes) -> None:
    """A frame with a true checksum is read, or is of a version or a name that none has."""
    dice = Dice(data)
    with contextlib.suppress(FrameError):
        unpack(dice.frame(dice.stream()))


def body(data: bytes) -> None:
    """A body is messages, of which the unknown are None in C and E, or a ProtocolError."""
    dice = Dice(data)
    stream = tuple(STREAMS.values())[dice.below(len(STREAMS))]
    with contextlib.suppress(ProtocolError):
        found = read_body(stream, dice.rest(), 1)
        assert None not in found or stream.durability in "CE"


def heard(data: bytes) -> None:
    """Frames from any neighbour are heard, dropped or refused, never a crash without a word."""
    dice, clock = Dice(data), ManualClock(1)
    place, journals = Hub().join(()), MemoryJournals(clock)
    intake = Intake(place, journals, HEARS, clock)
    with contextlib.suppress(HouseError):
        intake.open({}, _Ear(), from_end=False)
        while dice.left > 0:
            place.inbox.append(dice.frame(dice.stream()))
            intake.take()


def segment(data: bytes) -> None:
    """A segment that was changed anywhere is surveyed, audited and read: nothing is made up."""
    dice = Dice(data)
    strip = _strip(dice.below(3))
    changed = _changed(strip, dice)
    found = survey(changed, strip.stream.name, BASE)
    foreign_at(changed, found.end, strip.stream.name)
    assert found.end <= len(changed)
    assert all(begin <= end <= len(changed) for begin, end in found.damage)
    with _folder() as root:
        readings = Readings(root, strip)
        readings.path.write_bytes(changed)
        with contextlib.suppress(HouseError):
            lane = Lane(strip.stream, DiskJournals(root, ManualClock(1)), 0)
            before = 0
            while lane.behind:
                lane.catch_up()
                assert lane.merge.pos > before or not lane.behind, "it goes on"
                before = lane.merge.pos
        audit(readings.path.parent, strip.stream)


def mended(data: bytes) -> None:
    """The next writer mends what there is, or refuses it with a word."""
    dice = Dice(data)
    strip = _strip(dice.below(3))
    with _folder() as root, contextlib.suppress(HouseError):
        readings = Readings(root, strip)
        readings.path.write_bytes(_changed(strip, dice))
        journals = DiskJournals(root, ManualClock(1))
        epoch = journals.open_epoch(strip.stream.owner)
        journals.writer(strip.stream, epoch, "code").close("done")
        found = audit(readings.path.parent, strip.stream)
        assert not found.problems or strip.stream.durability == "C", found.problems


def request(data: bytes) -> None:
    """A request is one or is passed over; an answer is one or a ProtocolError."""
    with contextlib.suppress(*UNREAD):
        wire._request.decode(data)
    with contextlib.suppress(HouseError):
        answer_of("ingest", data)


def snapshot(data: bytes) -> None:
    """A snapshot file is one, or as good as none: the journals say the same."""
    dice = Dice(data)
    with _folder() as root:
        journals, core = DiskJournals(root, ManualClock(1)), Toy()
        (root / core.name).mkdir()
        inside = dice.rest()
        checksum = zlib.crc32(inside).to_bytes(4, "little")
        for content in (data, checksum + inside, checksum + _nested(inside)):
            (root / core.name / "snapshot").write_bytes(content)
            for any_shape in (False, True):
                recovery._load(core, journals, any_shape=any_shape)


def records_of_files(data: bytes) -> None:
    """Small files beside the journals are read, or are nothing, or are refused with a word."""
    with _folder() as root:
        folder = root / "ingest"
        folder.mkdir()
        (folder / "EPOCH").write_bytes(data)
        with contextlib.suppress(HouseError):
            EpochCounter(folder).open()
        stream = STREAMS["ingest.trade"]
        for name in stream.durable:
            (root / name).mkdir()
            (root / name / "cursors").write_bytes(data)
        read_cursors(root, stream)
        (folder / "repairs.json").write_bytes(data)
        with contextlib.suppress(HouseError):
            repairs(folder)


def archived(data: bytes) -> None:
    """A compressed segment is read whole, or refused with a word."""
    strip = _strip(1)
    with _folder() as root, contextlib.suppress(HouseError):
        readings = Readings(root, strip)
        path = archive_path(readings.path.parent, BASE)
        path.parent.mkdir(parents=True)
        path.write_bytes(_squeezed(strip, Dice(data)))
        readings.read_again()


class _Ear(Toy):
    """Hears from the beginning."""

    hears: ClassVar[tuple[str, ...]] = HEARS


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        *(frame, sealed, body, heard, segment, mended),
        *(request, snapshot, records_of_files, archived),
    )
}


def _changed(strip: Strip, dice: Dice) -> bytes:
    data = bytearray(strip.data)
    for _ in range(1 + dice.below(4)):
        at = dice.below(len(data)) if data else 0
        match dice.below(5):
            case 0:
                del data[at:]
            case 1:
                del data[at : at + dice.below(300)]
            case 2:
                data[at:at] = dice.frame(strip.stream)
            case 3:
                data[at : at + 8] = dice.take(8)
            case _:
                start = strip.starts[dice.below(len(strip.starts))]
                data[start:start] = dice.frame(strip.stream)
    return bytes(data)


def _squeezed(strip: Strip, dice: Dice) -> bytes:
    whole = bytearray(zstd.compress(strip.data))
    for _ in range(dice.below(4)):
        whole[dice.below(len(whole))] = dice.number(1)
    return bytes(whole[: len(whole) - dice.below(3)])


def _nested(inside: bytes) -> bytes:
    state = msgspec.msgpack.encode(inside)
    return msgspec.msgpack.encode([1, "code", "boot", [], [], [], state])


@cache
def _strip(index: int) -> Strip:
    with _folder() as root:
        return written(root, (A, B, C)[index], [110, 130, 300] * 3)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rrr.fuzz.", dir=FAST) as name:
        yield Path(name)
