"""A house that trades while engine and gateway are killed: its audit is clean, its day replays."""

import json
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.system import market
from tests.system.checkout import Checkout

pytestmark = pytest.mark.slow

FILLS, TRADES_S = 4, 150
PROCESSORS = {"predictor", "engine", "risk", "gateway"}


@pytest.fixture
def house() -> Iterator[Checkout]:
    with tempfile.TemporaryDirectory() as directory:
        made = market.replaying(directory, RRR_HOUSE__NUMBER="71")
        try:
            made.up()
            yield made
        finally:
            made.close()


def test_after_deaths_all_books_agree_and_every_turn_says_the_same(house: Checkout) -> None:
    house.until("fills", lambda: fills(house) >= FILLS, patience_s=TRADES_S)
    for name in ("engine", "gateway"):
        house.kill(name)
    house.until("more fills", lambda: fills(house) > FILLS, patience_s=TRADES_S)
    clean(house, "--running")
    same(house)
    assert house.rrr("down").returncode == 0
    clean(house)
    turns = same(house)
    day = min(moment[:10] for moment in days(house))
    again = same(house, day)
    assert {name: again[name] <= turns[name] for name in turns} == dict.fromkeys(turns, True)


def fills(house: Checkout) -> int:
    return int(house.query("trading", "SELECT count(*) AS n FROM fills")[0]["n"])


def days(house: Checkout) -> list[str]:
    return [str(row["at"]) for row in house.query("trading", "SELECT min(time) AS at FROM fills")]


def clean(house: Checkout, *words: str) -> None:
    done = house.rrr("audit", "--json", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] is True
    assert all(check["ok"] for check in report["checks"])


def same(house: Checkout, *words: str) -> dict[str, int]:
    """Return how many turns of each service said the same again; all that are kept do."""
    done = house.rrr("replay", "--verify", "--json", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    found = {one["service"]: one for one in report["services"]}
    assert set(found) == PROCESSORS
    assert [one["unverifiable"] for one in found.values()] == [[]] * len(found)
    assert min(one["turns"] for one in found.values()) > 0
    return {name: one["turns"] for name, one in found.items()}
