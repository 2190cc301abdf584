"""Backups: each is proven by a restore, and whatever goes wrong costs neither shard nor backup."""

import hashlib
from pathlib import Path

import apsw
import msgspec
import pytest

from bus.clock import SystemClock
from bus.errors import BusyError, ShardError
from bus.lease import Lease
from schema import orders
from schema.units import DAY_NS, SECOND_NS
from services.writer.backup import run
from services.writer.backup_manifest import BackupError
from services.writer.backup_places import FOLDERS
from services.writer.backup_seen import BackupDuty, read_seen
from services.writer.backup_taking import Taking
from tests.services.writer.backup_desk import (
    START_NS,
    Killed,
    Shelter,
    contents_of,
    dying_at,
    quiet,
)


def test_a_backup_holds_what_the_shard_held_and_stands_in_all_three_folders(
    shelter: Shelter,
) -> None:
    manifest = shelter.made()
    assert [folder for folder, _ in shelter.manifests()] == list(FOLDERS)
    assert manifest.contents == contents_of(shelter.file)
    assert manifest.contents["trade_execution_log"].rows == 20
    assert manifest.positions["gateway.order"] == 198
    assert manifest.name.text == "analytics@20261130T030000Z"
    assert manifest.verified_at.startswith("2026-11-30T03:00:00")
    packed = shelter.place.packed("daily", manifest.name)
    assert hashlib.sha256(packed.read_bytes()).hexdigest() == manifest.sha256
    assert packed.stat().st_nlink == 3
    assert packed.stat().st_mode & 0o077 == 0
    assert shelter.left() == []


def test_two_within_a_second_have_two_names_and_the_newer_one_is_the_days(
    shelter: Shelter,
) -> None:
    first = shelter.back_up().made[0]
    second = shelter.back_up().made[0]
    assert second.name > first.name
    assert shelter.place.names("daily") == [second.name]
    assert shelter.place.names("weekly") == [first.name]


def test_the_last_link_of_the_audit_is_told(tmp_path: Path) -> None:
    shelter = Shelter(tmp_path, "trading")
    shelter.say(1)
    assert shelter.made().audit_head == ""
    stop = orders.KillLevel(ts_event=1, level="HALTED", by="me", reason="why")
    shelter.desk.say(stop, 900, 900)
    assert len(shelter.made().audit_head) == 64
    shelter.desk.store.close()


def test_a_file_that_was_backed_up_lately_is_not_due(shelter: Shelter) -> None:
    shelter.made()
    assert shelter.back_up(older_s=3600).made == []
    shelter.clock.advance(3600 * SECOND_NS)
    assert len(shelter.back_up(older_s=3600).made) == 1


def test_a_second_backup_at_the_same_time_is_refused_and_is_no_failure(shelter: Shelter) -> None:
    shelter.made()
    lease = Lease(shelter.place.root / "backup_analytics.lease")
    assert lease.take()
    with pytest.raises(BusyError, match="under way"):
        shelter.back_up()
    asked = {"order": msgspec.json.encode(shelter.order).decode()}
    assert run(asked, quiet).startswith("nothing: another backup")
    lease.release()
    assert "analytics@" in run(asked, quiet)


STEPS = 8
"""Of one backup, from the snapshot to its place."""


@pytest.mark.parametrize("step", range(STEPS + 1))
def test_a_death_at_any_step_costs_no_backup_and_leaves_nothing(
    shelter: Shelter, step: int
) -> None:
    before = shelter.made()
    shelter.say(5)
    shelter.clock.advance(DAY_NS)
    place, clock = shelter.place, shelter.clock
    taking = Taking(shelter.order, place, shelter.file, clock, quiet, dying_at(step))
    try:
        taking.run()
    except Killed:
        died = True
    else:
        died = False
    standing = [manifest.name for folder, manifest in shelter.manifests() if folder == "daily"]
    assert before.name in standing
    shelter.clock.advance(DAY_NS)
    again = shelter.made()
    names = shelter.place.names("daily")
    assert {before.name, again.name} <= set(names)
    assert again.contents["trade_execution_log"].rows == 25
    assert shelter.left() == []
    assert len(list(shelter.manifests())) >= 4
    assert died == (step < STEPS), "the number of steps has changed"


def test_a_target_that_is_not_plugged_in_is_not_made(tmp_path: Path) -> None:
    shelter = Shelter(tmp_path, target=str(tmp_path / "drive"))
    shelter.say(1)
    with pytest.raises(BackupError, match="is not there: expected a directory"):
        shelter.back_up()
    assert not (tmp_path / "drive").exists()
    (tmp_path / "drive").mkdir()
    shelter.made()
    assert (tmp_path / "drive" / "w" / "daily").is_dir()
    seen = read_seen(shelter.world_dir, "analytics")
    shelter.place.root.parent.rename(tmp_path / "away")
    with pytest.raises(BackupError, match="plug"):
        shelter.back_up()
    assert read_seen(shelter.world_dir, "analytics") == seen  # It is as old as it was.
    shelter.desk.store.close()


def test_a_target_that_is_no_directory_is_told(tmp_path: Path) -> None:
    shelter = Shelter(tmp_path, target=str(tmp_path / "drive"))
    (tmp_path / "drive").write_text("a file")
    with pytest.raises(BackupError, match="drive is not there"):
        shelter.back_up()
    shelter.desk.store.close()


def test_a_backup_never_fills_the_drive_of_the_shards(shelter: Shelter) -> None:
    (error,) = shelter.back_up(spare_bytes=1 << 60).failures
    assert "that stay free" in str(error)
    assert list(shelter.manifests()) == []
    assert shelter.left() == []


def test_a_flipped_bit_in_a_shard_is_found_and_its_last_backup_stays(shelter: Shelter) -> None:
    before = shelter.made()
    shelter.desk.store.close()
    data = bytearray(shelter.file.read_bytes())
    at = data.rindex(b"threshold")
    data[at] ^= 1
    shelter.file.write_bytes(data)
    (error,) = shelter.back_up().failures
    assert isinstance(error, ShardError)
    assert "does not match its checksum" in str(error)
    assert shelter.place.names("daily") == [before.name]
    assert shelter.left() == []


def test_a_foreign_file_one_of_another_world_and_one_from_the_future_are_refused(
    shelter: Shelter,
) -> None:
    assert "belongs to world w" in str(shelter.back_up(world="other").failures[0])
    shelter.desk.store.close()
    future = apsw.Connection(str(shelter.file))
    future.pragma("user_version", 99)
    assert "newer code" in str(shelter.back_up().failures[0])
    future.pragma("application_id", 7)
    assert "is no analytics shard" in str(shelter.back_up().failures[0])
    future.close()
    shelter.file.write_bytes(b"mine" * 4096)
    assert shelter.back_up().failures
    assert list(shelter.manifests()) == []


def test_one_from_while_the_clock_was_wrong_neither_counts_nor_costs_another(
    shelter: Shelter,
) -> None:
    shelter.clock.advance(1000 * DAY_NS)
    wrong = shelter.made()
    shelter.clock.now_ns = START_NS
    right = shelter.back_up(older_s=3600, keep=(1, 1, 1)).made[0]
    assert [folder for folder, made in shelter.manifests() if made.name == right.name] == [*FOLDERS]
    assert wrong.name in shelter.place.names("daily")
    assert read_seen(shelter.world_dir, "analytics").newest_ns["analytics"] == START_NS
    duty = BackupDuty(shelter.order, 24, shelter.clock)
    assert duty.counters()[0] == ("backup_age_s", 0)


def test_the_backups_of_another_house_are_not_mixed_with_ours(tmp_path: Path) -> None:
    (tmp_path / "drive").mkdir()
    shelters = [Shelter(tmp_path / name, target=str(tmp_path / "drive")) for name in "ab"]
    shelters[0].say(1)
    shelters[0].made()
    shelters[1].say(1)
    with pytest.raises(BackupError, match="has the backups of") as told:
        shelters[1].made()
    assert "another `backup.target`" in told.value.hint
    for shelter in shelters:
        shelter.desk.store.close()


def test_the_note_tells_the_writer_what_there_is(shelter: Shelter) -> None:
    manifest = shelter.made()
    seen = read_seen(shelter.world_dir, "analytics")
    assert seen.newest_ns == {"analytics": manifest.name.wall_ns}
    assert seen.same_volume


def test_a_shard_that_is_larger_than_any_cache_keeps_its_checksums(shelter: Shelter) -> None:
    with shelter.desk.store.shards()[0].transaction() as db:  # type: ignore[index] # it is a list
        db.execute("INSERT INTO dead_letter VALUES (NULL, 1, 't', 'r', randomblob(6000000))")
    manifest = shelter.made()
    assert manifest.bytes > 6_000_000


def test_work_that_nobody_wants_any_more_ends_within_a_statement(shelter: Shelter) -> None:
    shelter.say(300)
    calls = []

    def tell(share: float) -> None:
        calls.append(share)
        if len(calls) > 3:
            raise SystemExit(70)

    with pytest.raises(SystemExit):
        Taking(shelter.order, shelter.place, shelter.file, SystemClock(), tell).run()
    assert shelter.made().contents["trade_execution_log"].rows == 320
    assert shelter.left() == []
