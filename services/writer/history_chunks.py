"""Chunk files: bars from somebody's file as the house understood them, kept for every rebuild.

`imports/<sha256>.chunk` holds bars of one series in whole months, at most 65,536 of them. Its name
is the hash of what it holds, not of its bytes: the same bars are the same chunk, whoever packed
them and whenever. Little-endian:

    8   "RRRHIST1"
    4   length of the header
    .   header: JSON of `Chunk` without its bars, and of `Origin`
    4   length of the body
    .   body, zstd: the columns of `Chunk.columns` one after the other, int64, each as differences
        from the value before
    4   crc32 of all before
"""

import hashlib
import struct
import sys
import zlib
from pathlib import Path

import msgspec
import numpy as np

from bus.disk import put_whole
from bus.errors import ShardError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAGIC = b"RRRHIST1"
BARS_MAX = 65_536
COLUMNS = ("idx", "open", "high", "low", "close", "volume", "quote_volume", "trades")
ROW_BYTES = 8 * len(COLUMNS)
LEVEL = 1
_SIZE = struct.Struct("<I")

Matrix = np.ndarray[tuple[int, int], np.dtype[np.int64]]
Exponents = tuple[int, int, int]


class Chunk(msgspec.Struct, frozen=True):
    """Bars of one series, oldest first, each opening time once."""

    symbol: str
    timeframe: str
    exponents: Exponents  # decimals of price, quantity and quote volume
    columns: Matrix  # (8, bars); idx = open_s / tf_s

    @property
    def bars(self) -> int:
        return int(self.columns.shape[1])


class Origin(msgspec.Struct, frozen=True):
    """Where a chunk came from, and how it was last taken in."""

    source: str  # the file that a person named
    source_sha256: str
    wall_ns: int  # a rebuild takes chunks in this order
    replace: bool = False  # what it differs from gave way


class _Header(msgspec.Struct):
    symbol: str
    timeframe: str
    exponents: Exponents
    bars: int
    origin: Origin


def digest(chunk: Chunk) -> str:
    """Return the name of a chunk: the sha256 of what it holds."""
    said = [chunk.symbol, chunk.timeframe, list(chunk.exponents), chunk.bars]
    found = hashlib.sha256(msgspec.json.encode(said))
    found.update(np.ascontiguousarray(chunk.columns, dtype="<i8").data)
    return found.hexdigest()


def chunk_path(folder: Path, name: str) -> Path:
    """Return where a chunk lies."""
    return folder / f"{name}.chunk"


def pack(chunk: Chunk, origin: Origin) -> bytes:
    """Return a chunk as the bytes of its file."""
    assert 0 < chunk.bars <= BARS_MAX
    header = msgspec.json.encode(
        _Header(chunk.symbol, chunk.timeframe, chunk.exponents, chunk.bars, origin)
    )
    steps = np.diff(chunk.columns, axis=1, prepend=np.zeros((len(COLUMNS), 1), np.int64))
    body = zstd.compress(np.ascontiguousarray(steps, dtype="<i8").tobytes(), LEVEL)
    data = b"".join((MAGIC, _SIZE.pack(len(header)), header, _SIZE.pack(len(body)), body))
    return data + _SIZE.pack(zlib.crc32(data))


def write_chunk(folder: Path, chunk: Chunk, origin: Origin) -> str:
    """Put a chunk on the disk, whole or not at all; return its name."""
    name = digest(chunk)
    put_whole(chunk_path(folder, name), pack(chunk, origin))
    return name


def read_chunk(path: Path) -> tuple[Chunk, Origin]:
    """Return a chunk and its origin; ShardError when the file is not what its name promises."""
    data = path.read_bytes()
    try:
        chunk, origin = _unpacked(data)
    except (ValueError, struct.error, zstd.ZstdError, msgspec.MsgspecError) as error:
        raise _damaged(path, str(error)) from error
    if digest(chunk) != path.stem:
        raise _damaged(path, "it holds something else than its name says")
    return chunk, origin


def in_order(folder: Path) -> list[Path]:
    """Return the chunks of a folder, as a rebuild takes them: the last to be taken in wins."""
    return sorted(folder.glob("*.chunk"), key=lambda path: (read_chunk(path)[1].wall_ns, path.name))


def _unpacked(data: bytes) -> tuple[Chunk, Origin]:
    if data[:8] != MAGIC:
        raise ValueError(f"it begins with {data[:8]!r}, expected {MAGIC!r}")
    if zlib.crc32(data[:-4]) != _SIZE.unpack(data[-4:])[0]:
        raise ValueError("its checksum is wrong")
    (length,) = _SIZE.unpack_from(data, 8)
    header = msgspec.json.decode(data[12 : 12 + length], type=_Header)
    if not 0 < header.bars <= BARS_MAX:
        raise ValueError(f"it claims {header.bars} bars, expected 1 to {BARS_MAX}")
    wanted = header.bars * ROW_BYTES
    body = zstd.ZstdDecompressor().decompress(data[16 + length : -4], wanted + 1)
    if len(body) != wanted:
        raise ValueError(f"it holds {len(body)} bytes, expected {wanted}")
    steps = np.frombuffer(body, "<i8").reshape(len(COLUMNS), header.bars)
    columns = np.cumsum(steps, axis=1, dtype=np.int64)
    chunk = Chunk(header.symbol, header.timeframe, header.exponents, columns)
    return chunk, header.origin


def _damaged(path: Path, why: str) -> ShardError:
    return ShardError(
        f"{path} is no chunk of bars that can be read: {why}",
        "Import the file that it came from again: `import_file` in the shards names it",
    )
