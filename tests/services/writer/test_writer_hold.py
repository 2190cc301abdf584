"""A writer that pauses hears nothing and loses nothing; one whose log is pinned says by whom."""

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from bus.clock import ManualClock, SystemClock
from bus.hub import Hub
from bus.journals import DiskJournals
from bus.lease import Lease
from bus.service import Parts
from schema.market import Trade
from schema.streams import STREAMS
from services.writer.core import Writer
from services.writer.market_store import MarketStore
from services.writer.months import Months
from tests.bus.toy import launch, settle
from tests.services.market_desk import LIMITS, NOW, TRADE, trade

ROOT = Path(__file__).parents[3]
HOLDING = replace(LIMITS, wal_alarm_mib=0)

READER = """
import sys
from pathlib import Path
from bus.migrations import KINDS
from bus.reading import attach, open_reader
db = open_reader()
attach(db, KINDS["market"], Path(sys.argv[1]), "m")
rows = db.execute("SELECT * FROM m.tick")
next(rows)
print("reading", flush=True)
sys.stdin.read()
"""


def opened(place: Path, clock: ManualClock) -> MarketStore:
    (place / "db").mkdir(exist_ok=True)
    lease = Lease(place / "shard_market.lease")
    assert lease.take()
    return MarketStore(Months(place / "db", "w"), lease, clock, LIMITS)


def test_a_held_writer_takes_nothing_and_then_all_of_it(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    journals = DiskJournals(tmp_path / "journal", SystemClock())
    journal = journals.writer(STREAMS["ingest.trade"], journals.open_epoch("ingest"), "test")
    said: list[Trade] = [trade(number) for number in range(2000)]
    journal.append(said[:100])
    store = opened(tmp_path, clock)
    runner = launch(
        Parts(Writer("market", store.alarm), store=store), journals, Hub(), clock, tmp_path
    )
    settle(runner)
    assert store.committed[TRADE] == journal.last
    before = dict(store.committed)
    journal.append(said[100:])
    store._settings = HOLDING
    clock.advance(2_000_000_000)
    for _ in range(20):
        runner.turn()
        assert not runner.behind
    assert store.committed == before
    assert runner.pulse.state == "DEGRADED"
    store._settings = LIMITS
    while store.committed[TRADE] < journal.last:
        runner.turn()
    (shard,) = store.shards()
    assert shard.db.execute("SELECT count(*) FROM tick").get == 2000
    runner.stop("tested")
    journal.close("tested")


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux tells who holds a lock")
def test_the_alarm_names_the_process_that_pins_the_log(tmp_path: Path) -> None:
    clock = ManualClock()
    store = opened(tmp_path, clock)
    store.commit(Writer("market").handle(trade(1), NOW), {TRADE: 1})  # type: ignore[arg-type]
    (shard,) = store.shards()
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(shard.path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
        store.commit(Writer("market").handle(trade(2), NOW), {TRADE: 2})  # type: ignore[arg-type]
        store._settings = HOLDING
        assert f"process {reader.pid} (" in str(store.alarm())
        assert "of the write-ahead log" in str(store.alarm())
        reader.communicate("")
    store.close()


def test_the_log_is_cut_to_nothing_once_a_night(tmp_path: Path) -> None:
    clock = ManualClock()
    store = opened(tmp_path, clock)
    store.commit(Writer("market").handle(trade(1), NOW), {TRADE: 1})  # type: ignore[arg-type]
    (shard,) = store.shards()
    store.tend()
    assert shard.file_bytes() > 0
    clock.advance(86_400_000_000_000)
    store.tend()
    assert shard.file_bytes() == 0
    store.close()
