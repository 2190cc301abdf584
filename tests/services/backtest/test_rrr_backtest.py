"""`rrr backtest`, as a person and a script use it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bus.clock import SystemClock
from bus.errors import HouseError
from bus.house import open_house
from bus.lease import Lease
from bus.rows import read_rows
from bus.shard import Value
from schema.house import BacktestResult
from services.rrr import rrr
from services.rrr.said import said_from
from tests.services.backtest.recorded import walk_file

ROOT = Path(__file__).parents[3]
DEADLINE_NS = 20_000_000_000
DATA = ROOT / ".." / "shared" / "data" / "typhonun_DcaTpStrategy"
RECORDED = DATA / "BTC_USDT_USDT-1m-futures.csv.gz"


class Person:
    """Somebody with a home of their own."""

    def __init__(self, path: Path, mode: str = "local") -> None:
        places = {"RRR_RUN": str(path / "run"), "RRR_HOME": str(path), "MODE": mode}
        foreign = ("RRR_", "MODE", "SUPERVISOR")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        self.environ = inherited | places
        self.house = open_house(ROOT, self.environ)
        self.file = walk_file(path / "walk.csv", 60)

    def asks(self, *words: str) -> Result:
        others = {k: None for k in os.environ if k.startswith(("RRR_", "MODE"))}
        runner = CliRunner(env={**others, **self.environ})
        return runner.invoke(rrr, ["backtest", *words])

    def runs(self, *words: str, strategy: str = "pulse") -> Result:
        file = ("--file", str(self.file), "--symbol", "BTC/USDT")
        return self.asks(strategy, *file, *words)

    def starts(self, *words: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env=self.environ | more,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kept(self) -> list[BacktestResult]:
        seen = said_from(self.house.journal_dir, "backtest.result", 1)
        return [one.message for one in seen if isinstance(one.message, BacktestResult)]


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


def test_a_run_is_shown_and_kept_in_the_journal(person: Person) -> None:
    done = person.runs()
    assert done.exit_code == 0, done.output
    assert "pulse on BTC/USDT" in done.stdout
    assert "60 bars of 1m" in done.stdout
    assert "round trips" in done.stdout and "denied" in done.stdout
    (result,) = person.kept()
    assert result.strategy == "pulse"
    assert result.world == person.house.world
    assert result.run_id in done.stdout
    assert dict(result.metrics)["round_trips"] > 5
    assert not list((person.house.run).glob("*.lease"))


def test_a_script_reads_one_object_of_exact_money(person: Person) -> None:
    first = json.loads(person.runs("--json").stdout)
    again = json.loads(person.runs("--json").stdout)
    assert again == first
    assert first["opening"] == "100000.00000000"
    assert first["metrics"]["sharpe"] < 0
    assert first["fills"] >= first["orders"] > 0
    assert first["metrics"]["max_drawdown"] > 0
    assert len(person.kept()) == 2


def test_another_setting_is_another_run(person: Person) -> None:
    first = json.loads(person.runs("--json").stdout)
    other = json.loads(person.runs("--json", "--set", "pulse.notional=100").stdout)
    assert other["run_id"] != first["run_id"]
    assert other["metrics"]["fees"] > first["metrics"]["fees"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--set", "pulse"), 2, "SECTION.KEY=VALUE"),
        (("--set", "venue.symbol=ETH/USDT"), 2, "cannot change venue.symbol"),
        (("--set", "pulse.notoinal=5"), 1, "the nearest is `pulse.notional`"),
        (("--set", "pulse.notional=much"), 1, "`pulse.notional` is 'much'"),
        (("--set", "pulse.notional=90000"), 1, "its orders would be denied"),
        (("--from", "yesterday"), 2, "--from is 'yesterday'"),
        (("--from", "2030-01-01T00:00:00Z"), 1, "no bar of BTC/USDT"),
        (("--to", "2020-01-01T00:00:00Z"), 1, "no bar of BTC/USDT"),
        (("--symbol", "btc"), 1, "venue.symbol"),
    ],
)
def test_what_cannot_be_run_is_told_in_one_message(
    person: Person, words: tuple[str, ...], code: int, said: str
) -> None:
    done = person.runs(*words)
    if isinstance(done.exception, HouseError):
        assert (done.exception.exit_code, done.output) == (code, "")
        assert said in str(done.exception)
    else:
        assert done.exit_code == code
        assert said in done.output
    assert not (person.house.journal_dir / "backtest").exists()


def test_files_and_strategies_that_are_not_there_are_wrong_words(person: Person) -> None:
    missing = person.asks("pulse", "--file", "gone.csv", "--symbol", "BTC/USDT")
    assert (missing.exit_code, "gone.csv" in missing.output) == (2, True)
    unknown = person.runs(strategy="martingale")
    assert (unknown.exit_code, "threshold" in unknown.output) == (2, True)


def test_a_damaged_file_is_told_with_its_line(person: Person) -> None:
    person.file.write_text(person.file.read_text().replace(",", ";", 5))
    done = person.runs()
    assert isinstance(done.exception, HouseError)
    assert done.exception.exit_code == 1
    assert "walk.csv:1" in str(done.exception) and "--file" in str(done.exception)


def test_without_a_shard_the_list_says_who_makes_one(person: Person) -> None:
    done = person.asks("list")
    assert isinstance(done.exception, HouseError)
    assert done.exception.exit_code == 3
    assert "writer_backtest" in str(done.exception)


@pytest.mark.slow  # A newcomer waits eight seconds for the holder to leave.
def test_a_result_is_shown_even_where_it_cannot_be_kept(person: Person) -> None:
    person.house.run.mkdir()
    lease = Lease(person.house.run / "backtest.lease")
    assert lease.take()
    done = person.runs()
    lease.release()
    assert "pulse on BTC/USDT" in done.stdout
    assert isinstance(done.exception, HouseError)
    assert done.exception.exit_code == 75


def test_the_same_run_is_the_same_bytes_in_another_process(person: Person) -> None:
    verb = ("services.rrr", "backtest", "threshold", "--file", str(person.file))
    more = ("--symbol", "BTC/USDT", "--json", "--set", "threshold.enter=0.495")
    both = [person.starts(*verb, *more, PYTHONHASHSEED=seed) for seed in ("1", "2")]
    answers = [process.communicate() for process in both]
    assert [error for _, error in answers] == ["", ""]
    assert answers[0][0] == answers[1][0] != ""


@pytest.mark.slow
def test_what_was_said_while_the_house_was_down_is_listed_later(tmp_path: Path) -> None:
    person = Person(tmp_path, "paper")  # Where no venue has to tell the time first.
    said = json.loads(person.runs("--json").stdout)
    writer, clock = person.starts("services.writer", "backtest"), SystemClock()
    try:
        until_ns = clock.mono_ns() + DEADLINE_NS
        while not rows(person):
            assert clock.mono_ns() < until_ns, writer.poll()
            clock.pause_ms(50)
        assert said["run_id"] in person.asks("list").stdout
        (line,) = person.asks("list", "--json").stdout.splitlines()
        assert json.loads(line)["metrics"]["fees"] == said["metrics"]["fees"]
    finally:
        writer.terminate()
        writer.communicate()


def rows(person: Person) -> list[dict[str, Value]]:
    try:
        return list(read_rows(person.house.db_dir, "backtest", "SELECT * FROM runs"))
    except HouseError:
        return []


@pytest.mark.slow
@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded bars are not here")
def test_a_recorded_week_is_traded_with_all_limits_on(person: Person) -> None:
    person.file = RECORDED
    words = ("--to", "2025-05-11T00:00:00Z", "--json")
    found = json.loads(person.runs(*words, strategy="threshold").stdout)
    assert found["bars"] == 6 * 1440 + 507
    assert found["metrics"]["round_trips"] >= 5
    assert found["failures"] == [] and found["denied"] == 0
    assert float(found["final"]) == pytest.approx(100_000, rel=0.02)
