"""How `rrr bus watch` and `cat` write what they see, and what they tell of what is lost."""

import csv
import io
import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.clock import ManualClock, SystemClock
from bus.house import House
from schema.frame import Kind, position, unpack
from services.rrr.bus_graph import graph, sparkline
from services.rrr.bus_look import Sources, Tally, counted, look, write_lines
from services.rrr.bus_options import Begin, End
from services.rrr.bus_shape import Shape, Style
from services.rrr.ears import Lost, Seen, shown
from services.rrr.places import Place
from tests.services.bare import entered_house
from tests.services.rrr.bus_desk import (
    NOON_NS,
    bar,
    bars,
    bus,
    done,
    failure,
    fill,
    kill,
    rows,
    trade,
    writer_of,
)


@pytest.fixture
def house() -> Iterator[House]:
    """A house in which nothing runs, entered, with five bars and a fill."""
    with entered_house() as made:
        bars(made).close("done")
        orders = writer_of(made, "gateway.order", ManualClock(NOON_NS))
        orders.append([fill(), kill("stop\x1b[2J\x9b\u2028now")])
        orders.close("done")
        yield made


def segment(house: House, name: str, number: int = 0) -> Path:
    owner, _, channel = name.partition(".")
    return sorted((house.journal_dir / owner / channel).glob("*.seg"))[number]


@pytest.mark.usefixtures("house")
def test_a_format_has_a_letter_for_each_part() -> None:
    text = r"%s|%p|%P|%t|%T|%y|%k|%{close}|%%\t."
    assert done("cat", "ingest.bar", "-n", "1", "-f", text) == (
        f"ingest.bar|{position(3, 1)}|3:1|2023-11-14T22:14:20Z|{NOON_NS + 60 * 10**9}"
        "|Bar|BTC/USDT|60000.50|%\t.\n"
    )


@pytest.mark.usefixtures("house")
def test_a_message_is_one_json_object_in_a_format() -> None:
    line = done("cat", "gateway.order", "-n", "1", "-f", "%k %m")
    assert line.startswith("BTC/USDT {")
    assert json.loads(line.partition(" ")[2])["fee"] == 12


@pytest.mark.usefixtures("house")
def test_fields_are_exact_for_people_and_integers_for_scripts() -> None:
    args = ("cat", "ingest.bar", "-n", "1", "--field", "close,volume")
    assert done(*args) == "22:14:20.000 ingest.bar Bar close=60000.50 volume=1.23456\n"
    (row,) = rows(*args)
    assert list(row) == ["stream", "pos", "ts_ns", "type", "close", "volume"]
    assert row["close"] == 6_000_050


@pytest.mark.usefixtures("house")
def test_a_message_without_the_fields_asked_for_is_left_out() -> None:
    assert [row["type"] for row in rows("cat", "gateway.order", "--field", "level")] == [
        "KillLevel"
    ]


@pytest.mark.usefixtures("house")
def test_comma_separated_values_have_one_head_for_all_messages() -> None:
    table = list(csv.DictReader(io.StringIO(done("cat", "gateway.order", "--csv"))))
    assert [row["type"] for row in table] == ["Fill", "KillLevel"]
    assert table[0]["fee"] == "12"
    assert table[1]["fee"] == ""
    assert table[0]["cause"] == "[0,0]"
    assert table[0]["maker"] == "false"


@pytest.mark.usefixtures("house")
def test_headers_alone_have_no_fields() -> None:
    (row, *_) = rows("cat", "ingest.bar", "--headers-only")
    assert list(row) == ["stream", "pos", "ts_ns", "type"]
    line = done("cat", "ingest.bar", "--headers-only", "-n", "1")
    assert line == f"22:14:20.000 ingest.bar Bar {position(3, 1)} BTC/USDT\n"
    head, first, *_ = done("cat", "ingest.bar", "--headers-only", "--csv").splitlines()
    assert head == "stream,pos,ts_ns,type"
    assert first.count(",") == 3


@pytest.mark.usefixtures("house")
def test_times_can_be_whole_and_relative() -> None:
    lines = done("cat", "ingest.bar", "-t", "-d", "-n", "2", "--field", "trades").splitlines()
    assert lines == [
        "2023-11-14T22:14:20Z +0.000000 ingest.bar Bar trades=2",
        "2023-11-14T22:15:20Z +60.000000 ingest.bar Bar trades=2",
    ]


@pytest.mark.usefixtures("house")
def test_what_is_long_is_cut_when_asked_for() -> None:
    line = done("cat", "ingest.bar", "-n", "1", "-l", "3", "--field", "symbol,trades")
    assert line == "22:14:20.000 ingest.bar Bar symbol=BTC… trades=2\n"
    (row,) = rows("cat", "ingest.bar", "-n", "1", "-l", "3", "--field", "symbol,trades")
    assert (row["symbol"], row["trades"]) == ("BTC…", 2)


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize("flags", [(), ("--json",), ("-f", "%{reason} %m"), ("-t", "-d")])
def test_a_terminal_gets_nothing_that_it_would_obey(flags: tuple[str, ...]) -> None:
    text = done("cat", "gateway.order", *flags)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert len(text.splitlines()) == text.count("\n")


@pytest.mark.usefixtures("house")
def test_json_keeps_what_a_terminal_would_obey() -> None:
    assert rows("cat", "gateway.order")[1]["reason"] == "stop\x1b[2J\x9b\u2028now"


def test_whole_frames_are_written_byte_for_byte(house: House) -> None:
    raw = bus("cat", "ingest.bar", "--raw").stdout_bytes
    whole = segment(house, "ingest.bar").read_bytes()
    assert raw in whole
    at, kinds = 0, []
    while at < len(raw):
        frame = unpack(raw, at)
        kinds.append(frame.kind)
        at += 72 + len(frame.body)
    assert kinds == [Kind.EPOCH, *[Kind.DATA] * 5, Kind.BYE]


@pytest.mark.usefixtures("house")
def test_streams_are_shown_in_the_order_of_time_however_they_lie() -> None:
    with_both = rows("cat", "ingest.*", "gateway.*")
    times = [row["ts_ns"] for row in with_both]
    assert times == sorted(times)
    assert {row["stream"] for row in with_both} == {"ingest.bar", "gateway.order"}
    without = rows("cat", "ingest.*", "gateway.*", "-x", "gateway.*")
    assert {row["stream"] for row in without} == {"ingest.bar"}


def test_a_long_stream_does_not_run_ahead_of_a_short_one(house: House) -> None:
    clock = ManualClock(NOON_NS)
    trades = writer_of(house, "ingest.trade", clock)
    for number in range(3000):
        clock.advance(100_000_000)
        trades.append([trade(number, "X" * 300)])
    trades.close("done")
    times = [row["ts_ns"] for row in rows("cat", "ingest.trade", "ingest.bar")]
    assert len(times) == 3005
    assert times == sorted(times)


def test_a_hole_in_class_c_is_told_and_passed(house: House) -> None:
    trades = writer_of(house, "ingest.trade", SystemClock())
    for number in range(4):
        trades.append([trade(number)] * 2)
    trades.close("done")
    path = segment(house, "ingest.trade")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    lines = done("cat", "ingest.trade", "--headers-only").splitlines()
    assert len([line for line in lines if " Trade " in line]) == 6
    assert [line.split()[2:4] for line in lines if " lost " in line] == [["lost", "2"]]
    assert [row["lost"] for row in rows("cat", "ingest.trade") if row["type"] == "Lost"] == [2]
    assert "lost" not in done("cat", "ingest.trade", "--no-lost")
    result = bus("cat", "ingest.trade", "--csv")
    assert " lost 2 " in result.stderr
    assert "lost" not in result.stdout


def test_damage_in_class_b_ends_the_look_with_5(house: House) -> None:
    path = segment(house, "ingest.bar")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert getattr(failure("cat", "ingest.bar"), "exit_code", 0) == 5
    assert getattr(failure("get", "ingest.bar", "3:4"), "exit_code", 0) == 5


def test_a_segment_that_is_missing_in_class_b_ends_with_5(house: House) -> None:
    for epoch in (4, 5):
        writer = writer_of(house, "ingest.bar", ManualClock(NOON_NS), epoch)
        writer.append([bar(epoch)])
        writer.close("done")
    segment(house, "ingest.bar", 1).unlink()
    result = bus("cat", "ingest.bar", "--headers-only")
    assert getattr(result.exception, "exit_code", 0) == 5
    assert " lost 3 before " in result.stdout
    assert len(result.stdout.splitlines()) == 7


def test_an_interrupt_tells_what_was_seen() -> None:
    tally = Tally(0, messages=12, lost=3)
    assert tally.text(4 * 10**9) == "12 messages in 4.0 s (3.0/s), 3 lost"


def test_enough_messages_end_the_look_at_once(house: House) -> None:
    clock, tally = SystemClock(), Tally(0)
    streams = ["ingest.bar"]
    begin = Begin(Place("beginning"))
    sources = Sources(house, streams, begin, clock, shown)
    heard = look(sources, begin, End(2), clock, None, follow=True)
    write_lines(heard, Shape(Style(), streams), End(2), tally, tell_lost=True)
    sources.close()
    assert tally.messages == 2


def test_a_graph_has_a_bar_for_each_second() -> None:
    assert sparkline([0, 1, 4, 8]) == "▁▁▄█"
    assert sparkline([0, 0]) == "▁▁"
    assert graph({"a.b": deque([1, 2]), "long.one": deque()}) == [
        "a.b             2/s ▄█",
        "long.one        0/s ",
    ]


def test_what_is_drawn_is_counted_and_ends() -> None:
    tally, seen = Tally(0), Seen("ingest.bar", 1, NOON_NS, bar(0))
    heard = [seen, None, Lost("ingest.bar", 9, NOON_NS, 3), seen, seen]
    assert list(counted(heard, End(count=2), tally)) == heard[:4]
    assert (tally.messages, tally.lost) == (2, 3)
