"""`rrr bus watch` and `rrr bus list` over real journals, and how a message looks on a line."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import Result

from bus.house import House
from bus.record import JournalWriter
from schema.frame import position
from schema.market import Bar, FeedStatus
from schema.streams import STREAMS
from schema.units import EXP_MAX
from services.rrr.bus_fields import field
from services.rrr.ears import Seen
from services.rrr.lines import as_json, as_text, value_text
from services.rrr.places import Place, span_ns
from services.rrr.starts import Start, start_of
from tests.services.bare import entered_house
from tests.services.rrr.bus_desk import NOON_NS, OTHERS, bar, bars, bus, rows

STREAM = STREAMS["ingest.bar"]
ROOT = str(Path(__file__).parents[2])


@pytest.fixture
def house() -> Iterator[House]:
    """A house in which nothing runs, entered."""
    with entered_house() as made:
        yield made


@pytest.fixture
def writer(house: House) -> Iterator[JournalWriter]:
    """The stream of bars, with five of them on it, a minute apart."""
    made = bars(house)
    yield made
    made.close("done")


def run(*args: str) -> Result:
    return bus(*args)


def shown(*args: str) -> list[dict[str, object]]:
    return rows("watch", "ingest.bar", "--exit-at-end", *args)


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
        (("-o", "-0"), []),
        (("-o", "-100"), [0, 1, 2, 3, 4]),
        (("-o", "-1", "--key", "eth/usdt"), [3]),
        (("-o", str(position(3, 4))), [3, 4]),
        (("-o", "3:4"), [3, 4]),
        (("-o", "0"), [0, 1, 2, 3, 4]),
        (("-o", "snapshot"), [0, 1, 2, 3, 4]),
        (("-o", "@2023-11-14T22:16:20"), [2, 3, 4]),
        (("-o", "@2023-11-14T22:16:20.5"), [3, 4]),
        (("-o", "beginning", "-n", "2"), [0, 1]),
        (("-o", "beginning", "--once"), [0]),
        (("--last",), [4]),
        (("--last", "--key", "ETH/USDT"), [3]),
        (("--last-per-key",), [3, 4]),
        (("--last-per-key", "-o", "@2023-11-14T22:18:00"), [4]),
        (("-o", "beginning", "--filter", "open in (60000, 60000.03)"), [0, 3]),
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
        ("ingest.bar", "-o", "9" * 19),
        ("ingest.bar", "-o", "1:99999999999999"),
        ("ingest.bar", "-o", "end", "--since", "5m"),
        ("ingest.bar", "--last", "--last-per-key"),
        ("ingest.bar", "-W", "nan"),
        ("ingest.bar", "-W", "inf"),
        ("ingest.bar", "--since", "5 minutes"),
        ("ingest.bar", "-n", "0"),
        ("ingest.bar", "--filter", "close >"),
        ("ingest.bar", "--filter", "clothes > 1"),
        ("ingest.bar", "--field", "clothes"),
        ("ingest.bar", "--format", "%q"),
        ("ingest.bar", "--format", "%"),
        ("ingest.bar", "--format", "%{clothes}"),
        ("ingest.bar", "--json", "--csv"),
        ("ingest.bar", "--raw", "--key", "BTC/USDT"),
        ("ingest.bar", "--live", "-o", "-3"),
        ("ingest.bar", "--from", "memory"),
        ("ingest.bar", "-x", "ingest.*"),
        ("ingest.bar", "-x", "nobody.says"),
        ("ingest.bar", "--graph"),
        (),
    ],
)
def test_watch_refuses_what_it_does_not_know(args: tuple[str, ...]) -> None:
    assert run("watch", *args).exit_code == 2


@pytest.mark.usefixtures("house")
def test_watch_waits_no_longer_than_it_may() -> None:
    assert run("watch", "ingest.*", "-W", "0.1").exit_code == 0


def test_list_names_each_stream_with_its_place(house: House, writer: JournalWriter) -> None:
    listed = {row["stream"]: row for row in json.loads(run("list", "--json").output)}
    assert listed["ingest.bar"] == {
        "stream": "ingest.bar",
        "owner": "ingest",
        "class": "B",
        "epoch": 3,
        "last_pos": writer.last,
        "bytes": sum(p.stat().st_size for p in (house.journal_dir / "ingest/bar").glob("*.seg")),
        "synced_pos": None,
        "segments": 1,
        "messages": ["Bar"],
        "retention_days": 14,
        "durable": ["writer_market", "writer_analytics"],
    }
    assert listed["ingest.hb"]["class"] == "E"


@pytest.mark.usefixtures("writer")
def test_list_is_a_table_for_people() -> None:
    columns = ["STREAM", "OWNER", "CLASS", "EPOCH", "LAST_POS", "SYNCED_POS", "SEGMENTS", "BYTES"]
    head, *lines = run("list").output.splitlines()
    assert head.split() == columns
    assert any(line.startswith("ingest.bar ") for line in lines)
    more = run("list", "-v", "ingest.*").output.splitlines()[0].split()
    assert more == [*columns, "RETENTION_DAYS", "DURABLE", "MESSAGES"]
    assert run("list", "-q", "gateway.*").output == "gateway.order\ngateway.hb\n"


@pytest.mark.usefixtures("writer")
def test_list_names_streams_whose_owner_is_no_program() -> None:
    assert run("list", "-q").output.split() == list(STREAMS)
    listed = {row["stream"]: row for row in json.loads(run("list", "--json").output)}
    assert listed["cli.note"]["owner"] == "cli"
    assert listed["backtest.result"]["last_pos"] == 0


@pytest.mark.usefixtures("writer")
@pytest.mark.parametrize("closed", [True, False])
def test_an_output_that_is_closed_or_narrow_is_no_crash(*, closed: bool) -> None:
    words = ("bus", "cat", "ingest.bar", "-n", "1", "-l", "2")
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" >&-' if closed else '"$@"', "sh", sys.executable, "-m",
         "services.rrr", *words],
        env={k: v for k, v in os.environ.items() if k not in OTHERS}
        | {"PYTHONPATH": ROOT, "PYTHONIOENCODING": "ascii"},
        capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert (b"\\u2026" in done.stdout) is not closed


def test_people_read_decimals_and_times() -> None:
    line = as_text(Seen("ingest.bar", 1, NOON_NS, bar(0)))
    assert line.startswith("22:13:20.000 ingest.bar Bar symbol=BTC/USDT")
    assert "open=60000.00" in line
    assert "volume=1.23456" in line
    assert "open_ns=2023-11-14T22:13:20Z" in line


@pytest.mark.parametrize("places", [-1, 10**12, EXP_MAX + 1])
def test_decimals_that_make_no_sense_are_not_obeyed(places: int) -> None:
    odd = msgspec.structs.replace(bar(0), px_exp=places)
    assert "open=6000000 " in as_text(Seen("ingest.bar", 1, NOON_NS, odd))
    assert field(Seen("ingest.bar", 1, NOON_NS, odd), "open") == 6000000


def test_a_stretch_is_no_moment() -> None:
    assert value_text(None, "horizon_ns", 300 * 10**9) == "300000000000"
    assert value_text(None, "ts_recv", NOON_NS) == "2023-11-14T22:13:20Z"


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
    assert start_of(tmp_path / "nothing", STREAM, Place("end"), 0) == Start()
