"""Keeping: what a kill costs, and what a backup costs whoever writes meanwhile."""

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

import msgspec

from bus.clock import SystemClock
from bus.lease import Lease
from bus.migrations import KINDS
from bus.shard import open_writer
from schema.streams import STREAMS
from schema.trading import Position
from services.writer.backup_places import Order
from services.writer.effects import Keep
from services.writer.file_store import FileStore
from services.writer.folds import fold_of
from services.writer.jobs import Job
from tests.bench.figure import Figure
from tests.services.market_desk import BAR, TRADE
from tests.services.shipped import shipped
from tests.services.test_writer_kill import check, killed_after
from tests.services.writer_child import opened

KILLS = 100
LONGEST_S = 0.2
OLD_MS = 500.0
EVENTS = 120_000
PAUSE_MS = 1
QUIET_COMMITS = 3_000
TURNS = 3
STREAM = STREAMS["engine.portfolio"].number

_clock = SystemClock()


def measure() -> Iterator[Figure]:
    """Measure backups and kills."""
    yield backup_p99()
    yield from recovery()


def backup_p99() -> Figure:
    """Time commits at full sync while the shard is backed up, beside quiet ones, in turns."""
    with TemporaryDirectory(prefix="rrr.") as name:
        desk = Desk(Path(name))
        desk.fill(EVENTS)
        rounds = [(_p99(desk.while_backed_up()), _p99(desk.quiet())) for _ in range(TURNS)]
        desk.store.close()
    ours, raw = (median(column) for column in zip(*rounds, strict=True))
    return Figure("shards.backup_p99", ours, raw, "us")


class Desk:
    """A trading shard, its writer, and the job that backs it up beside it."""

    def __init__(self, world: Path) -> None:
        for folder in ("db", "backups"):
            (world / folder).mkdir()
        self._world = world
        lease = Lease(world / "shard_trading.lease")
        assert lease.take()
        shard = open_writer(KINDS["trading"], world / "db" / "trading.db", "w")
        self.store = FileStore(shard, fold_of("trading"), lease, _clock, shipped().writer)
        self._pos = 0

    def fill(self, count: int) -> None:
        """Put a history of positions into the shard."""
        rows = [Keep(message=_position(number, f"S{number}/USDT")) for number in range(count)]
        self._pos = count
        self.store.commit(rows, {STREAM: count})

    def quiet(self) -> list[float]:
        """Commit a row a millisecond; return how long each took, in microseconds."""
        return [self._commit_us() for _ in range(QUIET_COMMITS)]

    def while_backed_up(self) -> list[float]:
        """Do the same for as long as a backup takes, proof included."""
        backups = self._world / "backups"
        order = Order(
            shard="trading",
            world="w",
            db_dir=str(self._world / "db"),
            place=str(backups),
            target="",
        )
        job = Job(name="backup", args={"order": msgspec.json.encode(order).decode()})
        command = [sys.executable, "-m", "services.writer.job", msgspec.json.encode(job).decode()]
        took = []
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            while child.poll() is None:
                took.append(self._commit_us())
            assert child.returncode == 0
        return took

    def _commit_us(self) -> float:
        _clock.pause_ms(PAUSE_MS)
        self._pos += 1
        begun_ns = _clock.mono_ns()
        self.store.commit([Keep(message=_position(self._pos))], {STREAM: self._pos})
        took_us = (_clock.mono_ns() - begun_ns) / 1e3
        self.store.idle()
        return took_us


def _position(number: int, symbol: str = "BTC/USDT") -> Position:
    return Position(
        ts_event=number, symbol=symbol, strategy="", qty=number, cost=number, realized=0, fees=0,
        mark_px=1, px_exp=2, qty_exp=8, quote_exp=8,
    )  # fmt: skip


def _p99(took: list[float]) -> float:
    return quantiles(took, n=100)[98]


def recovery(kills: int = KILLS) -> Iterator[Figure]:
    """Kill a writer at any instruction, again and again, and time the next one's opening."""
    chance, lost, took_ms = random.Random(5), 0, []
    with TemporaryDirectory(prefix="rrr.") as name:
        place = Path(name)
        for _ in range(kills):
            told = killed_after(place, chance.uniform(0.0, LONGEST_S))
            took_ms.append(_opening_ms(place, told))
            lost += told > check(place, told)
    yield Figure("shards.recovery_lost", float(lost), float(kills), "kills that lost a row")
    yield Figure("shards.recovery", median(took_ms), OLD_MS, "ms to reopen, of at most")


def _opening_ms(place: Path, told: int) -> float:
    begun_ns = _clock.mono_ns()
    store = opened(place, "market")
    took_ms = (_clock.mono_ns() - begun_ns) / 1e6
    assert min(store.committed[TRADE], store.committed[BAR]) >= told
    store.close()
    return took_ms
