"""A tear is cut and kept beside; damage is never silent: every byte, every bit."""

import random
from pathlib import Path

import msgspec
import pytest

from bus.errors import JournalError
from bus.mend import mend
from bus.merge import Merge
from bus.repair import DamageError, survey
from bus.segments import bases, segment_path
from schema.frame import HEADER_BYTES, Kind, unpack
from schema.streams import Stream
from tests.bus.rigs import A, B, C, DiskRig, numbers, said

RECORDS = 6


@pytest.fixture
def rig(tmp_path: Path) -> DiskRig:
    return written(DiskRig(tmp_path / "a journal"))


def written(rig: DiskRig) -> DiskRig:
    """Write some records and be killed."""
    writer = rig.start()
    for n in range(1, RECORDS + 1):
        writer.append([said(n)])
    writer._release()
    return rig


def starts(data: bytes) -> list[int]:
    """Return where each record begins, and where the last one ends."""
    offsets = [0]
    while offsets[-1] < len(data):
        offsets.append(offsets[-1] + HEADER_BYTES + len(unpack(data, offsets[-1]).body))
    return offsets


def read_all(rig: DiskRig) -> list[int]:
    """Return what a subscriber is given; AssertionError where the merge names a hole."""
    reader, merge, heard = rig.journals.reader(rig.stream), Merge(), []
    while frames := reader.read(merge.pos):
        for frame in frames:
            assert merge.journal(frame).action == "deliver", "the merge names it"
            heard += numbers(rig.stream, frame.body) if frame.kind == Kind.DATA else []
    reader.close()
    return heard


def test_a_tail_cut_at_any_byte_is_mended_to_the_records_before_it(tmp_path: Path) -> None:
    whole = written(DiskRig(tmp_path / "whole")).newest().read_bytes()
    offsets = starts(whole)
    for cut in range(offsets[-4], offsets[-1] + 1):
        rig = DiskRig(tmp_path / str(cut))
        rig.journals.open_epoch("ingest")
        rig.folder.mkdir()
        path = segment_path(rig.folder, 1 << 40)
        path.write_bytes(whole[:cut])
        kept = max(offset for offset in offsets if offset <= cut)
        before = read_all(rig)
        writer = rig.start()
        assert writer.before.torn_bytes == cut - kept
        assert (
            read_all(rig)
            == before
            == list(range(1, RECORDS + 1 - (offsets[-1] > cut)))[: len(before)]
        )
        torn = list(rig.folder.glob("*.torn"))
        assert [t.read_bytes() for t in torn] == ([whole[kept:cut]] if cut > kept else [])
        writer._release()


@pytest.mark.parametrize("garbage", [b"\0", b"\0" * 5000, b"BUS1", b"\xff" * 71, b"x" * 100_000])
def test_garbage_behind_the_last_record_is_a_tear(rig: DiskRig, garbage: bytes) -> None:
    with rig.newest().open("ab") as file:
        file.write(garbage)
    assert rig.start().before.torn_bytes == len(garbage)
    assert read_all(rig) == list(range(1, RECORDS + 1))


def test_every_flipped_bit_in_the_middle_stops_writer_and_reader(tmp_path: Path) -> None:
    rig = written(DiskRig(tmp_path))
    path = rig.newest()
    whole = path.read_bytes()
    offsets = starts(whole)
    for bit in range(offsets[3] * 8, offsets[4] * 8):
        path.write_bytes(flipped(whole, bit))
        with pytest.raises(DamageError) as failure:
            rig.start()
        assert f"byte {offsets[3]}" in failure.value.what
        assert str(path) in failure.value.what
        assert failure.value.exit_code == 78
        assert path.read_bytes() == flipped(whole, bit)
        with pytest.raises(DamageError):
            read_all(rig)


def test_every_flipped_bit_in_the_last_record_is_told_and_never_read(tmp_path: Path) -> None:
    whole = written(DiskRig(tmp_path / "whole")).newest().read_bytes()
    offsets = starts(whole)
    for bit in range(offsets[-2] * 8, offsets[-1] * 8):
        rig = DiskRig(tmp_path / str(bit))
        rig.journals.open_epoch("ingest")
        rig.folder.mkdir()
        segment_path(rig.folder, 1 << 40).write_bytes(flipped(whole, bit))
        assert read_all(rig) == list(range(1, RECORDS))
        try:
            writer = rig.start()
        except DamageError:
            continue  # The name of another stream stands there.
        assert writer.before.torn_bytes
        writer._release()
        assert read_all(rig) == list(range(1, RECORDS))


def test_every_flipped_bit_in_a_sealed_segment_stops_its_reader(tmp_path: Path) -> None:
    rig = written(DiskRig(tmp_path))
    path = rig.newest()
    rig.start()._release()
    whole = path.read_bytes()
    for bit in random.Random(1).sample(range(len(whole) * 8), 400):
        path.write_bytes(flipped(whole, bit))
        with pytest.raises((JournalError, AssertionError), match=r"damaged|the merge names it"):
            read_all(rig)


@pytest.mark.parametrize("cut", [1, 30, 200, 400])
def test_a_sealed_segment_that_lost_its_end_stops_its_reader(rig: DiskRig, cut: int) -> None:
    path = rig.newest()
    rig.start()
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with pytest.raises(DamageError, match="end"):
        read_all(rig)


def test_class_c_steps_over_damage_and_counts_it(tmp_path: Path) -> None:
    rig = written(DiskRig(tmp_path, C))
    path = rig.newest()
    whole = path.read_bytes()
    path.write_bytes(flipped(whole, starts(whole)[3] * 8 + 600))
    reader = rig.journals.reader(C)
    frames = reader.read(0)
    frames += reader.read(frames[-1].last)
    assert [n for f in frames if f.kind == Kind.DATA for n in numbers(C, f.body)] == [1, 3, 4, 5, 6]
    assert reader.holes == 1
    merge = Merge()
    actions = [merge.journal(frame).action for frame in frames]
    assert actions == ["deliver", "deliver", "hole", "hole", "hole", "hole"]
    assert rig.start().before.holes == 1


def test_a_system_that_skips_the_tail_instead_of_cutting_it_is_caught(rig: DiskRig) -> None:
    whole = rig.newest().read_bytes()
    offsets = starts(whole)
    for kept in (1, 71, 73, 88):  # The torn record, then the same one appended again behind it.
        rig.newest().write_bytes(whole[: offsets[-2] + kept] + whole[offsets[-2] :])
        with pytest.raises(DamageError):
            rig.start()
        with pytest.raises(DamageError):
            read_all(rig)


def test_a_system_that_reads_over_damage_as_if_it_were_class_c_is_caught(rig: DiskRig) -> None:
    whole = rig.newest().read_bytes()
    rig.newest().write_bytes(flipped(whole, starts(whole)[3] * 8 + 600))
    rig.stream = msgspec.structs.replace(B, durability="C")
    with pytest.raises(AssertionError, match="the merge names it"):
        read_all(rig)


@pytest.mark.parametrize("stream", [A, B, C])
def test_a_segment_of_another_stream_is_refused_and_left_alone(
    tmp_path: Path, stream: Stream
) -> None:
    other = written(DiskRig(tmp_path / "other", B if stream is not B else C))
    rig = written(DiskRig(tmp_path / "here", stream))
    rig.newest().write_bytes(other.newest().read_bytes())
    before = rig.newest().read_bytes()
    with pytest.raises(DamageError, match="found one of"):
        rig.start()
    assert rig.newest().read_bytes() == before


def test_a_position_that_comes_twice_or_out_of_turn_is_damage(rig: DiskRig) -> None:
    whole = rig.newest().read_bytes()
    offsets = starts(whole)
    twice = whole[: offsets[3]] + whole[offsets[2] :]
    missing = whole[: offsets[2]] + whole[offsets[3] :]
    for data in (twice, missing):
        assert survey(data, B.name, 1 << 40).damage
        rig.newest().write_bytes(data)
        with pytest.raises(DamageError):
            rig.start()


def test_a_start_killed_at_any_step_is_mended_by_the_next(rig: DiskRig) -> None:
    for empty in (b"", b"\0" * 40, rig.newest().read_bytes()[:100]):
        last = rig.journals.reader(B).last()
        epoch = rig.journals.open_epoch("ingest")
        mend(rig.folder, B, epoch, rig.clock)
        segment_path(rig.folder, epoch << 40).write_bytes(empty)
        writer = rig.start()
        assert writer.before.last == last
        writer.append([said(0)])
        writer._release()
    assert read_all(rig) == [*range(1, RECORDS + 1), 0, 0, 0]
    assert len(bases(rig.folder)) == 7


def test_an_older_tear_is_never_written_over(rig: DiskRig) -> None:
    path = rig.newest()
    for n in range(3):
        path.with_name(path.name + (f".{n}" if n else "") + ".torn").write_bytes(b"before")
    with path.open("ab") as file:
        file.write(b"torn")
    rig.start()
    assert path.with_name(path.name + ".torn").read_bytes() == b"before"
    assert path.with_name(path.name + ".3.torn").read_bytes() == b"torn"


def flipped(data: bytes, bit: int) -> bytes:
    """Return the bytes with one bit turned over."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
