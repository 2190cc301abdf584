"""Where the segments of a stream lie, as they were written or compressed, and how they are read.

A compressed file is one whole segment, end mark included. While a segment lies at both places, it
is read as it was written. Nothing here writes: `segments` and `keeper` do.
"""

import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from bus.errors import JournalError
from bus.repair import DamageError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SUFFIX = ".seg"
PACKED = ".seg.zst"
PIECE_BYTES = 1 << 18
CRUMB_BYTES = 256
CHECKSUM_BYTES = 4
JOURNAL, ARCHIVE = "journal", "archive"


def archive_of(directory: Path) -> Path:
    """Return where the compressed segments of a stream's directory lie.

    A world has them beside its journal; a journal that stands alone, a copy for instance, keeps
    them within.
    """
    root = directory.parents[1]
    if root.name != JOURNAL:
        return directory / ARCHIVE
    return root.parent / ARCHIVE / directory.relative_to(root)


def archive_path(directory: Path, base: int) -> Path:
    """Return the compressed file of the segment that begins at a position."""
    return archive_of(directory) / f"{base:020d}{PACKED}"


def segment_path(directory: Path, base: int) -> Path:
    """Return the file of the segment that begins at a position, as it is written."""
    return directory / f"{base:020d}{SUFFIX}"


def bases(directory: Path) -> list[int]:
    """Return where the segments of a stream begin, oldest first; none when there is no stream."""
    # In this order: what was written goes only when it is in the archive.
    plain = plain_bases(directory)
    return sorted({*plain, *packed_bases(directory)})


def plain_bases(directory: Path) -> list[int]:
    """Return where the segments begin that lie as they were written; the newest is among them."""
    return _begins(directory, SUFFIX)


def packed_bases(directory: Path) -> list[int]:
    """Return where the segments begin that lie compressed."""
    return _begins(archive_of(directory), PACKED)


def place_of(directory: Path, base: int) -> Path:
    """Return the file that a segment is read from."""
    plain = segment_path(directory, base)
    return plain if plain.exists() else archive_path(directory, base)


def open_segment(directory: Path, base: int) -> tuple[int, Path]:
    """Return a descriptor of a segment's bytes, and the file that they are from."""
    path = segment_path(directory, base)
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC), path
    except FileNotFoundError:
        path = archive_path(directory, base)
        return open_unpacked(path), path


def read_segment(directory: Path, base: int) -> bytes:
    """Return all bytes of a segment."""
    try:
        return segment_path(directory, base).read_bytes()
    except FileNotFoundError:
        return b"".join(unpacked(archive_path(directory, base)))


def read_head(directory: Path, base: int, size: int) -> bytes:
    """Return the first bytes of a segment; no more of it is read or unpacked."""
    try:
        with segment_path(directory, base).open("rb") as file:
            return file.read(size)
    except FileNotFoundError:
        return unpacked_head(archive_path(directory, base), size)


def unpacked(path: Path) -> Generator[bytes]:
    """Yield what a compressed file holds, piece by piece; DamageError when it is not whole."""
    with path.open("rb") as file:
        yield from _unpacked(path, file)


def unpacked_head(path: Path, size: int) -> bytes:
    """Return the first bytes of what a compressed file holds; the rest is not unpacked."""
    head = bytearray()
    with closing(unpacked(path)) as pieces:
        for piece in pieces:
            head += piece
            if len(head) >= size:
                break
    return bytes(head[:size])


def unpacked_so_far(path: Path) -> tuple[bytes, bool]:
    """Return what still unpacks of a compressed file, and whether that is all of it.

    A single wrong byte may show in the checksum at the very end alone: so what stands before it is
    had first, bit by bit, and each record in it has a checksum of its own.
    """
    packed, data, unpacker = path.read_bytes(), bytearray(), zstd.ZstdDecompressor()
    before = max(0, len(packed) - CHECKSUM_BYTES)
    try:
        for start in range(0, before, CRUMB_BYTES):
            data += unpacker.decompress(packed[start : min(before, start + CRUMB_BYTES)])
        data += unpacker.decompress(packed[before:])
    except (zstd.ZstdError, EOFError):
        return bytes(data), False
    return bytes(data), unpacker.eof and not unpacker.unused_data


def open_unpacked(path: Path) -> int:
    """Return a descriptor of what a compressed file holds, in a file that has no name."""
    with path.open("rb") as source:
        try:
            with tempfile.TemporaryFile(buffering=0) as plain:
                for piece in _unpacked(path, source):
                    _write(plain.fileno(), piece)
                return os.dup(plain.fileno())
        except OSError as error:
            raise JournalError(
                f"{path} cannot be unpacked into {tempfile.gettempdir()}: {error}",
                "Make room there, or let TMPDIR name a folder that has some",
            ).of_disk(error) from error


def _begins(directory: Path, suffix: str) -> list[int]:
    try:
        names = os.listdir(directory)  # noqa: PTH208 - four times faster, and asked at each tail
    except (FileNotFoundError, NotADirectoryError):
        return []
    stems = (name[: -len(suffix)] for name in names if name.endswith(suffix))
    return sorted(int(stem) for stem in stems if stem.isdecimal())


def _unpacked(path: Path, file: BinaryIO) -> Generator[bytes]:
    unpacker = zstd.ZstdDecompressor()
    try:
        while not unpacker.eof:
            data = file.read(PIECE_BYTES) if unpacker.needs_input else b""
            if unpacker.needs_input and not data:
                raise _broken(path, "it ends too early")
            if piece := unpacker.decompress(data, PIECE_BYTES):
                yield piece
    except zstd.ZstdError as error:
        raise _broken(path, str(error)) from error
    if unpacker.unused_data or file.read(1):
        raise _broken(path, "more bytes stand behind its end")


def _broken(path: Path, why: str) -> DamageError:
    return DamageError(
        f"{path} is damaged: expected a whole compressed segment, found that {why}",
        "Nothing was changed. Copy the archive away, then follow docs/runbook.md, JournalDamaged",
    )


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
