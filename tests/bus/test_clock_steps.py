"""Somebody sets the clock by an hour: nobody is called silent, late or dead for it."""

from pathlib import Path

import pytest

from bus.health import Vitals, limits
from bus.hub import Hub
from bus.intake import wanted
from bus.log import Log
from bus.peers import Peers
from bus.pulse import BEAT_NS, Pulse
from bus.runner import Runner
from bus.service import Parts
from schema.frame import unpack
from schema.house import Heartbeat, TimeGap
from schema.messages import decode
from schema.streams import STREAMS
from tests.bus.toy import Toy, settle
from tests.sim.mortal import HouseClock, MortalJournals

HOUR_MS = 3_600_000
NOON_NS = 1_700_000_000_000_000_000
STEP_MS = 50


class House:
    """A toy on a clock that can be set, and one who listens to its life signs."""

    def __init__(self, path: Path) -> None:
        self.clock = HouseClock(NOON_NS, 1.0)
        hub = Hub()
        self.toy = Toy()
        place = hub.join(wanted(self.toy))
        self.ear = hub.join(("risk.hb",))
        log = Log(path, "risk", "test", self.clock, (1 << 20, 2))
        log.console = -1
        pulse = Pulse("risk", place, self.clock)
        journals = MortalJournals(self.clock)
        self.runner = Runner(Parts(self.toy), place, journals, pulse, log)
        self.runner.start()
        self.vitals = Vitals(["risk"], self.clock.mono_ns(), limits())
        self.peers = Peers({"risk": 500}, self.clock)
        self.told: list[str] = []
        self.beats = 0

    def live(self, ms: int) -> None:
        for _ in range(ms // STEP_MS):
            self.clock.advance_ms(STEP_MS)
            settle(self.runner)
            for frame in map(unpack, self.ear.receive()):
                for beat in decode(STREAMS["risk.hb"].number, frame.body):
                    assert isinstance(beat, Heartbeat)
                    self.beats += 1
                    self.vitals.heard(beat, self.clock.mono_ns())
                    self.peers.heard(beat)
            self.told += [one.state for one in self.peers.changes()]
            self.told.append(self.vitals.verdict("risk", self.clock.mono_ns()).state)


@pytest.mark.parametrize("step_ms", [HOUR_MS, -HOUR_MS])
def test_a_clock_set_by_an_hour_is_one_gap_and_no_storm(tmp_path: Path, step_ms: int) -> None:
    house = House(tmp_path)
    house.live(2_000)
    assert house.told[-1] == "READY"
    house.told.clear()
    house.beats = 0
    house.clock.set_ms(step_ms)
    house.live(10_000)
    assert set(house.told) == {"READY"}
    assert house.beats == 10_000_000_000 // BEAT_NS, "four a second, as before"
    gaps = [one for one in house.toy.heard if isinstance(one, TimeGap)]
    assert [gap.jump_ms for gap in gaps] == [pytest.approx(step_ms, abs=1)]
