"""The store of a shard that is one file: what it makes of a message is given to it as a fold."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from bus.clock import Clock
from bus.errors import ShardError
from bus.shard import Connection, Shard
from bus.shard_open import LATER_CODE
from schema.settings import WriterSettings
from services.writer.ballast import Ballast, Gate
from services.writer.effects import Keep, Told
from services.writer.poison import Refusal, bury, write_around
from services.writer.store import Held, ShardStore, advance, load_positions

Fold = Callable[[Connection, Keep], bool]
"""Writes what becomes of one message, in the caller's transaction; False for a repeat."""

LAST_TO_STOP = "trading"


class FileStore(ShardStore):
    """One file, one transaction for the rows and positions of a batch."""

    def __init__(
        self, shard: Shard, fold: Fold, lease: Held, clock: Clock, settings: WriterSettings
    ) -> None:
        place, floor_mib = shard.path.parent, settings.pause_free_mib
        last = shard.kind.name == LAST_TO_STOP
        super().__init__(lease, clock, settings, None if last else Gate(place, floor_mib, clock))
        self._ballast = Ballast(place, settings.ballast_mib, floor_mib) if last else None
        self._shard = shard
        self._fold = fold
        with shard.reading() as db:
            self.committed = load_positions(db)
        if self._ballast is not None:
            self._ballast.make()

    def shards(self) -> Iterable[Shard]:
        return [self._shard]

    def alarm(self) -> str | None:
        given = self._ballast.trouble() if self._ballast is not None else None
        return given or super().alarm()

    def write(self, kept: Sequence[Keep | Told], cursors: Mapping[int, int]) -> None:
        some = [one for one in kept if isinstance(one, Keep)]
        if not some and dict(cursors) == self.committed:
            return
        try:
            self._write_once(some, cursors)
        except ShardError as error:
            if error.exit_code != LATER_CODE or not self.make_room():
                raise
            self._write_once(some, cursors)

    def make_room(self) -> bool:
        return self._ballast is not None and self._ballast.give()

    def tend(self) -> None:
        super().tend()
        if self._ballast is not None:
            self._ballast.make()

    def _write_once(self, kept: Sequence[Keep], cursors: Mapping[int, int]) -> None:
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
