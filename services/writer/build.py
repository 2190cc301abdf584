"""Puts a writer together: its lease, its shard's files, its core."""

import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bus.clock import Clock
from bus.errors import SettingsError
from bus.lease import Lease
from bus.migrations import KINDS
from bus.service import Parts
from bus.shard import open_writer
from schema.settings import WriterSettings
from services.writer import SHARDS
from services.writer.core import Writer
from services.writer.file_store import FileStore
from services.writer.folds import fold_of
from services.writer.market_store import MarketStore
from services.writer.months import Months
from services.writer.store import ShardStore

if TYPE_CHECKING:
    from bus.house import House


def shard_named(arguments: Sequence[str]) -> str:
    """Return the shard that the command line names; exit 78 when there is no writer for it."""
    shard = arguments[0] if arguments else ""
    if shard not in SHARDS:
        known = ", ".join(SHARDS)
        sys.stderr.write(f"There is no writer of a shard {shard!r}. The shards are: {known}\n")
        sys.exit(SettingsError.exit_code)
    return shard


def builder(shard: str) -> "Callable[[House, Clock], Parts]":
    """Return what the runner calls to compose the writer of a shard."""

    def build(house: "House", clock: Clock) -> Parts:
        store = open_store(shard, house, clock)
        return Parts(core=Writer(shard, store.alarm), store=store)

    return build


def open_store(shard: str, house: "House", clock: Clock) -> ShardStore:
    """Take the shard's lease and open its files; BusyError while another process holds it."""
    lease = Lease(house.run / f"shard_{shard}.lease")
    lease.wait(clock)
    limits = house.settings.writer
    with contextlib.ExitStack() as failed:
        failed.callback(lease.release)
        store = _opened(shard, house.db_dir, house.world, lease, clock, limits)
        failed.pop_all()
    return store


def _opened(
    shard: str, db_dir: Path, world: str, lease: Lease, clock: Clock, limits: WriterSettings
) -> ShardStore:
    if shard == "market":
        return MarketStore(Months(db_dir, world), lease, clock, limits)
    file = open_writer(KINDS[shard], db_dir / f"{shard}.db", world)
    return FileStore(file, fold_of(shard), lease, clock, limits)
