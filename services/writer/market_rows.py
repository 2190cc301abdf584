"""How bars, trades and gaps become rows of one month, within the caller's transaction."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from bus.month_names import IDX_BITS, TRADE_ID_BITS, TRADE_ID_MASK
from bus.shard import Connection
from schema.head import Message
from schema.market import Bar, FeedGap, Trade
from services.writer.coverage import BY_KEY, Row, Stretch, count_bars, mark_ticks, stretches
from services.writer.market import Series, bar_row, series_exponents, series_name, tick_row
from services.writer.months import Month
from services.writer.placing import Placed
from services.writer.poison import POISON, Refusal, undo, write_around
from services.writer.revisions import is_noted, noted, write_noted

NEW_BAR = "INSERT INTO bar VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (k) DO NOTHING"
CORRECTED_BAR = (
    "INSERT INTO bar VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (k) DO UPDATE SET "
    "o = excluded.o, h = excluded.h, l = excluded.l, c = excluded.c, v = excluded.v, "
    "q = excluded.q, n = excluded.n, src = excluded.src WHERE (o, h, l, c, v, q, n, src) IS NOT "
    "(excluded.o, excluded.h, excluded.l, excluded.c, excluded.v, excluded.q, excluded.n, "
    "excluded.src) AND NOT EXISTS "
    "(SELECT 1 FROM bar_note WHERE bar_note.k = bar.k AND revision > 0)"
)
NEW_TICK = "INSERT INTO tick VALUES (?, ?, ?, ?, ?) ON CONFLICT (k) DO NOTHING"
HIGH_WATER = (
    "INSERT INTO tick_hwm VALUES (?, ?, ?) ON CONFLICT (series) DO UPDATE SET "
    "trade_id = excluded.trade_id, ts_ns = excluded.ts_ns WHERE excluded.trade_id > trade_id"
)
GAP = (
    "INSERT INTO feed_gap VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (symbol, first_trade_id) "
    "DO UPDATE SET last_trade_id = excluded.last_trade_id, filled = excluded.filled, "
    "reason = excluded.reason, ts_ns = excluded.ts_ns"
)


class Written(msgspec.Struct):
    """What one transaction has put into a month so far."""

    bars: list[Stretch] = []
    ticks: list[Stretch] = []
    learnt: list[tuple[Message, Series]] = []
    refusals: list[Refusal] = []
    repeats: int = 0
    corrections: int = 0


def write(month: Month, placed: Placed, messages: Sequence[Message]) -> Written:
    """Write what was placed and what must be judged by itself, and what the month says of it."""
    written, db = Written(), month.shard.db
    _judge(month, messages, placed, written)
    _write_rows(db, placed.bars, placed.bar_rows, written, _write_bars)
    _write_rows(db, placed.noted, placed.noted_rows, written, _write_noted)
    _write_rows(db, placed.ticks, placed.tick_rows, written, _write_ticks)
    gaps = [message for message in messages if isinstance(message, FeedGap)]
    written.refusals += write_around(db, partial(_write_gaps, db), gaps)
    count_bars(db, written.bars)
    mark_ticks(db, written.ticks)
    return written


def _judge(month: Month, messages: Sequence[Message], placed: Placed, written: Written) -> None:
    for message in messages:
        if isinstance(message, FeedGap):
            continue
        assert isinstance(message, Bar | Trade)
        try:
            series = month.series(series_name(message), series_exponents(message))
            if isinstance(message, Bar) and is_noted(message):
                placed.noted_rows.append(noted(message, bar_row(message, series)))
                placed.noted.append(message)
            elif isinstance(message, Bar):
                placed.bar_rows.append(bar_row(message, series))
                placed.bars.append(message)
            else:
                placed.tick_rows.append(tick_row(message, series))
                placed.ticks.append(message)
            written.learnt.append((message, series))
        except POISON as error:
            written.refusals.append((message, str(error)))


def _write_rows(
    db: Connection,
    messages: Sequence[Message],
    rows: Sequence[Row],
    written: Written,
    write: Callable[[Connection, Written, Sequence[Row]], None],
) -> None:
    if not rows:
        return
    refused = write_around(db, partial(write, db, written), rows)
    if refused:
        of_row = dict(zip(map(id, rows), messages, strict=True))
        written.refusals += [(of_row[id(row)], why) for row, why in refused]


def _write_bars(db: Connection, written: Written, rows: Sequence[Row]) -> None:
    found, corrections = _insert(db, NEW_BAR, rows, IDX_BITS), 0
    for one in found:
        if not one.fresh:
            corrections += _inserted(db, CORRECTED_BAR, one.rows)
    written.bars += found
    written.corrections += corrections


def _write_noted(db: Connection, written: Written, rows: Sequence[Row]) -> None:
    found, corrections = write_noted(db, rows)
    written.bars += found
    written.corrections += corrections


def _write_ticks(db: Connection, written: Written, rows: Sequence[Row]) -> None:
    found = _insert(db, NEW_TICK, rows, TRADE_ID_BITS)
    db.executemany(HIGH_WATER, [_highest(one) for one in found])
    written.ticks += found
    written.repeats += sum(len(one.rows) - one.new for one in found)


def _highest(one: Stretch) -> Row:
    # Said twice in one batch, at another time, the first is the one that is kept.
    key = one.rows[-1][0]
    kept = one.rows[bisect_left(one.rows, key, key=BY_KEY)]
    return one.series, key & TRADE_ID_MASK, kept[1]


def _insert(db: Connection, sql: str, rows: Sequence[Row], bits: int) -> list[Stretch]:
    """Insert what is not there yet, and tell of each series whether all of it was new."""
    ordered = sorted(rows, key=BY_KEY)  # Neighbours share a page, and a series is one stretch.
    if _inserted(db, sql, ordered) == len(ordered):
        return stretches(ordered, bits)
    undo(db)
    found = stretches(ordered, bits)
    for one in found:
        one.new = _inserted(db, sql, one.rows)
    return found


def _inserted(db: Connection, sql: str, rows: Sequence[Row]) -> int:
    before = db.total_changes()
    db.executemany(sql, rows)
    return db.total_changes() - before


def _write_gaps(db: Connection, gaps: Sequence[FeedGap]) -> None:
    db.executemany(
        GAP,
        [
            (
                gap.symbol,
                gap.first_trade_id,
                gap.last_trade_id,
                gap.filled,
                gap.reason,
                gap.ts_event,
            )
            for gap in gaps
        ],
    )
