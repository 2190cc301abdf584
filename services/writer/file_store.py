"""The store of a shard that is one file: what it makes of a message is given to it as a fold."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from bus.clock import Clock
from bus.lease import Lease
from bus.shard import Connection, Shard
from schema.head import Local
from schema.settings import WriterSettings
from services.writer.effects import Keep
from services.writer.poison import Refusal, bury, write_around
from services.writer.store import ShardStore, advance, load_positions

Fold = Callable[[Connection, Keep], bool]
"""Writes what becomes of one message, in the caller's transaction; False for a repeat."""


class FileStore(ShardStore):
    """One file, one transaction for the rows and positions of a batch."""

    def __init__(
        self, shard: Shard, fold: Fold, lease: Lease, clock: Clock, settings: WriterSettings
    ) -> None:
        super().__init__(lease, clock, settings)
        self._shard = shard
        self._fold = fold
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

    def _write(self, db: Connection, kept: Sequence[Keep]) -> list[Refusal]:
        def write(some: Sequence[Keep]) -> None:
            for keep in some:
                self.figures.repeats += not self._fold(db, keep)

        refusals = [(keep.message, keep.refused) for keep in kept if keep.refused]
        good = [keep for keep in kept if not keep.refused]
        refusals += [(keep.message, why) for keep, why in write_around(db, write, good)]
        newest_ns = max((keep.message.ts_event for keep in good), default=0)
        self.figures.last_event_ns = max(self.figures.last_event_ns, newest_ns)
        return refusals
