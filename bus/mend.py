"""What a writer does to the newest segment before it begins: cut the tear, seal, refuse damage.

The owner before it may have been killed between any two bytes. Nothing is thrown away: what is cut
is kept beside the segment, and damage is left exactly as it was found.
"""

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bus.archive import read_segment
from bus.clock import Clock
from bus.disk import sync_file, write_whole
from bus.holes import repairs
from bus.record import Before
from bus.repair import DamageError, Survey, damaged, foreign_at, survey
from bus.segments import HASH_BYTES, Segment, bases, cut, end_of_segment, save_beside, segment_path
from schema.frame import position
from schema.streams import Stream

UNSYNCED = "UNSYNCED"


def mend(directory: Path, stream: Stream, epoch: int, clock: Clock) -> tuple[Before, bytes]:
    """Cut the newest segment's torn tail and seal it; return how it stood, and its hash."""
    kept = bases(directory)
    if not kept:
        return Before(), b""
    path = segment_path(directory, kept[-1])
    data = read_segment(directory, kept[-1])  # Compressed, if all that was written since is lost.
    found = survey(data, stream.name, kept[-1], repairs(directory).gaps(kept[-1]))
    _refuse(path, stream, data, found)
    last = found.last or last_in(directory, kept[:-1], stream)
    torn = _cut_tear(path, data, found.end)
    if (directory / UNSYNCED).exists():
        _write_anew(path, memoryview(data)[: found.end])
        (directory / UNSYNCED).unlink()
    digest = found.digest
    if not found.sealed:
        digest = hashlib.blake2b(memoryview(data)[: found.end], digest_size=HASH_BYTES).digest()
        place = last + 1 if found.last else kept[-1]
        _append(path, end_of_segment(stream, place, digest, position(epoch, 0), clock))
    clean = found.clean and found.sealed and not torn
    return Before(last, clean, torn, len(found.damage)), digest


def cut_tear(directory: Path, stream: Stream) -> int:
    """Cut the newest segment's torn tail and keep it beside; return how many bytes it had."""
    base = bases(directory)[-1]
    path, data = segment_path(directory, base), read_segment(directory, base)
    found = survey(data, stream.name, base, repairs(directory).gaps(base))
    _refuse(path, stream, data, found)
    return _cut_tear(path, data, found.end)


def _cut_tear(path: Path, data: bytes, end: int) -> int:
    torn = len(data) - end
    if torn:
        save_beside(path, data[end:])
        cut(path, end)
    return torn


def _refuse(path: Path, stream: Stream, data: bytes, found: Survey) -> None:
    if found.damage and stream.durability in "AB":
        raise damaged(str(path), found.damage[0][0], f"a record of {stream.name}")
    if other := foreign_at(data, found.end, stream.name):
        raise DamageError(
            f"{path} at byte {found.end}: expected a record of {stream.name}, found one of {other}",
            "Nothing was changed. Move the file that does not belong here away",
        )


def mark_unsynced(directory: Path) -> None:
    """Note that a sync failed here, as far as the disk still takes a note."""
    with suppress(OSError):
        (directory / UNSYNCED).touch(mode=0o600)


def _write_anew(path: Path, data: memoryview) -> None:
    # After a failed sync the system shows bytes that it dropped, and says yes to the next sync.
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        write_whole(fd, data)
        sync_file(fd)
    finally:
        os.close(fd)


def _append(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        write_whole(fd, data)
        sync_file(fd)
    finally:
        os.close(fd)


def last_in(directory: Path, kept: Sequence[int], stream: Stream) -> int:
    """Return the last position that some segments hold; 0 when they hold none."""
    for base in reversed(kept):
        segment = Segment(directory, base, stream)
        segment.skip_all()
        segment.close()
        if segment.last:
            return segment.last
    return 0
