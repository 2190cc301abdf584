"""The history of one exchange: a market that files make, beside the worlds and apart from them.

`<home>/data/historical/<exchange>/` is a place like a world's: months in `db/`, archives in
`archive/market/`, and in `imports/` what both are made of. One process at a time writes there.
A chunk is applied in one transaction a month, with its record: whatever kills the process, the next
run finds what is done and does the rest.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import msgspec
import numpy as np

from bus.clock import Clock
from bus.disk import free_bytes
from bus.errors import BusyError, SettingsError, ShardError
from bus.history import history_world
from bus.lease import Lease
from bus.migrations import refused
from bus.month_names import month_of
from bus.shard_open import LATER_CODE
from schema.setting_types import TIMEFRAMES_NS
from services.writer.archive_files import live_months, live_path
from services.writer.archiving import archive_month
from services.writer.history_apply import Taken, apply, beside
from services.writer.history_chunks import (
    Chunk,
    Origin,
    chunk_path,
    digest,
    in_order,
    read_chunk,
    write_chunk,
)
from services.writer.history_there import There
from services.writer.months import Months
from services.writer.retiring import retire_month

FOLDERS = ("db", "archive/market", "imports")
LEASE_WAIT_NS = 1_000_000_000
NAME = re.compile(r"[a-z][a-z0-9_]{1,30}")


class History:
    """The history of an exchange, held by this process alone until it is closed."""

    def __init__(self, place: Path, exchange: str, lease: Lease, clock: Clock) -> None:
        self.place = place
        self.imports = place / "imports"
        self.world = history_world(exchange)
        self._lease = lease
        self._clock = clock
        self._months = Months(place / "db", self.world)
        self.there = There(place, clock)
        self.spare_bytes = 0  # Of the volume's free space, what is left to those who trade.

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let all be in the files, and others write."""
        self._release()
        self._lease.release()

    def _release(self) -> None:
        self.there.close()
        for shard in self._months.shards():
            shard.close()

    def take(self, chunk: Chunk, origin: Origin) -> Iterator[Taken]:
        """Keep a chunk as a file, then apply it month by month; what is recorded is passed over."""
        name = digest(chunk)
        if origin.replace or not _is_kept(chunk_path(self.imports, name)):
            write_chunk(self.imports, chunk, origin)
        for month, part in by_month(chunk):
            yield self._applied(month, part, name, origin)

    def _applied(self, number: int, chunk: Chunk, name: str, origin: Origin) -> Taken:
        if not origin.replace and self._is_recorded(number, name):
            return Taken(number, chunk.bars, recorded=True, equal=chunk.bars)
        compared = beside(self.there, number, chunk)
        self._require_room()
        taken = Taken(number, chunk.bars, equal=compared.equal, compared=compared)
        writes = compared.new.copy()
        taken.added = int(writes.sum())
        if origin.replace:
            writes |= compared.differing | compared.richer
            taken.replaced = int(writes.sum()) - taken.added
        if not writes.any() and not live_path(self.place, number).exists():
            return taken  # An archive has it all: no file of its own for a record alone.
        month = self._months.get(number)
        apply(self.place, month, chunk, writes, taken, (name, origin), self._clock.wall_ns())
        return taken

    def _require_room(self) -> None:
        free = free_bytes(self.place)
        if free < self.spare_bytes:
            raise refused(
                f"{self.place} has {free >> 20} MiB free, less than the {self.spare_bytes >> 20} "
                "that are left to those who trade",
                "Free disk space, then do it again: what is done stays done",
                LATER_CODE,
            )

    def archive(self, went: Callable[[int], None] = lambda _month: None) -> list[int]:
        """Put the closed months away that have rows of their own; return which."""
        now_ns = self._clock.wall_ns()
        closed = [month for month in live_months(self.place) if after(month) <= now_ns]
        self._release()
        for month in closed:
            archive_month(self.place, month, self._clock)
            retire_month(self.place, month, self.world, self._clock)
            went(month)
        self._months = Months(self.place / "db", self.world)
        return closed

    def _is_recorded(self, number: int, name: str) -> bool:
        return self.there.is_recorded(number, name, lambda month: self._months.get(month).shard.db)


def open_history(place: Path, exchange: str, clock: Clock) -> History:
    """Make the place of an exchange where it is missing, and hold it; BusyError while another does.

    SettingsError where it cannot be written.
    """
    require_name(exchange)
    try:
        for folder in FOLDERS:
            (place / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        lease = Lease(place / "shard_market.lease")
        if not _held_soon(lease, clock):
            raise BusyError(
                f"{lease.whose()} is writing to the history of {exchange}",
                "Wait until it is done, or stop it: what it has done stays",
            )
        for draft in (place / "imports").glob("*.tmp"):  # Left by one that was killed.
            draft.unlink()
    except OSError as error:
        raise SettingsError(
            f"the history in {place} cannot be written: {error.strerror}",
            "Free space or mend its permissions; RRR_HOME moves it elsewhere",
        ).of_disk(error) from error
    with ExitStack() as failed:
        failed.callback(lease.release)
        history = History(place, exchange, lease, clock)
        failed.pop_all()
    return history


def rebuilt(place: Path, target: Path, exchange: str, clock: Clock) -> Iterator[Taken]:
    """Apply the chunks of a place to another one, in the order in which they were taken in.

    The rows of both are the same then. ShardError names a chunk that cannot be read.
    """
    with open_history(target, exchange, clock) as history:
        for path in in_order(place / "imports"):
            yield from history.take(*read_chunk(path))


def require_name(exchange: str) -> None:
    """Refuse a name of an exchange that is none."""
    if NAME.fullmatch(exchange) is None:
        raise SettingsError(
            f"{exchange!r} is no name of an exchange: expected lower-case letters and digits, "
            "such as binance, binanceusdm or bitfinex",
            "Say another --exchange",
        )


def by_month(chunk: Chunk) -> Iterator[tuple[int, Chunk]]:
    """Yield the months of a chunk, oldest first, each with its bars."""
    opens_ns = chunk.columns[0] * TIMEFRAMES_NS[chunk.timeframe]
    start = 0
    while start < chunk.bars:
        month = month_of(int(opens_ns[start]))
        stop = int(np.searchsorted(opens_ns, after(month)))
        part = chunk.columns[:, start:stop]
        yield month, msgspec.structs.replace(chunk, columns=part)
        start = stop


def after(month: int) -> int:
    """Return the ns at which a month, as yyyymm, is over."""
    months = (month // 100 - 1970) * 12 + month % 100
    return int(np.datetime64(months, "M").astype("M8[ns]").astype(np.int64))


def _held_soon(lease: Lease, clock: Clock) -> bool:
    try:
        lease.wait(clock, LEASE_WAIT_NS)
    except BusyError:
        return False
    return True


def _is_kept(path: Path) -> bool:
    try:
        read_chunk(path)
    except (FileNotFoundError, ShardError):  # A damaged one is written again.
        return False
    return True
