"""Repeat, next or gap: each rule of the merge, and each refusal."""

import pytest

from bus.errors import ProtocolError
from bus.merge import Merge, Step
from schema.frame import Frame, Kind, position
from schema.house import EpochOpened
from schema.messages import encode


def frame(epoch: int, n: int, count: int = 1, kind: Kind = Kind.DATA, body: bytes = b"") -> Frame:
    return Frame("ingest.feed", kind, 0, position(epoch, n), 0, 0, count, 0, body)


def opened(epoch: int, prev_pos: int) -> Frame:
    record = EpochOpened(ts_event=0, prev_pos=prev_pos, clean=False, boot_id="", pid=1, code="")
    return frame(epoch, 0, kind=Kind.EPOCH, body=encode([record]))


def at(epoch: int, n: int) -> Merge:
    return Merge(position(epoch, n))


def test_the_next_live_frame_is_delivered_whole() -> None:
    merge = at(1, 4)
    assert merge.live(frame(1, 5, 3)) == Step("deliver")
    assert merge.pos == position(1, 7)


def test_a_live_frame_that_overlaps_is_delivered_from_what_is_new() -> None:
    merge = at(1, 4)
    assert merge.live(frame(1, 3, 4)) == Step("deliver", skip=2)
    assert merge.pos == position(1, 6)


@pytest.mark.parametrize("late", [frame(1, 4), frame(1, 2, 3), frame(0, 90), frame(1, 5, 0)])
def test_a_repeat_and_a_frame_of_an_epoch_that_is_over_are_dropped(late: Frame) -> None:
    for take in (Merge.live, Merge.journal):
        merge = at(1, 4)
        assert take(merge, late) == Step("drop")
        assert merge.pos == position(1, 4)


@pytest.mark.parametrize(
    "early", [frame(1, 6), frame(2, 5), frame(2, 1), opened(2, position(1, 4)), frame(1, 9, 0)]
)
def test_a_live_frame_behind_a_gap_or_of_a_new_epoch_asks_for_the_journal(early: Frame) -> None:
    merge = at(1, 4)
    assert merge.live(early) == Step("catch_up")
    assert merge.pos == position(1, 4)


def test_a_first_contact_asks_for_the_journal_and_takes_what_is_kept() -> None:
    merge = Merge()
    assert merge.live(frame(3, 7)) == Step("catch_up")
    assert merge.journal(frame(3, 7, 2)) == Step("deliver")
    assert merge.pos == position(3, 8)


def test_a_start_just_before_the_oldest_record_is_no_loss() -> None:
    merge = Merge(position(3, 0) - 1)
    assert merge.journal(opened(3, position(2, 5))) == Step("deliver")


def test_the_journal_goes_from_epoch_to_epoch() -> None:
    merge = at(1, 4)
    assert merge.journal(frame(1, 5)) == Step("deliver")
    assert merge.journal(opened(2, position(1, 5))) == Step("deliver")
    assert merge.journal(frame(2, 1)) == Step("deliver")


def test_a_hole_in_the_journal_is_named_and_moves_nothing() -> None:
    merge = at(1, 4)
    assert merge.journal(frame(1, 6)) == Step("hole", expected=position(1, 5), found=position(1, 6))
    assert merge.journal(frame(2, 1)).action == "hole"
    assert merge.pos == position(1, 4)


def test_an_epoch_that_began_behind_records_that_are_gone_is_a_hole() -> None:
    merge = at(1, 4)
    assert merge.journal(opened(2, position(1, 9))).action == "hole"
    assert merge.pos == position(1, 4)


def test_an_epoch_that_began_before_what_is_held_is_told_and_gone_into() -> None:
    merge = at(1, 4)
    step = merge.journal(opened(2, position(1, 2)))
    assert step == Step("ahead", expected=position(1, 4), found=position(1, 2))
    assert merge.pos == position(2, 0)


@pytest.mark.parametrize("beyond", [frame(1, 9, 2), opened(3, position(2, 7))])
def test_after_a_jump_the_frame_behind_the_hole_is_delivered(beyond: Frame) -> None:
    merge = at(1, 4)
    assert merge.journal(beyond).action == "hole"
    merge.jump(beyond)
    assert merge.journal(beyond) == Step("deliver")
    assert merge.pos == beyond.last


def test_a_jump_never_goes_back() -> None:
    merge = at(1, 4)
    with pytest.raises(AssertionError):
        merge.jump(frame(1, 3))


def test_a_heartbeat_tells_of_the_end_of_a_burst_that_was_lost() -> None:
    merge = at(1, 4)
    assert merge.heartbeat(position(1, 5))
    assert not merge.heartbeat(position(1, 4))
    assert not merge.heartbeat(position(1, 3))


@pytest.mark.parametrize("body", [b"", b"\x90", b"\xc1garbage"])
def test_an_epoch_record_that_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="epoch record"):
        at(1, 4).journal(frame(2, 0, kind=Kind.EPOCH, body=body))
