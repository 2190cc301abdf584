"""The predictor as a process: warm and READY at once, killed and back, with a model it found."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import msgspec
import pytest

from bus.clock import SystemClock
from bus.errors import HouseError
from bus.house import open_house, settle_world
from bus.journals import DiskJournals
from bus.wire import ask
from schema.forecast import Forecast
from schema.house import Heartbeat
from schema.market import Bar
from schema.messages import decode
from schema.streams import STREAMS
from services.predictor.shelf import install, models_folder
from tests.services.predictor.arrivals import card, weights
from tests.services.predictor.markets import FIRST_NS, MINUTE_NS, ROOT, walk
from tests.services.predictor.shards import fill

pytestmark = pytest.mark.slow

CLOCK = SystemClock()
DEADLINE_NS = 30_000_000_000
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")


class House:
    """A house in paper mode, in which this test is ingest."""

    def __init__(self, path: Path, **changes: str) -> None:
        self.run = Path(mkdtemp(prefix="rrr.", dir="/tmp"))
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RRR_", "MODE"))}
        places = {"RRR_RUN": str(self.run), "RRR_HOME": str(path / "h ome"), "MODE": "paper"}
        self.environ = inherited | places | changes
        self.house = open_house(ROOT, self.environ)
        settle_world(self.house)
        self.journals = DiskJournals(self.house.journal_dir, CLOCK)
        epoch = self.journals.open_epoch("ingest")
        self.bars = self.journals.writer(STREAMS["ingest.bar"], epoch, "code")
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> int:
        """Start the predictor; return how many ms it took to be READY."""
        began_ns = CLOCK.mono_ns()
        command = [sys.executable, "-m", "services.predictor"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self.environ, text=True)
        self.until(lambda: self.heartbeat().state == "READY")
        return (CLOCK.mono_ns() - began_ns) // 1_000_000

    def heartbeat(self) -> Heartbeat:
        body = ask(self.run, "predictor", "status", timeout_ms=500).body
        return msgspec.msgpack.decode(body, type=Heartbeat)

    def counter(self, name: str) -> int:
        return dict(self.heartbeat().counters)[name]

    def until(self, done: Callable[[], object]) -> None:
        deadline_ns = CLOCK.mono_ns() + DEADLINE_NS
        while True:
            assert self.process is not None and self.process.poll() is None
            assert CLOCK.mono_ns() < deadline_ns
            try:
                if done():
                    return
            except HouseError:
                pass  # It does not answer yet.
            CLOCK.pause_ms(10)

    def say(self, bars: list[Bar]) -> None:
        for start in range(0, len(bars), 500):
            self.bars.append(bars[start : start + 500])

    def forecasts(self) -> list[Forecast]:
        stream = STREAMS["predictor.forecast"]
        reader, pos, found = self.journals.reader(stream), 0, []
        while frames := reader.read(pos):
            pos = frames[-1].last
            messages = [m for f in frames for m in decode(stream.number, f.body)]
            found += [m for m in messages if isinstance(m, Forecast)]
        return found

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        rmtree(self.run)


@pytest.fixture
def houses() -> Iterator[list[House]]:
    found: list[House] = []
    yield found
    for house in found:
        house.close()


def until_now(count: int, symbol: str, seed: int) -> list[Bar]:
    """Return a walk whose last bar has just closed."""
    shift_ns = CLOCK.wall_ns() // MINUTE_NS * MINUTE_NS - FIRST_NS - count * MINUTE_NS
    return [
        msgspec.structs.replace(
            one, open_ns=one.open_ns + shift_ns, ts_event=one.ts_event + shift_ns
        )
        for one in walk(count, seed, symbol=symbol)
    ]


def test_a_week_of_history_is_learned_at_once_and_survives_a_kill(
    tmp_path: Path, houses: list[House]
) -> None:
    houses.append(house := House(tmp_path))
    for seed, symbol in enumerate(SYMBOLS):
        house.say(until_now(7 * 1440, symbol, seed))
    took_ms = house.start()
    assert took_ms < 5000
    outcomes = house.counter("outcomes")
    assert outcomes == 3 * (7 * 1440 - 60 - 15)
    said = house.forecasts()
    assert {one.symbol for one in said} == set(SYMBOLS)
    assert {one.source for one in said} == {"baseline"}
    assert len(said) <= 3 * 8
    assert house.heartbeat().rss_bytes < 80 << 20
    house.kill()
    data = weights(seed=3)
    install(models_folder(house.house.home), house.house.world, data, card(data))
    house.start()
    assert house.counter("outcomes") == outcomes
    house.until(lambda: house.counter("model"))
    house.kill()
    house.start()
    assert house.counter("model") == 1
    assert house.heartbeat().rss_bytes < 80 << 20


def test_a_training_in_the_background_leaves_a_model_that_speaks(
    tmp_path: Path, houses: list[House]
) -> None:
    houses.append(house := House(tmp_path, RRR_PREDICTOR__EPOCHS="2"))
    fill(house.house.db_dir, walk(1500), house.house.world)
    bars = until_now(100, "BTC/USDT", 1)
    house.say(bars[:-1])
    house.start()
    house.until(lambda: house.counter("model"))
    house.say(bars[-1:])
    house.until(lambda: house.forecasts()[-1:] and house.forecasts()[-1].source == "model")
