"""A trading shard that is told messages, and asked for rows."""

from pathlib import Path

from bus.clock import ManualClock
from bus.lease import Lease
from bus.migrations import KINDS
from bus.rows import read_rows
from bus.shard import open_writer
from schema.head import Message
from schema.streams import STREAMS
from services.writer.core import Writer
from services.writer.file_store import FileStore
from services.writer.folds import fold_of
from tests.services.shipped import shipped

ORDER = STREAMS["gateway.order"].number
LIMITS = shipped().writer
NS = 1_767_225_600_000_000_000


def store(directory: Path) -> FileStore:
    lease = Lease(directory / "shard_trading.lease")
    assert lease.take()
    shard = open_writer(KINDS["trading"], directory / "trading.db", "w")
    return FileStore(shard, fold_of("trading"), lease, ManualClock(), LIMITS)


class Desk:
    """A store, and the position of the last message that it was given."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = store(directory)
        self.pos = 0

    def say(self, *messages: Message) -> None:
        core = Writer("trading")
        kept = [out for message in messages for out in core.handle(message, NS)]
        self.pos += len(messages)
        self.store.commit(kept, {ORDER: self.pos})  # type: ignore[arg-type]

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        return [tuple(row.values()) for row in read_rows(self.directory, "trading", sql)]

    def status(self) -> object:
        ((status,),) = self.rows("SELECT status FROM orders")
        return status
