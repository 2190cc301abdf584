"""`rrr bus schema`: what stands on the streams, and the proof that journals can still be read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.record import schema_id
from bus.shapes import name_of, read_shape, shape_of
from schema.messages import MESSAGES
from schema.streams import STREAMS
from tests.services.rrr.journal_desk import FEED, Desk, journal_desk

TRADE = STREAMS["ingest.trade"]


@pytest.fixture
def desk() -> Iterator[Desk]:
    with journal_desk() as made:
        yield made


def saved(desk: Desk, **changes: Any) -> Path:
    """Return a file with the shape of trades, its second field from the end changed."""
    told = json.loads(msgspec.json.encode(shape_of(TRADE)))
    if "fields" in changes:
        told["messages"][0]["fields"] = changes.pop("fields")(told["messages"][0]["fields"])
    told["messages"][0] |= changes
    path = desk.house.root / "saved.json"
    path.write_text(json.dumps(told))
    return path


def test_every_stream_and_message_is_listed_with_its_tag(desk: Desk) -> None:
    rows = {row["stream"]: row for row in desk.rrr("schema", "ls", "-J").rows}
    assert list(rows) == list(STREAMS)
    assert rows["ingest.trade"]["messages"] == {"Trade": 1}
    assert int(rows["ingest.trade"]["schema"], 16) == schema_id(TRADE.number)
    assert "OrderIntent(40)" in desk.rrr("schema", "ls").out


def test_every_message_has_a_page_with_types_defaults_and_units(desk: Desk) -> None:
    for kind in MESSAGES.values():
        (row,) = desk.rrr("schema", "show", kind.__name__, "-J").rows
        assert [field["name"] for field in row["fields"]] == list(kind.__struct_fields__)
    text = desk.rrr("schema", "show", "ingest.bar").out
    assert "market time, ns since 1970 UTC" in text
    words = [line.split() for line in text.splitlines()]
    assert ["source", "str", "=", '"trades"', "trades", "|", "rest"] in words


def test_a_publisher_leaves_the_shape_of_what_it_writes(desk: Desk) -> None:
    desk.write()
    desk.write(TRADE)
    path = desk.folder(TRADE) / "schemas" / f"{name_of(TRADE)}.json"
    assert read_shape(path).messages == shape_of(TRADE).messages
    told = desk.rrr("schema", "check")
    assert told.code == 0
    assert told.out.splitlines() == [
        f"ingest.feed {name_of(FEED)} is read",
        f"ingest.trade {name_of(TRADE)} is read",
    ]


def test_what_was_written_with_fewer_fields_is_read(desk: Desk) -> None:
    path = saved(desk, fields=lambda fields: fields[:-1])
    assert desk.rrr("schema", "check", "--against", str(path)).code == 0
    told = desk.rrr("schema", "diff", str(path), name_of(TRADE))
    assert told.out == "+ Trade: ts_recv: int = 0\n"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "Swap"}, "tag 1 was Swap"),
        ({"tag": 99}, "(tag 99) is not known"),
        ({"fields": lambda f: [f[1], f[0], *f[2:]]}, "place 1 was trace"),
        ({"fields": lambda f: [*f[:-1], {**f[-1], "type": "str"}]}, "place 11 was ts_recv: str"),
        ({"fields": lambda f: f[:5]}, "Trade.px was appended without a default"),
    ],
)
def test_what_this_tree_would_misread_is_named_with_exit_5(
    desk: Desk, change: dict[str, Any], told: str
) -> None:
    path = saved(desk, **change)
    found = desk.rrr("schema", "check", "--against", str(path))
    assert found.code == 5
    assert told in found.out
    assert desk.rrr("schema", "diff", str(path), name_of(TRADE)).out.strip()


@pytest.mark.parametrize(
    "words",
    [
        ("show", "Nothing"),
        ("show", ""),
        ("diff", "00000000", "6a7b5ac0"),
        ("diff", "x" * 5000, "y"),
        ("check", "--against", "nowhere"),
        ("check", "--against", "."),
    ],
)
def test_garbage_about_shapes_is_one_line_and_exit_2(desk: Desk, words: tuple[str, ...]) -> None:
    told = desk.rrr("schema", *words)
    assert told.code == 2
    assert told.err


def test_a_file_that_holds_no_shape_is_told_with_its_name(desk: Desk) -> None:
    (desk.house.root / "x.json").write_bytes(b"\xff{")
    told = desk.rrr("schema", "diff", "x.json", "x.json")
    assert told.code == 1
    assert "x.json holds no shape" in told.err


def test_how_two_shapes_differ_is_told_as_json_too(desk: Desk) -> None:
    bars, trades = (name_of(STREAMS[name]) for name in ("ingest.bar", "ingest.trade"))
    told = json.loads(desk.rrr("schema", "diff", bars, trades, "--json").out)
    assert told["streams"] == ["ingest.bar", "ingest.trade"]
    assert told["schemas"] == [bars, trades]
    assert told["differences"]
    assert json.loads(desk.rrr("schema", "diff", bars, bars, "-J").out)["differences"] == []


def test_a_shape_that_somebody_sent_obeys_no_terminal(desk: Desk, tmp_path: Path) -> None:
    shape = msgspec.structs.replace(shape_of(STREAMS["ingest.bar"]), stream="\x1b[2J")
    path = tmp_path / "evil.json"
    path.write_bytes(msgspec.json.encode(shape))
    for words in (("check", "--against"), ("check", "-J", "--against"), ("diff", "1384211f")):
        told = desk.rrr("schema", *words, str(path))
        assert "\x1b" not in told.out + told.err
