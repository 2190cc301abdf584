"""A trading shard of the release before, while its writer has not brought it up to date yet."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from bus.house import House
from bus.shard import Connection
from services.rrr.survey import NotReadyError
from tests.services.bare import entered_house
from tests.services.rrr.money_desk import Desk, exit_code, run

BEFORE = """
DROP INDEX portfolio_by_day;
ALTER TABLE portfolio_snapshots DROP COLUMN funding;
ALTER TABLE portfolio_snapshots DROP COLUMN period;
ALTER TABLE positions DROP COLUMN funding;
ALTER TABLE positions DROP COLUMN mark;
ALTER TABLE ledger DROP COLUMN symbol;
DELETE FROM migration WHERE name LIKE '0004%';
PRAGMA user_version = 3;
"""


@pytest.fixture
def house() -> Iterator[House]:
    with entered_house() as made:
        desk = Desk(made)
        desk.put_in(0, "USDT", 10**11)
        desk.fill(1, "buy", 1_000, 6_000_000)
        desk.keep()
        with closing(Connection(str(made.db_dir / "trading.db"))) as db:
            db.execute(BEFORE)
        yield made


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize("verb", ["positions", "report"])
def test_what_asks_for_tables_of_today_is_told_to_wait_for_the_writer(verb: str) -> None:
    error = run(verb).exception
    assert isinstance(error, Exception)
    assert "tables of an older release" in str(error)
    assert "writer_trading brings it up to date" in getattr(error, "hint", "")
    assert getattr(error, "exit_code", 0) == NotReadyError.exit_code


@pytest.mark.usefixtures("house")
def test_nothing_of_an_older_shard_is_told_to_be_damaged() -> None:
    done = run("db", "verify", "trading", "--quick")
    assert exit_code(done) == 0, done.output
    assert "not looked at" in done.output
    done = run("audit")  # The fill of this desk has no order: that alone is told.
    assert "causes: not as" in str(done.exception)
    assert "tables of an older release" in done.output


@pytest.mark.usefixtures("house")
def test_what_an_older_shard_has_is_shown() -> None:
    assert exit_code(run("trades")) == 0
    error = run("db", "query", "trading", "SELECT x FROM fills").exception
    assert "no such column: x" in str(error)
    assert "tables of an older release" in str(error)
