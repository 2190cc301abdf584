"""Segments in the archive: read as if they were where they were written, or refused by name."""

import random
import re
import shutil
import tempfile
from pathlib import Path

import pytest

from bus.archive import (
    archive_of,
    archive_path,
    bases,
    open_segment,
    packed_bases,
    plain_bases,
    read_head,
    read_segment,
    segment_path,
)
from bus.audit import audit
from bus.errors import JournalError
from bus.keeper import kept, put_away
from bus.repair import DamageError
from schema.frame import Kind, position
from schema.units import DAY_NS
from services.rrr.digging import holding, holding_before, newest_first, position_at
from tests.bus.rigs import NOON_NS, A, B, C, DiskRig, numbers, said


def archive(rig: DiskRig, *which: int) -> list[int]:
    """Put some segments of a rig away; all that are sealed and not the newest, by default."""
    every = bases(rig.folder)
    for base in [every[index] for index in which] or every[:-1]:
        for _ in put_away(rig.folder, base, rig.stream):
            pass
    return every


def days(rig: DiskRig, count: int) -> DiskRig:
    """Write one segment a day, three messages each."""
    writer = rig.start()
    for day in range(count):
        writer.append([said(10 * day + n) for n in range(3)])
        rig.clock.advance(DAY_NS)
    return rig


def heard(rig: DiskRig, stride: int = 1 << 18) -> list[int]:
    """Return what a reader finds from the beginning."""
    reader, found, after = rig.journals.reader(rig.stream), [], 0
    while frames := reader.read(after, stride):
        after = frames[-1].last
        for frame in frames:
            found += numbers(rig.stream, frame.body)
    reader.close()
    return found


@pytest.fixture(params=[A, B, C], ids=["A", "B", "C"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> DiskRig:
    return days(DiskRig(tmp_path / "journal", request.param), 6)


def test_the_archive_lies_beside_the_journal_of_a_world() -> None:
    assert archive_of(Path("/w/journal/ingest/bar")) == Path("/w/archive/ingest/bar")
    assert archive_of(Path("/copies/one/ingest/bar")) == Path("/copies/one/ingest/bar/archive")


def test_archived_and_plain_segments_are_read_as_one_stream(rig: DiskRig) -> None:
    before = [read_segment(rig.folder, base) for base in bases(rig.folder)]
    expected, positions = heard(rig), rig.positions()
    every = archive(rig, 0, 1, 3)
    assert plain_bases(rig.folder) == [every[n] for n in (2, 4, 5)]
    assert packed_bases(rig.folder) == [every[n] for n in (0, 1, 3)]
    assert [read_segment(rig.folder, base) for base in every] == before
    assert heard(rig) == heard(rig, 1) == expected
    assert rig.positions() == positions
    assert audit(rig.folder, rig.stream).problems == []
    assert audit(rig.folder, rig.stream).messages == 1 + 6 * 3


def test_any_position_is_found_in_the_archive_and_the_ends_are_known(rig: DiskRig) -> None:
    archive(rig)
    reader = rig.journals.reader(rig.stream)
    for n in random.Random(3).sample(range(1, 18), 17):
        frame = reader.read(position(1, n) - 1, 1)[0]
        assert frame.pos <= position(1, n) <= frame.last
    assert (reader.first(), reader.last()) == (position(1, 0), position(1, 18))
    assert reader.read(position(1, 18)) == []


def test_a_segment_at_both_places_is_read_as_it_was_written(rig: DiskRig) -> None:
    base = bases(rig.folder)[1]
    path = archive_path(rig.folder, base)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"whatever")
    assert len(heard(rig)) == 1 + 6 * 3
    assert rig.positions() and audit(rig.folder, rig.stream).problems == []


def test_a_start_knows_epochs_and_positions_from_the_archive_alone(rig: DiskRig) -> None:
    archive(rig)
    expected = heard(rig)[:-3]
    segment_path(rig.folder, bases(rig.folder)[-1]).unlink()
    (rig.folder.parent / "EPOCH").unlink()
    writer = rig.start()
    assert writer.epoch == 2
    assert writer.before.last == position(1, 15)
    assert heard(rig)[: len(expected)] == expected
    assert audit(rig.folder, rig.stream).problems == []


def test_an_epoch_is_known_from_the_archive_when_the_journal_is_gone(tmp_path: Path) -> None:
    rig = days(DiskRig(tmp_path / "journal"), 2)
    archive(rig)
    shutil.rmtree(rig.folder.parent)
    assert rig.journals.open_epoch(B.owner) == 2


def test_a_reader_outlives_that_what_it_reads_is_archived_and_deleted(tmp_path: Path) -> None:
    rig = days(DiskRig(tmp_path / "journal"), 8)
    reader = rig.journals.reader(B)
    first = reader.read(0, 1)
    archive(rig)
    found, after = [frame.pos for frame in first], first[-1].last
    while frames := reader.read(after, 1):
        found += [frame.pos for frame in frames]
        after = frames[-1].last
        if len(found) == 5:
            for base in bases(rig.folder)[:6]:
                archive_path(rig.folder, base).unlink()
    gone = [position(1, n) for n in (13, 16)]  # The merge tells what is missing.
    assert found == [pos for pos in [position(1, 0), *FIRSTS] if pos not in gone]


FIRSTS = [position(1, 1 + 3 * day) for day in range(8)]


def test_what_was_said_is_found_in_the_archive_by_bytes_and_by_time(rig: DiskRig) -> None:
    journals = rig.folder.parents[1]

    def asked() -> list[object]:
        needle = b"fresh"
        then_ns = NOON_NS + 2 * DAY_NS + 1
        return [
            [frame.pos for frame in newest_first(journals, rig.stream)],
            [frame.pos for frame in holding(journals, rig.stream, needle)],
            [frame.pos for frame in holding_before(journals, rig.stream, needle, then_ns, 0)],
            [position_at(journals, rig.stream, NOON_NS + n * DAY_NS + 1) for n in range(-1, 8)],
        ]

    before = asked()
    assert before[2]
    archive(rig)
    assert asked() == before


def test_the_head_of_a_segment_is_known_without_unpacking_the_rest(tmp_path: Path) -> None:
    rig = DiskRig(tmp_path / "journal")
    writer = rig.start()
    for n in range(40):
        writer.append_body(Kind.SNAPSHOT, random.Random(n).randbytes(100_000), 1)
    rig.clock.advance(DAY_NS)
    writer.append([said(1)])
    base = archive(rig)[0]
    whole, path = read_segment(rig.folder, base), archive_path(rig.folder, base)
    path.write_bytes(path.read_bytes()[: 1 << 19])
    assert read_head(rig.folder, base, 4096) == whole[:4096]
    with pytest.raises(DamageError):
        read_segment(rig.folder, base)
    assert rig.journals.reader(B).first() == base


def unharmed(rig: DiskRig, base: int) -> bytes:
    try:
        return read_segment(rig.folder, base)
    except DamageError:
        return b""


def test_a_damaged_archive_is_told_with_its_file_and_never_passed_over(tmp_path: Path) -> None:
    rig = days(DiskRig(tmp_path / "journal"), 5)
    base = archive(rig)[2]
    path = archive_path(rig.folder, base)
    whole, plain = path.read_bytes(), read_segment(rig.folder, base)
    spoiled = [whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :] for at in range(len(whole))]
    cut = [whole[:length] for length in range(len(whole))]
    for data in (*spoiled, *cut, whole + b"x"):
        path.write_bytes(data)
        if data in spoiled and unharmed(rig, base) == plain:
            continue  # A bit of the header that says nothing.
        with pytest.raises(DamageError, match=re.escape(str(path))) as failure:
            heard(rig)
        assert failure.value.exit_code == 78
        assert str(path) in audit(rig.folder, rig.stream).problems[0]


def test_a_foreign_archive_in_the_place_of_a_segment_is_told(rig: DiskRig) -> None:
    every = archive(rig)
    archive_path(rig.folder, every[2]).write_bytes(archive_path(rig.folder, every[1]).read_bytes())
    assert audit(rig.folder, rig.stream).problems
    assert len(heard(rig)) < 1 + 6 * 3  # The merge stops at the hole that this is.


def test_a_descriptor_of_an_archived_segment_has_no_name_on_the_disk(
    rig: DiskRig, tmp_path: Path
) -> None:
    base = archive(rig)[0]
    before, places = set(tmp_path.rglob("*")), tempfile.tempdir
    tempfile.tempdir = str(tmp_path)  # Others make and remove files in the shared one.
    try:
        rig.journals.reader(rig.stream).read(0)
        _, path = open_segment(rig.folder, base)
        assert path == archive_path(rig.folder, base)
        assert set(tmp_path.rglob("*")) == before
    finally:
        tempfile.tempdir = places


def test_no_room_to_unpack_is_told_and_no_hole(rig: DiskRig, tmp_path: Path) -> None:
    archive(rig)
    before = tempfile.tempdir
    tempfile.tempdir = str(tmp_path / "gone")
    try:
        with pytest.raises(JournalError, match="cannot be unpacked"):
            heard(rig)
    finally:
        tempfile.tempdir = before


def test_what_lies_in_the_archive_is_known_by_size_and_time_alone(rig: DiskRig) -> None:
    before = kept(rig.folder, rig.stream)
    archive(rig)
    after = kept(rig.folder, rig.stream)
    assert [one.archived for one in after] == [True] * 5 + [False]
    for one, other in zip(before, after, strict=True):
        assert (one.base, one.last, one.newest_ns) == (other.base, other.last, other.newest_ns)
    assert [one.sealed for one in before] == [True] * 5 + [False]
