"""The monitor's alerts: what starts one, how long it must last, what ends it."""

from typing import Any

import pytest

from bus.health import SECOND
from bus.service import Said
from schema.house import (
    Alert,
    Command,
    CommandDone,
    Heartbeat,
    ProcessState,
    Started,
    TimeGap,
    Timer,
)
from schema.settings import MonitorSettings
from services.monitor.conditions import AUDITED, HOLD_S
from services.monitor.core import Monitor
from services.monitor.effects import DiskSeen

SCALE = 10
SETTINGS = MonitorSettings(lag_ms=2000 * SCALE, writer_behind_s=60, disk_free_mib=2048)
SERVICES = ("ingest", "writer_market", "warden")


class House:
    """A monitor and services that beat every half second; times are a person's seconds."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.monitor = Monitor(SERVICES, SETTINGS, SCALE, 0, 60)
        self.beats: dict[str, dict[str, Any]] = {name: {} for name in SERVICES}
        self.hear(Started(epoch=1, grade="fresh"))

    def hear(self, message: Said) -> list[Alert]:
        outs = self.monitor.handle(message, int(self.now_s * SECOND * SCALE))
        alerts = [out for out in outs if isinstance(out, Alert)]
        for alert in alerts:
            self.monitor.apply(alert)
        return alerts

    def wait(self, seconds: float) -> list[tuple[str, str, str]]:
        alerts = []
        for _ in range(int(seconds * 2)):
            self.now_s += 0.5
            for name, fields in self.beats.items():
                self.hear(beat(name, **fields))
            alerts += self.hear(Timer(name="check", at_ns=0))
        return [(alert.name, alert.scope, alert.state) for alert in alerts]


def beat(service: str, **fields: Any) -> Heartbeat:
    base: dict[str, Any] = {
        "ts_event": 0,
        "service": service,
        "state": "READY",
        "reason": "",
        "world": "w",
        "pid": 7,
        "started_ns": 0,
        "turn": 1,
        "last": (),
        "synced": (),
        "cursors": (),
        "contract": "c",
    }
    return Heartbeat(**(base | fields))


def test_a_healthy_house_alarms_nobody() -> None:
    assert House().wait(120) == []


def test_a_dead_service_is_an_alert_until_it_speaks_again() -> None:
    house = House()
    house.wait(6)
    silent = house.beats.pop("ingest")
    assert house.wait(5) == [("ServiceDead", "ingest", "firing")]
    assert house.wait(60) == []
    house.beats["ingest"] = silent
    assert house.wait(1) == [("ServiceDead", "ingest", "resolved")]


def test_a_service_that_a_person_stopped_is_no_alert() -> None:
    house = House()
    house.wait(6)
    del house.beats["ingest"]
    house.hear(ProcessState(ts_event=0, program="ingest", state="STOPPED", before="RUNNING"))
    assert house.wait(60) == []


def test_a_service_that_left_is_an_alert_with_its_last_word() -> None:
    house = House()
    house.wait(6)
    del house.beats["ingest"]
    left = ProcessState(
        ts_event=0, program="ingest", state="EXITED", before="RUNNING", detail="bad setting"
    )
    house.hear(left)
    house.now_s += 0.5
    (alert,) = house.hear(Timer(name="check", at_ns=0))
    assert "bad setting" in alert.summary


@pytest.mark.parametrize(
    ("service", "name"), [("ingest", "FeedStale"), ("writer_market", "ServiceDegraded")]
)
def test_trouble_must_last_before_it_is_an_alert(service: str, name: str) -> None:
    house = House()
    house.wait(6)
    house.beats[service] = {"state": "DEGRADED", "reason": "why"}
    assert house.wait(4) == []
    house.beats[service] = {}
    assert house.wait(4) == []
    house.beats[service] = {"state": "DEGRADED", "reason": "why"}
    assert house.wait(6) == [(name, service, "firing")]
    house.beats[service] = {}
    assert house.wait(1) == [(name, service, "resolved")]


def test_a_slow_loop_is_degraded() -> None:
    house = House()
    house.wait(6)
    house.beats["ingest"] = {"loop_lag_us": 2_000_001}
    assert house.wait(6) == [("ServiceDegraded", "ingest", "firing")]
    house.beats["ingest"] = {"loop_lag_us": 2_000_000}
    assert house.wait(1) == [("ServiceDegraded", "ingest", "resolved")]


def test_a_crash_loop_is_what_the_warden_counts() -> None:
    house = House()
    house.wait(6)
    house.beats["warden"] = {"counters": (("restarts.ingest", 5), ("crash_loop.ingest", 1))}
    assert house.wait(1) == [("CrashLoop", "ingest", "firing")]
    house.beats["warden"] = {"counters": (("restarts.ingest", 5), ("crash_loop.ingest", 0))}
    assert house.wait(1) == [("CrashLoop", "ingest", "resolved")]


def test_a_writer_that_does_not_follow_is_behind() -> None:
    house = House()
    house.beats["ingest"] = {"last": ((4, 10),)}
    house.beats["writer_market"] = {"cursors": ((4, 10),)}
    house.wait(6)
    house.beats["ingest"] = {"last": ((4, 20),)}
    for turn in range(124):  # It works, but it does not get there.
        house.beats["writer_market"] = {"cursors": ((4, 11),), "turn": turn}
        alerts = house.wait(0.5)
        if alerts:
            break
    assert alerts == [("WriterBehind", "writer_market", "firing")]
    assert 120 <= turn <= 123
    house.beats["writer_market"] = {"cursors": ((4, 20),)}
    assert house.wait(1) == [("WriterBehind", "writer_market", "resolved")]


def test_a_writer_that_follows_closely_is_not_behind() -> None:
    house = House()
    for last in range(10, 400):  # Always one behind, and always moving.
        house.beats["ingest"] = {"last": ((4, last),)}
        house.beats["writer_market"] = {"cursors": ((4, last - 1),), "turn": last}
        assert house.wait(0.5) == []
    assert dict(house.monitor.counters())["behind_s.writer_market"] <= 1


def test_a_full_disk_is_an_alert() -> None:
    house = House()
    house.wait(6)
    house.hear(DiskSeen(path="/ssd", free_mib=2047))
    assert house.wait(1) == [("DiskLow", "/ssd", "firing")]
    house.hear(DiskSeen(path="/ssd", free_mib=2048))
    assert house.wait(1) == [("DiskLow", "/ssd", "resolved")]


def test_different_contracts_are_an_alert() -> None:
    house = House()
    house.wait(6)
    house.beats["ingest"] = {"contract": "other"}
    assert house.wait(6) == [("ContractMismatch", "house", "firing")]


def test_alerts_survive_a_restart_and_end_when_their_reason_is_gone() -> None:
    house = House()
    fired = Alert(
        ts_event=0, name="DiskLow", severity="critical", state="firing", scope="/ssd", summary="s"
    )
    house.monitor.apply(fired)
    assert house.wait(4) == []  # Nobody has had the time to speak.
    assert house.wait(2) == [("DiskLow", "/ssd", "resolved")]


def test_after_a_sleep_of_the_machine_nothing_is_alarmed() -> None:
    house = House()
    house.wait(6)
    house.now_s += 3600
    house.hear(TimeGap(jump_ms=3_600_000))
    assert house.wait(20) == []


def test_every_alert_has_a_hold() -> None:
    assert set(HOLD_S) == {
        "ServiceDead",
        "ServiceDegraded",
        "CrashLoop",
        "FeedStale",
        "FeedQuarantine",
        "WriterBehind",
        "DiskLow",
        "ContractMismatch",
        "JournalForced",
        "JournalOverCap",
        "ArchiveFailing",
        "FilesLow",
        "BackupOld",
        "BackupFailed",
        "BackupSameVolume",
        "WalPinned",
        "ArchiveFailed",
        "WriterPaused",
        *AUDITED,
    }


def test_an_unknown_command_is_refused() -> None:
    monitor = Monitor(SERVICES, SETTINGS, SCALE, 0, 60)
    outs = monitor.handle(Command(request_id="1", verb="dance", args=(), by="me"), 0)
    assert [out.ok for out in outs if isinstance(out, CommandDone)] == [False]


@pytest.mark.parametrize(
    ("counter", "name", "after_s"),
    [
        ("retention_forced", "JournalForced", 6),
        ("retention_over", "JournalOverCap", 6),
        ("archive_failed", "ArchiveFailing", 130),
    ],
)
def test_old_segments_that_do_not_go_where_they_should_are_an_alert(
    counter: str, name: str, after_s: int
) -> None:
    house = House()
    house.wait(6)
    house.beats["ingest"] = {"counters": ((counter, 1), ("archived_segments", 3))}
    assert house.wait(after_s) == [(name, "ingest", "firing")]
    house.beats["ingest"] = {"counters": ((counter, 0), ("archived_segments", 3))}
    assert house.wait(2) == [(name, "ingest", "resolved")]


def test_a_service_with_nearly_all_its_files_open_is_an_alert() -> None:
    house = House()
    house.wait(6)
    house.beats["ingest"] = {"counters": (("files_open_pct", 80),)}
    assert house.wait(10) == []
    house.beats["ingest"] = {"counters": (("files_open_pct", 81),)}
    assert house.wait(10) == [("FilesLow", "ingest", "firing")]


def test_a_segment_that_somebody_has_not_read_yet_alarms_nobody() -> None:
    house = House()
    house.beats["ingest"] = {"counters": (("retention_held", 3),)}
    assert house.wait(60) == []
