"""Journals folded onto shards: up to a time, from where they are, and never over a gap."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.clock import SystemClock
from bus.errors import JournalError
from bus.house import House
from bus.migrations import KINDS
from bus.rows import read_rows
from bus.shard import open_writer
from services.writer.rebuild import Bounds, fold, fold_onto, fold_shard, opened
from services.writer.rebuild_compare import Compared, compare_letters
from services.writer.retained import spans
from tests.services.rrr.store_desk import epoch_two, traded_house
from tests.services.rrr.trade_day import NOON_NS, files_of

CLOCK = SystemClock()
EVER_NS = 1 << 62


@pytest.fixture
def house() -> Iterator[House]:
    with traded_house() as made:
        yield made


def ticks(house: House) -> list[object]:
    sql = "SELECT k & 1023 AS n FROM market_data_2023_11.tick ORDER BY k"
    return [row["n"] for row in read_rows(house.db_dir, "market", sql)]


def test_what_was_said_since_is_folded_onto_all_shards_that_are_there(house: House) -> None:
    assert fold_onto(house.db_dir, house.journal_dir, EVER_NS, CLOCK).messages == 0
    epoch_two(house)
    done = fold_onto(house.db_dir, house.journal_dir, EVER_NS, CLOCK)
    assert ticks(house) == [*range(10), *range(20, 25)]
    (market,) = (one for one in done.streams if one.stream == "ingest.trade" and one.messages)
    assert (market.shard, market.messages) == ("market", 5)
    assert "5 of ingest.trade up to" in str(done)
    assert fold_onto(house.db_dir, house.journal_dir, EVER_NS, CLOCK).messages == 0


def test_what_was_said_later_than_a_moment_is_not_folded(house: House) -> None:
    epoch_two(house)
    begin_ns = NOON_NS + 300_000  # Two frames of the second epoch are older than this.
    fold_onto(house.db_dir, house.journal_dir, begin_ns, CLOCK)
    assert ticks(house) == [*range(10), 20, 21, 22]
    fold_onto(house.db_dir, house.journal_dir, EVER_NS, CLOCK)
    assert ticks(house) == [*range(10), *range(20, 25)]


def test_a_fold_that_is_ended_goes_on_where_it_was(house: House) -> None:
    epoch_two(house)

    class EndedError(Exception):
        pass

    def end(_share: float) -> None:
        raise EndedError

    bounds = Bounds(EVER_NS)
    with pytest.raises(EndedError):
        fold_shard("market", house.db_dir, house.journal_dir, bounds, CLOCK, end)
    fold_shard("market", house.db_dir, house.journal_dir, bounds, CLOCK, lambda _share: None)
    assert ticks(house) == [*range(10), *range(20, 25)]


def test_nothing_is_folded_over_what_is_gone(house: House) -> None:
    epoch_two(house)
    files_of(house, "ingest.trade")[0].unlink()
    for path in house.db_dir.glob("market*"):
        path.unlink()
    with (
        opened("market", house.db_dir, house.world, CLOCK) as store,
        pytest.raises(JournalError, match=r"the journal of ingest\.trade begins at"),
    ):
        fold("market", store, house.journal_dir, Bounds(EVER_NS), CLOCK, lambda _share: None)


def test_a_journal_is_told_by_where_it_begins_and_ends(house: House, tmp_path: Path) -> None:
    epoch_two(house)
    found = spans(house.journal_dir, ("ingest.trade", "backtest.result"), CLOCK)
    trades = found["ingest.trade"]
    assert (trades.before, trades.first >> 40, trades.last >> 40) == (0, 1, 2)
    assert found["backtest.result"].first == 0
    first, _ = files_of(house, "ingest.trade")
    first.rename(tmp_path / first.name)
    gone = spans(house.journal_dir, ("ingest.trade",), CLOCK)["ingest.trade"]
    assert gone.first >> 40 == 2
    assert gone.follows(gone.before)
    assert not gone.follows(gone.before - 1)


def letters(path: Path, *bodies: bytes) -> Path:
    shard = open_writer(KINDS["market"], path, "w")
    with shard.transaction() as db:
        sql = "INSERT INTO dead_letter VALUES (NULL, 0, 'market.Trade', 'odd', ?)"
        db.executemany(sql, [(body,) for body in bodies])
    shard.close()
    return path


def test_dead_letters_may_lie_in_another_month_and_none_may_lack(tmp_path: Path) -> None:
    live = [letters(tmp_path / "a.db", b"1", b"2"), letters(tmp_path / "b.db")]
    moved = [letters(tmp_path / "c.db", b"2"), letters(tmp_path / "d.db", b"1")]
    lacking = [letters(tmp_path / "e.db", b"1", b"1")]
    same, other = Compared(), Compared()
    compare_letters(live, moved, same)
    assert same.differences == []
    compare_letters(live, lacking, other)
    (told,) = other.differences
    assert [row["body"] for row in told.only_live] == ["32"]
    assert [row["body"] for row in told.only_fold] == ["31"]
