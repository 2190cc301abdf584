"""Reads a tar by hand: plain files alone, each bounded by its own header.

The headers of a tar can name links, devices, other paths and sizes beyond all measure; what is not
a plain file or a folder is refused before a byte of it is read.
"""

from collections.abc import Iterator
from typing import Protocol

import msgspec

from services.writer.restore_names import Names

BLOCK = 512
PIECE_BYTES = 1 << 18
EXTENDED_BYTES_MAX = 1 << 16
SIZE_MAX = 1 << 50
FILES, FOLDER, EXTENDED = b"0\0", b"5", b"xg"
KINDS = {
    b"1": "a link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a pipe",
    b"L": "an entry with a long name",
    b"K": "a link with a long name",
    b"S": "a sparse file",
}
MOVING = ("path", "linkpath", "size", "GNU.sparse")
"""What an extended header must not change."""


class Reads(Protocol):
    """What a tar is read from."""

    def read(self, size: int, /) -> bytes: ...


class Entry(msgspec.Struct):
    """One plain file; what its reader leaves is passed over."""

    name: str
    size: int
    left: int
    file: Reads

    def pieces(self, names: Names) -> Iterator[bytes]:
        """Yield the bytes of the file."""
        while self.left:
            data = self.file.read(min(PIECE_BYTES, self.left))
            if not data:
                raise names.refusal(self.name, f"the bundle ends {self.left} bytes before its end")
            self.left -= len(data)
            yield data


def entries(file: Reads, names: Names) -> Iterator[Entry]:
    """Yield the plain files of a tar in their order; DamagedError for everything hostile."""
    last = "its first entry"
    while True:
        head = _exactly(file, BLOCK)
        if head == bytes(BLOCK):
            return
        if len(head) < BLOCK:
            raise names.refusal(last, "the bundle ends behind it, without the mark of its end")
        entry = _entry(head, file, names, last)
        last = entry.name
        kind = head[156:157]
        if kind in EXTENDED:
            _require_harmless(b"".join(_bounded(entry, names)), entry.name, names)
        elif kind == FOLDER:
            names.pass_folder(entry.name)
        elif kind in FILES:
            yield entry
        else:
            raise names.refusal(entry.name, f"it is {KINDS.get(kind, 'no plain file')}")
        for _ in entry.pieces(names):
            continue
        _exactly(file, -entry.size % BLOCK)


def _bounded(entry: Entry, names: Names) -> Iterator[bytes]:
    if entry.size > EXTENDED_BYTES_MAX:
        raise names.refusal(entry.name, f"its extended header has {entry.size} bytes")
    return entry.pieces(names)


def _entry(head: bytes, file: Reads, names: Names, last: str) -> Entry:
    try:
        if _number(head[148:156]) != sum(head[:148]) + 8 * ord(" ") + sum(head[156:]):
            raise names.refusal(last, "the header behind it does not match its checksum")
        name = _text(head[:100])
        if head[257:262] == b"ustar" and head[263:265] == b"00":
            prefix = _text(head[345:500])
            name = f"{prefix}/{name}" if prefix else name
        size = _number(head[124:136])
    except ValueError as error:
        raise names.refusal(last, f"the header behind it is no header: {error}") from error
    if not 0 <= size <= SIZE_MAX:
        raise names.refusal(name, f"it claims {size} bytes")
    return Entry(name, size, size, file)


def _require_harmless(data: bytes, name: str, names: Names) -> None:
    for line in data.split(b"\n"):
        key = line.partition(b" ")[2].partition(b"=")[0].decode("utf-8", "replace")
        if key.startswith(MOVING):
            raise names.refusal(name, f"its extended header sets {key!r}")


def _exactly(file: Reads, size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := file.read(size - len(data))):
        data += piece
    return data


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode()


def _number(field: bytes) -> int:
    if field[0] & 0x80:  # Too large for octal digits.
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    digits = field.strip(b" \0")
    return int(digits, 8) if digits else 0
