"""When a bar was said is known for a day to what it leads to, and then forgotten."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.migrations import KINDS
from bus.shard import Shard, open_writer
from schema.units import DAY_NS
from services.writer.bars_said import EVERY_NS, KEPT_NS, Horizon, remember, said_of

NS = 1_767_225_600_000_000_000


@pytest.fixture
def shard(tmp_path: Path) -> Iterator[Shard]:
    made = open_writer(KINDS["analytics"], tmp_path / "analytics.db", "w")
    with made.transaction() as db:
        for pos, said_ns in ((5, NS), (6, NS), (7, NS + 1), (9, NS + 1)):
            remember(db, pos, said_ns)
    yield made
    made.close()


def test_bars_side_by_side_are_one_row_and_each_is_found(shard: Shard) -> None:
    rows = shard.db.execute("SELECT pos, last, said_ns FROM bar_said ORDER BY pos").fetchall()
    assert rows == [(5, 6, NS), (7, 7, NS + 1), (9, 9, NS + 1)]
    found = [said_of(shard.db, pos, NS + 1) for pos in range(4, 11)]
    assert found == [None, NS, NS, NS + 1, None, NS + 1, None]


def test_what_comes_a_day_later_is_not_linked(shard: Shard) -> None:
    assert said_of(shard.db, 5, NS + DAY_NS - 1) == NS
    assert said_of(shard.db, 5, NS + DAY_NS) is None


def test_bars_are_forgotten_once_every_stream_is_days_past_them(shard: Shard) -> None:
    horizon = Horizon(2)
    with shard.transaction() as db:
        horizon.pass_by(db, 1, NS + 9 * KEPT_NS)
        assert said_of(db, 7, NS + 1) == NS + 1, "another stream may still speak of it"
        horizon.pass_by(db, 2, NS + KEPT_NS + 1)
        assert (said_of(db, 5, NS + 1), said_of(db, 7, NS + 1)) == (None, NS + 1)
        horizon.pass_by(db, 2, NS + KEPT_NS + EVERY_NS)
        assert said_of(db, 7, NS + 1) == NS + 1, "it is looked at once an hour"
        horizon.pass_by(db, 2, NS + KEPT_NS + EVERY_NS + 1)
        assert said_of(db, 7, NS + 1) is None
