"""The trading shard's store: one file, fully synced with every commit."""

from collections.abc import Iterable, Mapping, Sequence

from bus.clock import Clock
from bus.lease import Lease
from bus.shard import Connection, Shard
from schema.head import Local, Message
from schema.settings import WriterSettings
from services.writer.effects import Keep
from services.writer.orders import fold
from services.writer.poison import bury, write_around
from services.writer.store import ShardStore, advance, load_positions
from services.writer.trading import ORDER_EVENTS, statements


class TradingStore(ShardStore):
    """Orders, fills, books and stops."""

    def __init__(self, shard: Shard, lease: Lease, clock: Clock, settings: WriterSettings) -> None:
        super().__init__(lease, clock, settings)
        self._shard = shard
        self.committed = load_positions(shard.db)

    def shards(self) -> Iterable[Shard]:
        return [self._shard]

    def commit(self, effects: Sequence[Local], cursors: Mapping[int, int]) -> None:
        kept = [keep for keep in effects if isinstance(keep, Keep)]
        if not kept and dict(cursors) == self.committed:
            return
        with self._shard.transaction() as db:
            refusals = self._write(db, kept)
            bury(db, refusals)
            advance(db, self.committed, cursors)
        self.figures.dead_letters += len(refusals)
        self._committed(cursors, len(kept))

    def _write(self, db: Connection, kept: Sequence[Keep]) -> list[tuple[Message, str]]:
        def write(some: Sequence[Message]) -> None:
            for message in some:
                self._fold(db, message)

        refusals = [(keep.message, keep.refused) for keep in kept if keep.refused]
        messages = [keep.message for keep in kept if not keep.refused]
        refusals += write_around(db, write, messages)
        newest_ns = max((message.ts_event for message in messages), default=0)
        self.figures.last_event_ns = max(self.figures.last_event_ns, newest_ns)
        return refusals

    def _fold(self, db: Connection, message: Message) -> None:
        if type(message) in ORDER_EVENTS:
            self.figures.repeats += not fold(db, message)
            return
        for sql, row in statements(message):
            db.execute(sql, row)
