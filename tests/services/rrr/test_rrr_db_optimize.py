"""`rrr db optimize` in a house that is down: every shard becomes small, and holds the same."""

import json
from collections.abc import Iterator

import pytest

from bus.checksums import checksums_ok
from bus.house import House
from tests.services.rrr.store_desk import file_of, run, traded_house


@pytest.fixture
def house() -> Iterator[House]:
    with traded_house() as made:
        yield made


@pytest.mark.usefixtures("house")
def test_every_shard_is_optimized_and_told_of_as_objects() -> None:
    done = run("optimize", "--json")
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.output.splitlines()]
    assert {"trading", "market"} <= {row["shard"] for row in rows}
    assert all(row["before_bytes"] >= 0 < row["after_bytes"] for row in rows)


def test_people_get_a_table_of_the_shards_that_they_named(house: House) -> None:
    done = run("optimize", "trading")
    assert done.exit_code == 0, done.output
    head, line = done.output.splitlines()
    assert head.split() == ["SHARD", "FILE", "BEFORE", "AFTER"]
    assert line.split()[:2] == ["trading", "trading.db"]
    assert checksums_ok(file_of(house, "trading")) == []
    assert run("verify", "trading").exit_code == 0


@pytest.mark.usefixtures("house")
def test_a_shard_that_is_none_is_refused_in_one_line() -> None:
    done = run("optimize", "tradign")
    assert done.exit_code == 2
    assert "There is no shard 'tradign'" in done.output
    assert "Traceback" not in done.output
