"""What the writers' own counters tell of backups, archives and logs."""

from typing import Any

import pytest

from schema.house import Heartbeat
from services.monitor.shards import Keeping, of_shards
from tests.services.test_monitor import beat

KEEPING = Keeping(backup_every_h=24, wal_alarm_mib=256)
HOUR_S = 3600


def names(service: str = "writer_trading", **counters: int) -> list[str]:
    heartbeat: Heartbeat = beat(service, counters=tuple(counters.items()))
    return [found.name for found in of_shards([heartbeat], KEEPING)]


@pytest.mark.parametrize(
    ("counters", "expected"),
    [
        ({"backup_age_s": 48 * HOUR_S}, []),
        ({"backup_age_s": 48 * HOUR_S + 1}, ["BackupOld"]),
        ({"backup_age_s": -1}, ["BackupOld"]),
        ({"backup_failures": 2}, ["BackupFailed"]),
        ({"backup_same_volume": 1}, ["BackupSameVolume"]),
        ({"wal_bytes": (256 << 20) - 1}, []),
        ({"wal_bytes": 256 << 20}, ["WalPinned"]),
        ({"archive_failures": 1}, ["ArchiveFailed"]),
        ({"paused": 1}, ["WriterPaused"]),
        ({}, []),
    ],
)
def test_each_counter_has_its_alert(counters: dict[str, Any], expected: list[str]) -> None:
    assert names(**counters) == expected


def test_only_writers_are_asked_for_their_shards() -> None:
    assert names("ingest", backup_age_s=-1, paused=1) == []


def test_who_wants_no_backups_is_not_told_that_there_are_none() -> None:
    heartbeat = beat("writer_market", counters=(("backup_age_s", -1),))
    assert of_shards([heartbeat], Keeping()) == []


def test_the_same_drive_is_worth_knowing_and_no_warning() -> None:
    heartbeat = beat("writer_market", counters=(("backup_same_volume", 1),))
    assert [found.severity for found in of_shards([heartbeat], KEEPING)] == ["info"]
