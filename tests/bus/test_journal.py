"""What every journal promises, on the disk as in memory."""

from pathlib import Path

import pytest

from bus.errors import JournalError
from bus.record import FRAME_BYTES_GOAL, FRAME_MESSAGES_MAX, schema_id
from schema.forecast import Forecast
from schema.frame import FRAME_BYTES_MAX, Flag, Frame, FrameError, Kind, position, unpack
from schema.house import Bye, EpochOpened
from schema.market import FeedGap
from schema.messages import decode, encode
from schema.streams import BY_NUMBER, STREAMS, Stream
from tests.bus.rigs import A, B, C, DiskRig, MemoryRig, Rig, numbers, said


@pytest.fixture(params=["memory", "disk"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    return MemoryRig() if request.param == "memory" else DiskRig(tmp_path / "a journal")


def every(rig: Rig, after: int = 0, max_bytes: int = 1 << 18) -> list[Frame]:
    reader = rig.journals.reader(rig.stream)
    frames: list[Frame] = []
    while found := reader.read(after, max_bytes):
        frames += found
        after = found[-1].last
    reader.close()
    return frames


def test_what_is_appended_is_read_back_byte_for_byte_and_in_order(rig: Rig) -> None:
    writer = rig.start()
    sent = writer.append([said(n) for n in range(3)]) + writer.append([said(3)])
    frames = every(rig)
    assert frames == [unpack(frame) for frame in (writer.opened, *sent)]
    assert [n for frame in frames[1:] for n in numbers(rig.stream, frame.body)] == [0, 1, 2, 3]


def test_positions_follow_each_other_from_the_epoch_record_on(rig: Rig) -> None:
    writer = rig.start()
    for n in range(5):
        writer.append([said(n)] * (n + 1))
    frames = every(rig)
    assert frames[0].kind == Kind.EPOCH
    assert frames[0].pos == position(writer.epoch, 0)
    assert [f.pos for f in frames[1:]] == [f.last + 1 for f in frames[:-1]]
    assert frames[-1].last == writer.last == position(writer.epoch, 15)


def test_a_frame_says_where_when_and_how_it_was_written(rig: Rig) -> None:
    writer = rig.start()
    rig.clock.advance(5)
    frame = unpack(writer.append([said(1)])[0])
    assert (frame.stream, frame.kind, frame.count) == (rig.stream.name, Kind.DATA, 1)
    assert frame.ts_ns == rig.clock.wall_ns()
    assert frame.mono_ns == rig.clock.mono_ns()
    assert frame.flags == Flag.JOURNALED
    assert frame.schema == schema_id(rig.stream.number)


def test_a_class_a_frame_says_that_it_is_synced_before_it_is_sent(tmp_path: Path) -> None:
    writer = DiskRig(tmp_path, A).start()
    assert unpack(writer.opened).flags == Flag.JOURNALED | Flag.SYNCED


def test_class_a_is_on_the_disk_before_a_reader_is_given_it() -> None:
    rig = MemoryRig(A)
    rig.start().append([said(1)])
    tape = rig.memory.tape(A)
    assert tape.synced == 1
    assert rig.journals.reader(A).read(0)
    assert tape.synced == 2


def test_many_messages_are_split_at_the_cap_of_messages(rig: Rig) -> None:
    frames = rig.start().append([said(n) for n in range(FRAME_MESSAGES_MAX + 1)])
    assert [unpack(frame).count for frame in frames] == [FRAME_MESSAGES_MAX, 1]


def test_large_messages_are_split_at_the_cap_of_bytes(rig: Rig) -> None:
    messages = [large(10_000) for n in range(20)]
    frames = rig.start().append(messages)
    assert all(len(frame) <= FRAME_BYTES_GOAL for frame in frames)
    found = [m for frame in every(rig)[1:] for m in decode(rig.stream.number, frame.body)]
    assert found == messages


def test_a_message_above_the_goal_stands_alone_and_one_above_the_limit_is_refused(rig: Rig) -> None:
    writer = rig.start()
    frames = writer.append([said(1), large(FRAME_BYTES_GOAL), said(2)])
    assert [unpack(frame).count for frame in frames] == [1, 1, 1]
    before = writer.last
    with pytest.raises(FrameError, match="at most"):
        writer.append([large(FRAME_BYTES_MAX)])
    assert writer.last == before
    writer.append([said(3)])
    assert every(rig)[-1].last == writer.last


def test_appending_nothing_is_nothing(rig: Rig) -> None:
    writer = rig.start()
    before = writer.last
    assert writer.append([]) == []
    assert writer.last == before


def test_a_reader_takes_up_behind_any_position(rig: Rig) -> None:
    writer = rig.start()
    for n in range(10):
        writer.append([said(n), said(n)])
    for after in range(writer.epoch << 40, writer.last + 1):
        frames = every(rig, after)
        assert all(frame.last > after for frame in frames)
        assert not frames or frames[0].pos <= after + 1


def test_a_reader_takes_at_least_a_frame_and_about_as_much_as_was_asked(rig: Rig) -> None:
    writer = rig.start()
    for _ in range(20):
        writer.append([large(1000)])
    reader = rig.journals.reader(rig.stream)
    first = reader.read(0, 1)
    assert len(first) == 1
    assert 2 <= len(reader.read(first[-1].last, 3000)) <= 4
    assert every(rig, max_bytes=1) == every(rig)


def test_a_stream_that_nobody_opened_is_empty(rig: Rig) -> None:
    reader = rig.journals.reader(rig.stream)
    assert (reader.read(0), reader.first(), reader.last()) == ([], 0, 0)
    rig.start()
    assert len(reader.read(0)) == 1


def test_a_reader_at_the_end_hears_what_comes_later(rig: Rig) -> None:
    reader = rig.journals.reader(rig.stream)
    writer = rig.start()
    pos = reader.read(0)[-1].last
    for n in range(3):
        assert reader.read(pos) == []
        writer.append([said(n)])
        found = reader.read(pos)
        assert len(found) == 1
        pos = found[-1].last
        assert reader.last() == pos


def test_first_and_last_bound_what_is_kept(rig: Rig) -> None:
    writer = rig.start()
    writer.append([said(1), said(2)])
    reader = rig.journals.reader(rig.stream)
    assert reader.first() == position(writer.epoch, 0)
    assert reader.oldest_epoch == writer.epoch
    assert reader.last() == writer.last
    writer.append([said(3)])
    assert reader.last() == writer.last


def test_every_start_is_a_new_epoch_that_names_the_last_position(rig: Rig) -> None:
    first = rig.start()
    first.append([said(1)])
    second = rig.start()
    assert second.epoch > first.epoch
    assert second.before.last == first.last
    opened = decode(rig.stream.number, every(rig)[-1].body)[0]
    assert isinstance(opened, EpochOpened)
    assert (opened.prev_pos, opened.clean, opened.code) == (first.last, False, "code")


def test_a_goodbye_makes_the_next_start_clean(rig: Rig) -> None:
    first = rig.start()
    first.append([said(1)])
    (bye,) = first.close("asked to stop")
    assert unpack(bye).kind == Kind.BYE
    farewell = decode(rig.stream.number, every(rig)[-1].body)[0]
    assert isinstance(farewell, Bye)
    assert farewell.reason == "asked to stop"
    assert first.synced == first.last
    assert rig.start().before.clean


def test_a_record_whose_body_is_encoded_already_is_kept_as_it_is(rig: Rig) -> None:
    writer = rig.start()
    frame = unpack(writer.append_body(Kind.SNAPSHOT, encode([said(7), said(8)]), 2))
    assert every(rig)[-1] == frame
    assert (frame.kind, frame.count, frame.last) == (Kind.SNAPSHOT, 2, writer.last)


def test_syncing_moves_the_synced_position_and_nothing_else_does(rig: Rig) -> None:
    writer = rig.start()
    assert writer.synced == writer.last
    writer.append([said(1)])
    assert writer.synced == writer.last - 1
    writer.sync()
    assert writer.synced == writer.last


@pytest.mark.parametrize(("stream", "wait_ms"), [(A, 0), (B, 50), (C, 5000)])
def test_a_sync_is_due_when_its_class_says_so(tmp_path: Path, stream: Stream, wait_ms: int) -> None:
    rig = DiskRig(tmp_path, stream)
    writer = rig.start()
    assert not writer.due(rig.clock.mono_ns())
    rig.clock.advance(10**10)
    writer.append_body(Kind.DATA, encode([]), 0)
    rig.clock.advance(max(0, wait_ms * 1_000_000 - 1))
    assert writer.due(rig.clock.mono_ns()) == (wait_ms == 0)
    rig.clock.advance(1)
    assert writer.due(rig.clock.mono_ns())
    writer.sync()
    assert not writer.due(rig.clock.mono_ns())


def test_a_sync_of_class_b_is_due_at_a_mebibyte(rig: Rig) -> None:
    writer = rig.start()
    while writer.last < position(writer.epoch, 100):
        assert not writer.due(rig.clock.mono_ns())
        writer.append([large(10_500)])
    assert writer.due(rig.clock.mono_ns())


def test_an_epoch_is_never_used_twice(rig: Rig) -> None:
    writer = rig.start()
    with pytest.raises(AssertionError, match="an epoch is for one life"):
        rig.start(epoch=writer.epoch)


def test_a_broken_writer_takes_nothing_more_and_says_no_goodbye(rig: Rig) -> None:
    writer = rig.start()
    writer.append([said(1)])
    before = every(rig)
    writer.fail(JournalError("the disk is gone", "Look at it"))
    for attempt in (lambda: writer.append([said(2)]), writer.sync, writer.detach):
        with pytest.raises(JournalError, match="the disk is gone"):
            attempt()
    assert writer.close("failed") == []
    assert every(rig) == before


def test_the_schema_id_follows_the_shape_of_a_stream_and_not_its_prose() -> None:
    ids = {schema_id(number) for number, stream in BY_NUMBER.items() if stream.journaled}
    assert len(ids) == sum(stream.journaled for stream in STREAMS.values())
    assert Forecast.__doc__
    assert all(0 <= number < 1 << 32 for number in ids)


def large(size: int) -> FeedGap:
    return FeedGap(
        ts_event=1, symbol="x" * size, first_trade_id=1, last_trade_id=1, filled=False, reason=""
    )
