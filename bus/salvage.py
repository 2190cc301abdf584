"""Cuts damage out of segments, so that all else can be read again; what is cut leaves a hole.

Nothing is renumbered and nothing is thrown away. The untouched segment and each stretch that was
cut are on the disk before the new bytes take the segment's name in one step, so that a repair
killed at any instruction leaves the damage as it was, and the next one does the same again.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from bus.archive import SUFFIX, place_of, unpacked_so_far
from bus.clock import Clock
from bus.errors import JournalError
from bus.holes import Gap, Repairs, Salvaged, keep_repairs, repairs, replace
from bus.merge import Merge
from bus.record import JournalReader
from bus.repair import end_mark, foreign_at, record_at, survey
from bus.segments import HASH_BYTES, bases, end_of_segment, failing, segment_path
from schema.frame import HEADER_BYTES, Frame, Kind
from schema.house import SegmentEnd
from schema.messages import UNREADABLE
from schema.streams import Stream

UNTOUCHED = "untouched"
DAMAGED = "damaged"
COPIES_MAX = 1000

_marks = msgspec.msgpack.Decoder(list[SegmentEnd])

Stretch = tuple[int, int]
"""Offsets of the first byte and behind the last one."""


class Found(msgspec.Struct, frozen=True):
    """What is wrong with one segment, and what it holds once that is cut out."""

    path: Path
    base: int
    data: bytes  # as it was found, unpacked as far as that goes
    cut: tuple[Stretch, ...]
    gaps: tuple[Gap, ...]  # positions that its own records step over
    frames: tuple[Frame, ...]  # what it keeps
    untold: bool  # some gap is not written down
    begin: bool  # the mark that begins it is to be made anew
    end: bool  # the mark that ends it is to be made anew
    packed: bool  # it lies compressed, and does not unpack
    torn_bytes: int  # behind the last record of the newest segment; the writer's start cuts them

    @property
    def damaged(self) -> bool:
        """Whether anything is to be done that a start would not do."""
        return bool(self.cut) or self.untold or self.begin or self.end or self.packed

    @property
    def records(self) -> int:
        """How many records it keeps."""
        return sum(1 for frame in self.frames if frame.count)


class Hit(msgspec.Struct, frozen=True):
    """A damaged segment, in words."""

    path: Path
    records: int  # that it keeps
    told: tuple[str, ...]


class Report(msgspec.Struct):
    """What is wrong with a stream, and what its readers lack once the damage is cut out."""

    hit: list[Hit] = []
    missing: list[Gap] = []
    torn_bytes: int = 0


class Chain(msgspec.Struct, frozen=True):
    """What a segment's neighbours say of it."""

    before: bytes = b""  # the hash that the end of the segment before it holds
    after: bytes = b""  # the hash that the beginning of the next one repeats
    next_base: int = 0  # 0: it is the newest


def examine(directory: Path, stream: Stream) -> Report:
    """Return what there is to say of all segments; nothing is changed."""
    report, kept = Report(), bases(directory)

    def frames() -> Iterator[Frame]:
        for base in kept:  # One at a time: a journal is larger than a memory.
            found = find(directory, base, stream, newest=base == kept[-1])
            report.torn_bytes += found.torn_bytes
            if found.damaged:
                report.hit.append(Hit(found.path, found.records, tuple(_told(found))))
            yield from (frame for frame in found.frames if frame.kind != Kind.EOF)

    report.missing += _holes(frames(), kept[0] if kept else 0)
    return report


def _told(found: Found) -> Iterator[str]:
    for start, stop in found.cut:
        yield f"bytes {start} to {stop} are no records of it: they go to a file of their own"
    if found.packed:
        yield "it does not unpack to its end: what does is kept, and not compressed"
    if found.begin:
        yield "the mark of its beginning is made anew"
    if found.end:
        yield "the mark of its end is made anew"


def find(directory: Path, base: int, stream: Stream, *, newest: bool) -> Found:
    """Return what is wrong with the bytes of one segment."""
    data, packed = _bytes(directory, base)
    known = repairs(directory).gaps(base)
    seen = survey(data, stream.name, base, known)
    cut = [stretch for stretch in seen.damage if stretch[0] < stretch[1]]
    torn = len(data) - seen.end
    if torn and (not newest or foreign_at(data, seen.end, stream.name)):
        cut.append((seen.end, len(data)))
        torn = 0
    frames = tuple(_frames(data, stream.name, _rest(cut, len(data) - torn)))
    gaps = tuple(_gaps(base, frames))
    begun = bool(frames) and _begins(frames[0], base)
    return Found(
        path=place_of(directory, base),
        base=base,
        data=data,
        cut=tuple(cut),
        gaps=gaps,
        frames=frames,
        untold=not known.issuperset(gaps),
        begin=not begun and any(frame.count for frame in frames),
        end=not newest and not seen.sealed,
        packed=packed,
        torn_bytes=torn,
    )


def salvage(directory: Path, stream: Stream, clock: Clock) -> list[Path]:
    """Cut all damage out of a stream whose owner does not run; return the segments that it hit."""
    touched, before, kept = [], b"", bases(directory)
    for base, next_base in zip(kept, [*kept[1:], 0], strict=True):
        found = find(directory, base, stream, newest=not next_base)
        if found.damaged:
            after = _begun_behind(directory, next_base, stream) if next_base else b""
            _replace(directory, found, stream, Chain(before, after, next_base), clock)
            touched.append(found.path)
            found = find(directory, base, stream, newest=not next_base)
            assert not found.damaged, f"{found.path} is damaged still"
        before = _sealed_with(found)
    return touched


def holes(reader: JournalReader) -> Iterator[Gap]:
    """Yield what a stream lacks as it stands; DamageError where it must be salvaged first."""
    return _holes(_all(reader), reader.first())


def _all(reader: JournalReader) -> Iterator[Frame]:
    pos = 0
    while frames := reader.read(pos):
        pos = frames[-1].last
        yield from frames


def _holes(frames: Iterable[Frame], front: int) -> Iterator[Gap]:
    merge = Merge()
    for frame in frames:
        if not merge.pos:
            merge.begin(frame, front)
        step = merge.journal(frame)
        if step.action == "hole":
            yield step.expected, step.found - 1
            merge.jump(frame)
            merge.journal(frame)


def _replace(directory: Path, found: Found, stream: Stream, chain: Chain, clock: Clock) -> None:
    whole, digest = _made_whole(found, stream, chain, clock)
    target = segment_path(directory, found.base)
    _keep_beside(target, UNTOUCHED, found.path.read_bytes())
    for start, stop in found.cut:
        _keep_beside(target, f"{start}.{DAMAGED}", found.data[start:stop])
    cut_bytes = sum(stop - start for start, stop in found.cut)
    done = Salvaged(found.base, digest.hex(), found.gaps, cut_bytes, clock.wall_ns())
    decided = repairs(directory)
    # Told first: a gap that nobody knows of would be damage again.
    keep_repairs(directory, Repairs((*decided.salvaged, done), decided.accepted))
    replace(target, whole)  # Where it lay compressed, what is not compressed is read first.


def _made_whole(found: Found, stream: Stream, chain: Chain, clock: Clock) -> tuple[bytes, bytes]:
    """Return the new bytes of a segment, and the hash of those before its end mark."""
    data = found.data
    parts = [data[start:stop] for start, stop in _rest(found.cut, len(data) - found.torn_bytes)]
    if found.begin:
        parts.insert(0, end_of_segment(stream, found.base, chain.before, found.base, clock))
    body = b"".join(parts)
    tail = data[len(data) - found.torn_bytes :]
    ended = bool(found.frames) and end_mark(found.frames[-1], found.base) is not None
    before_end = len(body) - (_size(found.frames[-1]) if ended else 0)
    digest = hashlib.blake2b(memoryview(body)[:before_end], digest_size=HASH_BYTES).digest()
    if found.end:
        last = max((frame.last for frame in found.frames if frame.count), default=found.base - 1)
        sealed = chain.after or digest
        body += end_of_segment(stream, last + 1, sealed, chain.next_base, clock)
    return body + tail, digest


def _keep_beside(path: Path, suffix: str, data: bytes) -> None:
    for n in range(COPIES_MAX):
        target = path.with_name(f"{path.name}{f'.{n}' if n else ''}.{suffix}")
        if not target.exists():
            replace(target, data)
            return
        if target.read_bytes() == data:
            return  # A repair before this one was killed behind it.
    raise JournalError(
        f"{path} was salvaged {COPIES_MAX} times",
        f"The disk is failing: look at it, then move the .{suffix} files away",
    )


def _bytes(directory: Path, base: int) -> tuple[bytes, bool]:
    """Return the bytes of a segment, and whether there ought to be more than could be unpacked."""
    path = place_of(directory, base)
    if path.name.endswith(SUFFIX):
        with failing(path):
            return path.read_bytes(), False
    data, whole = unpacked_so_far(path)
    return data, not whole


def _rest(cut: Iterable[Stretch], end: int) -> Iterator[Stretch]:
    begin = 0
    for start, stop in cut:
        if begin < start:
            yield begin, start
        begin = stop
    if begin < end:
        yield begin, end


def _frames(data: bytes, stream: str, parts: Iterable[Stretch]) -> Iterator[Frame]:
    for start, stop in parts:
        at = start
        while at < stop:
            frame = record_at(data, at, stream)
            assert frame is not None, f"no record at {at}, between {start} and {stop}"
            yield frame
            at += _size(frame)


def _size(frame: Frame) -> int:
    return HEADER_BYTES + len(frame.body)


def _gaps(base: int, frames: Iterable[Frame]) -> Iterator[Gap]:
    expected = base
    for frame in frames:
        if frame.pos > expected:
            yield expected, frame.pos - 1
        expected = frame.pos + frame.count


def _mark(frame: Frame) -> SegmentEnd | None:
    try:
        return _marks.decode(frame.body)[0] if frame.kind == Kind.EOF else None
    except (*UNREADABLE, IndexError):
        return None


def _begins(frame: Frame, base: int) -> bool:
    mark = _mark(frame)
    return mark is not None and mark.next_base == base


def _begun_behind(directory: Path, base: int, stream: Stream) -> bytes:
    frame = record_at(_bytes(directory, base)[0], 0, stream.name)
    mark = _mark(frame) if frame is not None and _begins(frame, base) else None
    return mark.blake2b if mark is not None else b""


def _sealed_with(found: Found) -> bytes:
    mark = end_mark(found.frames[-1], found.base) if found.frames else None
    return mark.blake2b if mark is not None else b""
