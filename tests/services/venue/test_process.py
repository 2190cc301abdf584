"""The venue as a process: killed, it comes back with the same tape; refused, it says why."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from urllib.request import urlopen
from weakref import finalize

import msgspec
import pytest

from bus.clock import SystemClock
from services.venue.barfile import HEADER
from tests.ports import free_port

ROOT = Path(__file__).parents[3]
CLOCK = SystemClock()
DEADLINE_NS = 20_000_000_000

pytestmark = pytest.mark.slow


class House:
    def __init__(self, folder: Path, **env: str) -> None:
        self.home = folder / "a house"
        # A socket's path must be short, and that of a test's folder need not be.
        self.run = Path(mkdtemp(prefix="rrr.", dir="/tmp"))
        finalize(self, rmtree, self.run)
        self.port = free_port()
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("RRR_", "MODE"))},
            "RRR_HOME": str(self.home),
            "RRR_RUN": str(self.run),
            "RRR_PORTS__VENUE": str(self.port),
            "RRR_CLOCK__SCALE": "60",
            **env,
        }

    def start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "services.venue"]
        return subprocess.Popen(
            command, cwd=ROOT, env=self.env, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    def get(self, path: str) -> Any:
        with urlopen(f"http://127.0.0.1:{self.port}/api/v3/{path}", timeout=5) as answer:
            return msgspec.json.decode(answer.read())

    @contextmanager
    def running(self, ending: int) -> Iterator[None]:
        process = self.start()
        deadline_ns = CLOCK.mono_ns() + DEADLINE_NS
        try:
            while not self._answers():
                assert process.poll() is None and CLOCK.mono_ns() < deadline_ns
                CLOCK.pause_ms(20)
            yield
        finally:
            process.send_signal(ending)
            process.communicate(timeout=10)

    def _answers(self) -> bool:
        try:
            return bool(self.get("ping") == {})
        except OSError:
            return False


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_after_a_kill_history_is_the_same_and_includes_the_time_it_was_dead(house: House) -> None:
    with house.running(signal.SIGKILL):
        before = house.get("historicalTrades?symbol=BTCUSDT&limit=200")
        candles = house.get("klines?symbol=ETHUSDT&interval=5m&limit=50")
    with house.running(signal.SIGTERM):
        query = f"historicalTrades?symbol=BTCUSDT&fromId={before[0]['id']}&limit=1000"
        after = house.get(query)
        again = house.get("klines?symbol=ETHUSDT&interval=5m&limit=60")
    assert after[:200] == before and len(after) > 200
    assert [row["id"] for row in after] == list(range(before[0]["id"], after[-1]["id"] + 1))
    assert all(row in again for row in candles[10:-1])


def test_a_new_clock_never_begins_before_what_was_shown(house: House) -> None:
    with house.running(signal.SIGKILL):
        shown_ms = house.get("trades?symbol=BTCUSDT&limit=1")[0]["time"]
    (house.run / "clock.json").unlink()
    with house.running(signal.SIGTERM):
        first_ms = house.get("ticker/24hr?symbol=BTCUSDT")["closeTime"]
    assert first_ms >= shown_ms


def refusal(house: House) -> tuple[int, str]:
    process = house.start()
    _, said = process.communicate(timeout=20)
    assert "Traceback" not in said
    return process.returncode, said


def test_a_damaged_replay_is_refused_with_its_line_and_exit_78(tmp_path: Path) -> None:
    path = tmp_path / "bad file.csv"
    path.write_text(f"{HEADER}\n1746372780000,1,2,3,4,5\n")
    house = House(
        tmp_path,
        RRR_VENUE__MARKET="replay",
        RRR_VENUE__REPLAY=str(path),
        RRR_VENUE__SYMBOL="BTC/USDT",
    )
    code, said = refusal(house)
    assert code == 78
    assert "bad file.csv:2: expected low <= open, close <= high" in said


def test_a_taken_port_is_refused_with_exit_75(house: House, tmp_path: Path) -> None:
    with house.running(signal.SIGTERM):
        other = House(tmp_path / "other")
        other.env["RRR_PORTS__VENUE"] = str(house.port)
        code, said = refusal(other)
    assert code == 75
    assert f"port {house.port} on 127.0.0.1 is taken" in said


def test_a_replay_that_ended_goes_on_answering(tmp_path: Path) -> None:
    start = 1_746_372_780_000
    rows = [f"{start + n * 60_000},10,12,9,11,5.5" for n in range(12)]
    path = tmp_path / "short.csv"
    path.write_text("\n".join([HEADER, *rows, ""]))
    house = House(
        tmp_path,
        RRR_VENUE__MARKET="replay",
        RRR_VENUE__REPLAY=str(path),
        RRR_VENUE__SYMBOL="BTC/USDT",
        RRR_CLOCK__SCALE="3600",
    )
    deadline_ns = CLOCK.mono_ns() + DEADLINE_NS
    with house.running(signal.SIGTERM):
        while house.get("ticker/24hr?symbol=BTCUSDT")["closeTime"] < start + 13 * 60_000:
            assert CLOCK.mono_ns() < deadline_ns
            CLOCK.pause_ms(20)
        candles = house.get("klines?symbol=BTCUSDT&interval=1m")
        CLOCK.pause_ms(100)
        assert house.get("klines?symbol=BTCUSDT&interval=1m") == candles
        assert house.get("depth?symbol=BTCUSDT")["bids"]
        assert house.get("ticker/price?symbol=BTCUSDT")["price"] == "11.00000000"
    assert [row[:6] for row in candles] == [
        [
            start + n * 60_000,
            "10.00000000",
            "12.00000000",
            "9.00000000",
            "11.00000000",
            "5.50000000",
        ]
        for n in range(12)
    ]
