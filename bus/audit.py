"""A whole stream, read from its first byte: is every record what was written, and none missing?

For the command line and for proofs; it reads beside a living writer and changes nothing.
"""

import hashlib
from pathlib import Path

import msgspec

from bus.merge import Merge
from bus.repair import end_mark, find_record, record_at
from bus.segments import HASH_BYTES, bases, segment_path
from schema.frame import HEADER_BYTES, Frame, Kind
from schema.house import SegmentEnd
from schema.streams import Stream

_marks = msgspec.msgpack.Decoder(list[SegmentEnd])


class Audit(msgspec.Struct):
    """What a stream holds, and each thing that is wrong with it."""

    segments: int = 0
    epochs: int = 0
    records: int = 0
    messages: int = 0
    size: int = 0
    first: int = 0
    last: int = 0
    torn_bytes: int = 0  # at the newest tail, where a living or killed writer may leave them
    ahead: int = 0  # epochs that began behind what a power cut took
    problems: list[str] = []


def audit(directory: Path, stream: Stream) -> Audit:
    """Return what all segments of a stream hold; an empty list of problems is a sound journal."""
    found, merge, digest = Audit(), Merge(), b""
    kept = bases(directory)
    for base in kept:
        path = segment_path(directory, base)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue  # Retention was faster.
        found.segments += 1
        found.size += len(data)
        digest = _segment(found, merge, stream, (path, data, digest), newest=base == kept[-1])
    found.last = merge.pos
    return found


def _segment(
    found: Audit, merge: Merge, stream: Stream, part: tuple[Path, bytes, bytes], *, newest: bool
) -> bytes:
    path, data, digest_before = part
    base, at = int(path.stem), 0
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
            return _ended(found, path, data[:at], mark)
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
    step = merge.journal(frame)
    if step.action == "drop":
        found.problems.append(f"{path}: position {frame.pos} comes again")
        return
    if step.action == "hole":
        found.problems.append(f"{path}: positions {step.expected} to {step.found - 1} are missing")
        merge.jump(frame)
        merge.journal(frame)
    found.ahead += step.action == "ahead"
    found.first = found.first or frame.pos
    found.epochs += frame.kind == Kind.EPOCH
    found.records += 1
    found.messages += frame.count


def _begun(found: Audit, path: Path, frame: Frame, digest_before: bytes) -> None:
    if digest_before and _marks.decode(frame.body)[0].blake2b != digest_before:
        found.problems.append(f"{path}: it was begun behind another segment than the one before it")


def _ended(found: Audit, path: Path, data: bytes, mark: SegmentEnd) -> bytes:
    if hashlib.blake2b(data, digest_size=HASH_BYTES).digest() != mark.blake2b:
        found.problems.append(f"{path}: its hash is not the one that it was sealed with")
    return mark.blake2b
