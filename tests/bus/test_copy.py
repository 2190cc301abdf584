"""A copy of a stream: the same frames, in files that every reader and the audit take."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.audit import audit
from bus.clock import ManualClock
from bus.copy import Copy, opening
from bus.journal import open_reader
from bus.segments import HASH_BYTES, bases
from schema.frame import Frame, Kind, pack, position, unpack
from schema.house import EpochOpened
from schema.messages import decode, encode
from schema.streams import Stream
from tests.bus.rigs import NOON_NS, A, B, C, DiskRig, said


def frame(stream: Stream, pos: int, count: int = 1) -> Frame:
    body = encode([said(pos + n) for n in range(count)])
    return Frame(stream.name, Kind.DATA, 1, pos, NOON_NS + pos, pos, count, 7, body)


def copied(directory: Path, stream: Stream) -> list[Frame]:
    reader, after, found = open_reader(directory, stream), 0, []
    while frames := reader.read(after):
        found += frames
        after = frames[-1].last
    reader.close()
    return found


def new_copy(directory: Path, stream: Stream = B) -> Copy:
    return Copy(directory, stream, ManualClock(NOON_NS))


@pytest.mark.parametrize("stream", [A, B, C])
def test_the_copy_of_a_journal_holds_the_same_bytes(tmp_path: Path, stream: Stream) -> None:
    rig = DiskRig(tmp_path / "journal", stream)
    for number in range(3):
        writer = rig.start()
        writer.append([said(number * 10 + n) for n in range(5)])
    frames = copied(rig.folder, stream)
    copy = new_copy(tmp_path / "copy", stream)
    raws = copy.add(frames)
    done = copy.close()
    assert raws == [pack(one) for one in frames]
    assert copied(tmp_path / "copy", stream) == frames
    assert audit(tmp_path / "copy", stream).problems == []
    assert (done.first, done.last, done.messages) == (frames[0].pos, frames[-1].last, 15)
    assert len(done.files) == 3


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2), st.booleans()), max_size=12))
def test_whatever_is_copied_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, bool]]
) -> None:
    directory = tmp_path_factory.mktemp("copy")
    frames, epoch, n = [], 1, 0
    for count, gap, opens in steps:
        epoch, n = (epoch + 1, 0) if opens else (epoch, n + gap)
        frames.append(frame(C, position(epoch, n), count))
        n += count
    copy = new_copy(directory, C)
    copy.add(frames)
    copy.add(frames)
    done = copy.close()
    assert copied(directory, C) == frames
    assert done.frames == len(frames)
    for file in done.files:
        data = (directory / file.name).read_bytes()
        assert hashlib.blake2b(data, digest_size=HASH_BYTES).hexdigest() == file.blake2b
        assert len(data) == file.size


def test_a_copy_is_read_while_it_grows(tmp_path: Path) -> None:
    copy = new_copy(tmp_path)
    for n in range(1, 4):
        copy.add([frame(B, position(1, n))])
        assert [one.pos for one in copied(tmp_path, B)] == [position(1, m) for m in range(1, n + 1)]
    copy.close()


def test_what_is_missing_in_the_middle_is_told_by_the_audit(tmp_path: Path) -> None:
    copy = new_copy(tmp_path)
    copy.add([frame(B, position(1, 1)), frame(B, position(1, 5))])
    copy.close()
    assert bases(tmp_path) == [position(1, 1), position(1, 5)]
    (problem,) = audit(tmp_path, B).problems
    assert "missing" in problem


def test_a_copy_of_nothing_leaves_nothing(tmp_path: Path) -> None:
    assert new_copy(tmp_path / "none").close().frames == 0
    assert not (tmp_path / "none").exists()


def test_an_opening_joins_an_epoch_to_what_was_before(tmp_path: Path) -> None:
    copy = new_copy(tmp_path)
    copy.add([frame(B, position(1, 1))])
    joint = unpack(opening(B, position(2, 4), (NOON_NS, 1), position(1, 1)))
    copy.add([joint, frame(B, position(2, 5))])
    copy.close()
    assert audit(tmp_path, B).problems == []
    (opened,) = decode(B.number, joint.body)
    assert isinstance(opened, EpochOpened)
    assert opened.prev_pos == position(1, 1)
