"""Columns of integers in as few bits as most of their values need, and back at the speed of memory.

A segment is one column of one chunk: n values of `width` bits each, lowest bit first, padded to
eight values; what is wider stands behind them as exceptions: positions (2 bytes each), then their
upper parts (`wide` bytes each). Eight values fill exactly `width` bytes, so that the same eight
shifts unpack all segments of one width at once. All arithmetic is modulo 2^64, hence exact for
every int64. The differences of prices share no bytes that zstd could find: this is as small or
smaller, and a year of closes is decoded in a third of the time (docs/adr/0025).
"""

import zlib
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

Ints = np.ndarray[Any, np.dtype[np.int64]]
Words = np.ndarray[Any, np.dtype[np.uint64]]
Heads = np.ndarray[Any, np.dtype[Any]]

HEAD = np.dtype(
    [
        ("width", "u1"),
        ("scale", "u1"),  # number of the step that all values are multiples of
        ("wide", "u1"),
        ("signed", "u1"),  # 1: values are zigzag, 0: counted from the base
        ("exceptions", "<u2"),
        ("end", "<u4"),  # where its bytes end in the body
        ("crc", "<u4"),
        ("base", "<i8"),
    ]
)
"""What is said of one segment; 22 bytes."""

LANE = 8
WIDTH_MAX = 57  # Any value of so many bits lies within the eight bytes at its first bit.
FULL = 64
GATHER_MAX = 32
"""Segments up to which one look-up of all values costs less than eight shifts a width."""

_BITS = np.array([1 << bit for bit in range(FULL)], dtype=np.uint64)
_SCALES = np.array(
    sorted({m * 10**e for m in (1, 2, 5, 25) for e in range(19) if m * 10**e < 1 << 63}),
    dtype=np.uint64,
)
_ONE = np.uint64(1)
_WIDTHS = np.arange(FULL + 1)
_USABLE = (_WIDTHS <= WIDTH_MAX) | (_WIDTHS == FULL)
_MASKS = np.array([(1 << width) - 1 for width in range(FULL + 1)], dtype=np.uint64)


def pack(values: Ints, base: int, *, signed: bool) -> tuple[Heads, bytes]:
    """Return the head and the bytes of one column.

    Signed values lie around zero, and `base` is only kept; others are counted from the least.
    """
    if not signed:
        base = int(values.min())
        values = (values.view(np.uint64) - np.uint64(base & (1 << FULL) - 1)).view(np.int64)
    number, scale = _scale_of(values, signed=signed)
    words = zigzag(values // np.int64(scale)) if signed else values.view(np.uint64) // scale
    width, wide = _widths(words)
    body = _packed(words, width, wide)
    head = np.zeros((), dtype=HEAD)
    exceptions = int((words > _MASKS[width]).sum())
    head[()] = (width, number, wide, signed, exceptions, 0, zlib.crc32(body), base)
    return head, body


def unpack(heads: Heads, pieces: Sequence[bytes], counts: Ints, most: int) -> Words:
    """Return the raw values of segments, one row of `most` each; what lies behind n is anything.

    `counts` are those of the chunks, which follow each other once for each column.
    """
    widths = heads["width"].astype(np.int64)
    lanes = -(-counts // LANE)
    if len(pieces) <= GATHER_MAX and most == GATHERED:
        words = _gathered(pieces, widths)
    else:
        words = _shifted(pieces, widths, np.tile(lanes, len(pieces) // len(lanes)), most)
    _put_exceptions(words, heads, pieces, lanes, widths)
    return words


def scale(heads: Heads, words: Words) -> None:
    """Make values of raw ones, row by row: signed, or counted from their base; in place.

    It is fastest where signed rows come first: then no row is looked at for what it is not.
    """
    signed = heads["signed"].tolist()  # For so few, lists are faster than arrays.
    split = sum(signed)
    if all(signed[:split]):
        _unzigzag(words[:split])
        bases, counted = heads["base"][split:], words[split:]
    else:
        apart = heads["signed"].astype(np.bool_)
        values = words[apart]
        _unzigzag(values)
        words[apart] = values
        bases, counted = np.where(apart, 0, heads["base"]), words
    if any(heads["scale"].tolist()):
        many = heads["scale"].nonzero()[0]
        some = slice(many[0], many[-1] + 1)
        words[some] *= _SCALES[heads["scale"][some]][:, None]
    counted += bases.view(np.uint64)[:, None]


def _unzigzag(words: Words) -> None:
    below = words & _ONE  # Whether a value is below zero.
    np.negative(below, out=below)
    words >>= _ONE
    words ^= below


def zigzag(values: Ints) -> Words:
    """Return small non-negative numbers for small numbers of either sign."""
    return ((values << 1) ^ (values >> 63)).view(np.uint64)


def _scale_of(values: Ints, *, signed: bool) -> tuple[int, np.uint64]:
    sizes_of = (np.abs(values) if signed else values).view(np.uint64)
    common = np.gcd.reduce(sizes_of)
    if common <= 1:
        return 0, _SCALES[0]
    number = int(np.flatnonzero(common % _SCALES == 0)[-1])
    return number, _SCALES[number]


def _widths(words: Words) -> tuple[int, int]:
    bits = np.searchsorted(_BITS, words, side="right")
    most = int(bits.max())
    wider = len(words) - np.bincount(bits, minlength=FULL + 1).cumsum()
    wide = np.maximum(0, -(-(most - _WIDTHS) // 8))
    cost = -(-len(words) // LANE) * _WIDTHS + wider * (2 + wide)
    width = int(np.where(_USABLE, cost, np.iinfo(np.int64).max).argmin())
    return width, int(wide[width]) if wider[width] else 0


def _packed(words: Words, width: int, wide: int) -> bytes:
    rows = np.zeros(-(-len(words) // LANE) * LANE, dtype="<u8")
    rows[: len(words)] = words
    bits = np.unpackbits(rows.view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    body = np.packbits(bits[:, :width].ravel(), bitorder="little").tobytes()
    where = np.flatnonzero(words > _MASKS[width])
    upper = (words[where] >> np.uint64(width)).astype("<u8") if len(where) else words[:0]
    high = upper.view(np.uint8).reshape(-1, 8)[:, :wide]
    return body + where.astype("<u2").tobytes() + high.tobytes()


GATHERED = 512
_FIRST_BITS = _WIDTHS[:, None] * np.arange(GATHERED)
_PLACES: Ints = _FIRST_BITS >> 3
_SHIFTS: Words = (_FIRST_BITS & 7).astype(np.uint64)
_WINDOW_BYTES = 8


def _gathered(pieces: Sequence[bytes], widths: Ints) -> Words:
    # A short segment is read as if it were a long one: there must be bytes behind the last one.
    behind = max(widths.tolist()) * (GATHERED // 8) + _WINDOW_BYTES + 1
    data = b"".join([*pieces, bytes(behind)])
    begins = np.array([0, *accumulate(map(len, pieces))], dtype=np.int64)[:-1, None]
    # A look-up in memory that is not aligned takes four times as long as this copy and its own.
    windows: Words = np.ndarray((len(data) - _WINDOW_BYTES,), "<u8", data, strides=(1,)).copy()
    places = _PLACES.take(widths, axis=0)
    places += begins
    words: Words = windows.take(places)
    words >>= _SHIFTS.take(widths, axis=0)
    words &= _MASKS.take(widths)[:, None]
    return words


def _shifted(pieces: Sequence[bytes], widths: Ints, lanes: Ints, most: int) -> Words:
    words = np.zeros((len(pieces), most), dtype=np.uint64)
    for width in sorted(set(widths.tolist()) - {0}):
        rows = np.flatnonzero(widths == width)
        some = lanes[rows]
        named = zip(rows.tolist(), some.tolist(), strict=True)
        packed = [pieces[row][: count * width] for row, count in named]
        values = _unshifted(b"".join([*packed, bytes(8)]), width, int(some.sum()))
        if (some * LANE == most).all():
            words[rows] = values.reshape(-1, most)
        else:
            begins = rows * (most // LANE) - np.r_[0, some.cumsum()[:-1]]
            words.reshape(-1, LANE)[np.repeat(begins, some) + np.arange(len(values))] = values
    return words


def _unshifted(data: bytes, width: int, lanes: int) -> Words:
    values = np.empty((lanes, LANE), dtype=np.uint64)
    for place in range(LANE):
        at = place * width
        windows: Words = np.ndarray((lanes,), "<u8", data, at >> 3, (width,))
        np.right_shift(windows, np.uint64(at & 7), out=values[:, place])
    if width < FULL:
        values &= _MASKS[width]
    return values


def _put_exceptions(
    words: Words, heads: Heads, pieces: Sequence[bytes], lanes: Ints, widths: Ints
) -> None:
    flat = words.reshape(-1)
    wides = heads["wide"]
    for wide in sorted(set(wides.tolist()) - {0}):
        rows = (wides == wide).nonzero()[0]
        some = heads["exceptions"][rows].astype(np.int64)
        starts = lanes[rows % len(lanes)] * widths[rows]
        middles = (starts + 2 * some).tolist()
        named = list(zip(rows.tolist(), starts.tolist(), middles, strict=True))
        where = np.frombuffer(b"".join([pieces[row][a:b] for row, a, b in named]), "<u2")
        high = _high(b"".join([pieces[row][b:] for row, _, b in named]), wide)
        places = (rows * words.shape[1]).repeat(some)
        places += where
        high <<= heads["width"][rows].astype(np.uint64).repeat(some)
        flat[places] |= high


def _high(parts: bytes, wide: int) -> Words:
    found = np.frombuffer(parts, np.uint8)
    if wide == 1:
        return found.astype(np.uint64)
    high = np.zeros((len(found) // wide, 8), dtype=np.uint8)
    high[:, :wide] = found.reshape(-1, wide)
    return high.view("<u8").reshape(-1)
