"""What one file of a month holds of a symbol's trades: its rows by their marks, or its chunks.

A mark leads from a minute to the ids of its trades, so that a stretch of time is a search by key.
"""

from typing import Any

import numpy as np

from bus.chunks import decode_ticks
from bus.columns import TICK_COLUMNS, Ints, Part, no_part, taken
from bus.market_files import OpenFile, Series
from bus.month_names import IDX_BITS, IDX_MASK, TRADE_ID_BITS, TRADE_ID_MASK
from bus.month_parts import Span, table
from schema.units import MINUTE_NS

MINUTE_MASK = IDX_MASK
INT64_MAX = (1 << 63) - 1

MARKS = "SELECT min(first_id), max(last_id) FROM tick_mark WHERE k BETWEEN ? AND ?"
MARK_EDGE = {
    False: "SELECT k FROM tick_mark WHERE k BETWEEN ? AND ? ORDER BY k LIMIT 1",
    True: "SELECT k FROM tick_mark WHERE k BETWEEN ? AND ? ORDER BY k DESC LIMIT 1",
}
ROW_TIMES = "FROM tick WHERE k BETWEEN ? AND ? AND ts_ns >= ? AND ts_ns < ?"
CHUNK_TIMES = "FROM tick_chunk WHERE k BETWEEN ? AND ? AND last_ns >= ? AND first_ns < ?"
EDGES = {
    ("tick", False): f"SELECT min(ts_ns) {ROW_TIMES}",
    ("tick", True): f"SELECT max(ts_ns) {ROW_TIMES}",
    ("tick_chunk", False): f"SELECT min(first_ns) {CHUNK_TIMES}",
    ("tick_chunk", True): f"SELECT max(last_ns) {CHUNK_TIMES}",
}
TICK_ROWS = (
    "SELECT k, ts_ns, px, qty, side FROM tick "
    "WHERE k BETWEEN ? AND ? AND ts_ns >= ? AND ts_ns < ? ORDER BY k"
)
TICK_CHUNKS = (
    "SELECT codec, crc, body FROM tick_chunk "
    "WHERE k BETWEEN ? AND ? AND last >= ? AND last_ns >= ? AND first_ns < ? ORDER BY k"
)


def tick_part(
    file: OpenFile, series: Series, first_ns: int, stop_ns: int, ids: tuple[int, int] | None
) -> Part:
    """Return trades of a span of time and of ids, keyed by trade id."""
    first_id, last_id = ids or (0, TRADE_ID_MASK)
    low = series.number << TRADE_ID_BITS
    stop_ns = min(stop_ns, INT64_MAX)
    if file.archived:
        # A chunk may begin before the first id that is asked for, but not in another series.
        asked = (low, low | last_id, low | first_id, first_ns, stop_ns)
        rows: list[Any] = file.db.execute(TICK_CHUNKS, asked).fetchall()
        return _ticks(series, decode_ticks(rows).T, first_ns, stop_ns, (first_id, last_id))
    minutes = (max(0, first_ns) // MINUTE_NS, min((stop_ns - 1) // MINUTE_NS, MINUTE_MASK))
    between = tuple(series.number << IDX_BITS | minute for minute in minutes)
    if file.marked:
        marks: list[Any] = file.db.execute(MARKS, between).fetchall()
        if marks[0][0] is None:
            return no_part(("ts_ns", *TICK_COLUMNS))
        first_id, last_id = max(first_id, marks[0][0]), min(last_id, marks[0][1])
    rows = file.db.execute(TICK_ROWS, (low | first_id, low | last_id, first_ns, stop_ns)).fetchall()
    return _tick_columns(series, table(rows, 5))


def tick_edge_ns(
    file: OpenFile, series: Series, first_ns: int, stop_ns: int, *, newest: bool
) -> int | None:
    """Return a time close to the first or the last trade of a stretch; None where there is none."""
    if file.archived or not file.marked:
        table = "tick_chunk" if file.archived else "tick"
        low = series.number << TRADE_ID_BITS
        asked = (low, low | TRADE_ID_MASK, first_ns, min(stop_ns, INT64_MAX))
        rows: list[Any] = file.db.execute(EDGES[table, newest], asked).fetchall()
        if rows[0][0] is None:
            return None
        edge_ns = int(rows[0][0])
        return min(edge_ns, stop_ns - 1) if newest else max(edge_ns, first_ns)
    base = series.number << IDX_BITS
    first, last = first_ns // MINUTE_NS, min((stop_ns - 1) // MINUTE_NS, MINUTE_MASK)
    marks: list[Any] = file.db.execute(MARK_EDGE[newest], (base | first, base | last)).fetchall()
    if not marks:
        return None
    minute_ns = (int(marks[0][0]) & MINUTE_MASK) * MINUTE_NS
    return min(minute_ns + MINUTE_NS, stop_ns) - 1 if newest else max(minute_ns, first_ns)


def _ticks(series: Series, columns: Ints, first_ns: int, stop_ns: int, ids: Span) -> Part:
    part = _tick_columns(series, columns)
    ts_ns = part.columns["ts_ns"]
    inside = (ts_ns >= first_ns) & (ts_ns < stop_ns)
    inside &= (part.keys >= ids[0]) & (part.keys <= ids[1])
    return taken(part, np.flatnonzero(inside))


def _tick_columns(series: Series, columns: Ints) -> Part:
    k, *rest = columns
    found = dict(zip(("ts_ns", *TICK_COLUMNS), rest, strict=True))
    return Part(series.exponents, k & TRADE_ID_MASK, found)
