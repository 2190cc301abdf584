"""What a month holds of each series, kept in the transaction that changes it.

Rows come in order of their keys, so each series is one stretch of them. Where every row was new the
counts are added up; where some were repeats, the series is counted again.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

import msgspec

from bus.month_names import IDX_BITS, IDX_MASK, TRADE_ID_MASK
from bus.shard import Connection
from schema.units import MINUTE_NS

Row = tuple[int, ...]

BY_KEY = itemgetter(0)

GROWN = (
    "INSERT INTO candlestick_metadata VALUES (?, ?, ?, ?, ?) ON CONFLICT (series) DO UPDATE SET "
    "bars = bars + excluded.bars, first_idx = min(first_idx, excluded.first_idx), "
    "last_idx = max(last_idx, excluded.last_idx), from_trades = from_trades + excluded.from_trades"
)
COUNTED = (
    "INSERT INTO candlestick_metadata "
    "SELECT ?1, count(*), min(k & 67108863), max(k & 67108863), sum(src = 0) FROM bar "
    "WHERE k BETWEEN ?1 << 26 AND (?1 << 26) + 67108863 HAVING count(*) > 0 "
    "ON CONFLICT (series) DO UPDATE SET bars = excluded.bars, first_idx = excluded.first_idx, "
    "last_idx = excluded.last_idx, from_trades = excluded.from_trades"
)
MARKED = (
    "INSERT INTO tick_mark VALUES (?, ?, ?) ON CONFLICT (k) DO UPDATE SET "
    "first_id = min(first_id, excluded.first_id), last_id = max(last_id, excluded.last_id) "
    "WHERE excluded.first_id < first_id OR excluded.last_id > last_id"
)


class Stretch(msgspec.Struct):
    """Rows of one series in order of their keys, and how many of them were new."""

    series: int
    rows: Sequence[Row]
    new: int

    @property
    def fresh(self) -> bool:
        """Whether every row was new."""
        return self.new == len(self.rows)


def stretches(rows: Sequence[Row], bits: int) -> list[Stretch]:
    """Return the rows of each series, as new; they are in order of their keys, series << bits."""
    found = []
    begin = 0
    while begin < len(rows):
        series = rows[begin][0] >> bits
        end = bisect_left(rows, (series + 1) << bits, begin, key=BY_KEY)
        found.append(Stretch(series, rows[begin:end], end - begin))
        begin = end
    return found


def count_bars(db: Connection, written: Iterable[Stretch]) -> None:
    """Bring the counts of bars up to date with what was just written."""
    grown, again = [], set()
    for one in written:
        if one.fresh:
            from_trades = [row[8] for row in one.rows].count(0)
            ends = one.rows[0][0] & IDX_MASK, one.rows[-1][0] & IDX_MASK
            grown.append((one.series, len(one.rows), *ends, from_trades))
        else:
            again.add(one.series)
    db.executemany(GROWN, grown)
    db.executemany(COUNTED, [(series,) for series in sorted(again)])


def mark_ticks(db: Connection, written: Iterable[Stretch]) -> None:
    """Bring the way from minutes to trades up to date with what was just written."""
    marks: list[Row] = []
    for one in written:
        rows = one.rows if one.fresh else _as_kept(db, one.rows)
        minutes = {row[1] // MINUTE_NS for row in rows}
        base = one.series << IDX_BITS
        for minute in minutes:
            ids = _ids(rows, minute) if len(minutes) > 1 else (rows[0][0], rows[-1][0])
            marks.append((base | minute, ids[0] & TRADE_ID_MASK, ids[1] & TRADE_ID_MASK))
    db.executemany(MARKED, sorted(marks))


def _ids(rows: Sequence[Row], minute: int) -> Row:
    keys = [row[0] for row in rows if row[1] // MINUTE_NS == minute]
    return keys[0], keys[-1]


def _as_kept(db: Connection, rows: Sequence[Row]) -> list[Any]:
    # A trade that is said again at another time stays where it was.
    find = "SELECT k, ts_ns FROM tick WHERE k = ?"
    return [db.execute(find, (row[0],)).fetchall()[0] for row in rows]
