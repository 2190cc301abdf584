"""`rrr parity` as a person types it: what it says, how it ends, and what it refuses."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bus.house import House, open_house
from schema.strategy import StrategyLoaded
from services.rrr import rrr
from tests.services.backtest.parity_house import (
    NAME,
    SOURCE,
    SYMBOL,
    Told,
    Trading,
    keep,
    round_trip,
    trade,
)
from tests.services.bare import ROOT, bare_house
from tests.services.rrr.trade_day import files_of

DATE = "2023-05-23"
FOREIGN = ("RRR_", "MODE", "SUPERVISOR")


class Person:
    """Somebody with a home of their own."""

    def __init__(self, path: Path, run: Path) -> None:
        places = {"RRR_RUN": str(run), "RRR_HOME": str(path), "MODE": "local"}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        self.environ = inherited | places
        self.house: House = open_house(ROOT, self.environ)

    def asks(self, *words: str) -> Result:
        others = {k: None for k in os.environ if k.startswith(FOREIGN)}
        return CliRunner(env={**others, **self.environ}).invoke(rrr, ["parity", *words])


@pytest.fixture(scope="module")
def told() -> Told:
    with bare_house() as made:
        return trade(made)


@pytest.fixture
def person() -> Iterator[Person]:
    with bare_house() as made:
        yield Person(made.root, made.run)


def test_a_day_without_a_difference_ends_well(person: Person, told: Told) -> None:
    keep(person.house, told)
    done = person.asks(NAME, "--day", DATE)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[1] == f"{NAME} on {DATE}"
    assert "the day is not over" in lines[3]
    assert "from 2023-05-23T00:00:00Z on" in lines[5]
    assert "Differences: none" in lines
    assert lines[-2].split() == ["HOUSE", "RUN", "DIFFERENCE", "SIGNAL", "LATENCY", "FILL", "FEE"]
    assert lines[-1].split()[2:] == ["0"] * 5


def test_a_signal_ends_with_one_and_stands_in_both_forms(person: Person, told: Told) -> None:
    gone = {id(one) for one in round_trip(told, 3)}
    keep(person.house, [one for one in told if id(one) not in gone])
    page, done = (person.asks(NAME, "--day", DATE, *more) for more in ((), ("--json",)))
    assert (page.exit_code, done.exit_code) == (1, 1)
    report = json.loads(done.stdout)
    first = report["differences"][0]
    assert (first["sort"], first["cause"], first["house"]) == ("signal", "unexplained", None)
    assert first["run"]["notes"]["bars"]
    row = next(line for line in page.stdout.splitlines() if line.startswith("1 "))
    assert first["at"] in row and "nothing" in row and "enter weight 0.2" in row
    signals = [one for one in report["differences"] if one["sort"] == "signal"]
    assert report["causes"]["signal"] == len(signals)
    assert {one["follows"] for one in signals} == {0, 1}


def test_one_symbol_may_be_asked_for(person: Person, told: Told) -> None:
    keep(person.house, told)
    assert person.asks(NAME, "--day", DATE, "--symbol", SYMBOL.lower()).exit_code == 0
    other = person.asks(NAME, "--day", DATE, "--symbol", "ETH/USDT")
    assert other.exit_code == 1
    assert "does not trade ETH/USDT" in str(other.exception)


def test_words_that_mean_nothing_are_usage(person: Person, told: Told) -> None:
    keep(person.house, told)
    for words, text in (
        (("nobody", "--day", DATE), "there is no strategy 'nobody'"),
        ((NAME, "--day", "soon"), "no day 'soon': expected one like"),
        ((NAME,), "--day"),
    ):
        done = person.asks(*words)
        assert (done.exit_code, text in done.output) == (2, True), done.output


def test_a_house_without_bars_is_not_ready(person: Person) -> None:
    done = person.asks("pulse", "--day", DATE)
    assert "there is no market shard" in str(done.exception)
    assert getattr(done.exception, "exit_code", 0) == 3


def test_a_day_whose_journals_are_gone_is_refused(person: Person) -> None:
    def again(one: Trading) -> None:
        one.told.append(None)

    told = trade(person.house, at={30: again})
    keep(person.house, told)
    assert person.asks(NAME, "--day", DATE).exit_code == 0
    files_of(person.house, "engine.intent")[0].unlink()
    done = person.asks(NAME, "--day", DATE)
    assert "is no longer kept" in str(done.exception)
    assert "Journals of engine.intent are kept 3650 days" in str(done.exception)


def test_a_strategy_that_did_not_run_is_told(person: Person, told: Told) -> None:
    keep(person.house, told)
    done = person.asks("mean_reversion", "--day", DATE)
    assert (done.exit_code, "mean_reversion did not run" in str(done.exception)) == (1, True)


def test_what_no_journal_names_any_more_is_played_from_the_settings(
    person: Person, told: Told
) -> None:
    own = ("RRR_STRATEGY__FLIP__FILE", "RRR_STRATEGY__FLIP__BUDGET")
    file = person.house.home / "flip.py"
    file.write_text(SOURCE)
    person.environ |= dict(zip(own, (str(file), "1000"), strict=True))
    keep(person.house, [one for one in told if not isinstance(one, StrategyLoaded)])
    done = person.asks(NAME, "--day", DATE, "--symbol", SYMBOL)
    assert "today's source is played" in done.stdout
    assert done.exit_code == 0, done.output
