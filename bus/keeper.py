"""Puts sealed segments away: compresses them into the archive, and deletes what nobody needs.

For whoever holds the lease of the stream's owner. Each step leaves the segment readable, so a kill
between any two of them costs nothing but the work, and the next look does it again. A segment goes
from where it was written only when its copy is on the disk, unpacks, and has the hash that the
segment was sealed with.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import msgspec

from bus.archive import (
    PIECE_BYTES,
    archive_of,
    archive_path,
    packed_bases,
    plain_bases,
    segment_path,
    unpacked,
)
from bus.disk import make_directory, sync_directory, sync_file, write_whole
from bus.errors import JournalError
from bus.holes import repairs
from bus.repair import DamageError, end_mark, record_at
from bus.retention import Kept, Limits, Plan
from bus.segments import HASH_BYTES, failing
from schema.frame import HEADER_BYTES, MAGIC, topic
from schema.settings import BusSettings
from schema.streams import Stream
from schema.units import MINUTE_NS

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DRAFT = ".tmp"
TAIL_BYTES = 4096
"""More than the mark that a segment ends with."""

OPTIONS: dict[int, int] = {
    zstd.CompressionParameter.compression_level: 3,
    zstd.CompressionParameter.checksum_flag: 1,
}
FLUSH_BYTES = 4 << 20
"""Of a segment, before what was compressed goes to the disk: an order's sync waits for no more."""

TRIED_AGAIN = (
    "All of it is still read from where it lies, and this is tried again: "
    "see docs/runbook.md, ArchiveFailing"
)

END_OF_TIME = (1 << 63) - 1
MIB = 1 << 20


class Seal(msgspec.Struct, frozen=True):
    """What the mark at the end of a segment says of it."""

    offset: int  # where the mark begins: the hash is of all before it
    mark: bytes
    blake2b: bytes
    ts_ns: int  # wall time at which it was sealed


class Done(msgspec.Struct):
    """What became of a plan."""

    archived: int = 0
    deleted: int = 0
    failure: str = ""


def limits_of(settings: BusSettings) -> Limits:
    """Return the limits that the settings set."""
    return Limits(
        archive_after_ns=settings.archive_after_h * 60 * MINUTE_NS,
        plain_bytes=settings.plain_mib * MIB,
        cap_bytes=settings.stream_cap_mib * MIB,
    )


def kept(directory: Path, stream: Stream) -> list[Kept]:
    """Return the segments of a stream as they lie on the disk, oldest first."""
    plain = plain_bases(directory)
    packed = set(packed_bases(directory))
    found = []
    for base, following in pairwise([*sorted(packed.union(plain)), END_OF_TIME]):
        try:
            if base in plain:
                found.append(_plain(directory, stream, base, following - 1, doubled=base in packed))
            else:
                found.append(_packed(directory, base, following - 1))
        except FileNotFoundError:
            continue  # Somebody removed it by hand.
    return found


def _plain(directory: Path, stream: Stream, base: int, last: int, *, doubled: bool) -> Kept:
    path = segment_path(directory, base)
    size, seal = path.stat().st_size, seal_of(path, stream)
    newest_ns = END_OF_TIME if seal is None else seal.ts_ns
    return Kept(base, last, newest_ns, size, sealed=seal is not None, doubled=doubled)


def _packed(directory: Path, base: int, last: int) -> Kept:
    # Its time of change was set to that of its seal: to know it, nothing has to be unpacked.
    stat = archive_path(directory, base).stat()
    return Kept(base, last, stat.st_mtime_ns, stat.st_size, archived=True)


def seal_of(path: Path, stream: Stream) -> Seal | None:
    """Return what the mark at the very end of a segment's file says; None without a valid one."""
    with path.open("rb") as file:
        begin = max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES)
        data = os.pread(file.fileno(), TAIL_BYTES, begin)
    at = data.rfind(topic(stream.name) + MAGIC)
    frame = record_at(data, at, stream.name) if at >= 0 else None
    if frame is None or at + HEADER_BYTES + len(frame.body) != len(data):
        return None
    mark = end_mark(frame, int(path.name.partition(".")[0]))
    return None if mark is None else Seal(begin + at, data[at:], mark.blake2b, frame.ts_ns)


def put_away(directory: Path, base: int, stream: Stream) -> Iterator[str]:
    """Compress one sealed segment into the archive, and yield after each step.

    Whoever stops asking leaves the rest of it to the next time.
    """
    source, target = segment_path(directory, base), archive_path(directory, base)
    with failing(source, TRIED_AGAIN):
        seal = seal_of(source, stream)
    if seal is None:
        raise DamageError(
            f"{source}: expected the mark of its end, found none",
            f"It stays as it is: `rrr bus journal verify {stream.name}` tells more",
        )
    draft = target.with_name(f"{target.name}.{os.getpid()}{DRAFT}")
    with failing(target, TRIED_AGAIN):
        make_directory(target.parent)
        try:
            yield from _compress(source, draft, seal)
            yield from _prove(draft, source, seal)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        yield "named"
        sync_directory(target.parent)
        yield "certain"
        source.unlink()
        yield "removed"
        sync_directory(source.parent)


def _compress(source: Path, draft: Path, seal: Seal) -> Iterator[str]:
    packer = zstd.ZstdCompressor(options=OPTIONS)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with source.open("rb") as file:
            while data := file.read(PIECE_BYTES):
                write_whole(fd, packer.compress(data))
                if file.tell() % FLUSH_BYTES == 0:
                    os.fsync(fd)
                yield "compressed"
        write_whole(fd, packer.flush())
        os.utime(fd, ns=(seal.ts_ns, seal.ts_ns))
        sync_file(fd)
    finally:
        os.close(fd)
    yield "written"


def _prove(draft: Path, source: Path, seal: Seal) -> Iterator[str]:
    digest, at, rest = hashlib.blake2b(digest_size=HASH_BYTES), 0, b""
    for piece in unpacked(draft):
        split = max(0, seal.offset - at)
        digest.update(piece[:split])
        rest += piece[split:]
        at += len(piece)
        yield "compared"
    found = digest.digest()
    salvaged = repairs(source.parent).explains(int(source.stem), found)
    if rest != seal.mark or (found != seal.blake2b and not salvaged):
        raise DamageError(
            f"{source} is damaged: its bytes have not the hash that it was sealed with",
            "It stays as it is, uncompressed: see docs/runbook.md, JournalDamaged",
        )
    yield "proven"


def remove(directory: Path, base: int) -> None:
    """Delete a segment wherever it lies; for good."""
    with failing(directory, TRIED_AGAIN):
        for path in (archive_path(directory, base), segment_path(directory, base)):
            if path.exists():
                path.unlink()
                sync_directory(path.parent)


def clear_drafts(directory: Path) -> None:
    """Remove what a kill left half-written; for a start, when nobody writes here."""
    folder = archive_of(directory)
    with failing(folder, TRIED_AGAIN):
        for path in folder.glob(f"*{DRAFT}") if folder.is_dir() else ():
            path.unlink(missing_ok=True)


def carry_out(directory: Path, stream: Stream, planned: Plan, stopping: Callable[[], bool]) -> Done:
    """Do what was planned, asking between the steps whether to stop; what fails is told."""
    done = Done()
    try:
        for base in planned.delete:
            remove(directory, base)
            done.deleted += 1
            if stopping():
                return done
        for base in planned.archive:
            if not _archive(directory, base, stream, done, stopping):
                break
    except JournalError as error:
        done.failure = str(error)
    return done


def _archive(
    directory: Path, base: int, stream: Stream, done: Done, stopping: Callable[[], bool]
) -> bool:
    try:
        for _ in put_away(directory, base, stream):
            if stopping():
                return False
    except DamageError as error:
        done.failure = str(error)  # The others can be put away all the same.
    else:
        done.archived += 1
    return True
