"""What the bytes of one segment are worth: a pure function, for the writer's start and for readers.

A tear is what a crash leaves: bytes at the very end that are no record. Damage is anything else:
bytes that are no record with a valid record behind them. A tear is cut; damage is never passed over
in silence.
"""

from collections.abc import Collection

import msgspec

from bus.errors import JournalError
from schema.frame import HEADER_BYTES, MAGIC, Frame, FrameError, Kind, length_of, topic, unpack
from schema.house import SegmentEnd
from schema.messages import UNREADABLE

MAGIC_AT = 24

_ends = msgspec.msgpack.Decoder(list[SegmentEnd])


class DamageError(JournalError):
    """Bytes inside a journal that are not what was written; restarting does not mend them."""

    exit_code = 78


class Survey(msgspec.Struct):
    """What one segment holds."""

    end: int = 0  # where the last valid record ends: the length worth keeping
    last: int = 0  # the last position in it; 0 when it holds none
    clean: bool = False  # the last position is a goodbye
    sealed: bool = False  # an end mark stands at the end
    digest: bytes = b""  # the hash that the end mark holds
    damage: list[tuple[int, int]] = []  # stretches of bytes that are no record, before `end`


def record_at(data: bytes | memoryview, offset: int, stream: str) -> Frame | None:
    """Return the record of this stream at an offset; None when none stands there, whole."""
    try:
        frame = unpack(data, offset)
    except ValueError:
        return None
    # The checksum does not cover the topic.
    return frame if bytes(data[offset : offset + MAGIC_AT]) == topic(stream) else None


def find_record(data: bytes, offset: int, stream: str, after: int) -> int:
    """Return where the next valid record behind a position begins, or -1."""
    found = data.find(MAGIC, max(0, offset + MAGIC_AT))
    while found >= 0:
        frame = record_at(data, found - MAGIC_AT, stream)
        if frame is not None and frame.last >= after:
            return found - MAGIC_AT
        found = data.find(MAGIC, found + 1)
    return -1


def end_mark(frame: Frame, base: int) -> SegmentEnd | None:
    """Return the mark that ends a segment; None for a record, and for the mark that begins it."""
    if frame.kind != Kind.EOF:
        return None
    try:
        mark = _ends.decode(frame.body)[0]
    except (*UNREADABLE, IndexError):
        return None  # It ends nothing: a segment without its end is told wherever it is read.
    return None if mark.next_base == base else mark


def survey(data: bytes, stream: str, base: int, gaps: Collection[tuple[int, int]] = ()) -> Survey:
    """Return what the bytes of the segment that begins at a position hold.

    `gaps` are positions known to be missing, where damage was cut out.
    """
    found = Survey()
    offset, expected = 0, base
    while not found.sealed:
        frame = record_at(data, offset, stream)
        if frame is None or frame.pos < expected:
            skipped, offset = offset, find_record(data, offset + 1, stream, expected)
            if offset < 0:
                break
            found.damage.append((skipped, offset))
            continue
        gap = frame.pos > expected and (expected, frame.pos - 1) not in gaps
        if gap and not _just_behind_damage(found, offset):
            found.damage.append((offset, offset))
        offset += HEADER_BYTES + len(frame.body)
        expected = frame.pos + frame.count
        _note(found, frame, base, offset)
    return found


def _note(found: Survey, frame: Frame, base: int, end: int) -> None:
    found.end = end
    if frame.count:
        found.last = frame.last
        found.clean = frame.kind == Kind.BYE
    mark = end_mark(frame, base)
    if mark is not None:
        found.sealed, found.digest = True, mark.blake2b


def _just_behind_damage(found: Survey, offset: int) -> bool:
    return bool(found.damage) and found.damage[-1][1] == offset


def foreign_at(data: bytes, offset: int, stream: str) -> str:
    """Return the name of another stream whose whole record stands at an offset; else nothing."""
    try:
        found = unpack(data, offset).stream
    except ValueError:
        return ""
    return found if found != stream else ""


def missing_bytes(data: bytes | memoryview, offset: int) -> int:
    """Return how long the data must be to hold the record at an offset; 0 if no header says so."""
    try:
        return offset + length_of(data, offset)
    except FrameError:
        return 0


def damaged(where: str, offset: int, expected: str) -> DamageError:
    """Return the failure that names file, offset and remedy."""
    return DamageError(
        f"{where} is damaged at byte {offset}: expected {expected}, "
        "found bytes that are none with valid records behind them",
        "Nothing was changed. Copy the journal away, then follow docs/runbook.md, JournalDamaged",
    )
