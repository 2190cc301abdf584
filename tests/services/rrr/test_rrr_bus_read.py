"""`rrr bus get` and `info`: one message, one stream, and what is said when it is not there."""

import json
from collections.abc import Iterator

import pytest

from bus.clock import ManualClock
from bus.house import House
from bus.keeper import put_away
from schema.frame import position
from schema.streams import STREAMS
from tests.services.bare import entered_house
from tests.services.rrr.bus_desk import (
    NOON_NS,
    bar,
    bars,
    bus,
    done,
    failure,
    rows,
    writer_of,
)


@pytest.fixture
def house() -> Iterator[House]:
    """A house in which nothing runs, entered, with five bars and three more in one frame."""
    with entered_house() as made:
        writer = bars(made)
        writer.append([bar(number) for number in (10, 11, 12)])
        writer.close("done")
        yield made


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize("place", ["3:7", str(position(3, 7))])
def test_a_message_is_found_by_either_form_of_its_position(place: str) -> None:
    lines = done("get", "ingest.bar", place).splitlines()
    assert lines[0] == f"ingest.bar 3:7 ({position(3, 7)}) Bar"
    assert ["open", "60000.11"] in [line.split() for line in lines]
    (row,) = rows("get", "ingest.bar", place)
    assert (row["pos"], row["place"], row["open"]) == (position(3, 7), "3:7", 6_000_011)


@pytest.mark.usefixtures("house")
def test_what_the_bus_says_to_itself_can_be_read() -> None:
    assert rows("get", "ingest.bar", "3:0")[0]["type"] == "EpochOpened"
    assert rows("get", "ingest.bar", "3:9")[0]["type"] == "Bye"


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    ("place", "context", "around"),
    [
        ("3:7", 0, [7]),
        ("3:7", 1, [6, 7, 8]),
        ("3:7", 9, range(10)),
        ("3:0", 2, [0, 1, 2]),
        ("3:9", 1, [8, 9]),
    ],
)
def test_what_stands_around_it_is_shown_too(place: str, context: int, around: list[int]) -> None:
    found = rows("get", "ingest.bar", place, "--context", str(context))
    assert [row["place"] for row in found] == [f"3:{n}" for n in around]


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize("place", ["3:10", "2:1", "4:0", "1"])
def test_a_position_that_is_not_kept_tells_what_is(place: str) -> None:
    error = failure("get", "ingest.bar", place, "--context", "3")
    assert getattr(error, "exit_code", 0) == 1
    assert f"kept are 3:0 ({position(3, 0)}) to 3:9" in str(error)


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    "args",
    [
        ("get", "ingest.bar", "somewhere"),
        ("get", "ingest.bar", "3:"),
        ("get", "ingest.bar", "-1"),
        ("get", "ingest.ber", "3:1"),
        ("get", "ingest.hb", "3:1"),
        ("cat", "ingest.hb"),
        ("cat", "*.hb"),
        ("info", "nobody.says"),
        ("info", "ingest.*"),
    ],
)
def test_what_makes_no_sense_is_refused_with_2(args: tuple[str, ...]) -> None:
    assert bus(*args).exit_code == 2


@pytest.mark.usefixtures("house")
def test_the_nearest_name_is_told() -> None:
    assert "the nearest is ingest.bar" in bus("info", "ingest.ber").output


@pytest.mark.usefixtures("house")
def test_an_empty_stream_keeps_nothing_yet() -> None:
    assert "nothing is kept of it yet" in str(failure("get", "ingest.trade", "3:1"))
    assert done("cat", "ingest.trade") == ""


def test_info_tells_all_of_a_stream(house: House) -> None:
    again = writer_of(house, "ingest.bar", ManualClock(NOON_NS + 10**12), 4)
    told = json.loads(done("info", "ingest.bar", "--json"))
    assert told["messages"] == [
        {
            "type": "Bar",
            "tag": 5,
            "says": "One closed bar of [open_ns, ts_event); `ts_event` is its close.",
        }
    ]
    assert (told["class"], told["owner"], told["owner_state"]) == ("B", "ingest", "STOPPED")
    assert "a hole stops" in told["class_means"]
    assert (told["first"], told["first_pos"]) == ("3:0", position(3, 0))
    assert (told["last"], told["last_pos"]) == ("4:0", position(4, 0))
    assert (told["synced"], told["synced_pos"]) == (None, None)
    assert told["oldest"] == "2023-11-14T22:13:20.000Z"
    assert told["newest"] == "2023-11-14T22:30:00.000Z"
    assert [one["place"] for one in told["segments"]] == ["3:0", "4:0"]
    assert told["bytes"] == sum(one["bytes"] for one in told["segments"]) > 0
    assert [one["consumer"] for one in told["consumers"]] == ["writer_market", "writer_analytics"]
    assert {one["known_from"] for one in told["consumers"]} == {"nothing"}
    again.close("done")


def test_what_was_put_away_is_read_as_before(house: House) -> None:
    writer_of(house, "ingest.bar", ManualClock(NOON_NS + 10**12), 4).close("done")
    before = [
        rows("cat", "ingest.bar"),
        rows("get", "ingest.bar", "3:7"),
        rows("cat", "ingest.bar", "-o", "@2023-11-14T22:16:20"),
        rows("cat", "ingest.bar", "-o", "-2"),
    ]
    directory = house.journal_dir / "ingest" / "bar"
    list(put_away(directory, position(3, 0), STREAMS["ingest.bar"]))
    assert [
        rows("cat", "ingest.bar"),
        rows("get", "ingest.bar", "3:7"),
        rows("cat", "ingest.bar", "-o", "@2023-11-14T22:16:20"),
        rows("cat", "ingest.bar", "-o", "-2"),
    ] == before
    told = json.loads(done("info", "ingest.bar", "--json"))
    assert [one["archived"] for one in told["segments"]] == [True, False]
    assert all(one["bytes"] for one in told["segments"])
    assert told["oldest"] == "2023-11-14T22:13:20.000Z"


@pytest.mark.usefixtures("house")
def test_info_is_a_page_for_people() -> None:
    text = done("info", "ingest.bar")
    assert f"first     3:0 ({position(3, 0)})  2023-11-14T22:13:20.000Z" in text
    assert "writer_market     yes      ?" in text
    assert "who hears it is not known" in done("info", "ingest.hb")
    assert "DepthSnapshot" in done("info", "ingest.depth")


def test_info_of_what_is_not_kept_promises_no_beginning() -> None:
    page = bus("info", "engine.hb").output
    assert "reads from the beginning" not in page
    assert "nobody is waited for" in page
