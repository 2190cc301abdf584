"""The warden's decisions: crash loops, busy places, refused settings, hung processes."""

from typing import Any

import pytest

from bus.health import SECOND
from bus.service import Said
from schema.house import (
    Command,
    CommandDone,
    Heartbeat,
    ProcessState,
    Started,
    TimeGap,
    Timer,
    Wake,
)
from schema.settings import WardenSettings
from services.warden.core import Warden
from services.warden.effects import (
    Inventory,
    ProcessSeen,
    Remember,
    SettingsChanged,
    SignalProgram,
    StartProgram,
    StopProgram,
)

SETTINGS = WardenSettings(exits=5, within_s=60, retry_s=30, retry_max_s=600, start_deadline_s=60)
SCALE = 10


class House:
    """A warden and the supervisor's events that reach it; times are a person's seconds."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.warden = Warden(("ingest", "warden"), SETTINGS, SCALE, 0)
        self.pid = 100
        self.hear(Started(epoch=1, grade="fresh"))
        self.hear(Inventory(programs=(), memory=b"{}"))

    def hear(self, message: Said) -> list[Any]:
        return self.warden.handle(message, int(self.now_s * SECOND * SCALE))

    def see(self, state: str, before: str = "", **more: Any) -> list[Any]:
        return self.hear(ProcessSeen(program="ingest", state=state, before=before, **more))

    def run(self, before: str = "STOPPED") -> list[Any]:
        self.pid += 1
        return self.see("STARTING", before) + self.see("RUNNING", "STARTING", pid=self.pid)

    def crash(self) -> list[Any]:
        return self.see("EXITED", "RUNNING", expected=False, detail="it was killed")

    def loop(self) -> list[Any]:
        """Crash until the breaker trips; return what it does when the last one is respawned."""
        for _ in range(4):
            self.crash()
            assert not of(StopProgram, self.run("EXITED"))
        self.crash()
        return self.run("EXITED")

    def wait(self, seconds: float) -> list[Any]:
        """Let time pass in checks half a second apart, and return all that came of them."""
        outs = []
        for _ in range(int(seconds * 2)):
            self.now_s += 0.5
            outs += self.hear(Timer(name="check", at_ns=0))
        return outs

    def beat(self, state: str = "READY") -> None:
        self.hear(
            Heartbeat(
                ts_event=0,
                service="ingest",
                state=state,
                reason="",
                world="w",
                pid=self.pid,
                started_ns=0,
                turn=1,
                last=(),
                synced=(),
                cursors=(),
            )
        )

    def counter(self, name: str) -> int:
        return dict(self.warden.counters())[f"{name}.ingest"]


def of(kind: type, outs: list[Any]) -> list[Any]:
    return [out for out in outs if isinstance(out, kind)]


def test_the_fifth_exit_within_a_minute_stops_the_respawned_process() -> None:
    house = House()
    house.run()
    assert [stop.program for stop in of(StopProgram, house.loop())] == ["ingest"]
    assert house.counter("crash_loop") == 1
    assert house.counter("restarts") == 5


def test_exits_that_lie_apart_are_no_loop() -> None:
    house = House()
    house.run()
    for _ in range(20):
        house.crash()
        assert not of(StopProgram, house.run("EXITED"))
        house.wait(16)
    assert house.counter("crash_loop") == 0


def test_a_loop_rests_and_is_tried_again_with_doubled_waits() -> None:
    house = House()
    house.run()
    for wait_s in (30, 60, 120, 240, 480, 600, 600):
        assert of(StopProgram, house.loop())
        house.see("STOPPED", "STOPPING")
        assert not of(StartProgram, house.wait(wait_s - 1))
        assert of(StartProgram, house.wait(1.5))
        house.run("STOPPED")


def test_a_loop_is_over_when_the_process_holds_out_for_a_minute() -> None:
    house = House()
    house.run()
    house.loop()
    house.see("STOPPED", "STOPPING")
    house.wait(31)
    house.run("STOPPED")
    house.beat()
    assert house.counter("crash_loop") == 1
    for _ in range(122):
        house.beat()
        house.wait(0.5)
    assert house.counter("crash_loop") == 0


def test_a_person_starts_what_rests() -> None:
    house = House()
    house.run()
    house.loop()
    house.see("STOPPED", "STOPPING")
    house.run("STOPPED")
    assert house.counter("crash_loop") == 0
    assert not of(StartProgram, house.wait(700))


def test_what_a_person_stopped_stays_down() -> None:
    house = House()
    house.run()
    house.see("STOPPED", "STOPPING")
    assert not of(StartProgram, house.wait(700))


def test_a_busy_place_is_tried_again_later() -> None:
    house = House()
    house.run()
    outs = house.see("EXITED", "RUNNING", exit_code=75, detail="port taken")
    assert [held.state for held in of(ProcessState, outs)] == ["EXITED", "HELD"]
    assert not of(StartProgram, house.wait(29))
    assert of(StartProgram, house.wait(1.5))


def test_a_start_that_the_supervisor_did_not_hear_is_repeated() -> None:
    house = House()
    house.run()
    house.see("EXITED", "RUNNING", exit_code=75)
    assert len(of(StartProgram, house.wait(31))) == 1
    assert len(of(StartProgram, house.wait(30))) == 1


def test_refused_settings_wait_until_they_change() -> None:
    house = House()
    house.run()
    house.see("EXITED", "RUNNING", exit_code=78, detail="unknown setting")
    assert not of(StartProgram, house.wait(700))
    assert of(StartProgram, house.hear(SettingsChanged()))


def test_changed_settings_start_nobody_who_left_for_another_reason() -> None:
    house = House()
    house.run()
    house.see("EXITED", "RUNNING", exit_code=0)
    assert not of(StartProgram, house.hear(SettingsChanged()))


def test_a_silent_process_is_told_to_dump_then_killed() -> None:
    house = House()
    house.run()
    house.beat()
    signals = of(SignalProgram, house.wait(5))
    assert [(s.signal, s.pid) for s in signals][:2] == [("ABRT", house.pid), ("KILL", house.pid)]


def test_a_process_that_speaks_again_is_left_alone() -> None:
    house = House()
    house.run()
    house.beat()
    assert [s.signal for s in of(SignalProgram, house.wait(3))] == ["ABRT"]
    house.beat()
    assert not of(SignalProgram, house.wait(2))


def test_a_process_that_starts_is_given_its_deadline() -> None:
    house = House()
    house.run()
    house.beat("STARTING")
    assert not of(SignalProgram, house.wait(59))
    assert of(SignalProgram, house.wait(2))


def test_a_process_that_never_spoke_is_ended_after_the_deadline() -> None:
    house = House()
    house.run()
    assert not of(SignalProgram, house.wait(59))
    assert of(SignalProgram, house.wait(2))


@pytest.mark.parametrize("wakes", ["late", "gap"])
def test_after_a_sleep_of_the_machine_nobody_is_killed(wakes: str) -> None:
    house = House()
    house.run()
    house.beat()
    house.now_s += 3600
    if wakes == "gap":
        house.hear(TimeGap(jump_ms=3_600_000))
    assert not of(SignalProgram, house.hear(Timer(name="check", at_ns=0)))


def test_the_memory_outlives_the_warden() -> None:
    house = House()
    house.run()
    house.loop()
    memory = of(Remember, house.see("STOPPED", "STOPPING"))[-1].memory
    again = House()
    again.hear(
        Inventory(
            programs=(ProcessSeen(program="ingest", state="STOPPED", before=""),), memory=memory
        )
    )
    assert again.counter("crash_loop") == 1
    assert again.counter("restarts") == 5
    assert of(StartProgram, again.wait(31))


def test_a_loop_that_was_being_broken_is_broken_by_the_next_warden() -> None:
    house = House()
    house.run()
    for _ in range(4):
        house.crash()
        house.run("EXITED")
    memory = of(Remember, house.crash())[-1].memory
    seen = ProcessSeen(program="ingest", state="RUNNING", before="", pid=5)
    assert of(StopProgram, House().hear(Inventory(programs=(seen,), memory=memory)))


@pytest.mark.parametrize("memory", [b"", b"{", b"[]", b'{"ingest": 5}', b"\xff"])
def test_a_damaged_memory_is_no_memory(memory: bytes) -> None:
    house = House()
    house.hear(Inventory(programs=(), memory=memory))
    assert house.warden.counters() == ()


def test_what_had_refused_before_the_warden_came_is_known() -> None:
    house = House()
    seen = ProcessSeen(program="ingest", state="EXITED", before="", exit_code=78)
    house.hear(Inventory(programs=(seen,), memory=b"{}"))
    assert of(StartProgram, house.hear(SettingsChanged()))


def test_the_warden_does_not_stop_itself() -> None:
    house = House()
    for _ in range(20):
        house.hear(ProcessSeen(program="warden", state="EXITED", before="RUNNING", expected=False))
        outs = house.hear(ProcessSeen(program="warden", state="STARTING", before="EXITED"))
        assert not of(StopProgram, outs)
    assert dict(house.warden.counters())["restarts.warden"] == 20


def test_every_change_is_said() -> None:
    outs = House().see("RUNNING", "STARTING", pid=5)
    assert [(said.state, said.pid) for said in of(ProcessState, outs)] == [("RUNNING", 5)]


def test_an_unknown_command_is_refused() -> None:
    outs = House().hear(Command(request_id="1", verb="dance", args=(), by="me"))
    assert [done.ok for done in of(CommandDone, outs)] == [False]


def test_after_the_clock_was_set_back_the_next_check_is_soon() -> None:
    house = House()
    house.now_s -= 3600
    (wake,) = of(Wake, house.hear(TimeGap(jump_ms=-3_600_000)))
    assert wake.at_ns == int((house.now_s + 0.5) * SECOND * SCALE)
