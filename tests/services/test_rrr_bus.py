"""`rrr bus watch` and `rrr bus list` over real journals, and how a message looks on a line."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from bus.clock import ManualClock
from bus.house import House
from bus.journal import open_reader, open_writer
from bus.record import JournalWriter
from schema.frame import position
from schema.market import Bar, FeedStatus
from schema.streams import STREAMS
from services.rrr import rrr
from services.rrr.ears import Seen
from services.rrr.lines import as_json, as_text
from services.rrr.places import after_and_since, span_ns
from tests.services.bare import bare_house

OTHERS = [name for name in os.environ if name.startswith(("RRR_", "MODE"))]
NOON_NS = 1_700_000_000_000_000_000
STREAM = STREAMS["ingest.bar"]
ROOT = str(Path(__file__).parents[2])


@pytest.fixture
def house() -> Iterator[House]:
    """A house in which nothing runs, entered."""
    before = Path.cwd()
    with bare_house() as made:
        os.chdir(made.root)
        yield made
        os.chdir(before)


@pytest.fixture
def writer(house: House) -> Iterator[JournalWriter]:
    """The stream of bars, with five of them on it, a minute apart."""
    clock = ManualClock(NOON_NS)
    directory = house.journal_dir / "ingest" / "bar"
    made = open_writer(directory, STREAM, 3, clock, "code")
    for number in range(5):
        clock.advance(60_000_000_000)
        made.append([bar(number)])
    yield made
    made.close("done")


def bar(number: int) -> Bar:
    return Bar(
        ts_event=NOON_NS + 60_000_000_000,
        symbol="BTC/USDT",
        timeframe="1m",
        open_ns=NOON_NS,
        open=6_000_000 + number,
        high=6_000_100,
        low=5_999_900,
        close=6_000_050,
        volume=123_456,
        quote_volume=7,
        trades=2,
        px_exp=2,
        qty_exp=5,
        quote_exp=2,
    )


def run(*args: str) -> Result:
    return CliRunner(env=dict.fromkeys(OTHERS)).invoke(rrr, args)


def shown(*args: str) -> list[dict[str, object]]:
    done = run("bus", "watch", "ingest.bar", "--json", "--exit-at-end", *args)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.output.splitlines()]


@pytest.mark.usefixtures("writer")
def test_watch_shows_the_head_and_every_field_by_name() -> None:
    first = shown("-o", "beginning")[0]
    assert first["stream"] == "ingest.bar"
    assert first["pos"] == position(3, 1)
    assert first["ts_ns"] == NOON_NS + 60_000_000_000
    assert first["type"] == "Bar"
    assert set(first) == {"stream", "pos", "ts_ns", "type", *Bar.__struct_fields__}


@pytest.mark.usefixtures("house")
def test_a_reader_that_leaves_ends_watch_without_a_complaint(writer: JournalWriter) -> None:
    writer.append([bar(number) for number in range(20_000)])
    words = ("bus", "watch", "ingest.bar", "--json", "-o", "beginning")
    with subprocess.Popen(
        [sys.executable, "-m", "services.rrr", *words],
        env={k: v for k, v in os.environ.items() if k not in OTHERS} | {"PYTHONPATH": ROOT},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as watch:
        assert watch.stdout is not None
        assert watch.stderr is not None
        assert watch.stdout.readline().startswith(b'{"stream":"ingest.bar"')
        watch.stdout.close()
        assert watch.stderr.read() == b""
    assert watch.returncode == 0


@pytest.mark.usefixtures("writer")
@pytest.mark.parametrize(
    ("args", "opens"),
    [
        (("-o", "beginning"), [0, 1, 2, 3, 4]),
        (("-o", "end"), []),
        (("-o", "-2"), [3, 4]),
        (("-o", "-100"), [0, 1, 2, 3, 4]),
        (("-o", str(position(3, 4))), [3, 4]),
        (("-o", "@2023-11-14T22:16:20"), [2, 3, 4]),
        (("-o", "@2023-11-14T22:16:20.5"), [3, 4]),
        (("-o", "beginning", "-n", "2"), [0, 1]),
        (("-o", "beginning", "--once"), [0]),
        (("--since", "10m"), []),
    ],
)
def test_watch_begins_and_ends_where_it_is_told(args: tuple[str, ...], opens: list[int]) -> None:
    assert [line["open"] for line in shown(*args)] == [6_000_000 + number for number in opens]


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    "args",
    [
        ("nobody.says",),
        ("ingest.bar", "-o", "somewhere"),
        ("ingest.bar", "-o", "@noon"),
        ("ingest.bar", "-o", "²"),
        ("ingest.bar", "-W", "nan"),
        ("ingest.bar", "-W", "inf"),
        ("ingest.bar", "--since", "5 minutes"),
        ("ingest.bar", "-n", "0"),
        (),
    ],
)
def test_watch_refuses_what_it_does_not_know(args: tuple[str, ...]) -> None:
    assert run("bus", "watch", *args).exit_code == 2


@pytest.mark.usefixtures("house")
def test_watch_waits_no_longer_than_it_may() -> None:
    assert run("bus", "watch", "ingest.*", "-W", "0.1").exit_code == 0


def test_list_names_each_stream_with_its_place(house: House, writer: JournalWriter) -> None:
    listed = {row["stream"]: row for row in json.loads(run("bus", "list", "--json").output)}
    assert listed["ingest.bar"] == {
        "stream": "ingest.bar",
        "owner": "ingest",
        "class": "B",
        "epoch": 3,
        "last_pos": writer.last,
        "bytes": sum(p.stat().st_size for p in (house.journal_dir / "ingest/bar").glob("*.seg")),
    }
    assert listed["ingest.hb"]["class"] == "E"
    assert {row["owner"] for row in listed.values()} <= set(house.programs)


@pytest.mark.usefixtures("writer")
def test_list_is_a_table_for_people() -> None:
    head, *rows = run("bus", "list").output.splitlines()
    assert head.split() == ["STREAM", "OWNER", "CLASS", "EPOCH", "LAST_POS", "BYTES"]
    assert any(row.startswith("ingest.bar ") for row in rows)


def test_people_read_decimals_and_times() -> None:
    line = as_text(Seen("ingest.bar", 1, NOON_NS, bar(0)))
    assert line.startswith("22:13:20.000 ingest.bar Bar symbol=BTC/USDT")
    assert "open=60000.00" in line
    assert "volume=1.23456" in line
    assert "open_ns=2023-11-14T22:13:20Z" in line


def test_scripts_read_integers() -> None:
    status = FeedStatus(ts_event=5, symbol="BTC/USDT", state="OK", reason="")
    assert json.loads(as_json(Seen("ingest.feed", 9, 7, status)))["last_trade_id"] == 0


@pytest.mark.parametrize(
    ("text", "ns"),
    [("90s", 90 * 10**9), ("10m", 600 * 10**9), ("2h", 7200 * 10**9), ("1d", 86400 * 10**9)],
)
def test_a_stretch_of_time_is_read(text: str, ns: int) -> None:
    assert span_ns(text) == ns


@pytest.mark.parametrize("text", ["", "m", "10", "10y", "-1s", "1.5h"])
def test_a_stretch_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(click.UsageError):
        span_ns(text)


def test_an_empty_stream_has_an_end(tmp_path: Path) -> None:
    assert after_and_since(open_reader(tmp_path / "nothing", STREAM), "end", 0) == (0, 0)
