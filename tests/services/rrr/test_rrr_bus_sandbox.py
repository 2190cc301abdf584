"""A sandbox while it is played in: rounds, subscribers, and who asks a service that is played."""

import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from bus.house import House
from bus.journal import open_reader
from bus.merge import Merge, Step
from bus.wire import Subscriber, ask
from schema.frame import Frame, Kind, epoch_of, unpack
from schema.house import Heartbeat
from schema.market import FeedStatus
from schema.messages import decode
from schema.streams import STREAMS
from tests.services.bare import entered_house
from tests.services.rrr.tape_desk import (
    frames,
    journals_of,
    problems,
    raw,
    started,
    told,
    traded,
    until,
)
from tests.services.rrr.trade_day import Day, feed

pytestmark = pytest.mark.slow


@pytest.fixture
def house() -> Iterator[House]:
    with entered_house() as made:
        yield made


@pytest.fixture
def day(house: House) -> Day:
    return traded(house)


@pytest.fixture
def recording(day: Day, tmp_path: Path) -> Path:
    """The recording of a day."""
    assert day.house.world
    told("record", "-o", str(tmp_path / "r"), "-e")
    return tmp_path / "r"


def test_a_loop_goes_on_in_new_epochs_that_follow_each_other(recording: Path, day: Day) -> None:
    home = recording.parent / "home"
    args = ("--loop", "-r", "0", "--home", str(home))
    with started(day.house, "play", str(recording), *args) as player:
        until(lambda: (home / "data").exists() and any((home / "data").glob("play-*/journal/risk")))
        name, once = "ingest.feed", raw(recording, "ingest.feed")
        until(lambda: len(raw(journals_of(home), name)) >= 4 * len(once))
        player.send_signal(signal.SIGTERM)
        out, err = player.communicate()
        assert (player.returncode, err) == (0, b"")
        assert b"rounds" in out
        assert raw(journals_of(home), name)[: len(once)] == once
        assert problems(journals_of(home), name) == []
        merge = Merge()
        kept = frames(journals_of(home), name)
        assert {merge.journal(frame).action for frame in kept} == {"deliver"}
        epochs = [epoch_of(frame.pos) for frame in kept]
        assert all(after in {before, before + 1} for before, after in pairwise(epochs))
        told("play", str(home / "data" / journals_of(home).parent.name / "journal"), "--info")


class Ear:
    """Follows `ingest.feed` in a sandbox as a service does: live, and from the journal."""

    def __init__(self, home: Path) -> None:
        self.heard: list[str] = []
        self.live = 0
        self.subscriber = Subscriber(home / "run", ("ingest.feed", "ingest.hb"))
        self._merge = Merge()
        self._reader = open_reader(journals_of(home) / "ingest" / "feed", STREAMS["ingest.feed"])

    def hear(self) -> int:
        """Take what is here; return how much has been heard."""
        raws = self.subscriber.receive(20)
        if not raws:
            self._catch_up()  # In silence the journal is asked: the last heartbeat can be lost.
        for said in map(unpack, raws):
            if said.kind == Kind.HEARTBEAT:
                (beat,) = decode(STREAMS["ingest.hb"].number, said.body)
                assert isinstance(beat, Heartbeat)
                behind = self._merge.heartbeat(dict(beat.last)[STREAMS["ingest.feed"].number])
            else:
                behind = not self._take(said, self._merge.live(said))
                self.live += not behind
            if behind:
                self._catch_up()
        return len(self.heard)

    def _catch_up(self) -> None:
        while found := self._reader.read(self._merge.pos):
            for frame in found:
                assert self._take(frame, self._merge.journal(frame))

    def _take(self, frame: Frame, step: Step) -> bool:
        if step.action == "deliver" and frame.kind == Kind.DATA:
            messages = decode(STREAMS["ingest.feed"].number, frame.body)[step.skip :]
            self.heard += [m.state for m in messages if isinstance(m, FeedStatus)]
        return step.action in {"deliver", "drop"}


def test_a_subscriber_of_the_sandbox_hears_every_message_once(house: House, tmp_path: Path) -> None:
    day = Day(house)
    for number in range(3000):
        day.say(feed(f"S{number}"))
    told("record", "-o", str(tmp_path / "r"), "-e", "ingest.feed")
    home = tmp_path / "home"
    args = ("-r", "0", "--delay", "0.5", "--home", str(home))
    with started(house, "play", str(tmp_path / "r"), *args) as player:
        until((home / "run" / "ingest.pub").exists)
        ear = Ear(home)
        until(lambda: ear.hear() >= 3000)
        assert ear.heard == [f"S{number}" for number in range(3000)]
        assert ear.live
        assert player.communicate()[1] == b""
        ear.subscriber.close()


def test_a_played_service_answers_how_it_is_and_obeys_nobody(recording: Path, day: Day) -> None:
    home = recording.parent / "home"
    args = ("--loop", "--delay", "30s", "--home", str(home))
    with started(day.house, "play", str(recording), *args) as player:
        until((home / "run" / "risk.ctl").exists)
        assert ask(home / "run", "risk", "status", timeout_ms=5000).text == "READY"
        refused = ask(home / "run", "risk", "drain", timeout_ms=5000)
        assert not refused.ok
        player.send_signal(signal.SIGINT)
        out, err = player.communicate()
        assert (player.returncode, err) == (0, b"")
        assert b"Played 0 messages" in out
