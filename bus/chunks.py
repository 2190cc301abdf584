"""Closed bars and ticks in compressed columns, each of which is decoded alone.

A chunk is one row of `bar_chunk` or `tick_chunk`. For readers:
`decode_bars(sealed) -> int64[n, 9]`, `decode_ticks(sealed) -> int64[n, 5]` and
`decode_columns(sealed, "c", "v", ...) -> one int64[n] for each name`, where `sealed` is any number
of rows `(codec, crc, body)` in the order of their keys: all of them are decoded at once.
For archives: `encode_bars(rows: int64[n, 9]) -> Chunk`, `encode_ticks(rows: int64[n, 5]) -> Chunk`,
rows as `SELECT * FROM bar` and `SELECT * FROM tick` have them (BARS, TICKS name their columns).

A body is a head (number of rows; the ratio by which the quote volume is foretold; what each column
is packed as), then one segment a column. `crc` is of the head, in which the crc of each segment
stands: whatever is read is checked, and nothing else needs to be read.
"""

import hashlib
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from bus.errors import ShardError
from bus.migrations import refused
from bus.packing import HEAD, Heads, Ints, Words, pack, scale, unpack

BARS = ("k", "o", "h", "l", "c", "v", "q", "n", "src")
TICKS = ("k", "ts_ns", "px", "qty", "side")
SIGNED_FIRST = ("k", "o", "c", "q", "h", "l", "v", "n", "src")
"""The columns of bars as they are decoded side by side: the fastest order."""

BARS_BITS = 9
BARS_MAX = 1 << BARS_BITS
TICKS_MAX = 4096
CODEC_BARS = 1
CODEC_TICKS = 2

NEWER_HINT = "Update this checkout to the code that made the archive"
DAMAGE_HINT = (
    "Move the archive away and restore a backup of it: `rrr db restore`; "
    "rows that still lie in db/.trash are archived again when they are moved back"
)
FORETOLD_MAX = float(1 << 62)

_NEEDS = {
    "o": ("o", "c"),
    "h": ("h", "o", "c"),
    "l": ("l", "o", "c"),
    "q": ("q", "v", "h", "l", "o", "c"),
}
"""What a column is told relative to."""

_HEAD_BYTES = np.dtype((np.void, HEAD.itemsize))

Floats = np.ndarray[Any, np.dtype[np.float64]]

Sealed = tuple[int, int, bytes]
"""codec, crc, body."""


class Chunk(NamedTuple):
    """One row of a table of chunks; `k` is that of `bar_chunk`, for ticks the first key."""

    k: int
    first: int
    last: int
    n: int
    codec: int
    crc: int
    body: bytes


def encode_bars(rows: Ints) -> Chunk:
    """Return 1 to 512 bars of one aligned stretch, in the order of their keys, as one chunk."""
    assert 0 < len(rows) <= BARS_MAX
    assert rows[0, 0] >> BARS_BITS == rows[-1, 0] >> BARS_BITS
    k, o, high, low, c, v, q, n, src = np.ascontiguousarray(rows.T)
    before = np.r_[o[:1], c[:-1]]  # The first one's open stands for the close before it.
    ratio = _ratio(high + low, v, q)
    told = (
        (np.diff(k, prepend=k[:1] - 1) - 1, int(k[0]) - 1, True),
        (o - before, 0, True),
        (high - np.maximum(o, c), 0, False),
        (np.minimum(o, c) - low, 0, False),
        (c - before, int(o[0]), True),
        (v, 0, False),
        (q, 0, False),
        (n, 0, False),
        (src, 0, False),
    )
    packed = [pack(values, base, signed=signed) for values, base, signed in told]
    foretold = pack(q - _foretold(high + low, v, ratio), 0, signed=True)
    if len(foretold[1]) < len(packed[6][1]):
        packed[6] = foretold
    else:
        ratio = 0.0
    return _chunk(CODEC_BARS, k, int(k[0]) >> BARS_BITS, ratio, packed)


def encode_ticks(rows: Ints) -> Chunk:
    """Return 1 to 4096 ticks of one series, in the order of their keys, as one chunk."""
    assert 0 < len(rows) <= TICKS_MAX
    k, ts_ns, px, qty, side = np.ascontiguousarray(rows.T)
    told = (
        (np.diff(k, prepend=k[:1] - 1) - 1, int(k[0]) - 1, True),
        (np.diff(ts_ns, prepend=ts_ns[:1]), int(ts_ns[0]), True),
        (np.diff(px, prepend=px[:1]), int(px[0]), True),
        (qty, 0, False),
        (side, 0, False),
    )
    packed = [pack(values, base, signed=signed) for values, base, signed in told]
    return _chunk(CODEC_TICKS, k, int(k[0]), 0.0, packed)


def decode_bars(sealed: Sequence[Sealed]) -> Ints:
    """Return the bars of some chunks, one row a bar; ShardError when one is damaged."""
    return np.array(decode_columns(sealed, *BARS)).reshape(len(BARS), -1).T


def decode_ticks(sealed: Sequence[Sealed]) -> Ints:
    """Return the ticks of some chunks, one row a tick; ShardError when one is damaged."""
    if not sealed:
        return np.empty((0, len(TICKS)), dtype=np.int64)
    parts = _Parts(sealed, CODEC_TICKS, TICKS, TICKS_MAX)
    k, ts_ns, px, qty, side = parts.raw(TICKS)
    bases = parts.heads["base"].view(np.uint64)
    k += np.uint64(1)
    columns = [
        *(_summed(deltas, bases[:, place]) for place, deltas in enumerate((k, ts_ns, px))),
        qty.view(np.int64),
        side.view(np.int64),
    ]
    return np.array([parts.flat(column) for column in columns]).T


def decode_columns(sealed: Sequence[Sealed], *names: str) -> list[Ints]:
    """Return columns of the bars of some chunks; ShardError when what they need is damaged."""
    if not sealed:
        return [np.empty(0, dtype=np.int64) for _ in names]
    parts = _Parts(sealed, CODEC_BARS, BARS, BARS_MAX)
    needed = _needed(names)
    columns = _rebuilt(parts, dict(zip(needed, parts.raw(needed), strict=True)))
    return [parts.flat(columns[name]) for name in names]


def canonical_hash() -> "hashlib.blake2b":
    """Return the hash of a series to be fed with `canonical_bytes` of its rows in key order."""
    return hashlib.blake2b(digest_size=32)


def canonical_bytes(rows: Ints) -> bytes:
    """Return rows as a hash takes them: little-endian int64, row by row."""
    return rows.astype("<i8", order="C", copy=False).tobytes()


@lru_cache(maxsize=64)
def _needed(names: tuple[str, ...]) -> tuple[str, ...]:
    needed = {part for name in names for part in _NEEDS.get(name, (name,))}
    return tuple(name for name in SIGNED_FIRST if name in needed)


@lru_cache(maxsize=64)
def _places(among: tuple[str, ...], names: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(map(among.index, names))


class _Parts:
    """Chunks taken apart: the heads of their columns, and where each column's bytes lie."""

    def __init__(
        self, sealed: Sequence[Sealed], codec: int, names: tuple[str, ...], most: int
    ) -> None:
        self._dtype = _body_dtype(len(names))
        self._names = names
        self._most = most
        self._bodies = [body for _, _, body in sealed]
        _check(sealed, codec, self._dtype.itemsize)
        size = self._dtype.itemsize
        tops = np.frombuffer(b"".join([body[:size] for body in self._bodies]), self._dtype)
        self.counts: Ints = tops["n"].astype(np.int64)
        self.ratios = tops["ratio"]
        numbers = self.counts.tolist()
        self._total = sum(numbers)
        # All but the last one are full: then what they hold lies in one piece.
        self._whole = self._total == (len(numbers) - 1) * most + numbers[-1]
        self.heads: Heads = np.ascontiguousarray(tops["columns"])
        self._by_column = self.heads.view(_HEAD_BYTES).T
        self._there: np.ndarray[Any, np.dtype[np.intp]] | None = None
        self._ends = [[size] * len(tops), *self.heads["end"].T.tolist()]

    def raw(self, names: Sequence[str]) -> list[Words]:
        """Return what columns are told as: one row of 512 or 4096 for each chunk."""
        places = _places(self._names, tuple(names))
        heads = self._by_column.take(places, axis=0).view(HEAD)
        pieces = [
            body[begin:end]
            for place in places
            for body, begin, end in zip(
                self._bodies, self._ends[place], self._ends[place + 1], strict=True
            )
        ]
        heads = heads.reshape(-1)
        if list(map(zlib.crc32, pieces)) != heads["crc"].tolist():
            raise ShardError("a chunk is damaged: bytes of it have another crc", DAMAGE_HINT)
        words = unpack(heads, pieces, self.counts, self._most)
        scale(heads, words)
        return list(words.reshape(len(names), len(self.counts), -1))

    def flat(self, values: Ints) -> Ints:
        """Return the values of all chunks one after the other."""
        if self._whole:
            return values.reshape(-1)[: self._total]
        if self._there is None:
            self._there = np.flatnonzero(np.arange(self._most) < self.counts[:, None])
        flat: Ints = values.reshape(-1).take(self._there)
        return flat


def _rebuilt(parts: _Parts, told: dict[str, Words]) -> dict[str, Ints]:
    # Tells of each column what it stands for, in the order in which one needs the other.
    bases = parts.heads["base"].view(np.uint64)
    plain = [name for name in ("v", "q", "n", "src") if name in told]
    found: dict[str, Ints] = {name: told[name].view(np.int64) for name in plain}
    if "k" in told:
        told["k"] += np.uint64(1)
        found["k"] = _summed(told["k"], bases[:, 0])
    if "c" in told:
        found["c"] = c = _summed(told["c"], bases[:, 4])
    if "o" in told:
        told["o"][:, 0] += bases[:, 4]
        told["o"][:, 1:] += c.view(np.uint64)[:, :-1]
        found["o"] = o = told["o"].view(np.int64)
    if "h" in told:
        found["h"] = high = told["h"].view(np.int64)
        high += np.maximum(o, c)
    if "l" in told:
        low = told["l"].view(np.int64)
        found["l"] = np.subtract(np.minimum(o, c), low, out=low)
    if "q" in told and parts.ratios.any():
        price = found["h"] + found["l"]
        found["q"] += _foretold(price, found["v"], parts.ratios[:, None])
    return found


def _summed(deltas: Words, bases: Words) -> Ints:
    deltas[:, 0] += bases
    return deltas.cumsum(axis=1, out=deltas).view(np.int64)


def _ratio(price: Ints, v: Ints, q: Ints) -> float:
    worth = v * price.astype(np.float64)
    traded = worth > 0
    return float(np.median(q[traded] / worth[traded])) if traded.any() else 0.0


def _foretold(price: Ints, v: Ints, ratio: "Floats | float") -> Ints:
    # Only IEEE operations that each round once: every machine foretells the same.
    worth: Floats = price.astype(np.float64)
    worth *= v
    worth *= ratio
    np.maximum(worth, -FORETOLD_MAX, out=worth)  # `clip` itself takes as long as all the rest.
    np.minimum(worth, FORETOLD_MAX, out=worth)
    foretold: Ints = np.rint(worth, out=worth).astype(np.int64)
    return foretold


@lru_cache(maxsize=2)
def _body_dtype(columns: int) -> np.dtype[np.void]:
    return np.dtype([("n", "<u2"), ("ratio", "<f8"), ("columns", HEAD, (columns,))])


def _chunk(
    codec: int, keys: Ints, k: int, ratio: float, packed: Sequence[tuple[Heads, bytes]]
) -> Chunk:
    top = np.zeros((), dtype=_body_dtype(len(packed)))
    top["n"], top["ratio"] = len(keys), ratio
    top["columns"] = [head for head, _ in packed]
    top["columns"]["end"] = top.nbytes + np.cumsum([len(segment) for _, segment in packed])
    head = top.tobytes()
    body = b"".join([head, *(segment for _, segment in packed)])
    return Chunk(k, int(keys[0]), int(keys[-1]), len(keys), codec, zlib.crc32(head), body)


def _check(sealed: Sequence[Sealed], codec: int, size: int) -> None:
    for found, crc, body in sealed:
        if found != codec:
            raise refused(f"a chunk has the codec {found}, this code reads {codec}", NEWER_HINT)
        if zlib.crc32(body[:size]) != crc:
            raise ShardError("a chunk is damaged: its head has another crc", DAMAGE_HINT)
