"""A disk that fills stops the lesser shards first, and trading's last."""

import resource
import subprocess
import sys
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
from services.writer.ballast import LOOK_NS, Ballast, Gate, floor_bytes
from services.writer.core import Writer
from services.writer.effects import Keep
from services.writer.file_store import FileStore
from services.writer.folds import fold_of
from services.writer.market_store import MarketStore
from services.writer.months import Months
from tests.services.market_desk import BAR, LIMITS, NOW, bar, kept

STREAM = STREAMS["engine.portfolio"].number
ROOT = Path(__file__).parents[3]


def trading(directory: Path, ballast_mib: int = 1) -> FileStore:
    lease = Lease(directory / "shard_trading.lease")
    assert lease.take()
    shard = open_writer(KINDS["trading"], directory / "trading.db", "w")
    limits = replace(LIMITS, ballast_mib=ballast_mib)
    return FileStore(shard, fold_of("trading"), lease, ManualClock(), limits)


def position(pos: int, symbol: str = "BTC/USDT") -> Keep:
    return Keep(
        message=Position(
            ts_event=pos, symbol=symbol, strategy="", qty=pos, cost=pos, realized=0, fees=0,
            mark_px=1, px_exp=2, qty_exp=8, quote_exp=8,
        )
    )  # fmt: skip


def test_trading_keeps_its_ballast_and_it_is_not_sparse(tmp_path: Path) -> None:
    writer = trading(tmp_path, ballast_mib=2)
    found = (tmp_path / ".ballast").stat()
    assert found.st_size == 2 << 20
    assert found.st_blocks * 512 >= 2 << 20
    writer.close()


def test_trading_gives_its_ballast_up_and_commits(tmp_path: Path) -> None:
    writer = trading(tmp_path)
    (shard,) = writer.shards()
    shard.db.pragma("max_page_count", shard.db.pragma("page_count"))
    many = [position(number, f"S{number}/USDT") for number in range(500)]
    with pytest.raises(ShardError, match="cannot grow") as refused:
        writer.commit(many, {STREAM: 500})
    assert refused.value.exit_code == 75
    assert not (tmp_path / ".ballast").exists()
    assert writer.cursors() == {}
    assert "was given up" in str(Writer("trading", writer.alarm).trouble(NOW))
    shard.db.pragma("max_page_count", 1 << 30)
    writer.commit(many, {STREAM: 500})
    assert writer.cursors() == {STREAM: 500}
    writer.tend()
    assert (tmp_path / ".ballast").exists()
    assert writer.alarm() is None
    writer.close()


def test_a_ballast_is_made_only_where_it_leaves_room(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path, (free_bytes(tmp_path) >> 20) + 1, 0)
    ballast.make()
    assert not ballast.path.exists()
    assert not ballast.give()
    none = Ballast(tmp_path, 0, 0)
    none.make()
    assert not none.path.exists()


def test_a_ballast_half_made_is_made_whole(tmp_path: Path) -> None:
    (tmp_path / ".ballast").write_bytes(b"half")
    ballast = Ballast(tmp_path, 1, 0)
    ballast.make()
    assert ballast.path.stat().st_size == 1 << 20


def test_a_small_volume_is_not_full_while_a_tenth_is_free(tmp_path: Path) -> None:
    assert floor_bytes(tmp_path, 1) == 1 << 20
    assert floor_bytes(tmp_path, 1 << 40) < 1 << 50
    assert Gate(tmp_path, 0, ManualClock()).shut() is None


def test_a_lesser_shard_pauses_and_moves_nothing(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "shard_market.lease")
    assert lease.take()
    clock = ManualClock()
    writer = MarketStore(Months(tmp_path, "w"), lease, clock, LIMITS)
    assert not writer.held()
    writer.commit(kept(bar()), {BAR: 1})
    writer._gate = Gate(tmp_path, 1 << 40, clock)
    clock.advance(LOOK_NS)
    full = free_bytes(tmp_path) < floor_bytes(tmp_path, 1 << 40)
    assert writer.held() == full
    writer.close()


def test_what_is_held_is_not_committed_and_says_why(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "shard_market.lease")
    assert lease.take()
    limits = replace(LIMITS, wal_alarm_mib=0)
    writer = MarketStore(Months(tmp_path, "w"), lease, ManualClock(), limits)
    writer.commit(kept(bar()), {BAR: 1})
    assert writer.held()
    writer.commit([], {BAR: 2})
    assert writer.cursors() == {BAR: 1}
    assert "it pauses" in str(writer.alarm())
    assert not trading_holds(tmp_path)
    writer.close()


def trading_holds(directory: Path) -> bool:
    writer = trading(directory)
    writer._settings = replace(LIMITS, wal_alarm_mib=0)
    held = writer.held()
    writer.close()
    return held


LIMITED = """
import resource, signal, sys
from pathlib import Path
from bus.errors import ShardError
from bus.migrations import KINDS
from bus.shard import open_writer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
shard = open_writer(KINDS["market"], Path(sys.argv[1]), "w")
most = shard.file_bytes() + 8192
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
try:
    with shard.transaction() as db:
        db.execute("INSERT INTO dead_letter VALUES (NULL, 0, 't', 'r', zeroblob(100000))")
except ShardError as error:
    print(error.exit_code, error)
print(shard.db.execute("SELECT count(*) FROM dead_letter").get)
shard.close()
"""


def test_a_write_that_the_system_refuses_stops_the_writer_and_loses_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "m.db"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("74 ")
    assert "EFBIG" in first
    assert second == "0"
    assert Path(f"{path}.suspect").exists()
    open_writer(KINDS["market"], path, "w").close()
    assert not Path(f"{path}.suspect").exists()
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 8192
