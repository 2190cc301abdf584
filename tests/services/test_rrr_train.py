"""`rrr train`, as a person and a script use it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bus.house import open_house
from services.predictor.lesson import lesson_of
from services.predictor.shelf import current
from tests.services.predictor.markets import walk
from tests.services.predictor.shards import fill

ROOT = Path(__file__).parents[2]


class Person:
    """Somebody at a terminal in this checkout, with a home of their own."""

    def __init__(self, path: Path) -> None:
        places = {"RRR_RUN": str(path / "run"), "RRR_HOME": str(path)}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RRR_", "MODE"))}
        self.environ = inherited | places
        self.house = open_house(ROOT, self.environ)

    def train(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "services.rrr", "train", *words],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


def test_without_a_shard_it_says_how_to_come_by_one(person: Person) -> None:
    done = person.train()
    assert (done.returncode, done.stdout) == (3, "")
    assert "no market shard" in done.stderr and "rrr up" in done.stderr


def test_too_few_bars_are_told_with_how_many_it_takes(person: Person) -> None:
    fill(person.house.db_dir, walk(300), person.house.world)
    done = person.train()
    assert done.returncode == 3
    assert "has 300 bars of 1m of BTC/USDT" in done.stderr
    assert "expected at least 506" in done.stderr


def test_a_symbol_that_the_house_does_not_trade_is_a_wrong_word(person: Person) -> None:
    done = person.train("--symbols", "DOGE/USDT")
    assert done.returncode == 2
    assert "BTC/USDT" in done.stderr


@pytest.mark.slow
def test_a_model_is_trained_shown_and_installed(person: Person) -> None:
    fill(person.house.db_dir, walk(1500), person.house.world)
    done = person.train("--epochs", "2", "--symbols", "BTC/USDT")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[4].split() == ["LOG", "LOSS", "BRIER", "HIT", "RATIO", "AUC", "SPREAD"]
    assert [line.split()[0] for line in lines[5:8]] == ["model", "base", "logistic"]
    models = Path(lesson_of(person.house).models)
    found = current(models, person.house.world)
    assert found is not None and found.sha256[:16] in lines[0]
    again = json.loads(person.train("--epochs", "2", "--bars", "1000", "--json").stdout)
    assert again["bars"] == 1000 and again["baselines"]["logistic"]["auc"] > 0
