"""Chunks of bars into the history of an exchange: each month once, and nothing lost."""

from pathlib import Path

import numpy as np
import pytest

from bus.bars import open_bars
from bus.clock import ManualClock
from bus.errors import BusyError, SettingsError, ShardError
from bus.rows import read_rows
from bus.shard_open import LATER_CODE
from services.writer.history import open_history, rebuilt
from services.writer.history_chunks import chunk_path, digest
from tests.services.market_desk import NOW
from tests.services.writer.history_desk import (
    EXCHANGE,
    chunk,
    closes,
    held,
    origin,
    rows,
    take,
)


def test_a_disk_that_is_nearly_full_is_left_to_those_who_trade(tmp_path: Path) -> None:
    with held(tmp_path) as history:
        history.spare_bytes = 1 << 62
        with pytest.raises(ShardError, match="left to those who trade") as told:
            list(history.take(chunk(), origin()))
        assert told.value.exit_code == LATER_CODE
        history.spare_bytes = 0
        assert sum(one.added for one in history.take(chunk(), origin())) == 20


def test_a_chunk_is_split_by_month_and_each_has_its_record(tmp_path: Path) -> None:
    taken = take(tmp_path, chunk())
    assert [(one.month, one.bars, one.added) for one in taken] == [
        (202501, 10, 10),
        (202502, 10, 10),
    ]
    assert len(rows(tmp_path)) == 20
    names = "sha256, bars, added, equal, differing, replaced"
    sql = f"SELECT {names} FROM market_data_2025_02.import_file"
    (record,) = read_rows(tmp_path / "db", "market", sql)
    assert list(record.values()) == [digest(chunk()), 10, 10, 0, 0, 0]
    (meta,) = read_rows(
        tmp_path / "db", "market", "SELECT value FROM market_data_2025_02.meta WHERE key = 'world'"
    )
    assert meta == {"value": f"history-{EXCHANGE}"}


def test_the_coverage_of_a_month_is_kept_beside_its_bars(tmp_path: Path) -> None:
    take(tmp_path, chunk(5))
    take(tmp_path, chunk(10))
    sql = "SELECT bars, last_idx - first_idx AS span FROM market_data_2025_01.candlestick_metadata"
    assert list(read_rows(tmp_path / "db", "market", sql)) == [{"bars": 10, "span": 9}]


def test_a_chunk_that_is_recorded_is_not_applied_again(tmp_path: Path) -> None:
    take(tmp_path, chunk())
    again = take(tmp_path, chunk(), 2)
    assert [(one.recorded, one.added) for one in again] == [(True, 0), (True, 0)]


def test_what_is_there_stays_and_is_told_unless_it_shall_give_way(tmp_path: Path) -> None:
    take(tmp_path, chunk(10))
    before = rows(tmp_path)
    (taken,) = take(tmp_path, chunk(10, step=1), 2)
    assert taken.compared is not None
    assert (taken.added, taken.equal, int(taken.compared.differing.sum())) == (0, 0, 10)
    assert rows(tmp_path) == before
    assert recorded(tmp_path) == [(0, 0, 0), (0, 10, 0)]
    (taken,) = take(tmp_path, chunk(10, step=1), 3, replace=True)
    assert (taken.added, taken.replaced) == (0, 10)
    assert closes(tmp_path)[0] == 6_400_002
    assert recorded(tmp_path) == [(0, 0, 0), (0, 0, 10)]
    (taken,) = take(tmp_path, chunk(10), 4, replace=True)
    assert taken.replaced == 10
    assert rows(tmp_path) == before


def recorded(place: Path) -> list[tuple[object, ...]]:
    """Return how many bars of each chunk were equal, stayed others, and were replaced."""
    sql = "SELECT equal, differing, replaced FROM market_data_2025_01.import_file ORDER BY wall_ns"
    return [tuple(row.values()) for row in read_rows(place / "db", "market", sql)]


def test_quote_volume_and_trades_that_are_unknown_say_nothing(tmp_path: Path) -> None:
    bare = chunk(10)
    bare.columns[6:] = 0
    take(tmp_path, bare)
    (taken,) = take(tmp_path, chunk(10), 2)
    assert (taken.equal, taken.replaced) == (10, 0)
    (taken,) = take(tmp_path, chunk(10), 3, replace=True)
    assert taken.replaced == 10
    assert rows(tmp_path)[0][-1] == 3
    (taken,) = take(tmp_path, bare, 4, replace=True)
    assert taken.replaced == 0


def test_finer_bars_widen_the_series_that_is_there_exactly(tmp_path: Path) -> None:
    take(tmp_path, chunk(5))
    fine = chunk(10, exponents=(10, 3, 4))
    fine.columns[1:5] = fine.columns[1:5] * 10**8
    fine.columns[1:5, 5:] += 1
    (taken,) = take(tmp_path, fine, 2)
    assert (taken.added, taken.equal) == (5, 5)
    found = rows(tmp_path)
    assert found[0][0] == 10
    assert [row[4] for row in found] == fine.columns[1].tolist()


def test_what_sixty_four_bits_do_not_hold_together_is_refused_whole(tmp_path: Path) -> None:
    large = chunk(5, exponents=(0, 0, 0))
    large.columns[5] = 10**18
    take(tmp_path, large)
    before = rows(tmp_path)
    with pytest.raises(ShardError, match="64 bits do not hold"):
        take(tmp_path, chunk(5, start="2025-01-31T23:40:00", exponents=(0, 9, 0)), 2)
    with pytest.raises(ShardError, match="64 bits do not hold"):
        take(tmp_path, chunk(5, exponents=(0, 9, 0)), 3)
    assert rows(tmp_path) == before


def test_closed_months_are_archived_and_take_late_bars_all_the_same(tmp_path: Path) -> None:
    with held(tmp_path) as history:
        list(history.take(chunk(), origin()))
        assert history.archive() == [202501, 202502]
        assert list((tmp_path / "db").glob("*.db")) == []
        again = list(history.take(chunk(), origin(2)))
        assert all(one.recorded for one in again)
        assert list((tmp_path / "db").glob("*.db")) == []
        late = list(history.take(chunk(25), origin(3)))
        assert [(one.added, one.equal) for one in late] == [(0, 10), (5, 10)]
        assert len(rows(tmp_path)) == 25
        assert history.archive() == [202502]
    assert len(rows(tmp_path)) == 25


def test_an_archived_bar_gives_way_to_a_replacing_one(tmp_path: Path) -> None:
    with held(tmp_path) as history:
        list(history.take(chunk(10), origin()))
        history.archive()
        list(history.take(chunk(10, step=1), origin(2, replace=True)))
        assert closes(tmp_path)[0] == 6_400_002
        history.archive()
    assert closes(tmp_path)[0] == 6_400_002


def test_the_chunks_alone_make_the_same_history_again(tmp_path: Path) -> None:
    place, other = tmp_path / "a", tmp_path / "b"
    take(place, chunk(15), 1)
    take(place, chunk(20, step=1), 2)
    take(place, chunk(5, step=2), 3, replace=True)
    take(place, chunk(10, "2025-01-31T00:00:00", "1h"), 4)
    list(rebuilt(place, other, EXCHANGE, ManualClock(NOW)))
    assert rows(other) == rows(place)
    assert rows(other, "1h") == rows(place, "1h") != []


def test_a_chunk_that_is_damaged_on_the_disk_is_written_again(tmp_path: Path) -> None:
    take(tmp_path, chunk())
    path = chunk_path(tmp_path / "imports", digest(chunk()))
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    take(tmp_path, chunk())
    assert path.read_bytes() == whole


def test_one_process_at_a_time_writes_a_history(tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(BusyError, match="is writing to the history of testex"):
        held(tmp_path)
    held(tmp_path).close()


def test_what_a_killed_run_left_half_written_is_cleared_away(tmp_path: Path) -> None:
    held(tmp_path).close()
    (tmp_path / "imports" / "x.tmp").write_bytes(b"half")
    held(tmp_path).close()
    assert list((tmp_path / "imports").iterdir()) == []


def test_a_history_refuses_a_month_of_another_world(tmp_path: Path) -> None:
    take(tmp_path, chunk())
    other = open_history(tmp_path / "o", "otherex", ManualClock(NOW))
    other.close()
    (tmp_path / "db" / "market_data_2025_01.db").rename(
        tmp_path / "o" / "db" / "market_data_2025_01.db"
    )
    with pytest.raises(ShardError, match="belongs to world history-testex"):
        open_history(tmp_path / "o", "otherex", ManualClock(NOW))
    assert not (tmp_path / "o" / "shard_market.lease").exists()


@pytest.mark.parametrize("name", ["", "../x", "A", "a b", "x/y", ".", "1x"])
def test_a_name_that_is_no_name_of_an_exchange_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="is no name of an exchange"):
        open_history(tmp_path / "place", name, ManualClock(NOW))
    assert not (tmp_path / "place").exists()


def test_bars_of_several_timeframes_lie_side_by_side(tmp_path: Path) -> None:
    for number, timeframe in enumerate(("1m", "1h", "1d")):
        take(tmp_path, chunk(3, "2025-01-05T00:00:00", timeframe), number)
    with open_bars(tmp_path / "db", ManualClock(NOW)) as reader:
        assert [name for _, name in reader.series()] == ["1d", "1h", "1m"]
    assert np.diff([row[3] for row in rows(tmp_path, "1h")]).tolist() == [3600 * 10**9] * 2
