"""Putting segments away: killed, without room, over damage, beside readers, and after a cut."""

import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.archive import archive_of, archive_path, bases, packed_bases, plain_bases, segment_path
from bus.audit import audit
from bus.keeper import carry_out, clear_drafts, kept, put_away, seal_of
from bus.repair import DamageError
from bus.retention import Limits, Plan, plan
from schema.streams import Stream
from schema.units import DAY_NS
from tests.bus.rigs import A, B, C, DiskRig, said
from tests.bus.test_archive import archive, days, heard

LIMITS = Limits(archive_after_ns=0, plain_bytes=0, cap_bytes=1 << 60)


@pytest.fixture
def rig(tmp_path: Path) -> DiskRig:
    return days(DiskRig(tmp_path / "journal"), 6)


def steps(rig: DiskRig, count: int) -> Iterator[str]:
    """Do so many steps of putting the first segment away, and then no more."""
    doing = put_away(rig.folder, bases(rig.folder)[0], rig.stream)
    for _ in range(count):
        next(doing, None)
    return doing


def tend(rig: DiskRig) -> Plan:
    """Look after a stream as its owner does."""
    clear_drafts(rig.folder)
    planned = plan(rig.stream, kept(rig.folder, rig.stream), {}, rig.clock.now_ns, LIMITS)
    assert carry_out(rig.folder, rig.stream, planned, lambda: False).failure == ""
    return planned


def test_killed_between_any_two_steps_everything_is_there_and_the_next_look_ends_it(
    tmp_path: Path,
) -> None:
    once = days(DiskRig(tmp_path / "once" / "journal"), 2)
    seen = list(put_away(once.folder, bases(once.folder)[0], B))
    assert seen == ["compressed", "written", "compared", "proven", "named", "certain", "removed"]
    for count in range(len(seen) + 2):
        rig = days(DiskRig(tmp_path / str(count) / "journal"), 3)
        expected, base = heard(rig), bases(rig.folder)[0]
        killed = steps(rig, count)
        assert segment_path(rig.folder, base).exists() or archive_path(rig.folder, base).exists()
        assert heard(rig) == expected
        tend(rig)
        assert (plain_bases(rig.folder), packed_bases(rig.folder)) == (
            bases(rig.folder)[-1:],
            bases(rig.folder)[:-1],
        )
        assert heard(rig) == expected
        assert audit(rig.folder, B).problems == []
        assert not list(archive_of(rig.folder).glob("*.tmp"))
        del killed


def test_a_start_in_the_middle_takes_nothing_away(rig: DiskRig) -> None:
    expected = heard(rig)
    killed = steps(rig, 3)
    rig.start().append([said(99)])
    assert heard(rig)[: len(expected)] == expected
    tend(rig)
    assert heard(rig)[: len(expected)] == expected
    assert audit(rig.folder, B).problems == []
    del killed


def test_a_power_cut_while_segments_are_put_away_loses_only_what_was_not_synced(
    tmp_path: Path,
) -> None:
    for count in range(9):
        rng = random.Random(count)
        rig = days(DiskRig(tmp_path / str(count) / "journal"), 3)
        rig.note_sync()
        synced = heard(rig)
        rig.start().append([said(99)])
        killed = steps(rig, count)
        for draft in archive_of(rig.folder).glob("*.tmp"):
            draft.write_bytes(rng.randbytes(rng.choice((0, 9, 900))))  # It was never synced.
        rig.cut_power(rng)
        rig.start()
        tend(rig)
        assert heard(rig)[: len(synced)] == synced
        assert audit(rig.folder, B).problems == []
        del killed


def test_the_newest_segment_and_one_without_its_end_are_left_alone(rig: DiskRig) -> None:
    newest = bases(rig.folder)[-1]
    assert seal_of(segment_path(rig.folder, newest), B) is None
    with pytest.raises(DamageError, match="expected the mark of its end"):
        next(put_away(rig.folder, newest, B))
    tend(rig)
    assert plain_bases(rig.folder) == [newest]


@pytest.mark.parametrize("stream", [A, B, C], ids=["A", "B", "C"])
def test_a_rotten_segment_is_not_archived_and_the_others_are(
    tmp_path: Path, stream: Stream
) -> None:
    rig = days(DiskRig(tmp_path / "journal", stream), 5)
    path = segment_path(rig.folder, bases(rig.folder)[1])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    planned = Plan(archive=tuple(bases(rig.folder)[:-1]))
    done = carry_out(rig.folder, rig.stream, planned, lambda: False)
    assert str(path) in done.failure
    assert done.archived == 3
    assert path.read_bytes() == data
    assert not list(archive_of(rig.folder).glob("*.tmp"))


def test_what_already_lies_in_the_archive_is_not_trusted_but_made_again(rig: DiskRig) -> None:
    expected, base = heard(rig), bases(rig.folder)[0]
    path = archive_path(rig.folder, base)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half of a file, from a copy that was cut short")
    tend(rig)
    assert heard(rig) == expected


def test_an_archive_that_cannot_be_written_is_told_and_the_segment_stays(rig: DiskRig) -> None:
    expected = heard(rig)
    archive_of(rig.folder).parent.parent.mkdir()
    archive_of(rig.folder).parent.write_text("a file where a folder should be")
    planned = Plan(archive=(bases(rig.folder)[0],))
    done = carry_out(rig.folder, B, planned, lambda: False)
    assert str(archive_of(rig.folder)) in done.failure
    assert heard(rig) == expected


def test_a_full_disk_stops_the_archiving_and_nothing_else(tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "journal")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot be written" in child.stdout
    rig = DiskRig(tmp_path / "journal")
    assert packed_bases(rig.folder) == []
    assert not list(archive_of(rig.folder).glob("*.tmp"))
    assert audit(rig.folder, B).problems == []
    tend(rig)
    assert audit(rig.folder, B).problems == []
    assert len(packed_bases(rig.folder)) == 1


def test_deleted_is_deleted_at_both_places_and_the_rest_has_no_hole(rig: DiskRig) -> None:
    every = bases(rig.folder)
    archive(rig, 0, 1)
    killed = steps(rig, 0)
    done = carry_out(rig.folder, B, Plan(delete=(every[0], every[1], every[2])), lambda: False)
    assert (done.deleted, done.failure) == (3, "")
    assert bases(rig.folder) == every[3:]
    assert audit(rig.folder, B).problems == []
    assert rig.journals.reader(B).first() == every[3]
    del killed


def test_whoever_is_told_to_stop_deletes_no_more(rig: DiskRig) -> None:
    every = bases(rig.folder)
    done = carry_out(rig.folder, B, Plan(delete=tuple(every[:3])), lambda: True)
    assert (done.deleted, done.failure) == (1, "")
    assert bases(rig.folder) == every[1:]


def test_two_readers_hear_everything_while_segments_are_put_away(tmp_path: Path) -> None:
    rig = days(DiskRig(tmp_path / "journal", A), 40)
    expected = heard(rig)
    found: list[list[int]] = []

    def listen() -> None:
        found.extend(heard(rig, 1) for _ in range(8))

    readers = [threading.Thread(target=listen) for _ in range(2)]
    for one in readers:
        one.start()
    tend(rig)
    for one in readers:
        one.join(60)
    assert len(found) == 16
    assert all(one == expected for one in found)


def test_a_late_joiner_of_an_archived_stream_gets_all_of_it(rig: DiskRig) -> None:
    tend(rig)
    expected = heard(rig)
    writer = rig.start()
    writer.append([said(7)])
    assert heard(rig)[: len(expected)] == expected
    assert heard(rig)[-1] == 7


def test_to_stop_in_the_middle_leaves_no_half_of_a_file(rig: DiskRig) -> None:
    asked = iter([False, False, True])
    done = carry_out(
        rig.folder, B, Plan(archive=tuple(bases(rig.folder)[:-1])), lambda: next(asked)
    )
    assert done.archived == 0
    assert list(archive_of(rig.folder).iterdir()) == []


def test_a_folder_that_is_gone_is_an_empty_stream(tmp_path: Path) -> None:
    assert kept(tmp_path / "journal" / "ingest" / "bar", B) == []
    clear_drafts(tmp_path / "journal" / "ingest" / "bar")


@pytest.mark.slow
def test_killed_for_real_at_any_moment_nothing_is_lost(tmp_path: Path) -> None:
    rng = random.Random(5)
    rig = DiskRig(tmp_path / "journal")
    writer = rig.start()
    for day in range(12):
        for n in range(40):
            writer.append([said(1000 * day + n)] * 200)
        rig.clock.advance(DAY_NS)
    expected = heard(rig)
    for _ in range(25):
        child = subprocess.Popen(
            [sys.executable, "-c", AWAY, str(tmp_path / "journal")], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        assert os.read(child.stdout.fileno(), 1) == b"x"
        threading.Event().wait(rng.uniform(0, 0.08))
        child.kill()
        child.wait()
        child.stdout.close()
        assert heard(rig) == expected
        assert audit(rig.folder, B).problems == []
    tend(rig)
    assert heard(rig) == expected
    assert len(packed_bases(rig.folder)) == len(bases(rig.folder)) - 1


FULL = """
import resource, sys
from pathlib import Path
from bus.archive import bases
from bus.keeper import carry_out
from bus.retention import Plan
from tests.bus.rigs import DiskRig, B, said
from schema.frame import Kind
from schema.units import DAY_NS
import random
rig = DiskRig(Path(sys.argv[1]))
writer = rig.start()
writer.append_body(Kind.SNAPSHOT, random.Random(1).randbytes(400_000), 1)
rig.clock.advance(DAY_NS)
writer.append([said(1)])
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
print(carry_out(rig.folder, B, Plan(archive=(bases(rig.folder)[0],)), lambda: False).failure)
writer.append([said(2)])
"""

AWAY = """
import os, sys
from pathlib import Path
from tests.bus.rigs import DiskRig
from schema.units import DAY_NS
from tests.bus.test_keeper import tend
rig = DiskRig(Path(sys.argv[1]))
rig.clock.advance(12 * DAY_NS)
os.write(1, b"x")
tend(rig)
"""
