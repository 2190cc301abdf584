"""Puts a writer together: its lease, its shard's files, its core."""

import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bus.clock import Clock
from bus.errors import SettingsError
from bus.lease import Lease, hold
from bus.migrations import KINDS
from bus.service import Parts
from bus.shard import open_writer
from schema.settings import WriterSettings
from services.writer import SHARDS
from services.writer.backup_orders import order_of
from services.writer.backup_seen import BackupDuty
from services.writer.ballast import Ballast
from services.writer.core import Writer
from services.writer.file_store import LAST_TO_STOP, FileStore
from services.writer.folds import fold_of
from services.writer.jobs import Jobs
from services.writer.market_store import MarketStore
from services.writer.months import Months
from services.writer.store import Held, ShardStore

if TYPE_CHECKING:
    from bus.house import House


MOVED = "RRR_RUN moves it elsewhere"


class Leases:
    """All that makes a process the only writer of a shard."""

    def __init__(self) -> None:
        self._taken: list[Lease] = []

    def take(self, lease: Lease) -> None:
        """Keep one that is held."""
        self._taken.append(lease)

    def release(self) -> None:
        """Give all back, the last one first."""
        while self._taken:
            self._taken.pop().release()


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
        jobs = store.jobs = _jobs(shard, house, clock, store)
        return Parts(core=Writer(shard, lambda: store.alarm() or jobs.alarm()), store=store)

    return build


def _jobs(shard: str, house: "House", clock: Clock, store: ShardStore) -> Jobs:
    every_h = house.settings.backup.every_h
    backup = BackupDuty(order_of(house, shard, clock), every_h, clock)
    archives = (store.archivist.due,) if isinstance(store, MarketStore) else ()
    settled = {"backup": backup.settled}
    return Jobs([*archives, backup], clock, backup.counters, settled=settled)


def open_store(shard: str, house: "House", clock: Clock) -> ShardStore:
    """Take the shard's leases and open its files; BusyError while another process holds one."""
    limits = house.settings.writer
    with contextlib.ExitStack() as failed:
        lease = Leases()
        failed.callback(lease.release)
        lease.take(hold(house.run / f"shard_{shard}.lease", clock, MOVED))
        # A house with another RRR_RUN may have the same files.
        lease.take(hold(house.db_dir / f".shard_{shard}.lease", clock, "RRR_HOME moves the files"))
        store = _opened(shard, house.db_dir, house.world, lease, clock, limits)
        failed.pop_all()
    return store


def _opened(
    shard: str, db_dir: Path, world: str, lease: Held, clock: Clock, limits: WriterSettings
) -> ShardStore:
    if shard == "market":
        return MarketStore(Months(db_dir, world), lease, clock, limits)
    if shard == LAST_TO_STOP:
        Ballast(db_dir, limits.ballast_mib, limits.pause_free_mib).give_to_start()
    file = open_writer(KINDS[shard], db_dir / f"{shard}.db", world)
    return FileStore(file, fold_of(shard), lease, clock, limits)
