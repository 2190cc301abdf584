"""Append, then sync where the class asks, then send: in this order, whoever dies in between."""

import errno
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bus.clock import Clock, ManualClock
from bus.hub import Hub, Place
from bus.memory import MemoryJournals, MemoryWriter
from bus.merge import Merge
from bus.outlet import Outlet
from bus.record import JournalWriter
from schema.frame import Kind, unpack
from schema.head import Message
from schema.streams import STREAMS, Stream
from schema.trading import RiskState
from tests.bus.toy import verdict

EVENT, VERDICT = STREAMS["risk.event"], STREAMS["risk.verdict"]


class Dead(BaseException):
    """A kill -9 between two steps."""


class Steps:
    """Notes every step, and ends the process before one of them."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.left = 1 << 30

    def take(self, step: str) -> None:
        if self.left == 0:
            raise Dead
        self.left -= 1
        self.taken.append(step)


class NotingWriter(MemoryWriter):
    """Tells of each append and each sync."""

    steps: Steps

    def _write(self, frames: Sequence[bytes], wall_ns: int) -> None:
        self.steps.take(f"append {self.stream.name}")
        super()._write(frames, wall_ns)

    def _flush(self) -> None:
        self.steps.take(f"sync {self.stream.name}")
        super()._flush()


class NotingJournals(MemoryJournals):
    """Memory journals whose writers tell what they do."""

    def __init__(self, clock: Clock, steps: Steps) -> None:
        super().__init__(clock)
        self._steps = steps
        self._time = clock

    def writer(self, stream: Stream, epoch: int, code: str) -> JournalWriter:
        writer = NotingWriter(self.tape(stream), stream, epoch, self._time)
        writer.steps = self._steps
        writer.begin(self.boot_id, code)
        return writer


class NotingPlace(Place):
    """A place that tells of each frame that it sends."""

    steps: Steps

    def send(self, frame: bytes) -> None:
        self.steps.take(f"send {unpack(frame).stream}")
        super().send(frame)


class Stage:
    """A publisher whose every step is told, and two who hear it."""

    def __init__(self) -> None:
        self.clock = ManualClock(1)
        self.hub = Hub()
        self.steps = Steps()
        self.journals = NotingJournals(self.clock, self.steps)
        self.place = NotingPlace(self.hub, frozenset())
        self.place.steps = self.steps
        self.ears = [self.hub.join((EVENT.name, VERDICT.name)) for _ in range(2)]
        self.outlet = self.opened()

    def opened(self) -> Outlet:
        outlet = Outlet("risk", self.place, self.clock)
        outlet.open(self.journals, self.journals.open_epoch("risk"), "")
        return outlet

    def said(self) -> list[Message]:
        return [RiskState(ts_event=1, state="ACTIVE", reason="why"), verdict("ok")]


def test_class_a_is_synced_between_its_append_and_its_send() -> None:
    stage = Stage()
    stage.steps.taken.clear()
    stage.outlet.say(stage.said())
    event, judged = EVENT.name, VERDICT.name
    assert stage.steps.taken == [
        f"append {event}",
        f"sync {event}",
        f"append {judged}",
        f"send {event}",
        f"send {judged}",
    ]


@pytest.mark.parametrize("steps", range(6))
def test_whoever_dies_between_two_steps_two_subscribers_agree(steps: int) -> None:
    stage = Stage()
    for ear in stage.ears:
        ear.receive()
    stage.steps.left = steps
    if steps < 5:
        with pytest.raises(Dead):
            stage.outlet.say(stage.said())
    else:
        stage.outlet.say(stage.said())
    if steps == 4:
        stage.ears[1].inbox.clear()  # One of the two sockets was served and the other was not.
    stage.steps.left = 1 << 30
    stage.opened()
    stories = [story(stage, ear) for ear in stage.ears]
    assert stories[0] == stories[1]
    assert len(stories[0][EVENT.name]) == len({*stories[0][EVENT.name]}) == (steps > 0) + 2


def story(stage: Stage, ear: Place) -> dict[str, list[int]]:
    """Return what a subscriber has of each stream: what it heard, then what stands."""
    merges = {name: Merge() for name in (EVENT.name, VERDICT.name)}
    found: dict[str, list[int]] = {name: [] for name in merges}
    for raw in ear.receive():
        frame = unpack(raw)
        if merges[frame.stream].live(frame).action == "deliver":
            found[frame.stream] += range(frame.pos, frame.last + 1)
    for name, merge in merges.items():
        for frame in stage.journals.tape(STREAMS[name]).frames:
            step = merge.journal(frame)
            assert step.action in ("deliver", "drop"), step
            if step.action == "deliver":
                found[name] += range(frame.pos + step.skip, frame.last + 1)
        assert Kind.EPOCH in {frame.kind for frame in stage.journals.tape(STREAMS[name]).frames}
    return found


ON_A_MAC = """
import fcntl, os, sys
asked = []
fcntl.F_FULLFSYNC = 51
fcntl.fcntl = lambda fd, word: asked.append(word)
os.fdatasync = None
sys.platform = "darwin"
from bus.disk import sync_file
sync_file(0)
assert asked == [51], asked
def refuse(fd, word):
    raise OSError(int(sys.argv[1]), "no")
fcntl.fcntl = refuse
os.fsync = asked.append
try:
    sync_file(7)
except OSError:
    asked.append("raised")
print(asked[1:])
"""


@pytest.mark.parametrize(
    ("number", "then"),
    [(errno.ENOTSUP, "[7]"), (errno.ENOTTY, "[7]"), (errno.EIO, "['raised']")],
)
def test_on_a_mac_the_drive_itself_is_told_to_write(number: int, then: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ON_A_MAC, str(number)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == then, done.stderr
