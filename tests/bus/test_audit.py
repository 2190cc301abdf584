"""The audit of a journal: silent about a sound one, and never silent about another."""

from pathlib import Path

import pytest

from bus.audit import audit
from bus.segments import bases, segment_path
from schema.frame import HEADER_BYTES, position, unpack
from tests.bus.rigs import B, DiskRig, said


@pytest.fixture
def rig(tmp_path: Path) -> DiskRig:
    rig = DiskRig(tmp_path / "a journal")
    for _ in range(3):
        writer = rig.start()
        for n in range(4):
            writer.append([said(n), said(n)])
        rig.clock.advance(86_400 * 10**9)
        writer.append([said(5)])
        writer._release()
    return rig


def test_a_sound_journal_has_no_problems_and_is_counted(rig: DiskRig) -> None:
    found = audit(rig.folder, B)
    assert found.problems == []
    assert (found.segments, found.epochs, found.records, found.messages) == (6, 3, 18, 30)
    assert (found.first, found.last) == (position(1, 0), position(3, 9))
    assert found.size == sum(path.stat().st_size for path in rig.folder.glob("*.seg"))


def test_nothing_is_nothing(tmp_path: Path) -> None:
    assert audit(tmp_path / "nowhere", B).segments == 0


def test_a_tail_that_is_being_written_is_no_problem(rig: DiskRig) -> None:
    with rig.newest().open("ab") as file:
        file.write(b"half a record")
    found = audit(rig.folder, B)
    assert (found.problems, found.torn_bytes) == ([], 13)


def test_every_damaged_byte_is_found(rig: DiskRig) -> None:
    path = segment_path(rig.folder, bases(rig.folder)[2])
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        assert audit(rig.folder, B).problems, f"byte {at}"


def test_a_record_taken_out_cleanly_is_found_by_position_and_by_hash(rig: DiskRig) -> None:
    path = segment_path(rig.folder, bases(rig.folder)[2])
    data = path.read_bytes()
    offsets = [0]
    for _ in range(3):
        offsets.append(offsets[-1] + HEADER_BYTES + len(unpack(data, offsets[-1]).body))
    path.write_bytes(data[: offsets[2]] + data[offsets[3] :])
    problems = " ".join(audit(rig.folder, B).problems)
    assert "are missing" in problems
    assert "hash" in problems


def test_a_segment_taken_out_is_found(rig: DiskRig) -> None:
    segment_path(rig.folder, bases(rig.folder)[2]).unlink()
    problems = " ".join(audit(rig.folder, B).problems)
    assert "are missing" in problems
    assert "another segment" in problems


def test_what_retention_took_from_the_front_is_no_problem(rig: DiskRig) -> None:
    segment_path(rig.folder, bases(rig.folder)[0]).unlink()
    assert audit(rig.folder, B).problems == []


def test_a_tail_that_a_power_cut_took_is_counted_and_no_problem(rig: DiskRig) -> None:
    path = rig.newest()
    path.write_bytes(path.read_bytes()[:-20])
    rig.start()
    found = audit(rig.folder, B)
    assert found.problems == []
    assert found.last == position(4, 0)


def test_a_record_that_comes_twice_is_found(rig: DiskRig) -> None:
    path = rig.newest()
    data = path.read_bytes()
    first = HEADER_BYTES + len(unpack(data, 0).body)
    path.write_bytes(data + data[first:])
    assert "comes again" in " ".join(audit(rig.folder, B).problems)
