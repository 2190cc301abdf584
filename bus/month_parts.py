"""What one file of a month holds of a series, as arrays: from its rows, or from its chunks.

Every statement is a search by the integer primary key, and every cursor is read to its end before
anything is handed out.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import chain, pairwise
from typing import Any

import numpy as np

from bus.chunks import BARS_BITS, decode_bars, decode_columns
from bus.columns import Ints, Part, chained, no_part
from bus.market_files import OpenFile, Series
from bus.month_names import IDX_BITS, IDX_MASK
from schema.units import SECOND_NS

SQL_NAMES = {
    "open": "o", "high": "h", "low": "l", "close": "c",
    "volume": "v", "quote_volume": "q", "trades": "n", "source": "src",
}  # fmt: skip

BATCH_CHUNKS = 8192
ROOM_BYTES = 30 << 20
POINT = "SELECT o, h, l, c, v, q, n, src FROM bar WHERE k = ?"
CHUNK_AT = "SELECT codec, crc, body FROM bar_chunk WHERE k = ?"
CHUNKS = (
    "SELECT k, first, last, n, codec, crc, body FROM bar_chunk "
    "WHERE k BETWEEN ? AND ? ORDER BY k LIMIT ?"
)
NEWEST_CHUNKS = (
    "SELECT k, first, last, n, codec, crc, body FROM bar_chunk "
    "WHERE k BETWEEN ? AND ? ORDER BY k DESC LIMIT ?"
)
COUNT_ROWS = "SELECT count(*) FROM bar WHERE k BETWEEN ? AND ?"
COUNT_CHUNKS = "SELECT ifnull(sum(n), 0) FROM bar_chunk WHERE k BETWEEN ? AND ?"
NEWEST_ROW = "SELECT max(k) FROM bar WHERE k BETWEEN ? AND ?"
NEWEST_CHUNK = "SELECT last FROM bar_chunk WHERE k BETWEEN ? AND ? ORDER BY k DESC LIMIT 1"
Span = tuple[int, int]
"""The first and the last index that are asked for."""


class Batch:
    """Chunks of one series out of several archives, to be decoded together."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._series: Series | None = None
        self._span = (0, 0)
        self._chunks: list[Any] = []

    def takes(self, series: Series) -> bool:
        """Return whether chunks of a file go with those that are there."""
        same = self._series is None or series.exponents == self._series.exponents
        return same and len(self._chunks) < BATCH_CHUNKS

    def add(self, series: Series, span: Span, chunks: list[Any]) -> None:
        """Take the chunks of one more file."""
        self._series, self._span = series, span
        self._chunks += chunks

    def opened(self) -> Part:
        """Return what the chunks hold, and begin anew."""
        chunks, self._chunks = self._chunks, []
        series, self._series = self._series, None
        if series is None:
            return no_part(self._columns)
        return opened(series, chunks, self._span, self._columns)


def bar_part(
    file: OpenFile,
    series: Series,
    span: Span,
    columns: Sequence[str],
    limit: int,
    *,
    newest: bool,
) -> Part:
    """Return bars of a span, keyed by their open; a limit that is not -1 counts from one end."""
    if file.archived:
        if limit < 0:
            return opened(series, sealed_chunks(file, series, span), span, columns)
        return _some_sealed(file, series, span, columns, limit, newest=newest)
    low = series.number << IDX_BITS
    sql = _bars_sql(tuple(columns), newest=newest)
    rows: list[Any] = file.db.execute(sql, (low | span[0], low | span[1], limit)).fetchall()
    found = table(rows, len(columns) + 1)
    if newest:
        found = found[:, ::-1]
    open_ns = (found[0] & IDX_MASK) * (series.tf_s * SECOND_NS)
    return Part(series.exponents, open_ns, dict(zip(columns, found[1:], strict=True)))


def candle_row(file: OpenFile, series: Series, idx: int) -> "Sequence[int] | None":
    """Return the numbers of one bar, in the order of `Candle`; None where there is none."""
    key = series.number << IDX_BITS | idx
    if not file.archived:
        rows: list[Any] = file.point.execute(POINT, (key,)).fetchall()
        return rows[0] if rows else None
    number, chunk = file.chunk
    if number != key >> BARS_BITS:
        sealed: list[Any] = file.db.execute(CHUNK_AT, (key >> BARS_BITS,)).fetchall()
        chunk = decode_bars(sealed)
        file.chunk = (key >> BARS_BITS, chunk)
    at = int(np.searchsorted(chunk[:, 0], key))
    if at == len(chunk) or chunk[at, 0] != key:
        return None
    numbers: list[int] = chunk[at, 1:].tolist()
    return numbers


def count_bars(file: OpenFile, series: Series) -> int:
    """Return how many bars a file holds of a series."""
    low, high = _whole(series)
    if file.archived:
        return _one(file, COUNT_CHUNKS, (low >> BARS_BITS, high >> BARS_BITS))
    return _one(file, COUNT_ROWS, (low, high))


def newest_idx(file: OpenFile, series: Series) -> int:
    """Return the index of the newest bar that a file holds of a series; -1 without one."""
    low, high = _whole(series)
    if file.archived:
        return _one(file, NEWEST_CHUNK, (low >> BARS_BITS, high >> BARS_BITS))
    return _one(file, NEWEST_ROW, (low, high))


def _some_sealed(
    file: OpenFile,
    series: Series,
    span: Span,
    columns: Sequence[str],
    limit: int,
    *,
    newest: bool,
) -> Part:
    sql = NEWEST_CHUNKS if newest else CHUNKS
    low, high = _chunk_span(series, span)
    parts: list[Part] = []
    need = limit
    while low <= high:
        ask = (need >> BARS_BITS) + 2
        rows: list[Any] = file.db.execute(sql, (low, high, ask)).fetchall()
        used = _enough(rows, span, need)
        ordered = used[::-1] if newest else used
        parts.append(opened(series, ordered, span, columns, need, newest=newest))
        need -= len(parts[-1])
        if need <= 0 or len(used) == len(rows) < ask:
            break
        low, high = (low, used[-1][0] - 1) if newest else (used[-1][0] + 1, high)
    return chained(parts[::-1] if newest else parts, columns, series.symbol)


def sealed_chunks(file: OpenFile, series: Series, span: Span) -> list[Any]:
    """Return the chunks that bars of a span lie in, as they are kept."""
    found: list[Any] = file.point.execute(CHUNKS, (*_chunk_span(series, span), -1)).fetchall()
    return found


def opened(
    series: Series,
    chunks: list[Any],
    span: Span,
    columns: Sequence[str],
    limit: int = -1,
    *,
    newest: bool = False,
) -> Part:
    """Return the bars of a span out of chunks, decoded as one batch, of several files or one."""
    if not chunks:
        return no_part(columns)
    _keep_room()
    sealed = [chunk[4:] for chunk in chunks]
    names = [SQL_NAMES[name] for name in columns]
    step_ns = series.tf_s * SECOND_NS
    if _gapless(chunks):  # Then the keys need not be decoded.
        begins = chunks[0][1] & IDX_MASK
        ends = begins + sum(chunk[3] for chunk in chunks)
        found = decode_columns(sealed, *names) if names else []
        first, stop = _within(max(begins, span[0]), min(ends, span[1] + 1), limit, newest=newest)
        open_ns: Ints = np.arange(first * step_ns, stop * step_ns, step_ns)
        some = slice(first - begins, stop - begins)
    else:
        k, *found = decode_columns(sealed, "k", *names)
        idx = k & IDX_MASK
        low, high = idx.searchsorted((span[0], span[1] + 1)).tolist()
        some = slice(*_within(low, high, limit, newest=newest))
        open_ns = idx[some] * step_ns
    columns_cut = (column[some] for column in found)
    return Part(series.exponents, open_ns, dict(zip(columns, columns_cut, strict=True)))


@cache
def _keep_room() -> None:
    # glibc gives arrays that it freed back to the kernel, and to get each page again costs as much
    # as to decode. A larger one that was freed, untouched, makes it keep as much from then on.
    np.empty(ROOM_BYTES, np.uint8)


def _gapless(chunks: list[Any]) -> bool:
    whole = all(last - first + 1 == count for _, first, last, count, *_ in chunks)
    return whole and all(
        (after[1] - before[2]) & IDX_MASK == 1 for before, after in pairwise(chunks)
    )


def _within(first: int, stop: int, limit: int, *, newest: bool) -> Span:
    """Return a stretch, never turned around, cut to a limit that is not -1 from one of its ends."""
    stop = max(first, stop)
    if 0 <= limit < stop - first:
        return (stop - limit, stop) if newest else (first, first + limit)
    return first, stop


def _chunk_span(series: Series, span: Span) -> Span:
    base = series.number << IDX_BITS
    return (base | span[0]) >> BARS_BITS, (base | span[1]) >> BARS_BITS


def _enough(rows: list[Any], span: Span, need: int) -> list[Any]:
    """Return as many chunks as surely hold what is needed: those that a bound cuts count nothing.

    At least one is returned, and all when they may be too few.
    """
    held = 0
    for at, (_, begins, ends, count, *_rest) in enumerate(rows):
        inside = span[0] <= begins & IDX_MASK and ends & IDX_MASK <= span[1]
        held += count if inside else 0
        if held >= need:
            return rows[: at + 1]
    return rows


def table(rows: list[Any], width: int) -> Ints:
    """Return rows of integers as their columns."""
    numbers = np.fromiter(chain.from_iterable(rows), np.int64, len(rows) * width)
    return np.ascontiguousarray(numbers.reshape(-1, width).T)


def _whole(series: Series) -> Span:
    low = series.number << IDX_BITS
    return low, low | IDX_MASK


def _one(file: OpenFile, sql: str, span: Span) -> int:
    rows: list[Any] = file.db.execute(sql, span).fetchall()
    if not rows or rows[0][0] is None:
        return -1
    number = int(rows[0][0])
    return number & IDX_MASK if sql in {NEWEST_ROW, NEWEST_CHUNK} else number


@lru_cache(maxsize=64)
def _bars_sql(columns: tuple[str, ...], *, newest: bool) -> str:
    names = ", ".join(("k", *(SQL_NAMES[name] for name in columns)))
    order = "DESC" if newest else ""
    where = "WHERE k BETWEEN ? AND ? ORDER BY k"
    return f"SELECT {names} FROM bar {where} {order} LIMIT ?"  # noqa: S608 - names of ours
