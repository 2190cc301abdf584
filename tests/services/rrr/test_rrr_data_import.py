"""`rrr data import`: what it does with what is there, and with trouble on the way."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bus.clock import SystemClock
from services.rrr.db import db
from services.writer.history import open_history
from tests.services.rrr.data_desk import Desk, expected, lines

ROOT = Path(__file__).parents[3]
TEN = range(10)
SMALL_BYTES = 200_000


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_same_file_again_adds_nothing(desk: Desk) -> None:
    path = desk.write(lines(TEN))
    desk.take(path)
    again = desk.take(path)
    assert (again["status"], again["added"], again["equal"]) == ("already imported", 0, 10)
    assert "already imported" in desk.rrr("import", path).out
    other = desk.take(desk.write(lines(TEN, 1), "copy/BTC_USDT-1m.csv"))
    assert (other["status"], other["added"]) == ("already imported", 0)


def test_what_differs_from_what_is_there_stays_unless_it_is_replaced(desk: Desk) -> None:
    desk.take(desk.write(lines(TEN)))
    rows = lines(range(12))
    rows[3] = rows[3].replace("103.5,", "103.75,", 1)
    path = desk.write(rows, "b/BTC_USDT-1m.csv")
    file = desk.take(path)
    assert (file["added"], file["equal"], file["differing"], file["replaced"]) == (2, 9, 1, 0)
    (told,) = [one for one in desk.report(file) if one["what"] == "differs"]
    assert told["open"] == "2024-03-01T00:03:00Z"
    assert (told["found"].split()[0], told["there"].split()[0]) == ("103.75000000", "103.50000000")
    assert desk.bars() == expected(range(12))
    file = desk.take(path, "--replace")
    assert (file["added"], file["differing"], file["replaced"]) == (0, 0, 1)
    assert desk.bars()[3][1] == "103.75"


def test_a_dry_run_compares_and_writes_nothing(desk: Desk) -> None:
    path = desk.write(lines(TEN))
    file = desk.take(path, "--dry-run")
    assert (file["status"], file["added"], file["report"]) == ("compared", 10, "")
    assert not (desk.home / "data").exists()
    desk.take(desk.write(lines(range(5)), "a/BTC_USDT-1m.csv"))
    before = sorted(desk.home.rglob("*"))
    file = desk.take(path, "--dry-run")
    assert (file["added"], file["equal"]) == (5, 5)
    assert [
        one for one in sorted(desk.home.rglob("*")) if one.suffix not in {".db-shm", ".db-wal"}
    ] == before


@pytest.mark.parametrize("timeframe", ["5m", "1h", "1d"])
def test_a_file_whose_spacing_is_not_its_timeframe_is_refused(desk: Desk, timeframe: str) -> None:
    file = desk.take(desk.write(lines(TEN), f"BTC_USDT-{timeframe}.csv"))
    assert "its rows are 1m apart" in file["reason"]
    assert "Say --timeframe 1m" in file["reason"]
    assert desk.take(desk.path / f"BTC_USDT-{timeframe}.csv", "--timeframe", "1m")["bars"] == 10


def test_options_count_for_more_than_the_name_of_a_file(desk: Desk) -> None:
    words = ("--symbol", "eth/btc", "--exchange", "kraken")
    file = desk.take(desk.write(lines(TEN), "x.csv"), *words, "--timeframe", "1m")
    assert (file["symbol"], file["timeframe"], file["exchange"]) == ("ETH/BTC", "1m", "kraken")
    assert len(desk.bars("ETH/BTC", exchange="kraken")) == 10


@pytest.mark.parametrize(
    "name", ["ETH_USDT-8h-funding_rate.csv", "XRP_USDT-1h-mark.csv", "XRP_ETH-trades.csv"]
)
def test_files_of_something_else_are_refused_by_their_names(desk: Desk, name: str) -> None:
    assert "by its name it holds" in desk.take(desk.write(lines(TEN), name))["reason"]


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"\x00\x01\x02" * 999, b"\xff\xfe1\x00,\x002\x00", os.urandom(4096),
     b"<html><body>404</body></html>\n", b"timestamp,open,high,low,close,volume\n",
     b"a,b,c\n1,2,3\n", b"\x1f\x8b\x08\x00garbage", b"timestamp,open,high,low,close,volume\nx,y\n",
     b"1" * (3 << 20)],
)  # fmt: skip
@pytest.mark.parametrize("ending", ["csv", "csv.gz", "zip", "json", "parquet"])
def test_garbage_is_refused_with_a_reason(desk: Desk, content: bytes, ending: str) -> None:
    path = desk.path / f"BTC_USDT-1m.{ending}"
    path.write_bytes(content)
    answer = desk.rrr("import", path, "--json")
    assert answer.code == 1
    assert answer.files[0]["status"] == "refused"
    assert answer.files[0]["reason"]


def test_a_directory_is_walked_and_what_is_no_bars_is_told(desk: Desk) -> None:
    desk.write(lines(TEN), "d/a/BTC_USDT-1m.csv")
    desk.write(["x"], "d/b/notes.csv", header="")
    desk.write(["x"], "d/readme.md")
    (desk.path / "d" / "loop").symlink_to(desk.path / "d")
    (desk.path / "d" / "self.csv").symlink_to("self.csv")
    os.mkfifo(desk.path / "d" / "pipe.csv")
    answer = desk.rrr("import", desk.path / "d", "--json")
    assert answer.code == 0
    assert [(Path(one["source"]).name, one["status"]) for one in answer.files] == [
        ("pipe.csv", "refused"), ("self.csv", "refused"), ("BTC_USDT-1m.csv", "imported"),
        ("notes.csv", "refused"),
    ]  # fmt: skip
    assert answer.json["others"] == 1
    assert answer.json["archived"] == {"binance": [202403]}


def test_a_directory_without_bars_is_a_failure_with_a_hint(desk: Desk) -> None:
    (desk.path / "empty").mkdir()
    answer = desk.rrr("import", desk.path / "empty")
    assert answer.code == 1
    assert "there is no file of bars" in answer.err


@pytest.mark.parametrize(
    "words",
    [["nowhere.csv"], ["."], ["loop.csv"], ["x.csv", "--exchange", "../x"],
     ["x.csv", "--symbol", "BTC"], ["x.csv", "--timeframe", "2m"], ["x.csv", "--format", "?"], []],
)  # fmt: skip
def test_words_that_make_no_sense_are_refused_in_one_line(desk: Desk, words: list[str]) -> None:
    desk.write(lines(TEN), "x.csv")
    (desk.path / "loop.csv").symlink_to("loop.csv")
    paths = [desk.path / word if word in {"x.csv", "loop.csv"} else word for word in words]
    answer = desk.rrr("import", *(path for path in paths if path != "."))
    assert answer.code == 2
    assert "Error: " in answer.err
    assert "Traceback" not in answer.err


def test_a_second_import_at_the_same_time_is_told_who_writes(desk: Desk) -> None:
    path = desk.write(lines(TEN))
    with open_history(desk.place(), "binance", SystemClock()):
        answer = desk.rrr("import", path)
    assert answer.code == 1
    assert f"process {os.getpid()} is writing to the history of binance" in answer.err


def test_closed_months_are_archived_and_stay_readable(desk: Desk) -> None:
    answer = desk.rrr("import", desk.write(lines(TEN)), "--json")
    assert answer.json["archived"] == {"binance": [202403]}
    assert list((desk.place() / "db").glob("*.db")) == []
    assert desk.bars() == expected(TEN)
    assert "archived 1 months" in desk.rrr("import", desk.write(lines(range(11)))).out
    assert desk.bars() == expected(range(11))


def test_what_was_imported_is_proven_where_nothing_was_ever_traded(desk: Desk) -> None:
    desk.take(desk.write(lines(TEN)), "--exchange", "kraken")
    for words in (["verify"], ["rebuild", "--verify"]):
        done = CliRunner().invoke(db, [*words, "--history", "--json"], env=desk.environ)
        assert json.loads(done.stdout)["ok"], done.output
        assert "history-kraken" in done.stdout or "market_data_2024_03" in done.stdout
        alone = CliRunner().invoke(db, words, env=desk.environ)
        assert getattr(alone.exception, "exit_code", 0) == 3


def test_a_place_that_cannot_be_written_is_named(desk: Desk) -> None:
    (desk.home / "data").write_text("a file")
    answer = desk.rrr("import", desk.write(lines(TEN)))
    assert answer.code != 0
    assert "cannot be written" in answer.err


def test_a_full_disk_keeps_what_was_done_and_the_next_run_does_the_rest(desk: Desk) -> None:
    first = desk.write(lines(range(50)), "a/BTC_USDT-1m.csv")
    rest = desk.write(lines(range(12_000)), "b/ETH_USDT-1m.csv")

    def shrink() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL_BYTES, SMALL_BYTES))

    code = (
        "import signal, services.rrr; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "services.rrr.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "data", "import", str(first), str(rest), "--no-archive"],
        cwd=ROOT, env={**os.environ, **{k: v for k, v in desk.environ.items() if v}},
        preexec_fn=shrink, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "imported: binance BTC/USDT" in done.stdout
    assert "market_data_2024_0" in done.stderr
    assert "Traceback" not in done.stderr
    answer = desk.rrr("import", first, rest, "--json", "--no-archive")
    assert [one["status"] for one in answer.files] == ["already imported", "imported"]
    assert len(desk.bars("ETH/USDT")) == 12_000


def test_no_world_is_touched_by_an_import(desk: Desk) -> None:
    desk.take(desk.write(lines(TEN)))
    assert [one.name for one in (desk.home / "data").iterdir()] == ["historical"]
