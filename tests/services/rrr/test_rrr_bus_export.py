"""`rrr bus journal export`: every message is a row, every number is the one that was said."""

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.errors import HouseError
from schema.frame import position
from schema.streams import STREAMS
from services.rrr.bus_journal_columns import HEAD, Columns
from services.rrr.lab_export import write_parquet
from tests.services.rrr.journal_desk import MESSAGES, Desk, journal_desk

ORDER = STREAMS["gateway.order"]
TRADE = STREAMS["ingest.trade"]


@pytest.fixture
def desk() -> Iterator[Desk]:
    with journal_desk() as made:
        yield made


def lines_of(desk: Desk, name: str) -> list[dict[str, Any]]:
    """Return the objects that a file holds."""
    return [json.loads(line) for line in (desk.house.root / name).read_text().splitlines()]


def same(told: Any, said: Any) -> bool:
    """Return whether what a file tells is what was said."""
    if isinstance(said, msgspec.Struct):
        return all(same(told[name], getattr(said, name)) for name in said.__struct_fields__)
    if isinstance(said, tuple):
        return all(map(same, told, said))
    return bool(told == msgspec.json.decode(msgspec.json.encode(said)))


def test_lines_of_json_hold_what_was_said_in_its_order(desk: Desk) -> None:
    said = desk.write(ORDER)
    told = desk.rrr("journal", "export", "gateway.order", "-o", "orders.jsonl")
    assert told.code == 0, told.err
    assert told.out == f"{MESSAGES} messages of gateway.order in orders.jsonl\n"
    rows = lines_of(desk, "orders.jsonl")
    assert [row["type"] for row in rows] == [type(one).__name__ for one in said]
    assert list(rows[0])[:4] == ["stream", "pos", "ts_ns", "type"]
    for row, message in zip(rows, said, strict=True):
        assert list(row)[4:] == list(message.__struct_fields__)
        for name, value in row.items():
            assert name in HEAD or same(value, getattr(message, name)), name
    submitted = next(row for row in rows if row["type"] == "OrderSubmitted")
    assert submitted["intent"]["order_type"] == "take_profit_limit"


def test_a_csv_file_has_a_head_and_exact_integers(desk: Desk) -> None:
    said = desk.write(TRADE)
    assert desk.rrr("journal", "export", "ingest.trade", "-o", "x", "--csv").code == 0
    rows = list(csv.DictReader((desk.house.root / "x").read_text().splitlines()))
    assert list(rows[0]) == list(Columns(TRADE).kinds)
    assert [int(row["px"]) for row in rows] == [getattr(one, "px", None) for one in said]
    assert {row["buyer_maker"] for row in rows} <= {"true", "false"}
    assert rows[0]["cause"] == msgspec.json.encode(getattr(said[0], "cause", None)).decode()


def test_a_parquet_file_reads_back_as_the_same_numbers(desk: Desk) -> None:
    polars = pytest.importorskip("polars", reason="needs `make lab-install`")
    said = desk.write(ORDER)
    told = desk.rrr("journal", "export", "gateway.order", "-o", "orders.parquet")
    assert told.code == 0, told.err
    frame = polars.read_parquet(desk.house.root / "orders.parquet")
    assert frame.columns[:4] == ["stream", "pos", "ts_ns", "type"]
    assert frame["pos"].dtype == polars.Int64
    assert frame["ts_event"].to_list() == [one.ts_event for one in said]
    fills = frame.filter(polars.col("type") == "Fill")
    assert fills["px"].to_list() == [
        getattr(one, "px", None) for one in said if type(one).__name__ == "Fill"
    ]


def test_a_stretch_is_written_and_no_more(desk: Desk) -> None:
    desk.write(TRADE)
    words = ("--from", "1:3", "--until", "2:2")
    assert desk.rrr("journal", "export", "ingest.trade", "-o", "x.jsonl", *words).code == 0
    rows = lines_of(desk, "x.jsonl")
    assert (rows[0]["pos"], rows[-1]["pos"]) == (position(1, 3), position(2, 2))


def test_a_file_is_there_whole_or_not_at_all(desk: Desk) -> None:
    desk.write(ORDER)
    desk.spoil(2, ORDER)
    told = desk.rrr("journal", "export", "gateway.order", "-o", "orders.csv")
    assert told.code == 5
    assert "is damaged at byte" in told.err
    assert [path.name for path in desk.house.root.glob("orders*")] == []
    (desk.house.root / "orders.csv").write_text("mine")
    assert desk.rrr("journal", "export", "gateway.order", "-o", "orders.csv").code == 1
    assert (desk.house.root / "orders.csv").read_text() == "mine"
    assert desk.rrr("journal", "export", "gateway.order", "-o", "no/where.csv").code == 1


def test_what_was_salvaged_is_exported_with_word_of_the_hole(desk: Desk) -> None:
    desk.write(ORDER)
    desk.spoil(2, ORDER)
    assert desk.rrr("journal", "repair", "gateway.order", "--salvage", "--yes").code == 0
    told = desk.rrr("journal", "export", "gateway.order", "-o", "orders.jsonl")
    assert told.code == 0
    assert "steps over 1 holes of 1 positions" in told.err
    assert len((desk.house.root / "orders.jsonl").read_text().splitlines()) == MESSAGES - 1


@pytest.mark.parametrize(
    "words",
    [
        ("ingest.trade",),
        ("ingest.trade", "-o", "x"),
        ("ingest.trade", "-o", "x.xml"),
        ("nothing", "-o", "x.csv"),
        ("engine.hb", "-o", "x.csv"),
        ("ingest.*", "-o", "x.csv"),
        ("ingest.trade", "-o", "x.csv", "--from", "yesterday"),
        ("ingest.trade", "-o", "x.csv", "--until", "-5"),
        ("ingest.trade", "-o", "x" * 5000 + ".csv"),
    ],
)
def test_garbage_of_an_export_is_one_line_and_exit_2(desk: Desk, words: tuple[str, ...]) -> None:
    told = desk.rrr("journal", "export", *words)
    assert told.code == 2
    assert told.err


@pytest.mark.parametrize("name", ["pipe", "folder"])
def test_what_is_no_file_is_never_replaced_by_one(desk: Desk, tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    os.mkfifo(place) if name == "pipe" else place.mkdir()
    told = desk.rrr("journal", "export", "ingest.trade", "--csv", "--force", "-o", str(place))
    assert told.code == 1
    assert "is no file" in told.err
    assert not place.is_file()


def test_a_name_that_leaves_no_room_for_a_draft_is_told(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / ("x" * 251 + ".csv")
    told = desk.rrr("journal", "export", "ingest.trade", "-o", str(path))
    assert (told.code, "cannot be written" in told.err) == (1, True)


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no /dev/full here")
def test_what_polars_cannot_write_is_one_line() -> None:
    pytest.importorskip("polars", reason="needs `make lab-install`")
    with pytest.raises(HouseError, match="No space left"):
        write_parquet(Path("/dev/full"), {"pos": "int"}, iter([{"pos": [1]}]))
