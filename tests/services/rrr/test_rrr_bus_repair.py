"""`rrr bus journal repair`: nothing is lost, nothing is passed over without a person's word."""

import json
from collections.abc import Iterator

import pytest

from bus.errors import JournalError
from bus.intake import Lane
from bus.lease import Lease
from bus.salvage import UNTOUCHED
from bus.service import each
from schema.head import Message
from tests.services.rrr.journal_desk import FEED, MESSAGES, Desk, journal_desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    with journal_desk() as made:
        yield made


def heard(desk: Desk, cursor: int = 0) -> tuple[list[int], int]:
    """Return what a consumer hears, and the holes that it counts."""
    lane, found = Lane(FEED, desk.journals, cursor), list[int]()
    while lane.behind:
        messages = (one.message for one in each(lane.catch_up()))
        found += [one.ts_event for one in messages if isinstance(one, Message)]
    return found, lane.holes


def test_a_running_owner_is_told_how_to_be_stopped(desk: Desk) -> None:
    desk.write()
    lease = Lease(desk.house.run / "ingest.lease")
    assert lease.take()
    told = desk.rrr("journal", "repair", "ingest.feed", "--salvage", "--yes")
    lease.release()
    assert told.code == 1
    assert "supervisorctl stop ingest" in told.err
    assert desk.rrr("journal", "repair", "ingest.feed").out == "there is nothing to repair\n"
    assert not lease.path.exists()


def test_a_torn_tail_is_shown_then_cut_and_kept(desk: Desk) -> None:
    desk.write()
    path = desk.segment(-1)
    whole = path.read_bytes()
    path.write_bytes(whole + b"half a record")
    assert "torn tail: 13 bytes" in desk.rrr("journal", "repair", "ingest.feed", "--dry-run").out
    assert path.read_bytes() == whole + b"half a record"
    assert desk.rrr("journal", "repair", "ingest.feed").code == 0
    assert path.read_bytes() == whole
    assert path.with_name(path.name + ".torn").read_bytes() == b"half a record"


def test_damage_in_the_middle_is_cut_only_when_it_is_asked_for(desk: Desk) -> None:
    said = desk.write()
    _, _, pos = desk.spoil(1)
    before = desk.segment(1).read_bytes()
    told = desk.rrr("journal", "repair", "ingest.feed")
    assert told.code == 5
    assert "--salvage" in told.err
    assert f"missing: {pos} to {pos}" in told.out
    for words in (("--salvage", "--dry-run"), ("--salvage",)):
        told = desk.rrr("journal", "repair", "ingest.feed", *words)
        assert told.code == (0 if "--dry-run" in words else 2), told.err
        assert desk.segment(1).read_bytes() == before
    assert desk.rrr("journal", "repair", "ingest.feed", "--salvage", "--yes").code == 0
    beside = desk.segment(1).with_name(f"{desk.segment(1).name}.{UNTOUCHED}")
    assert beside.read_bytes() == before
    assert desk.rrr("journal", "verify").code == 5
    with pytest.raises(JournalError, match=f"{pos} to {pos}"):
        heard(desk)
    assert heard(desk, pos)[1] == 0
    assert desk.rrr("cat", "ingest.feed").code == 5

    told = desk.rrr("journal", "repair", "ingest.feed", "--accept-hole", f"{pos}-{pos}", "--yes")
    assert told.code == 2
    assert "the reason is empty" in told.err
    why = ("--why", "the disk was dying", "--yes")
    wrong = desk.rrr("journal", "repair", "ingest.feed", "--accept-hole", f"{pos}-{pos + 1}", *why)
    assert wrong.code == 1
    assert f"Its holes are: {pos}-{pos}" in wrong.err
    told = desk.rrr("journal", "repair", "ingest.feed", "--accept-hole", f"{pos}-{pos}", *why)
    assert told.code == 0
    kept, holes = heard(desk)
    assert (len(kept), holes) == (MESSAGES - 1, 1)
    shown = desk.rrr("cat", "ingest.feed", "--json")
    assert (shown.code, len(shown.rows)) == (0, MESSAGES - 1 + 1)  # One tells what is lost.
    assert kept == [one.ts_event for one in said if one.ts_event in set(kept)]
    assert desk.rrr("journal", "verify").code == 0
    lines = (desk.house.log_dir / "audit" / "rrr.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert [one["event"] for one in events] == ["journal_salvaged", "hole_accepted"]
    assert (events[1]["first"], events[1]["why"]) == (pos, "the disk was dying")


def test_two_steps_at_once_and_a_hole_that_nobody_stops_at_are_refused(desk: Desk) -> None:
    desk.write()
    both = ("--salvage", "--accept-hole", "5-6")
    assert desk.rrr("journal", "repair", "ingest.feed", *both).code == 2
    one = ("--accept-hole", "5-6", "--why", "x")
    assert desk.rrr("journal", "repair", "ingest.trade", *one).code == 2
    for text in ("5", "a-b", "-", "5-6-7", "1:1-1:x"):
        told = desk.rrr("journal", "repair", "ingest.feed", f"--accept-hole={text}", "--why", "x")
        assert told.code == 2, text


def test_what_went_from_the_old_end_unread_can_be_accepted_too(desk: Desk) -> None:
    desk.write()
    first, second = desk.segment(0), desk.segment(1)
    first.unlink()
    cursor, front = int(first.stem), int(second.stem) - 1
    with pytest.raises(JournalError, match=f"--accept-hole {cursor + 1}-{front}"):
        heard(desk, cursor)
    words = ("--accept-hole", f"{cursor + 1}-{front}", "--why", "it was asleep", "--yes")
    assert desk.rrr("journal", "repair", "ingest.feed", *words).code == 0
    assert heard(desk, cursor)[1] == 1


def test_a_lease_that_cannot_be_written_is_one_line(desk: Desk) -> None:
    desk.write()
    (desk.house.run / "ingest.lease").mkdir()
    told = desk.rrr("journal", "repair", "ingest.feed", "--salvage", "--yes")
    assert (told.code, "lease" in told.err) == (1, True)
    told = desk.rrr("journal", "prune", "ingest.feed")
    assert (told.code, "lease" in told.err) == (1, True)
