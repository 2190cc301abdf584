"""The predictor comes back: turns run again byte for byte, windows from bars, no card twice."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.clock import ManualClock
from bus.hub import Hub
from bus.memory import MemoryJournals
from bus.runner import Runner
from bus.service import Heard, Parts
from schema.forecast import Forecast, ModelArrived, ModelCard
from schema.house import Started
from schema.market import Bar
from schema.streams import STREAMS
from services.predictor.core import Predictor
from services.predictor.features import LOOKBACK
from tests.bus.toy import launch, records, said, settle
from tests.services.predictor.arrivals import arrived
from tests.services.predictor.markets import bar, settings, walk


class Room:
    """A house with a predictor in it, and this test in the place of ingest."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = ManualClock(bar(0).open_ns)
        self.hub = Hub()
        self.journals = MemoryJournals(self.clock)
        self._place = self.hub.join(())
        epoch = self.journals.open_epoch("ingest")
        self._bars = self.journals.writer(STREAMS["ingest.bar"], epoch, "")
        self.start()

    def start(self, code: str = "one") -> None:
        """Start the predictor, as its process would."""
        self.core = Predictor(settings())
        parts = Parts(self.core)
        self.runner: Runner = launch(parts, self.journals, self.hub, self.clock, self.path, code)

    def story(self, bars: list[Bar]) -> None:
        """Let bars close, one by one."""
        for one in bars:
            self.clock.now_ns = one.ts_event + 1_000_000
            for frame in self._bars.append([one]):
                self._place.send(frame)
            settle(self.runner)

    def model(self, model: ModelArrived) -> None:
        """Hand up a model, as the edge does."""
        self.runner._local.append(Heard(model))
        settle(self.runner)

    def kill(self) -> Any:
        """End the process without a word; return the state that went with it."""
        self.hub.places[-1].close()
        return self.core.state


def forecasts(room: Room) -> list[Forecast]:
    found = records(room.journals, "predictor.forecast")
    return [message for message in found if isinstance(message, Forecast)]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_turns_with_a_model_in_their_midst_run_again_byte_for_byte(room: Room) -> None:
    bars = walk(200)
    room.story(bars[:90])
    room.runner.snapshot()
    room.story(bars[90:120])
    room.model(arrived(seed=3))
    room.story(bars[120:150])
    before = room.kill()
    spoken = said(room.journals, "predictor.forecast")
    room.start()
    assert msgspec.msgpack.encode(room.core.state) == msgspec.msgpack.encode(before)
    settle(room.runner)
    room.story(bars[150:])
    assert said(room.journals, "predictor.forecast")[: len(spoken)] == spoken
    found = forecasts(room)
    assert [one.source for one in found] == ["baseline"] * 60 + ["model"] * 80
    assert len(said(room.journals, "predictor.score")) == 2  # a card and a score


def test_a_house_that_was_never_killed_says_the_same(room: Room, tmp_path: Path) -> None:
    steady = Room(tmp_path / "steady")
    bars = walk(160)
    for one in (room, steady):
        one.story(bars[:100])
        one.model(arrived(seed=3))
    room.kill()
    room.start()
    settle(room.runner)
    for one in (room, steady):
        one.story(bars[100:])
    mine, theirs = (said(one.journals, "predictor.forecast") for one in (room, steady))
    assert len(mine) == 160 - LOOKBACK
    assert mine == theirs


def test_with_other_code_the_windows_come_from_bars_and_the_card_is_not_repeated(
    room: Room,
) -> None:
    bars = walk(140)
    room.story(bars[:100])
    room.model(arrived(seed=3))
    room.kill()
    room.start(code="two")
    settle(room.runner)
    assert room.core.state.windows.model is None
    assert room.core.state.books.announced == arrived(seed=3).sha256
    room.model(arrived(seed=3))
    room.story(bars[100:])
    found = forecasts(room)
    assert len(found) == 140 - LOOKBACK
    assert found[-1].source == "model"
    cards = [m for m in records(room.journals, "predictor.score") if isinstance(m, ModelCard)]
    assert len(cards) == 1


def test_a_forecast_knows_its_bar_as_its_cause(room: Room) -> None:
    room.story(walk(LOOKBACK + 1))
    (found,) = forecasts(room)
    assert found.cause[0] == STREAMS["ingest.bar"].number
    assert Predictor(settings()).handle(Started(epoch=1, grade="fresh"), 1) == []
