"""What happened unseen: while the warden or the monitor was away, or to a signal on its way."""

import pytest

from services.warden.effects import (
    Inventory,
    ProcessSeen,
    Remember,
    SettingsChanged,
    SignalProgram,
    StartProgram,
)
from tests.services.test_monitor import House as Monitored
from tests.services.test_warden import House, of


def resting(code: int) -> bytes:
    """Return the memory of a warden whose program has left with a code."""
    house = House()
    house.run()
    outs = house.see("EXITED", "RUNNING", expected=True, exit_code=code, detail="it left")
    memory: bytes = of(Remember, outs)[-1].memory
    return memory


@pytest.mark.parametrize("code", [75, 78])
def test_what_somebody_started_meanwhile_is_not_started_again(code: int) -> None:
    again = House()
    seen = ProcessSeen(program="ingest", state="RUNNING", before="", pid=5)
    again.hear(Inventory(programs=(seen,), memory=resting(code)))
    outs = again.hear(SettingsChanged())
    for _ in range(80):
        again.now_s += 0.5
        again.beat()
        outs += again.wait(0.5)
    assert of(StartProgram, outs) == []


def test_what_was_being_tried_when_the_warden_died_is_not_started_again() -> None:
    house = House()
    house.run()
    house.see("EXITED", "RUNNING", expected=True, exit_code=75, detail="it left")
    memory = of(Remember, house.wait(31))[-1].memory
    again = House()
    seen = ProcessSeen(program="ingest", state="RUNNING", before="", pid=5)
    again.hear(Inventory(programs=(seen,), memory=memory))
    assert of(StartProgram, again.wait(50)) == []


def test_what_was_stopped_before_the_monitor_came_is_no_alert() -> None:
    warden = House()
    warden.run()
    warden.see("STOPPED", "STOPPING")
    counters = warden.warden.counters()
    assert ("stopped.ingest", 1) in counters
    house = Monitored()
    del house.beats["ingest"]
    house.beats["warden"] = {"counters": counters}
    assert house.wait(90) == []


def test_a_stop_that_the_process_did_not_hear_is_told_again() -> None:
    house = House()
    house.run()
    house.beat()
    house.see("STOPPING", "RUNNING", pid=house.pid)
    told = []
    for _ in range(5):
        house.beat()
        told += of(SignalProgram, house.wait(0.5))
    assert [(one.signal, one.pid) for one in told] == [("TERM", house.pid)]


@pytest.mark.parametrize("state", ["DRAINING", "STOPPED"])
def test_a_process_that_is_leaving_is_told_once(state: str) -> None:
    house = House()
    house.run()
    house.see("STOPPING", "RUNNING", pid=house.pid)
    for _ in range(20):
        house.beat(state)
        assert not of(SignalProgram, house.wait(0.5))
