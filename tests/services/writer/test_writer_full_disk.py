"""On a volume that is really full lesser shards pause, and trading goes on with its reserve."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from bus.clock import ManualClock
from bus.disk import free_bytes
from bus.errors import ShardError
from bus.lease import Lease
from bus.migrations import KINDS
from bus.shard import open_writer
from schema.streams import STREAMS
from schema.trading import Position
from services.writer.ballast import LOOK_NS
from services.writer.effects import Keep
from services.writer.file_store import FileStore
from services.writer.folds import fold_of
from services.writer.market_store import MarketStore
from services.writer.months import Months
from tests.services.market_desk import BAR, LIMITS, MINUTE_NS, bar, kept

STREAM = STREAMS["engine.portfolio"].number
SMALL = replace(LIMITS, ballast_mib=4)


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """Mount a volume of 24 MiB."""
    place = tmp_path / "volume"
    place.mkdir()
    if os.geteuid() != 0 or not Path("/proc/mounts").exists():
        pytest.skip("only root mounts a volume")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)],
        check=False, capture_output=True,
    )  # fmt: skip
    if made.returncode:
        pytest.skip(f"no volume can be mounted here: {made.stderr!r}")
    (place / "db").mkdir()
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(volume: Path, leave_bytes: int) -> None:
    """Leave so much free space on a volume."""
    more = free_bytes(volume) - leave_bytes
    with (volume / "filler").open("ab") as file:
        os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), more)


def positions(first: int, count: int) -> list[Keep]:
    return [
        Keep(
            message=Position(
                ts_event=number, symbol=f"S{number}/USDT", strategy="", qty=1, cost=1, realized=0,
                fees=0, mark_px=1, px_exp=2, qty_exp=8, quote_exp=8,
            )
        )
        for number in range(first, first + count)
    ]  # fmt: skip


def test_trading_goes_on_when_the_disk_is_full(volume: Path) -> None:
    lease = Lease(volume / "shard_trading.lease")
    assert lease.take()
    shard = open_writer(KINDS["trading"], volume / "db" / "trading.db", "w")
    store = FileStore(shard, fold_of("trading"), lease, ManualClock(), SMALL)
    store.commit(positions(0, 10), {STREAM: 10})
    assert (volume / "db" / ".ballast").exists()
    fill(volume, 0)
    for pos in range(10, 110, 10):
        store.commit(positions(pos, 10), {STREAM: pos + 10})
        store.tend()
    assert not (volume / "db" / ".ballast").exists()
    assert "was given up" in str(store.alarm())
    count = "SELECT count(*) FROM positions"
    assert shard.db.execute(count).get == 110
    (volume / "filler").unlink()
    store.tend()
    assert (volume / "db" / ".ballast").exists()
    store.close()
    again = open_writer(KINDS["trading"], shard.path, "w")
    assert again.db.execute(count).get == 110
    again.close()


def test_a_disk_without_a_byte_left_is_told_and_loses_nothing(volume: Path) -> None:
    shard = open_writer(KINDS["analytics"], volume / "db" / "analytics.db", "w")
    letter = "INSERT INTO dead_letter VALUES (NULL, 0, 't', 'r', zeroblob(20000))"
    with shard.transaction() as db:
        db.execute(letter)
    fill(volume, 0)
    with pytest.raises(ShardError, match="cannot grow") as refused:  # noqa: PT012 - till it is full
        for _ in range(2000):
            with shard.transaction() as db:
                db.execute(letter)
    assert refused.value.exit_code == 75
    ((rows,),) = shard.db.execute("SELECT count(*) FROM dead_letter").fetchall()
    with contextlib.suppress(ShardError):
        shard.checkpoint()
    shard.close()
    (volume / "filler").unlink()
    again = open_writer(KINDS["analytics"], shard.path, "w")
    assert again.db.execute("SELECT count(*) FROM dead_letter").get == rows
    assert again.db.pragma("integrity_check") == "ok"
    again.close()


def test_the_market_pauses_before_the_disk_is_full(volume: Path) -> None:
    lease = Lease(volume / "shard_market.lease")
    assert lease.take()
    clock = ManualClock()
    store = MarketStore(Months(volume / "db", "w"), lease, clock, SMALL)
    store.commit(kept(bar()), {BAR: 1})
    assert not store.held()
    fill(volume, 1 << 20)
    clock.advance(LOOK_NS)
    assert store.held()
    assert "1 MiB free, less than 2" in str(store.alarm())
    (volume / "filler").unlink()
    clock.advance(LOOK_NS)
    assert not store.held()
    store.commit(kept(bar(bar().open_ns - MINUTE_NS)), {BAR: 2})
    store.close()
