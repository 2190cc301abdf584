"""`rrr db query`, as a person and a script use it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bus.clock import ManualClock
from bus.history import history_exchange, history_of
from bus.house import open_house, settle_world
from bus.lease import Lease
from services.rrr.tables import table
from services.writer.market_store import MarketStore
from services.writer.months import Months
from tests.bus.month_rig import Place, bars
from tests.services.market_desk import (
    BAR,
    END_OF_JANUARY,
    LIMITS,
    MINUTE_NS,
    at,
    bar,
    kept,
)

ROOT = Path(__file__).parents[2]


class Person:
    """Somebody at a terminal in this checkout, with a home of their own."""

    def __init__(self, path: Path) -> None:
        self.places = {"RRR_RUN": str(path / "run"), "RRR_HOME": str(path), "MODE": "paper"}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RRR_", "MODE"))}
        self.environ = inherited | self.places
        self.house = open_house(ROOT, self.environ)

    def rrr(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "services.rrr", *words],
            cwd=ROOT / "docs",  # The house is found from inside it.
            env=self.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


@pytest.fixture
def store(person: Person) -> Iterator[MarketStore]:
    settle_world(person.house)
    person.house.run.mkdir(parents=True)
    lease = Lease(person.house.run / "shard_market.lease")
    assert lease.take()
    made = MarketStore(
        Months(person.house.db_dir, person.house.world), lease, ManualClock(), LIMITS
    )
    made.commit(kept(*(bar(END_OF_JANUARY + n * MINUTE_NS) for n in range(3))), {BAR: 3})
    yield made
    made.close()


@pytest.mark.usefixtures("store")
def test_rows_are_json_objects_one_a_line(person: Person) -> None:
    done = person.rrr("db", "query", "market", "SELECT * FROM bars ORDER BY open_ms", "--json")
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["open_ms"] * 1_000_000 for row in found] == [
        END_OF_JANUARY + n * MINUTE_NS for n in range(3)
    ]
    assert found[0]["close"] == "64000.01"


@pytest.mark.usefixtures("store")
def test_a_person_sees_a_table(person: Person) -> None:
    done = person.rrr("db", "query", "market", "SELECT symbol, close FROM bars LIMIT 1")
    lines = ["symbol    close", "--------  --------", "BTC/USDT  64000.01"]
    assert done.stdout.splitlines() == lines


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("sql", ["DELETE FROM bar", "CREATE TABLE t (a)", "ATTACH 'x' AS y"])
def test_an_attempt_to_write_is_refused(person: Person, sql: str) -> None:
    done = person.rrr("db", "query", "market", sql)
    assert done.returncode == 1
    assert "only reads" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("store")
def test_a_query_that_takes_too_long_is_ended(person: Person) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    done = person.rrr("db", "query", "market", endless, "--time-limit-ms", "50")
    assert done.returncode == 1
    assert "longer than it may" in done.stderr


@pytest.mark.usefixtures("store")
def test_one_statement_is_asked_at_a_time(person: Person) -> None:
    alone = person.rrr("db", "query", "market", "/* a */ SELECT 1 AS a, 2 AS a; -- done", "--json")
    assert json.loads(alone.stdout) == {"a": 1, "a:1": 2}
    two = person.rrr("db", "query", "market", "SELECT 1 AS a; SELECT 2 AS b", "--json")
    assert two.returncode == 1
    assert "more than one statement" in two.stderr


@pytest.mark.usefixtures("store")
def test_shards_elsewhere_are_read_as_those_of_the_world(person: Person) -> None:
    count = "SELECT count(*) AS n FROM bars"
    for place in (person.house.world_dir, person.house.db_dir):
        done = person.rrr("db", "query", "market", count, "--json", "--in", str(place))
        assert json.loads(done.stdout) == {"n": 3}, done.stderr
    for shard in ("trading", "history"):
        done = person.rrr("db", "query", shard, "SELECT 1", "--in", str(person.house.world_dir))
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)


@pytest.mark.usefixtures("store")
def test_history_lies_behind_the_bars_of_its_world(person: Person) -> None:
    count = "SELECT count(*) AS n, min(open_ms) * 1000000 AS first FROM bars"
    none = person.rrr("db", "query", "history", count)
    assert none.returncode == 3
    assert "`rrr data import`" in none.stderr
    imported = Place(person.house.home / "data" / "historical" / "binance")
    imported.archive(bars("BTC/USDT", "1m", "2025-12-01T00:00:00", 9))
    first = at("2025-12-01T00:00:00")
    for shard, expected in (("market", 12), ("history", 9), ("history:binance", 9)):
        done = person.rrr("db", "query", shard, count, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"n": expected, "first": first}
    other = person.rrr("db", "query", "history:kraken", count)
    assert other.returncode == 2
    assert "There are: history:binance" in other.stderr


@pytest.mark.parametrize(
    ("world", "exchange"),
    [
        ("paper-binance", "binance"),
        ("live-binance-ab12", "binance"),
        ("backtest", "binance"),
        ("local-synthetic-7", ""),
        ("replay-0123abcd", ""),
    ],
)
def test_only_worlds_of_a_real_exchange_have_history(
    person: Person, world: str, exchange: str
) -> None:
    described = msgspec.structs.replace(person.house.described, name=world)
    house = msgspec.structs.replace(person.house, described=described)
    assert history_exchange(house) == exchange
    assert history_of(house) == ()
    place = Place(house.home / "data" / "historical" / "binance").top
    assert history_of(house) == ((place,) if exchange else ())


def test_what_came_from_elsewhere_is_asked_for_by_its_name(person: Person) -> None:
    for shard in ("legacy", "legacy:old"):
        done = person.rrr("db", "query", shard, "SELECT 1")
        assert done.returncode == 3
        assert "`rrr db migrate SOURCE`" in done.stderr
    assert person.rrr("db", "query", "market:binance", "SELECT 1").returncode == 2


def test_an_unknown_shard_lists_the_shards(person: Person) -> None:
    done = person.rrr("db", "query", "news", "SELECT 1")
    assert done.returncode == 2
    assert "trading, market" in done.stderr


def test_an_empty_query_is_usage(person: Person) -> None:
    done = person.rrr("db", "query", "trading", "  ")
    assert done.returncode == 2
    assert "the query is empty" in done.stderr


def test_before_there_is_a_world_it_says_so(person: Person) -> None:
    done = person.rrr("db", "query", "trading", "SELECT 1")
    assert done.returncode == 3
    assert "no trading shard" in done.stderr
    assert "writer_trading" in done.stderr


@pytest.mark.usefixtures("store")
def test_a_reader_that_leaves_early_is_no_error(person: Person) -> None:
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    with subprocess.Popen(
        [sys.executable, "-m", "services.rrr", "db", "query", "market", many, "--json"],
        cwd=ROOT,
        env=person.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b'{"i":1}\n'
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_table_is_cut_and_says_so() -> None:
    assert table([]) == ["no rows"]
    lines = table([{"a": None, "b": b"\x01" * 100}] * 1001)
    assert lines[2].endswith("…")
    assert "--json" in lines[-1]
