"""Protections in a run: they are on, as they are in a house, and nothing enters while they hold."""

from pathlib import Path

import pytest

from schema.units import MINUTE_NS, MS_NS
from services.backtest.running import Played
from tests.services.backtest.recorded import walk_file
from tests.services.backtest.test_backtest_run import played, records_of, settings_for

GUARD = "RRR_PROTECTION__STOPLOSS_GUARD__"
OWN = "RRR_STRATEGY__THRESHOLD__PARAMS__"
EAGER = {
    f"{OWN}ENTER": "0.495",
    f"{OWN}EXIT": "0.49",
    f"{OWN}STOP_DEVIATIONS": "0.5",
}
REST_NS = 60 * MINUTE_NS


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return walk_file(tmp_path_factory.mktemp("bars") / "walk.csv", 400)


def stops_of(found: Played) -> list[int]:
    """Return when stops were filled."""
    records = records_of(found)
    legs = {order.id: order.type for order in records.orders.values()}
    fills = records.fills.values()
    return [fill.at_ms * MS_NS for fill in fills if legs[fill.order_id] == "STOP_LOSS"]


def entries_of(found: Played) -> list[int]:
    """Return when entries were filled."""
    return [fill.at_ms * MS_NS for fill in records_of(found).fills.values() if fill.buyer]


def test_after_a_stop_nothing_enters_until_the_guard_lets_it(walk: Path) -> None:
    found = played(walk, "threshold", settings_for(**EAGER, **{f"{GUARD}TRADE_LIMIT": "1"}))
    stops, entries = stops_of(found), entries_of(found)
    assert stops
    assert not [at for at in entries for stop in stops if stop < at < stop + REST_NS]
    assert any(at > stops[0] + REST_NS for at in entries)
    locks = found.engine.state.books.locks.held["BTC/USDT"]
    assert [lock.name for lock in locks.values()] == ["stoploss_guard"]


def test_a_run_without_the_guard_enters_sooner(walk: Path) -> None:
    found = played(walk, "threshold", settings_for(**EAGER, **{f"{GUARD}ON": "false"}))
    stops, entries = stops_of(found), entries_of(found)
    assert [at for at in entries for stop in stops if stop < at < stop + REST_NS]
    assert found.engine.state.books.locks.held == {}


def test_the_shipped_protections_let_the_pulse_go_on(walk: Path) -> None:
    found = played(walk, "pulse", settings_for())
    assert len(found.tally.trips) > 50
    assert not found.tally.denials
