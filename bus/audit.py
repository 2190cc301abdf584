"""A whole stream, read from its first byte: is every record what was written, and none missing?

For the command line and for proofs; it reads beside a living writer and changes nothing.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from bus.archive import place_of, read_segment
from bus.errors import ProtocolError
from bus.holes import Repairs, place, repairs
from bus.merge import Merge
from bus.repair import DamageError, end_mark, find_record, record_at
from bus.segments import HASH_BYTES, bases
from schema.frame import HEADER_BYTES, Frame, Kind
from schema.house import SegmentEnd
from schema.messages import UNREADABLE
from schema.streams import Stream

_marks = msgspec.msgpack.Decoder(list[SegmentEnd])


class Audit(msgspec.Struct):
    """What a stream holds, and each thing that is wrong with it."""

    segments: int = 0
    epochs: int = 0
    records: int = 0
    messages: int = 0
    size: int = 0
    front: int = 0  # where the oldest segment begins
    first: int = 0
    last: int = 0
    torn_bytes: int = 0  # at the newest tail, where a living or killed writer may leave them
    ahead: int = 0  # epochs that began behind what a power cut took
    accepted: int = 0  # holes that a person lets readers pass
    problems: list[str] = []
    decided: Repairs = Repairs()  # what is known to be missing, and accepted


def audit(directory: Path, stream: Stream, passed: Callable[[int], None] | None = None) -> Audit:
    """Return what all segments of a stream hold; an empty list of problems is a sound journal.

    `passed` is told the bytes of each segment that was looked at.
    """
    found, merge, digest = Audit(decided=repairs(directory)), Merge(), b""
    kept = bases(directory)
    for base in kept:
        path = place_of(directory, base)
        try:
            data = read_segment(directory, base)
        except FileNotFoundError:
            continue  # Retention was faster.
        except DamageError as error:
            found.problems.append(error.what)
            digest = b""
            continue
        except OSError as error:
            found.problems.append(f"{path} cannot be read: {error.strerror}")
            digest = b""
            continue
        found.segments += 1
        found.front = found.front or base
        found.size += len(data)
        if passed is not None:
            passed(len(data))
        digest = _segment(found, merge, stream, (path, data, digest), newest=base == kept[-1])
    found.last = merge.pos
    return found


def base_of(path: Path) -> int:
    """Return the position that a segment's file is named by."""
    return int(path.name.partition(".")[0])


def _segment(
    found: Audit, merge: Merge, stream: Stream, part: tuple[Path, bytes, bytes], *, newest: bool
) -> bytes:
    path, data, digest_before = part
    base, at = base_of(path), 0
    while at < len(data):
        frame = record_at(data, at, stream.name)
        if frame is None:
            behind = find_record(data, at + 1, stream.name, base)
            if behind < 0:
                break
            found.problems.append(f"{path} bytes {at} to {behind}: no record")
            at = behind
            continue
        mark = end_mark(frame, base)
        if mark is not None:
            behind = len(data) - at - HEADER_BYTES - len(frame.body)
            if behind and not newest:
                found.problems.append(f"{path}: {behind} bytes stand behind the mark of its end")
            return _ended(found, path, data[:at], mark)
        if at == 0 and frame.kind != Kind.EOF:
            found.problems.append(f"{path}: the mark of its beginning is missing")
        if frame.kind == Kind.EOF:
            _begun(found, path, frame, digest_before)
        else:
            _record(found, merge, path, frame)
        at += HEADER_BYTES + len(frame.body)
    if newest:
        found.torn_bytes = len(data) - at
    else:
        found.problems.append(f"{path} at byte {at}: no end, and a newer segment follows")
    return b""


def _record(found: Audit, merge: Merge, path: Path, frame: Frame) -> None:
    try:
        if not merge.pos:
            merge.begin(frame, found.front)
        step = merge.journal(frame)
    except ProtocolError as error:
        found.problems.append(f"{path}: {error.what}")
        return
    if step.action == "drop":
        found.problems.append(f"{path}: position {frame.pos} comes again")
        return
    if step.action == "hole":
        _missing(found, path, step.expected, step.found - 1)
        merge.jump(frame)
        merge.journal(frame)
    found.ahead += step.action == "ahead"
    found.first = found.first or frame.pos
    found.epochs += frame.kind == Kind.EPOCH
    found.records += 1
    found.messages += frame.count


def _missing(found: Audit, path: Path, first: int, last: int) -> None:
    if found.decided.accept(first, last):
        found.accepted += 1
        return
    found.problems.append(
        f"{path}: positions {first} to {last} ({place(first)} to {place(last)}) are missing"
    )


def _begun(found: Audit, path: Path, frame: Frame, digest_before: bytes) -> None:
    before = frame.pos - 1
    if found.decided.accept(before, before):
        return  # What stood between them is gone, and that is known.
    if digest_before and _digest_in(frame) != digest_before:
        found.problems.append(f"{path}: it was begun behind another segment than the one before it")


def _digest_in(frame: Frame) -> bytes:
    try:
        return _marks.decode(frame.body)[0].blake2b
    except (*UNREADABLE, IndexError):
        return b""


def _ended(found: Audit, path: Path, data: bytes, mark: SegmentEnd) -> bytes:
    digest = hashlib.blake2b(data, digest_size=HASH_BYTES).digest()
    if digest != mark.blake2b and not found.decided.explains(base_of(path), digest):
        found.problems.append(f"{path}: its hash is not the one that it was sealed with")
    return mark.blake2b
