"""The market shard's store: bars and ticks into the months that they belong to."""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from bus.clock import Clock
from bus.errors import ShardError
from bus.shard import Connection, Shard
from schema.head import Message
from schema.market import Bar, FeedGap, Trade
from schema.settings import WriterSettings
from services.writer.archivist import Archivist
from services.writer.ballast import Gate
from services.writer.effects import Keep, Told
from services.writer.jobs import Finished
from services.writer.late import ArchiveUnreadableError, note_edit
from services.writer.live_bars import LiveBars
from services.writer.market import Series, series_exponents, series_name
from services.writer.market_rows import NEW_BAR, Written, write
from services.writer.months import Month, Months
from services.writer.placing import Placed, Places, judged
from services.writer.poison import POISON, Refusal, bury
from services.writer.store import Held, ShardStore, advance

__all__ = ["NEW_BAR", "MarketStore"]

SHOW_NS = 1_000_000_000
"""Open bars are written at most so often, and cost at most a twentieth of the time."""
SHARE = 20
NONE_LIVE = "DELETE FROM bar_live"


class MarketStore(ShardStore):
    """Bars, ticks and feed gaps, a file a month."""

    def __init__(self, months: Months, lease: Held, clock: Clock, settings: WriterSettings) -> None:
        gate = Gate(months.place, settings.pause_free_mib, clock)
        super().__init__(lease, clock, settings, gate)
        self._months = months
        self.archivist = Archivist(months, clock, settings)
        self._waiting: list[Keep] = []
        self._live = LiveBars()
        self._show_ns = clock.mono_ns()
        self.committed = months.positions()
        self._places = Places()
        self._forget()

    def shards(self) -> Iterable[Shard]:
        return self._months.shards()

    def chores(self) -> Mapping[str, Callable[[Sequence[str]], str]]:
        return {**super().chores(), "retire": self.archivist.retire}

    def finished(self, done: Finished) -> None:
        self.archivist.finished(done)

    def counters(self) -> tuple[tuple[str, int], ...]:
        return (*super().counters(), ("retire_failures", self.archivist.retire_failures))

    def alarm(self) -> str | None:
        told = (super().alarm(), self.archivist.trouble)
        return "; ".join(one for one in told if one) or None

    def idle(self) -> None:
        super().idle()
        if self._why_held is None and self._live.changed and self._may_show():
            month = self._months.get(self._months.newest)
            with month.shard.transaction() as db:
                self._show(db)
            self._live.shown()

    def write(self, kept: Sequence[Keep | Told], cursors: Mapping[int, int]) -> None:
        told = [one for one in kept if isinstance(one, Told)]
        alone = [*self._waiting, *(one for one in kept if isinstance(one, Keep))]
        placed = self._places.place(told) if not alone else None
        if placed is None and not alone and self._months.newest:
            self._found_series(self._places.unknown(told))
            placed = self._places.place(told)
        if placed is None:
            placed = Placed(others=[*alone, *judged(told)])
        self._write_all(placed, cursors)

    def _found_series(self, told: Sequence[Told]) -> None:
        # What is new has its series first; then the batch is written like every other one.
        month = self._months.get(self._months.newest)
        firsts = [one.message for one in judged(told) if one.month == month.number]
        if not firsts:
            return
        try:
            with month.shard.transaction():
                found = [(one, _series(month, one)) for one in firsts]
        except ShardError:
            self._doubt(month)
            raise
        for message, series in found:
            if series is not None:
                self._places.learn(message, series)

    def _doubt(self, month: Month) -> None:
        with contextlib.suppress(ShardError):  # What failed first is what is told.
            month.forget()
            self._forget()

    def _write_all(self, placed: Placed, cursors: Mapping[int, int]) -> None:
        batches, count = _by_month(placed.others), placed.count()
        refusals = [(keep.message, keep.refused) for keep in placed.others if keep.refused]
        newest = max(self._months.newest, max(batches, default=0))
        if not newest:
            self._waiting = placed.others  # No file yet that could hold a position.
            return
        for number in sorted(batches):
            if number < newest:
                refusals += self._write_older(number, batches[number])
        if newest > self._months.newest:
            self._roll(newest)
        self._write_newest(placed, batches.get(newest, []), refusals, cursors)
        self._waiting = []
        self._committed(cursors, count)

    def _roll(self, number: int) -> None:
        if self._months.newest:
            with self._months.get(self._months.newest).shard.transaction() as db:
                db.execute(NONE_LIVE)
        self._months.roll(number)
        self._forget()

    def _forget(self) -> None:
        newest = self._months.newest
        self._live.forget()
        if newest:
            self._places = Places(newest)
            self._live.know(self._months.get(newest).named)

    def _write_older(self, number: int, messages: Sequence[Message]) -> list[Refusal]:
        if number > self._months.newest:
            self._roll(number)
        try:
            month, placed = self._months.get(number), Placed()
        except ArchiveUnreadableError as error:  # Their keys could be those of other rows.
            return [(message, str(error)) for message in messages]
        try:
            with month.shard.transaction() as db:
                written = write(month, placed, messages)
                if _changed(written, messages):
                    note_edit(db)
        finally:
            month.forget()
        self._told(placed, written)
        return written.refusals

    def _write_newest(
        self,
        placed: Placed,
        messages: Sequence[Message],
        refusals: Sequence[Refusal],
        cursors: Mapping[int, int],
    ) -> None:
        month = self._months.get(self._months.newest)
        done = False
        try:
            with month.shard.transaction() as db:
                written = write(month, placed, messages)
                bury(db, [*refusals, *written.refusals])
                advance(db, self.committed, cursors)
                self._go_live(db, month, written)
            done = True
        finally:
            if not done:
                self._doubt(month)
        for message, series in written.learnt:
            self._places.learn(message, series)
        self.figures.dead_letters += len(refusals) + len(written.refusals)
        self._told(placed, written)

    def _go_live(self, db: Connection, month: Month, written: Written) -> None:
        self._live.know(month.named)
        self._live.take_bars(written.bars)
        self._live.take_ticks(written.ticks)
        if self._live.changed and self._may_show():
            self._show(db)
            self._live.shown()

    def _may_show(self) -> bool:
        return self._clock.mono_ns() >= self._show_ns

    def _show(self, db: Connection) -> None:
        begun_ns = self._clock.mono_ns()
        self._live.show(db)
        ended_ns = self._clock.mono_ns()
        self._show_ns = ended_ns + max(SHOW_NS, SHARE * (ended_ns - begun_ns))

    def _told(self, placed: Placed, written: Written) -> None:
        lasts = (one.ts_event for one in (*placed.bars[-1:], *placed.ticks[-1:]))
        self.figures.last_event_ns = max(self.figures.last_event_ns, *lasts, 0)
        self.figures.repeats += written.repeats
        self.figures.corrections += written.corrections


def _changed(written: Written, messages: Sequence[Message]) -> bool:
    rows = any(one.new for one in (*written.bars, *written.ticks))
    return rows or written.corrections > 0 or any(isinstance(one, FeedGap) for one in messages)


def _series(month: Month, message: Message) -> Series | None:
    assert isinstance(message, Bar | Trade)
    with contextlib.suppress(*POISON):
        return month.series(series_name(message), series_exponents(message))
    return None


def _by_month(kept: Sequence[Keep]) -> dict[int, list[Message]]:
    batches: dict[int, list[Message]] = defaultdict(list)
    for keep in kept:
        if not keep.refused:
            batches[keep.month].append(keep.message)
    return batches
