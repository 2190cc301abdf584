"""When a backup is due, who makes it, and archives, which are copied as they are."""

import hashlib
import os
import random
from pathlib import Path

import msgspec
import pytest

from bus.clock import SystemClock
from bus.house import open_house
from schema.units import DAY_NS, SECOND_NS
from services.writer.backup import run
from services.writer.backup_archives import copy_archives
from services.writer.backup_manifest import DamagedError
from services.writer.backup_orders import order_of
from services.writer.backup_seen import (
    LOOK_NS,
    SETTLE_NS,
    BackupDuty,
    Seen,
    note_path,
    read_seen,
    write_seen,
)
from services.writer.ballast import SHARE
from services.writer.jobs import Bounds, Finished, Job, Jobs, Running
from tests.services.bare import bare_house
from tests.services.writer.backup_desk import START_NS, Shelter, quiet


def test_a_backup_is_due_soon_after_a_start_and_when_the_last_one_is_old(shelter: Shelter) -> None:
    duty = BackupDuty(shelter.order, 24, shelter.clock)
    assert duty.counters() == (("backup_age_s", -1), ("backup_same_volume", 0))
    assert duty() is None
    shelter.clock.advance(SETTLE_NS)
    job = duty()
    assert job is not None
    assert duty() is None
    run(job.args, quiet)
    write_seen(shelter.world_dir, "analytics", Seen({"analytics": START_NS}, same_volume=True))
    shelter.clock.advance(SETTLE_NS)
    assert duty() is None
    assert duty.counters() == (("backup_age_s", 60), ("backup_same_volume", 1))
    shelter.clock.advance(LOOK_NS)
    assert duty() is not None  # The drive may have been changed for another one.
    shelter.clock.advance(DAY_NS - LOOK_NS)
    assert duty() is not None
    assert duty.counters()[0] == ("backup_age_s", 24 * 3600 + 60)


def test_what_was_due_is_settled_once_a_person_did_it(shelter: Shelter) -> None:
    shelter.made()
    duty = BackupDuty(shelter.order, 24, shelter.clock)
    shelter.clock.advance(DAY_NS)
    assert duty() is not None
    assert not duty.settled()
    shelter.clock.advance(SECOND_NS)
    shelter.made()
    assert duty.settled()


def test_a_note_that_could_not_be_written_leaves_no_draft(shelter: Shelter) -> None:
    note = note_path(shelter.world_dir, "analytics")
    note.mkdir(parents=True)  # In the way of the replacement.
    (note.parent / "seen_analytics.1.tmp").write_text("of one that was killed")
    write_seen(shelter.world_dir, "analytics", Seen({"analytics": START_NS}))
    assert [path.name for path in note.parent.iterdir()] == [note.name]
    assert read_seen(shelter.world_dir, "analytics") == Seen()


def test_what_stays_free_beside_the_shards_is_a_tenth_of_a_small_volume() -> None:
    with bare_house() as made:
        house = open_house(made.root, {"RRR_WRITER__PAUSE_FREE_MIB": str(1 << 30)})
        found = os.statvfs(made.root)
        order = order_of(house, "trading", SystemClock())
        assert order.spare_bytes == found.f_blocks * found.f_frsize // SHARE


def test_without_a_rhythm_nothing_is_ever_due_and_nobody_is_told(shelter: Shelter) -> None:
    duty = BackupDuty(shelter.order, 0, shelter.clock)
    shelter.clock.advance(10 * DAY_NS)
    assert duty() is None
    assert duty.counters()[1] == ("backup_same_volume", 0)


def archive(directory: Path, month: str, body: bytes) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"market_data_{month}.arc.db").write_bytes(body)
    sealed = {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body), "made_ns": START_NS}
    (directory / f"market_data_{month}.json").write_bytes(msgspec.json.encode(sealed))


def test_an_archive_is_copied_once_and_again_when_it_was_made_anew(shelter: Shelter) -> None:
    shelter.made()
    directory = shelter.world_dir / "archive" / "market"
    archive(directory, "2026_01", b"one" * 1000)
    (made,) = copy_archives(shelter.place, "analytics", directory, 0, quiet)
    assert made.read_bytes() == b"one" * 1000
    assert copy_archives(shelter.place, "analytics", directory, 0, quiet) == []
    archive(directory, "2026_01", b"two" * 1000)
    (made,) = copy_archives(shelter.place, "analytics", directory, 0, quiet)
    assert made.read_bytes() == b"two" * 1000


def test_an_archive_that_is_not_what_it_was_is_not_copied(shelter: Shelter) -> None:
    shelter.made()
    directory = shelter.world_dir / "archive" / "market"
    archive(directory, "2026_01", b"one" * 1000)
    (directory / "market_data_2026_01.arc.db").write_bytes(b"on3" * 1000)
    with pytest.raises(DamagedError, match="sha256"):
        copy_archives(shelter.place, "analytics", directory, 0, quiet)
    assert list(shelter.place.archive().iterdir()) == []


def test_the_child_of_a_writer_backs_up_and_its_counters_know_it(shelter: Shelter) -> None:
    duty = BackupDuty(shelter.order, 24, shelter.clock)
    jobs = Jobs([duty], shelter.clock, duty.counters)
    shelter.clock.advance(SETTLE_NS + LOOK_NS)
    done = ended(jobs)
    assert done.ok
    assert done.text.startswith("backed up and proven: analytics@")
    assert list(shelter.manifests())
    shelter.clock.advance(SETTLE_NS)
    assert jobs.tend() is None
    told = dict(jobs.counters())
    assert (told["jobs_done"], told["backup_failures"]) == (1, 0)
    assert told["backup_age_s"] >= 0
    jobs.close()


@pytest.mark.slow
def test_a_child_that_is_killed_at_any_moment_costs_no_backup(shelter: Shelter) -> None:
    shelter.say(300)
    before = shelter.made()
    chance = random.Random(7)
    clock = SystemClock()
    asked = Job("backup", {"order": msgspec.json.encode(shelter.order).decode()})
    for _ in range(25):
        running = Running(asked, clock.mono_ns(), Bounds())
        clock.pause_ms(chance.randint(60, 260))
        running.kill()
        names = {manifest.name for _, manifest in shelter.manifests()}
        assert before.name in names
    outcome = shelter.back_up(clock)
    assert outcome.failures == []
    assert shelter.left() == []
    assert list(shelter.manifests())


def ended(jobs: Jobs) -> Finished:
    clock = SystemClock()
    deadline_ns = clock.mono_ns() + 30 * SECOND_NS
    while (done := jobs.tend()) is None:
        assert clock.mono_ns() < deadline_ns
        clock.pause_ms(5)
    return done
