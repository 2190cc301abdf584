"""The writer as a process: from a journal into the shard, alone, killed, drained."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bus.clock import SystemClock
from bus.errors import HouseError
from bus.house import open_house, settle_world
from bus.journals import DiskJournals
from bus.lease import Lease
from bus.record import JournalWriter
from bus.rows import read_rows
from bus.wire import ask
from schema.house import Heartbeat
from schema.streams import STREAMS
from tests.services.market_desk import END_OF_JANUARY, MINUTE_NS, bar, trade

ROOT = Path(__file__).parents[2]
DEADLINE_S = 20


class House:
    """A house in paper mode, in which this test is ingest."""

    def __init__(self, path: Path) -> None:
        places = {"RRR_RUN": str(path / "run"), "RRR_HOME": str(path / "h ome"), "MODE": "paper"}
        foreign = ("RRR_", "MODE", "SUPERVISOR")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        self.environ = inherited | places
        self.house = open_house(ROOT, self.environ)
        settle_world(self.house)
        self.clock = SystemClock()
        journals = DiskJournals(self.house.journal_dir, self.clock)
        epoch = journals.open_epoch("ingest")
        self.trades = journals.writer(STREAMS["ingest.trade"], epoch, "code")
        self.bars = journals.writer(STREAMS["ingest.bar"], epoch, "code")
        self.feed = journals.writer(STREAMS["ingest.feed"], epoch, "code")
        self.started: list[subprocess.Popen[str]] = []

    def start(self, shard: str = "market") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.writer", *shard.split()],
            cwd=ROOT,
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def say(self, first: int, count: int) -> None:
        for start in range(first, first + count, 100):
            numbers = range(start, min(start + 100, first + count))
            times = [END_OF_JANUARY + number * 1_000_000 for number in numbers]
            self.trades.append([trade(n, ns) for n, ns in zip(numbers, times, strict=True)])

    def until(self, sql: str, wanted: object) -> None:
        """Wait until a query on the market shard gives one value."""
        deadline_ns = self.clock.mono_ns() + DEADLINE_S * 1_000_000_000
        found: object = None
        while self.clock.mono_ns() < deadline_ns:
            try:
                ((found,),) = [row.values() for row in read_rows(self.house.db_dir, "market", sql)]
            except HouseError as error:
                found = error
            if found == wanted:
                return
        raise AssertionError(f"{sql}: {found}, expected {wanted}; {self._fate()}")

    def _fate(self) -> str:
        last = self.started[-1]
        if last.poll() is None:
            return f"the writer runs: {self.heartbeat()}"
        return f"the writer ended with {last.returncode}: {last.communicate()}"

    def heartbeat(self, shard: str = "market") -> Heartbeat:
        body = ask(self.house.run, f"writer_{shard}", "status", timeout_ms=5000).body
        return msgspec.msgpack.decode(body, type=Heartbeat)

    def close(self) -> None:
        for process in self.started:
            process.kill()
            process.communicate()
        for writer in (self.trades, self.bars, self.feed):
            assert isinstance(writer, JournalWriter)
            writer.close("the test is over")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


COUNT = "SELECT count(*) FROM ticks"


def test_a_writer_takes_everything_from_the_journal_and_goes_on_after_a_kill(house: House) -> None:
    house.say(1, 5000)
    house.bars.append([bar(END_OF_JANUARY + index * MINUTE_NS) for index in range(4)])
    first = house.start()
    house.until(COUNT, 5000)
    house.until("SELECT count(*) FROM bars", 4)
    first.kill()
    first.wait()
    house.say(5001, 700)
    house.start()
    house.until(COUNT, 5700)
    house.until("SELECT count(DISTINCT trade_id) FROM ticks", 5700)
    house.until("SELECT count(*) FROM dead_letter", 0)


def test_a_writer_leaves_clean_when_told_to(house: House) -> None:
    house.say(1, 10)
    process = house.start()
    house.until(COUNT, 10)
    deadline_ns = house.clock.mono_ns() + DEADLINE_S * 1_000_000_000
    while (beat := house.heartbeat()).state != "READY":  # Its rows are there a moment before.
        assert house.clock.mono_ns() < deadline_ns, beat
        house.clock.pause_ms(10)
    assert dict(beat.counters)["rows"] == 10
    assert dict(beat.cursors)[STREAMS["ingest.trade"].number] == house.trades.last
    process.terminate()
    assert process.wait(DEADLINE_S) == 0
    left = {path.name for path in house.house.run.iterdir()}
    assert not [name for name in left if name.endswith(".lease")]
    assert [path.suffix for path in house.house.db_dir.iterdir()] == [".db"]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the peak alone is told here")
def test_a_running_writer_is_optimized_by_a_command_and_writes_on(house: House) -> None:
    house.say(1, 500)
    house.start()
    house.until(COUNT, 500)
    done = ask(house.house.run, "writer_market", "optimize", ("json",), 10_000)
    assert done.ok, done.text
    assert [one["file"] for one in json.loads(done.text)] == sorted(
        path.name for path in house.house.db_dir.glob("market*.db")
    )
    house.say(501, 10)
    house.until(COUNT, 510)


def test_a_writer_stays_small(house: House) -> None:
    house.say(1, 20_000)
    house.start()
    house.until(COUNT, 20_000)
    assert house.heartbeat().rss_bytes < 48 << 20


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the peak alone is told here")
@pytest.mark.parametrize("shard", ["analytics", "backtest"])
def test_the_writers_of_what_was_learned_stay_small(house: House, shard: str) -> None:
    for start in range(0, 40_000, 200):
        times = (END_OF_JANUARY + index * MINUTE_NS for index in range(start, start + 200))
        house.bars.append([bar(ns) for ns in times])
    house.start(shard)
    deadline_ns = house.clock.mono_ns() + DEADLINE_S * 1_000_000_000
    beat = None
    while beat is None or beat.state != "READY":
        assert house.clock.mono_ns() < deadline_ns, beat
        with contextlib.suppress(HouseError):
            beat = house.heartbeat(shard)
        house.clock.pause_ms(50)
    if shard == "analytics":
        assert dict(beat.cursors)[STREAMS["ingest.bar"].number] == house.bars.last
        assert dict(beat.counters)["rows"] == 40_000
    assert beat.rss_bytes < 40 << 20


@pytest.mark.slow  # A newcomer waits eight seconds for the holder to leave.
@pytest.mark.parametrize("place", ["run", "db"])
def test_a_second_writer_of_a_shard_is_refused(house: House, place: str) -> None:
    house.house.run.mkdir(parents=True)
    run, files = house.house.run / "shard_market.lease", house.house.db_dir / ".shard_market.lease"
    lease = Lease(run if place == "run" else files)
    assert lease.take()
    process = house.start()
    _, error = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 75
    assert str(os.getpid()) in error
    assert "Traceback" not in error
    lease.release()


def test_a_foreign_file_in_the_shards_place_is_refused_in_one_line(house: House) -> None:
    (house.house.db_dir / "trading.db").write_bytes(b"mine" * 4096)
    process = house.start("trading")
    _, error = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 74
    assert "trading.db" in error
    assert "Traceback" not in error
    word = json.loads((house.house.run / "writer_trading.exit").read_text())
    assert word["code"] == 74


def test_a_writer_without_a_shard_is_refused(house: House) -> None:
    for named in ("", "news"):
        process = house.start(named)
        _, error = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 78
        assert "The shards are: market, trading, analytics, backtest" in error
