"""`rrr bus journal ls` and `verify`: what lies there, and whether it is what was written."""

from collections.abc import Iterator

import pytest

from schema.frame import position
from schema.streams import STREAMS
from tests.services.rrr.journal_desk import FEED, MESSAGES, SEGMENTS, Desk, journal_desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    with journal_desk() as made:
        yield made


def test_segments_are_listed_with_what_they_hold(desk: Desk) -> None:
    desk.write()
    rows = desk.rrr("journal", "ls", "-J").rows
    assert len(rows) == SEGMENTS
    assert rows[0]["base_place"] == "1:0"
    assert rows[-1]["base_place"].startswith("2:")
    assert sum(row["messages"] for row in rows) == MESSAGES + 2  # and the records of the epochs
    assert [row["sealed"] for row in rows] == [True, True, True, False]
    assert not any(row["archived"] or row["trouble"] for row in rows)
    assert "ingest.feed" in desk.rrr("journal", "ls", "ingest.*").out


def test_a_sound_journal_is_one_line_and_exit_0(desk: Desk) -> None:
    desk.write()
    desk.write(STREAMS["gateway.order"])
    told = desk.rrr("journal", "verify")
    assert told.code == 0
    assert [line.split()[:2] for line in told.out.splitlines()] == [
        ["ingest.feed", "sound"],
        ["gateway.order", "sound"],
    ]
    (row,) = desk.rrr("journal", "verify", "-J", "gateway.order").rows
    assert (row["sound"], row["segments"], row["problems"]) == (True, SEGMENTS, [])


@pytest.mark.parametrize("index", range(SEGMENTS))
def test_damage_is_named_with_its_file_and_byte_and_exit_5(desk: Desk, index: int) -> None:
    desk.write()
    begin, end, _ = desk.spoil(index)
    told = desk.rrr("journal", "verify", "ingest.feed")
    assert told.code == 5
    assert f"{desk.segment(index)} bytes {begin} to {end}" in told.out
    assert f"no record at byte {begin}" in desk.rrr("journal", "ls").out


def test_much_that_is_wrong_is_told_shortly_unless_all_is_asked_for(desk: Desk) -> None:
    desk.write()
    for index in range(SEGMENTS):
        desk.spoil(index)
    short, every = desk.rrr("journal", "verify"), desk.rrr("journal", "verify", "--all")
    assert short.out.splitlines()[-1] == "  and 1 more: --all tells them"
    assert "hash" in every.out.splitlines()[-3]
    assert short.out.splitlines()[:-1] == every.out.splitlines()[:-1]


def test_a_folder_without_journals_is_no_failure(desk: Desk) -> None:
    assert desk.rrr("journal", "verify").code == 0
    assert desk.rrr("journal", "ls").code == 0
    assert desk.rrr("journal", "verify", "ingest.feed", "-J").rows[0]["sound"]


@pytest.mark.parametrize("word", ["nothing", "", "\udcff", "--what", "engine.hb", "-5"])
def test_garbage_is_one_clear_line_and_exit_2(desk: Desk, word: str) -> None:
    for verb in ("ls", "verify", "repair"):
        told = desk.rrr("journal", verb, word)
        assert told.code == 2
        assert told.err


def test_a_killed_writer_leaves_a_tear_that_is_no_damage(desk: Desk) -> None:
    desk.write()
    with desk.segment(-1).open("ab") as file:
        file.write(b"half")
    told = desk.rrr("journal", "verify")
    assert told.code == 0
    assert "4 bytes torn" in told.out


def test_the_place_of_a_position_is_told_beside_it(desk: Desk) -> None:
    desk.write(FEED)
    _, _, pos = desk.spoil(0)
    told = desk.rrr("journal", "verify", "-J").rows[0]
    assert any(f"{pos} to {pos} (1:{pos - position(1, 0)}" in one for one in told["problems"])
