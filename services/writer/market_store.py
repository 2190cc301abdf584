"""The market shard's store: bars and ticks into the months that they belong to."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from bus.clock import Clock
from bus.lease import Lease
from bus.shard import Connection, Shard
from schema.head import Local, Message
from schema.market import Bar, FeedGap, Trade
from schema.settings import WriterSettings
from services.writer.effects import Keep
from services.writer.market import (
    TRADE_ID_BITS,
    bar_row,
    series_exponents,
    series_name,
    tick_row,
)
from services.writer.months import Month, Months
from services.writer.poison import POISON, Refusal, bury, write_around
from services.writer.store import ShardStore, advance

NEW_BAR = "INSERT INTO bar VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (k) DO NOTHING"
CORRECTED_BAR = (
    "INSERT INTO bar VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (k) DO UPDATE SET "
    "o = excluded.o, h = excluded.h, l = excluded.l, c = excluded.c, v = excluded.v, "
    "q = excluded.q, n = excluded.n, src = excluded.src WHERE (o, h, l, c, v, q, n, src) IS NOT "
    "(excluded.o, excluded.h, excluded.l, excluded.c, excluded.v, excluded.q, excluded.n, "
    "excluded.src)"
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

Placed = tuple[Message, tuple[int, ...]]


class MarketStore(ShardStore):
    """Bars, ticks and feed gaps, a file a month."""

    def __init__(
        self, months: Months, lease: Lease, clock: Clock, settings: WriterSettings
    ) -> None:
        super().__init__(lease, clock, settings)
        self._months = months
        self._waiting: list[Keep] = []
        self.committed = months.positions()

    def shards(self) -> Iterable[Shard]:
        return self._months.shards()

    def commit(self, effects: Sequence[Local], cursors: Mapping[int, int]) -> None:
        kept = [*self._waiting, *(keep for keep in effects if isinstance(keep, Keep))]
        batches = _by_month(kept)
        refusals = [(keep.message, keep.refused) for keep in kept if keep.refused]
        newest = max(self._months.newest, max(batches, default=0))
        if not newest:
            self._waiting = kept  # No file yet that could hold a position.
            return
        for number in sorted(batches):
            if number < newest:
                refusals += self._write_older(number, batches[number])
        if newest > self._months.newest:
            self._months.roll(newest)
        self._write_newest(batches.get(newest, []), refusals, cursors)
        self._waiting = []
        self._committed(cursors, len(kept))

    def _write_older(self, number: int, messages: Sequence[Message]) -> list[Refusal]:
        if number > self._months.newest:
            self._months.roll(number)
        month = self._months.get(number)
        try:
            with month.shard.transaction():
                return self._write(month, messages)
        finally:
            month.forget()

    def _write_newest(
        self, messages: Sequence[Message], refusals: list[Refusal], cursors: Mapping[int, int]
    ) -> None:
        month = self._months.get(self._months.newest)
        done = False
        try:
            with month.shard.transaction() as db:
                refusals += self._write(month, messages)
                bury(db, refusals)
                advance(db, self.committed, cursors)
            done = True
        finally:
            if not done:
                month.forget()
        self.figures.dead_letters += len(refusals)

    def _write(self, month: Month, messages: Sequence[Message]) -> list[Refusal]:
        db = month.shard.db
        bars, ticks, refusals = _placed(month, messages)
        refusals += self._write_bars(db, bars)
        refusals += self._write_ticks(db, ticks)
        gaps = [message for message in messages if isinstance(message, FeedGap)]
        refusals += [(gap, why) for gap, why in write_around(db, partial(_write_gaps, db), gaps)]
        newest_ns = max((message.ts_event for message in messages), default=0)
        self.figures.last_event_ns = max(self.figures.last_event_ns, newest_ns)
        return refusals

    def _write_bars(self, db: Connection, bars: Sequence[Placed]) -> list[Refusal]:
        def write(some: Sequence[Placed]) -> None:
            rows = [row for _, row in some]
            if _inserted(db, NEW_BAR, rows) < len(rows):
                self.figures.corrections += _inserted(db, CORRECTED_BAR, rows)

        return [(message, why) for (message, _), why in write_around(db, write, bars)]

    def _write_ticks(self, db: Connection, ticks: Sequence[Placed]) -> list[Refusal]:
        def write(some: Sequence[Placed]) -> None:
            rows = [row for _, row in some]
            self.figures.repeats += len(rows) - _inserted(db, NEW_TICK, rows)
            highest: dict[int, tuple[int, int, int]] = {}
            for key, ts_ns, *_ in sorted(rows):
                series, trade_id = divmod(key, 1 << TRADE_ID_BITS)
                highest[series] = (series, trade_id, ts_ns)
            db.executemany(HIGH_WATER, list(highest.values()))

        return [(message, why) for (message, _), why in write_around(db, write, ticks)]


def _placed(
    month: Month, messages: Sequence[Message]
) -> tuple[list[Placed], list[Placed], list[Refusal]]:
    bars: list[Placed] = []
    ticks: list[Placed] = []
    refusals: list[Refusal] = []
    for message in messages:
        if isinstance(message, FeedGap):
            continue
        assert isinstance(message, Bar | Trade)
        try:
            series = month.series(series_name(message), series_exponents(message))
            if isinstance(message, Bar):
                bars.append((message, bar_row(message, series)))
            else:
                ticks.append((message, tick_row(message, series)))
        except POISON as error:
            refusals.append((message, str(error)))
    return bars, ticks, refusals


def _by_month(kept: Sequence[Keep]) -> dict[int, list[Message]]:
    batches: dict[int, list[Message]] = defaultdict(list)
    for keep in kept:
        if not keep.refused:
            batches[keep.month].append(keep.message)
    return batches


def _inserted(db: Connection, sql: str, rows: Sequence[tuple[int, ...]]) -> int:
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
