"""`rrr backtest list | show | diff | --watch`: runs that were kept, wherever they stand by now."""

import json
import signal
from pathlib import Path

import pytest

from bus.clock import SystemClock
from bus.errors import HouseError
from tests.services.backtest.person import ROOT, Person
from tests.services.backtest.tallied import record

DEADLINE_NS = 30_000_000_000


@pytest.fixture
def person(tmp_path: Path) -> Person:
    found = Person(tmp_path)
    found.keeps(record("ab12"), record("ab34", trips=5, settings={"risk.daily_loss": "7"}))
    return found


def test_a_kept_run_is_shown_as_it_was_shown(person: Person) -> None:
    person.folds()
    report = record("ab12").report
    assert person.asks("show", "ab12", "--json").stdout.strip() == report
    table = person.asks("show", "ab1").stdout
    for told in ("Run ab12: made_up on BTC/USDT", "BUY & HOLD", "sharpe", "ENTRY TAG", "up"):
        assert told in table


def test_its_round_trips_are_shown_where_they_are_wanted(person: Person) -> None:
    person.folds()
    lines = person.asks("show", "ab12", "--trades").stdout.splitlines()
    assert sum("  long  " in line for line in lines) == 6
    found = json.loads(person.asks("show", "ab12", "--trades", "--json").stdout)
    assert found["round_trips"][0]["exit_tag"] == "down"
    assert found["round_trips"][0]["qty"] == 1_000


def test_a_run_that_waits_in_the_journal_is_the_same(person: Person, tmp_path: Path) -> None:
    words = ("show", "ab12", "--trades", "--json", "--html")
    before = person.asks(*words, str(tmp_path / "a.html")).stdout
    person.keeps(record("ab12"))
    assert person.asks(*words, str(tmp_path / "b.html")).stdout == before
    person.folds()
    assert person.asks(*words, str(tmp_path / "c.html")).stdout == before
    pages = {(tmp_path / f"{name}.html").read_bytes() for name in "abc"}
    assert len(pages) == 1


def test_an_id_must_name_one_run(person: Person) -> None:
    both = person.asks("show", "ab")
    assert (both.exit_code, "ab12 ab34" in both.output) == (2, True)
    assert person.asks("show", "*").exit_code == 2
    none = person.asks("show", "ff")
    assert isinstance(none.exception, HouseError)
    assert "rrr backtest list" in str(none.exception)


def test_two_runs_are_compared_side_by_side(person: Person) -> None:
    person.folds()
    found = json.loads(person.asks("diff", "ab12", "ab34", "--json").stdout)
    assert found["settings"] == {"risk.daily_loss": ["5", "7"]}
    assert (found["params"], found["digests"]) == ({}, {})
    assert found["figures"]["round_trips"] == [6, 5, -1]
    assert found["first_diverging_trade"]["number"] == 5
    assert found["first_diverging_trade"]["b"] is None
    table = person.asks("diff", "ab12", "ab34").stdout
    assert "B - A" in table and "risk.daily_loss  5  7" in table
    assert "the first round trip that differs is number 5" in table


def test_a_run_is_no_different_from_itself(person: Person) -> None:
    table = person.asks("diff", "ab12", "ab12").stdout
    assert "every round trip is the same" in table
    assert "SETTINGS" not in table


def test_the_list_says_what_is_not_in_the_shard_yet(person: Person) -> None:
    person.folds()
    done = person.asks("list")
    assert "ab34" in done.stdout and "BTC/USDT" in done.stdout
    assert done.stderr == ""
    person.keeps(record("cd56"))
    done = person.asks("list", "--json")
    assert {json.loads(line)["run_id"] for line in done.stdout.splitlines()} == {"ab12", "ab34"}
    assert "1 run waits in the journal" in done.stderr and "cd56" in done.stderr


def test_words_of_a_strategy_do_not_reach_the_terminal_raw(tmp_path: Path) -> None:
    person = Person(tmp_path)
    person.keeps(record("ab12", why="\x1b[2Jgone"))
    shown = person.asks("show", "ab12", "--trades").stdout
    assert "\x1b" not in shown and "[2Jgone" in shown


@pytest.mark.slow
def test_a_watched_run_runs_again_after_each_change(tmp_path: Path) -> None:
    person, clock = Person(tmp_path), SystemClock()
    own, told = tmp_path / "own" / "mine.py", tmp_path / "told"
    own.parent.mkdir()
    text = (ROOT / "strategies" / "pulse.py").read_text()
    own.write_text(text)
    file = ("--file", str(person.file), "--symbol", "BTC/USDT")
    watcher = person.tells(told, "services.rrr", "backtest", str(own), *file, "--watch")

    def waits_for(words: str, count: int = 1) -> None:
        until_ns = clock.mono_ns() + DEADLINE_NS
        while told.read_text().count(words) < count:
            assert clock.mono_ns() < until_ns and watcher.poll() is None, told.read_text()
            clock.pause_ms(50)

    try:
        waits_for("ENTRY TAG")
        own.write_text(f"{text}def broken(:\n")
        waits_for("mine.py")
        own.write_text(text.replace("notional: float = ", "notional: float = 1"))
        waits_for("since the run before")
        waits_for("fees")
        until_ns = clock.mono_ns() + DEADLINE_NS
        while watcher.poll() is None:  # One that comes amid the interpreter's own work is lost.
            assert clock.mono_ns() < until_ns, told.read_text()
            watcher.send_signal(signal.SIGINT)
            clock.pause_ms(1_000)
        assert watcher.returncode == 0
    finally:
        watcher.kill()
        watcher.communicate()
