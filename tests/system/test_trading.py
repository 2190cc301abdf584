"""It trades: from recorded data to fills on the books, while everything is killed in turn."""

import json
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.system import journals, market
from tests.system.books import assert_equal_everywhere, assert_orders_are_lawful, at_rest
from tests.system.checkout import Checkout

pytestmark = pytest.mark.slow

BARS_MAX = 600
"""At sixty times its speed the market closes a 1m bar each second."""

FIRST_FILL_S = 60
FIRST_DECISION_S = 120
ROUND_TRIPS = (
    "SELECT count(*) AS n FROM orders WHERE strategy = 'threshold' AND status = 'FILLED' "
    "AND leg IN ('exit', 'stop')"
)
STEPS = ("bar", "forecast", "intent", "verdict", "submitted", "fill")


@pytest.fixture(scope="module")
def recorded() -> Iterator[Checkout]:
    """A house that plays a recording at sixty times its speed; the tests of this file share it."""
    with tempfile.TemporaryDirectory() as directory:
        made = market.replaying(directory)
        try:
            made.up()
            yield made
        finally:
            made.close()


@pytest.fixture
def replaying(recorded: Checkout) -> Checkout:
    """The shared house, trading: whatever a test before has stopped is released."""
    recorded.until("all is READY", lambda: recorded.status()["ready"])
    if not recorded.status()["trading"]:
        recorded.rrr("resume", "another test begins", "--yes")
    recorded.until("it trades", lambda: recorded.status()["trading"])
    return recorded


@pytest.fixture
def fresh() -> Iterator[Checkout]:
    """A house as it comes, with the shipped settings."""
    made = Checkout()
    try:
        made.up()
        yield made
    finally:
        made.close()


def test_a_fresh_house_trades_within_a_minute_and_decides_within_two(fresh: Checkout) -> None:
    sql = "SELECT count(*) AS n FROM fills"
    fresh.until("the first fill", lambda: _count(fresh, sql) > 0, patience_s=FIRST_FILL_S)
    fresh.until("a decision", lambda: _decided(fresh), patience_s=FIRST_DECISION_S)
    screen = fresh.rrr("status").stdout
    assert screen.startswith("Trading: YES")
    assert "SIMULATED" in screen


def test_a_round_trip_survives_the_death_of_every_process(replaying: Checkout) -> None:
    house, begun_ns = replaying, replaying.clock.mono_ns()
    for name in house.pids():
        house.kill(name)
        assert house.rrr("restart", name).returncode == 0
    left_s = BARS_MAX - (house.clock.mono_ns() - begun_ns) // 1_000_000_000
    house.until("a round trip", lambda: _count(house, ROUND_TRIPS) > 0, patience_s=left_s)
    at_rest(house)
    assert_equal_everywhere(house)
    assert_orders_are_lawful(house)
    assert journals.holes(house.journal_dir()) == []


def test_why_shows_every_step_of_an_entry_with_its_time(replaying: Checkout) -> None:
    sql = (
        "SELECT client_order_id AS id FROM orders WHERE strategy = 'threshold' "
        "AND leg = 'entry' AND status = 'FILLED' LIMIT 1"
    )
    (entry,) = replaying.until("an entry", lambda: replaying.query("trading", sql), BARS_MAX)
    done = replaying.rrr("why", entry["id"], "--json")
    assert done.returncode == 0, done.stderr
    steps: list[dict[str, Any]] = json.loads(done.stdout)["steps"]
    found = [step["step"] for step in steps]
    assert [name for name in STEPS if name not in found] == []
    assert all(step["market_ns"] and step["wall_ns"] for step in steps)


def test_a_killed_house_stays_killed_until_a_person_resumes(replaying: Checkout) -> None:
    house = replaying
    assert house.rrr("kill", "a drill", "--level", "halted").returncode == 0
    house.kill("gateway")
    report = house.status()
    assert report["trading"] is False
    assert any("halted" in stop["what"].lower() for stop in report["stops"]), report["stops"]
    assert house.rrr("resume", "the drill is over", "--yes").returncode == 0
    house.until("it trades again", lambda: house.status()["trading"])


def test_flatten_leaves_nothing_open(replaying: Checkout) -> None:
    house = replaying
    house.until("a position", lambda: not _flat(house), patience_s=BARS_MAX)
    assert house.rrr("kill", "get me out", "--flatten").returncode == 0
    house.until("all is sold", lambda: _flat(house))
    at_rest(house)
    assert_equal_everywhere(house)


def _flat(house: Checkout) -> bool:
    # What is left of a purchase after its fee may be less than the exchange sells.
    return all(float(one["qty"]) < 0.0002 for one in house.status()["positions"])


def _count(house: Checkout, sql: str) -> int:
    return int(house.query("trading", sql)[0]["n"])


def _decided(house: Checkout) -> bool:
    orders = "SELECT count(*) AS n FROM orders WHERE strategy = 'threshold'"
    said = house.rrr("why-not", "BTC/USDT", "--json").stdout
    return _count(house, orders) > 0 or "threshold" in said
