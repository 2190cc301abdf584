"""Damage is never silent; salvage keeps all else, and what is missing stops who has not read it."""

import random
import sys
from pathlib import Path

import pytest

from bus.archive import archive_path
from bus.audit import audit
from bus.errors import JournalError
from bus.holes import NAME
from bus.intake import Lane
from bus.keeper import OPTIONS
from bus.mend import mend
from bus.repair import DamageError
from bus.salvage import DAMAGED, UNTOUCHED, examine, holes, salvage
from bus.segments import bases, segment_path
from schema.frame import position
from schema.streams import Stream
from tests.bus.rigs import A, B, C
from tests.bus.spoiled import accept, all_of, heard, numbered, records, said, spoil, written

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@pytest.mark.parametrize("stream", [A, B])
@pytest.mark.parametrize("seed", range(12))
def test_damage_anywhere_is_told_and_salvage_keeps_all_else(
    tmp_path: Path, stream: Stream, seed: int
) -> None:
    rng = random.Random(seed)
    rig = written(tmp_path, stream)
    before = all_of(rig)
    base = rng.choice(bases(rig.folder))
    path = segment_path(rig.folder, base)
    hit = rng.choice(records(path)[:-1])
    spoil(path, hit[0], hit[1], rng)
    assert audit(rig.folder, stream).problems
    with pytest.raises(DamageError):
        heard(rig, 0)
    untouched = path.read_bytes()

    assert salvage(rig.folder, stream, rig.clock) == [path]
    kept = {pos: n for pos, n in before.items() if not hit[2] <= pos <= hit[3]}
    assert all_of(rig) == kept
    assert [f.read_bytes() for f in rig.folder.glob(f"*.{UNTOUCHED}")] == [untouched]
    assert [f.read_bytes() for f in rig.folder.glob(f"*.{DAMAGED}")] == [untouched[hit[0] : hit[1]]]
    assert salvage(rig.folder, stream, rig.clock) == []

    (hole,) = holes(rig.journals.reader(stream))
    assert hole[1] == hit[3]
    found = audit(rig.folder, stream)
    assert len(found.problems) == 1, found.problems
    assert f"{hole[0]} to {hole[1]}" in found.problems[0]
    with pytest.raises(JournalError, match=f"{hole[0]} to {hole[1]}"):
        heard(rig, 0)
    assert heard(rig, hit[3]) == [n for pos, n in kept.items() if pos > hit[3]]
    rig.start()._release()
    assert len(audit(rig.folder, stream).problems) == 1

    accept(rig, *hole)
    assert heard(rig, 0) == list(kept.values())
    assert audit(rig.folder, stream).problems == []
    assert audit(rig.folder, stream).accepted == 1


@pytest.mark.parametrize("seed", range(6))
def test_class_c_counts_the_hole_before_and_after_it_is_cut_out(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    rig = written(tmp_path, C)
    path = segment_path(rig.folder, rng.choice(bases(rig.folder)))
    before, hit = all_of(rig), rng.choice(records(path)[:-1])
    spoil(path, hit[0], hit[1], rng)
    kept = [n for pos, n in before.items() if not hit[2] <= pos <= hit[3]]
    for _ in range(2):
        lane = Lane(C, rig.journals, 1)
        found = []
        while lane.behind:
            found += numbered(lane)
        assert (found, lane.holes) == (kept, 1)
        assert len(audit(rig.folder, C).problems) >= 1
        salvage(rig.folder, C, rig.clock)


def test_who_was_inside_the_hole_passes_its_rest_and_no_other(tmp_path: Path) -> None:
    rig = written(tmp_path)
    path = segment_path(rig.folder, bases(rig.folder)[1])
    wide = records(path)[1:3]
    spoil(path, wide[0][0], wide[1][1], random.Random(1))
    other = segment_path(rig.folder, bases(rig.folder)[3])
    spoil(other, *records(other)[2][:2], random.Random(2))
    preview = examine(rig.folder, B).missing
    salvage(rig.folder, B, rig.clock)
    first, second = holes(rig.journals.reader(B))
    assert [first, second] == preview
    accept(rig, *first)
    for cursor in (first[0] - 1, first[0], first[1] - 1):
        with pytest.raises(JournalError, match=f"{second[0]} to {second[1]}"):
            heard(rig, cursor)
    accept(rig, second[0], second[1] - 1)  # Another hole than the one that is there.
    with pytest.raises(JournalError, match=f"{second[0]} to {second[1]}"):
        heard(rig, 0)
    accept(rig, *second)
    assert heard(rig, first[0])


def test_a_lost_end_and_a_lost_beginning_are_made_whole(tmp_path: Path) -> None:
    rig = written(tmp_path)
    kept = all_of(rig)
    first, second = (segment_path(rig.folder, base) for base in bases(rig.folder)[:2])
    data = first.read_bytes()
    first.write_bytes(data[: records(first)[-1][1] + 20])
    data = second.read_bytes()
    second.write_bytes(b"\0" * 30 + data[30:])
    assert len(audit(rig.folder, B).problems) >= 2
    assert salvage(rig.folder, B, rig.clock) == [first, second]
    assert list(holes(rig.journals.reader(B))) == []
    assert heard(rig, 0) == list(kept.values())
    assert audit(rig.folder, B).problems == []


def test_a_segment_without_one_valid_record_leaves_a_hole_of_its_size(tmp_path: Path) -> None:
    rig = written(tmp_path)
    kept = bases(rig.folder)
    segment_path(rig.folder, kept[3]).write_bytes(b"nothing" * 100)
    with pytest.raises(DamageError):
        heard(rig, 0)
    salvage(rig.folder, B, rig.clock)
    (hole,) = holes(rig.journals.reader(B))
    assert hole[0] == kept[3]
    accept(rig, *hole)
    assert heard(rig, 0)
    assert audit(rig.folder, B).problems == []


def test_a_segment_taken_away_can_be_accepted_as_a_hole(tmp_path: Path) -> None:
    rig = written(tmp_path)
    kept = bases(rig.folder)
    segment_path(rig.folder, kept[1]).unlink()
    (hole,) = holes(rig.journals.reader(B))
    accept(rig, *hole)
    assert heard(rig, 0)
    assert audit(rig.folder, B).problems == []


def test_the_newest_segment_is_salvaged_and_its_tear_left_to_the_start(tmp_path: Path) -> None:
    rig = written(tmp_path, A)
    hit = records(rig.newest())[2]
    spoil(rig.newest(), hit[0], hit[1], random.Random(3))
    with rig.newest().open("ab") as file:
        file.write(b"half a record")
    with pytest.raises(DamageError):
        rig.start()
    report = examine(rig.folder, A)
    assert (report.torn_bytes, report.missing) == (13, [hit[2:]])
    assert f"bytes {hit[0]} to {hit[1]}" in report.hit[0].told[0]
    salvage(rig.folder, A, rig.clock)
    writer = rig.start()
    assert writer.before.torn_bytes == 13
    writer._release()
    (hole,) = holes(rig.journals.reader(A))
    assert hole == hit[2:]


def test_damage_again_is_salvaged_again_and_all_copies_stay(tmp_path: Path) -> None:
    rig = written(tmp_path)
    path = segment_path(rig.folder, bases(rig.folder)[2])
    for seed in range(2):
        hit = records(path)[2]
        spoil(path, hit[0], hit[1], random.Random(seed))
        salvage(rig.folder, B, rig.clock)
    assert len(list(rig.folder.glob(f"*.{UNTOUCHED}"))) == 2
    assert len(list(rig.folder.glob(f"*.{DAMAGED}"))) == 2
    (hole,) = holes(rig.journals.reader(B))
    accept(rig, *hole)
    assert audit(rig.folder, B).problems == []


def test_a_reader_at_the_end_is_undisturbed_by_a_salvage_under_it(tmp_path: Path) -> None:
    rig = written(tmp_path)
    lane = Lane(B, rig.journals, 0)
    while lane.behind:
        lane.catch_up()
    hit = records(rig.newest())[1]
    spoil(rig.newest(), hit[0], hit[1], random.Random(4))
    salvage(rig.folder, B, rig.clock)
    writer = rig.start()
    writer.append([said(B, 1234)])
    lane.behind, found = True, list[int]()
    while lane.behind:
        found += numbered(lane)
    assert found == [1234]
    writer._release()


def test_a_decision_that_cannot_be_read_is_told_with_its_file(tmp_path: Path) -> None:
    rig = written(tmp_path)
    (rig.folder / NAME).write_text("{")
    with pytest.raises(DamageError, match=NAME):
        mend(rig.folder, B, 9, rig.clock)
    assert position(9, 0) not in bases(rig.folder)


@pytest.mark.parametrize("kept", [0, 40, 200])
def test_a_compressed_segment_that_does_not_unpack_gives_back_what_it_can(
    tmp_path: Path, kept: int
) -> None:
    rig = written(tmp_path)
    before, plain = all_of(rig), segment_path(rig.folder, bases(rig.folder)[1])
    packed = archive_path(rig.folder, int(plain.stem))
    packed.parent.mkdir(parents=True)
    packed.write_bytes(zstd.compress(plain.read_bytes())[:kept])
    plain.unlink()
    assert f"{packed} is damaged" in audit(rig.folder, B).problems[0]
    assert salvage(rig.folder, B, rig.clock) == [packed]
    (untouched,) = rig.folder.glob(f"*.{UNTOUCHED}")
    assert untouched.read_bytes() == packed.read_bytes()
    (hole,) = holes(rig.journals.reader(B))
    assert all_of(rig) == {pos: n for pos, n in before.items() if not hole[0] <= pos <= hole[1]}
    accept(rig, *hole)
    assert audit(rig.folder, B).problems == []


def test_one_wrong_byte_of_a_compressed_segment_costs_no_more_than_it_must(tmp_path: Path) -> None:
    rig = written(tmp_path, B)
    before, base = all_of(rig), bases(rig.folder)[0]
    plain = segment_path(rig.folder, base)
    inside = set(all_of(rig)) - {pos for pos in before if pos >= bases(rig.folder)[1]}
    packed = archive_path(rig.folder, base)
    packed.parent.mkdir(parents=True)
    whole = bytearray(zstd.compress(plain.read_bytes(), options=OPTIONS))
    plain.unlink()
    # The checksum at its end, and nothing else: all records are there, and each has its own.
    whole[-1] ^= 1
    packed.write_bytes(whole)
    assert "does not unpack" in str(examine(rig.folder, B).hit)
    assert salvage(rig.folder, B, rig.clock) == [packed]
    assert inside
    assert all_of(rig) == before
    assert audit(rig.folder, B).problems == []


def test_what_stands_before_a_hole_is_heard_before_it_stops_its_reader(tmp_path: Path) -> None:
    rig = written(tmp_path)
    path = segment_path(rig.folder, bases(rig.folder)[2])
    hit = records(path)[3]
    spoil(path, hit[0], hit[1], random.Random(5))
    salvage(rig.folder, B, rig.clock)
    lane, found = Lane(B, rig.journals, 0), list[int]()
    while lane.merge.pos < hit[2] - 1:
        found += numbered(lane)
    assert found == [n for pos, n in all_of(rig).items() if pos < hit[2]]
    with pytest.raises(JournalError, match=f"{hit[2]} to {hit[3]}"):
        lane.catch_up()
    assert lane.merge.pos == hit[2] - 1
