"""`rrr db archive`, as a person and a script use it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bus.clock import ManualClock
from bus.house import open_house, settle_world
from bus.lease import Lease
from services.writer.archive_files import archive_path, live_path, manifest_path
from services.writer.market_store import MarketStore
from services.writer.months import Months
from tests.services.market_desk import BAR, LIMITS, MINUTE_NS, at, bar, kept, rows
from tests.services.writer.archive_desk import JANUARY, START

ROOT = Path(__file__).parents[3]


class Person:
    """Somebody at a terminal in this checkout, with a home of their own."""

    def __init__(self, path: Path) -> None:
        places = {"RRR_RUN": str(path / "run"), "RRR_HOME": str(path), "MODE": "paper"}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RRR_", "MODE"))}
        self.environ = inherited | places
        self.house = open_house(ROOT, self.environ)
        self.place = self.house.world_dir

    def rrr(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "services.rrr", "db", "archive", *words],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def months(self, *words: str) -> list[dict[str, Any]]:
        done = self.rrr("--json", *words)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def write(self, *minutes: int) -> None:
        lease = Lease(self.house.run / "shard_market.lease")
        assert lease.take()
        months = Months(self.house.db_dir, self.house.world)
        store = MarketStore(months, lease, ManualClock(), LIMITS)
        said = [bar(START + minute * MINUTE_NS) for minute in minutes]
        pos = store.cursors().get(BAR, 0)
        store.commit(kept(*said, bar(at("2026-02-01T00:00:00"))), {BAR: pos + 1})
        store.close()


@pytest.fixture
def person(tmp_path: Path) -> Person:
    someone = Person(tmp_path)
    settle_world(someone.house)
    someone.house.run.mkdir(parents=True)
    return someone


def test_months_that_are_over_become_archives_and_leave(person: Person) -> None:
    person.write(*range(40))
    january, february = person.months("--dry-run")
    assert (january["month"], january["state"], january["rev"]) == ("2026-01", "due", 0)
    assert february["state"] == "open"
    january, february = person.months()
    assert (january["state"], january["rows"], january["rev"]) == ("archived", 40, 1)
    assert january["archive_bytes"] == archive_path(person.place, JANUARY).stat().st_size
    assert january["bytes_per_row"] == january["archive_bytes"] / 40
    assert january["done"] == "2026-01 is read from its archive now"
    assert not live_path(person.place, JANUARY).exists()
    assert rows(person.house.db_dir, "SELECT count(*) FROM bars") == [(41,)]
    person.write(50)
    assert person.months("--dry-run")[0]["state"] == "changed"
    january, _ = person.months("2026-01")
    assert (january["state"], january["rows"], january["rev"]) == ("archived", 41, 2)
    done = person.rrr()
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0][:3] == ["MONTH", "STATE", "ROWS"]
    assert lines[1][:3] == ["2026-01", "archived", "41"]


def test_what_cannot_be_archived_is_told_and_stays(person: Person) -> None:
    person.write(*range(5))
    archive_path(person.place, JANUARY).parent.mkdir(parents=True)
    archive_path(person.place, JANUARY).write_text("foreign")
    done = person.rrr()
    assert done.returncode == 5
    assert "Traceback" not in done.stderr
    assert "market_data_2026_01.arc.db" in done.stderr
    assert live_path(person.place, JANUARY).exists()
    archive_path(person.place, JANUARY).unlink()
    manifest_path(person.place, JANUARY).write_text("{")
    (january, _) = person.months("--dry-run")
    assert "cannot be read" in january["problem"]


def test_a_month_that_is_not_over_is_refused(person: Person) -> None:
    person.write(1)
    done = person.rrr("2026-02")
    assert done.returncode == 1
    assert "2026-02 is not over" in done.stderr


@pytest.mark.parametrize("text", ["2026", "2026-13", "x", "", "²⁰²⁶-⁰¹"])
def test_what_is_no_month_is_usage(person: Person, text: str) -> None:
    done = person.rrr(text)
    assert done.returncode == 2
    assert "is no month" in done.stderr


def test_before_there_is_a_shard_it_says_so(person: Person) -> None:
    done = person.rrr()
    assert done.returncode == 3
    assert "no market shard" in done.stderr
