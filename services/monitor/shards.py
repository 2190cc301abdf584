"""What is wrong with the shards, as their writers' own counters tell it.

Names are headings of docs/runbook.md.
"""

from collections.abc import Iterable, Mapping

import msgspec

from schema.house import Heartbeat
from services.monitor.conditions import Condition

WRITER = "writer_"
HOUR_S = 3600
MIB = 1 << 20
OLD_TIMES = 2
"""A backup that was due for as long again as it takes to be due is old."""


class Keeping(msgspec.Struct, frozen=True):
    """What the settings expect of the shards; 0: nothing."""

    backup_every_h: int = 0
    wal_alarm_mib: int = 0


def of_shards(heartbeats: Iterable[Heartbeat], keeping: Keeping) -> list[Condition]:
    """Return what is wrong with backups, archives and logs of the shards."""
    found = []
    for heartbeat in heartbeats:
        if heartbeat.service.startswith(WRITER):
            counters = dict(heartbeat.counters)
            found += _of_backup(heartbeat.service, counters, keeping.backup_every_h)
            found += _of_file(heartbeat.service, counters, keeping.wal_alarm_mib)
    return found


def _of_backup(service: str, counters: Mapping[str, int], every_h: int) -> list[Condition]:
    found = []
    age_s = counters.get("backup_age_s", 0)
    if every_h and (age_s < 0 or age_s > OLD_TIMES * every_h * HOUR_S):
        taken = "there is none" if age_s < 0 else f"the last one is {age_s // HOUR_S} h old"
        summary = f"no proven backup of {service}'s shard is young enough: {taken}"
        found.append(Condition("BackupOld", service, "warning", summary))
    if failed := counters.get("backup_failures", 0):
        summary = f"{failed} backups in a row failed; `rrr status` says why, beside {service}"
        found.append(Condition("BackupFailed", service, "warning", summary))
    if counters.get("backup_same_volume", 0):
        summary = "the backups are on the drive that the shards are on; set `backup.target`"
        found.append(Condition("BackupSameVolume", "house", "info", summary))
    return found


def _of_file(service: str, counters: Mapping[str, int], wal_alarm_mib: int) -> list[Condition]:
    found = []
    wal_mib = counters.get("wal_bytes", 0) // MIB
    if wal_alarm_mib and wal_mib >= wal_alarm_mib:
        summary = f"a reader holds back {wal_mib} MiB of {service}'s write-ahead log"
        found.append(Condition("WalPinned", service, "warning", summary))
    if failed := counters.get("archive_failures", 0):
        summary = f"a closed month was not archived, {failed} times in a row; its rows stay"
        found.append(Condition("ArchiveFailed", service, "warning", summary))
    if counters.get("paused", 0):
        summary = f"{service} pauses, `rrr status` says why; the journals keep what is said"
        found.append(Condition("WriterPaused", service, "critical", summary))
    return found
