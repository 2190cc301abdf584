"""`rrr backtest`, as a person and a script use it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bus.clock import SystemClock
from bus.errors import HouseError
from bus.lease import Lease
from bus.reading import Value
from bus.rows import read_rows
from schema.market import Bar
from schema.units import MINUTE_NS, MS_NS
from services.rrr.backtest_page import PAGES_MAX
from tests.bus.month_rig import Place, bars
from tests.services.backtest.person import ROOT, Person
from tests.services.backtest.recorded import START_MS
from tests.services.predictor.shards import fill

DEADLINE_NS = 20_000_000_000
DATA = ROOT / ".." / "shared" / "data" / "typhonun_DcaTpStrategy"
RECORDED = DATA / "BTC_USDT_USDT-1m-futures.csv.gz"


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


def test_a_run_is_shown_and_kept_in_the_journal(person: Person) -> None:
    done = person.runs()
    assert done.exit_code == 0, done.output
    assert "pulse on BTC/USDT" in done.stdout
    assert "60 bars of 1m, fills: book" in done.stdout
    for told in ("BUY & HOLD", "round trips", "denied", "ENTRY TAG", "EXIT TAG"):
        assert told in done.stdout
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
    assert first["opening"] == "1000.00000000"
    assert first["metrics"]["sharpe"] < 0
    assert first["fills"] >= first["orders"] > 0
    assert first["metrics"]["max_drawdown"] > 0
    assert first["trades"] == first["statistics"]["# Trades"] > 5
    assert float(first["quote"]) < 100_000
    assert len(person.kept()) == 2


def test_another_parameter_is_another_run(person: Person) -> None:
    first = json.loads(person.runs("--json").stdout)
    other = json.loads(person.runs("--json", "--set", "notional=100").stdout)
    assert other["run_id"] != first["run_id"]
    assert other["params"]["notional"] == 100
    assert other["metrics"]["fees"] > first["metrics"]["fees"]


def test_commission_is_a_share_and_fees_are_basis_points(person: Person) -> None:
    share = json.loads(person.runs("--json", "--commission", "0.002").stdout)
    points = json.loads(person.runs("--json", "--fees", "20").stdout)
    assert share == points
    assert share["settings"]["venue.taker_bps"] == "20"
    free = json.loads(person.runs("--json", "--commission", "0").stdout)
    assert free["metrics"]["fees"] == 0


def test_the_first_bars_alone_may_be_played(person: Person) -> None:
    assert json.loads(person.runs("--json", "--bars", "25").stdout)["bars"] == 25


def test_a_file_with_a_strategy_is_run_by_its_path(person: Person, tmp_path: Path) -> None:
    own = tmp_path / "mine.py"
    own.write_text((ROOT / "strategies" / "pulse.py").read_text())
    found = json.loads(person.runs("--json", strategy=str(own)).stdout)
    assert (found["strategy"], found["opening"]) == ("mine", "10000.00000000")
    assert found["trades"] > 5


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--set", "notional"), 2, "NAME=VALUE"),
        (("--set", "venue.symbol=ETH/USDT"), 2, "cannot change venue.symbol"),
        (("--set", "risk.dayly_loss=5"), 1, "the nearest is `risk.daily_loss`"),
        (("--set", "risk.daily_loss=much"), 1, "--set risk.daily_loss"),
        (("--from", "yesterday"), 2, "--from is 'yesterday'"),
        (("--from", "2030-01-01T00:00:00Z"), 1, "BTC/USDT"),
        (("--until", "2020-01-01T00:00:00Z"), 1, "BTC/USDT"),
        (("--symbol", "ETH/USDT"), 2, "1 files and 2 symbols"),
        (("--commission", "0.00015"), 2, "hundredths of a percent"),
        (("--commission", "nan"), 2, "--commission is nan"),
        (("--commission", "0.001", "--fees", "10"), 2, "choose one"),
        (("--set", "strategy.pulse.budget=1e12"), 1, "<= 10000000000.0"),
        (("--set", "strategy.pulse.budget=1e-9"), 1, ">= 1e-08"),
        (("--set", "every_s=0"), 1, "strategies/pulse.py: parameter `every_s` is 0"),
        (("--bars", "1", "--from", "2030-01-01T00:00:00Z"), 1, "--from and --until"),
        (("--since", "90d"), 2, "stored history"),
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
    nowhere = person.runs(strategy="./martingale.py")
    assert (nowhere.exit_code, "there is no file" in nowhere.output) == (2, True)


def test_each_run_that_is_shown_has_a_page_and_the_cache_forgets_old_ones(person: Person) -> None:
    cache = person.house.home / "data" / "cache" / "backtests"
    cache.mkdir(parents=True)
    for number in range(PAGES_MAX):
        os.utime(_touched(cache / f"old{number}.html"), (number, number))
    done = person.runs()
    assert done.exit_code == 0, done.output
    (page,) = (cache / word for word in done.stderr.split() if word.endswith(".html"))
    assert b"<svg" in page.read_bytes()
    names = {one.name for one in cache.iterdir()}
    assert len(names) == PAGES_MAX
    assert "old0.html" not in names
    assert person.runs("--json").stderr == ""


def _touched(path: Path) -> Path:
    path.touch()
    return path


def test_a_page_is_written_where_it_is_wanted(person: Person, tmp_path: Path) -> None:
    place = tmp_path / "pages" / "run.html"
    done = person.runs("--html", str(place))
    assert done.exit_code == 0, done.output
    assert str(place) in done.stderr
    first = place.read_bytes()
    assert b"<svg" in first
    person.runs("--html", str(place))
    assert place.read_bytes() == first


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_a_full_disk_under_what_is_shown_is_one_sentence(person: Person) -> None:
    words = ("backtest", "pulse", "--file", str(person.file), "--symbol", "BTC/USDT", "--json")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "services.rrr", *words],
            cwd=ROOT,
            env=person.environ,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, len(person.kept())) == (1, 1)
    assert done.stderr.startswith("rrr: what is shown cannot be written: No space left")
    assert done.stderr.count("\n") == 1


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
    more = ("--symbol", "BTC/USDT", "--json", "--set", "enter=0.495")
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
    words = ("--until", "2025-05-11T00:00:00Z", "--json")
    found = json.loads(person.runs(*words, strategy="threshold").stdout)
    assert found["bars"] == 6 * 1440 + 507
    assert found["metrics"]["round_trips"] >= 5
    assert found["failures"] == [] and found["denied"] == 0
    assert float(found["final"]) == pytest.approx(10_000, rel=0.1)


def test_the_last_stretch_of_the_stored_history_is_played(person: Person) -> None:
    fill(person.house.db_dir, [_minute(number) for number in range(300)], person.house.world)
    symbol = ("--symbol", "BTC/USDT")
    found = json.loads(person.asks("pulse", "--since", "2h", "--json", *symbol).stdout)
    assert found["bars"] == 120
    assert (found["first"], found["last"]) == ("2025-06-15T18:07:00Z", "2025-06-15T20:07:00Z")
    assert found["trades"] > 5
    all_of_it = json.loads(person.asks("pulse", "--json", "--bars", "10", *symbol).stdout)
    assert (all_of_it["bars"], all_of_it["first"]) == (10, "2025-06-15T15:07:00Z")


def test_imported_history_is_played_by_its_own_name_in_any_house(tmp_path: Path) -> None:
    person, words = Person(tmp_path, "paper"), ("pulse", "--symbol", "BTC/USDT", "--json")
    place = Place(person.house.home / "data" / "historical" / "binance")
    place.archive(bars("BTC/USDT", "1m", "2025-12-01T00:00:00", 300))
    behind = person.asks(*words, "--since", "2h")  # The world itself has no bar yet.
    for mode in ("paper", "local"):
        own = Person(tmp_path, mode)
        named = own.asks(*words, "--since", "2h", "--history", "binance")
        assert json.loads(named.stdout) == json.loads(behind.stdout)
    assert json.loads(behind.stdout)["first"] == "2025-12-01T03:00:00Z"
    assert person.asks(*words, "--history", "kraken").exit_code == 2
    assert person.runs("--history", "binance").exit_code == 2


def test_what_is_not_stored_is_told(person: Person) -> None:
    nothing = person.asks("pulse", "--since", "2h")
    assert isinstance(nothing.exception, HouseError)
    assert nothing.exception.exit_code == 3
    fill(person.house.db_dir, [_minute(0)], person.house.world)
    other = person.asks("pulse", "--since", "2h", "--symbol", "ETH/USDT")
    assert "no 1m bar of ETH/USDT" in str(other.exception)


def _minute(number: int) -> Bar:
    open_ns = START_MS * MS_NS + number * MINUTE_NS
    px = 6_000_000 + number
    return Bar(
        ts_event=open_ns + MINUTE_NS, symbol="BTC/USDT", timeframe="1m", open_ns=open_ns,
        open=px, high=px + 50, low=px - 50, close=px + 1, volume=500_000,
        quote_volume=3 * 10**12, trades=9, px_exp=2, qty_exp=5, quote_exp=7,
    )  # fmt: skip
