"""What the market shard refuses, and that everything around it is kept."""

from pathlib import Path

import pytest

from bus.errors import ShardError
from bus.rows import read_rows
from bus.shard import Connection
from schema.market import Bar, Trade
from schema.messages import decode
from tests.services.market_desk import (
    BAR,
    END_OF_JANUARY,
    MINUTE_NS,
    TRADE,
    at,
    bar,
    kept,
    rows,
    store,
    trade,
)


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        (bar(high=1), "CHECK constraint failed"),
        (bar(close=1 << 63), "OverflowError"),
        (bar(open_ns=END_OF_JANUARY + 1), "not on the grid of 1m"),
        (bar(timeframe="7m"), "timeframe '7m' is none of"),
        (bar(source="dream"), "source 'dream' is none of"),
        (bar(open_ns=at("2090-01-01T00:00:00")), "a month from now"),
        (bar(open_ns=0), "the year 2000"),
        (bar(px_exp=19), "not all between 0 and 18"),
        (bar(px_exp=3), "cannot be written with 2 decimals"),
        (trade(3, px=0), "CHECK constraint failed"),
        (trade(1 << 44), "is not between 0 and 2^44"),
        (trade(-1), "is not between 0 and 2^44"),
        (trade(3, ts_ns=(1 << 64) - 1), "a month from now"),
    ],
)
def test_poison_goes_to_the_dead_letters_and_the_rest_is_committed(
    tmp_path: Path, poison: Bar | Trade, reason: str
) -> None:
    writer = store(tmp_path)
    writer.commit(kept(bar(), trade(1)), {BAR: 1, TRADE: 1})
    good = (
        [trade(trade_id) for trade_id in (4, 5, 6)],
        [bar(END_OF_JANUARY - index * MINUTE_NS) for index in (1, 2)],
    )
    writer.commit(kept(*good[0], poison, *good[1]), {BAR: 9, TRADE: 9})
    assert rows(tmp_path, "SELECT count(*) FROM ticks") == [(4,)]
    assert rows(tmp_path, "SELECT count(*) FROM bars") == [(3,)]
    ((kind, why, body),) = rows(tmp_path, "SELECT type, reason, body FROM dead_letter")
    assert kind == type(poison).__name__
    assert reason in str(why)
    assert isinstance(body, bytes)
    assert decode(BAR if isinstance(poison, Bar) else TRADE, body) == [poison]
    assert writer.cursors() == {BAR: 9, TRADE: 9}
    assert dict(writer.counters())["dead_letters"] == 1
    writer.close()


def test_poison_before_the_first_month_waits_for_it(tmp_path: Path) -> None:
    writer = store(tmp_path)
    writer.commit(kept(bar(timeframe="7m")), {BAR: 1})
    assert writer.cursors() == {}
    writer.commit(kept(bar()), {BAR: 2})
    assert rows(tmp_path, "SELECT count(*) FROM dead_letter") == [(1,)]
    assert writer.cursors() == {BAR: 2}
    writer.close()


def test_another_writer_is_fenced_off_and_none_of_its_rows_stay(tmp_path: Path) -> None:
    writer = store(tmp_path)
    writer.commit(kept(trade(1)), {TRADE: 1})
    thief = Connection(str(tmp_path / "market_data_2026_01.db"))
    thief.execute("UPDATE stream_position SET pos = 5")
    with pytest.raises(ShardError, match="Another writer was here"):
        writer.commit(kept(trade(2)), {TRADE: 2})
    assert rows(tmp_path, "SELECT count(*) FROM ticks") == [(1,)]
    thief.close()
    writer.close()


def test_a_position_never_goes_back(tmp_path: Path) -> None:
    writer = store(tmp_path)
    writer.commit(kept(trade(1)), {TRADE: 5})
    with pytest.raises(ShardError, match="is not 5"):
        writer.commit(kept(trade(2)), {TRADE: 4})
    assert writer.cursors() == {TRADE: 5}
    writer.close()


def test_a_full_disk_loses_nothing_and_the_same_commit_succeeds_later(tmp_path: Path) -> None:
    writer = store(tmp_path)
    writer.commit(kept(trade(0)), {TRADE: 0})
    (shard,) = writer.shards()
    shard.db.pragma("max_page_count", shard.db.pragma("page_count") + 1)
    flood = kept(*(trade(trade_id) for trade_id in range(1, 2000)))
    with pytest.raises(ShardError, match="cannot grow"):
        writer.commit(flood, {TRADE: 1999})
    assert rows(tmp_path, "SELECT count(*) FROM ticks") == [(1,)]
    shard.db.pragma("max_page_count", 1_000_000)
    writer.commit(flood, {TRADE: 1999})
    assert rows(tmp_path, "SELECT count(*) FROM ticks") == [(2000,)]
    assert rows(tmp_path, "SELECT trade_id FROM tick_hwm") == [(1999,)]
    writer.close()


def test_series_made_in_a_failed_commit_are_made_again(tmp_path: Path) -> None:
    writer = store(tmp_path)
    writer.commit(kept(trade(1)), {TRADE: 5})
    with pytest.raises(ShardError):
        writer.commit(kept(bar(symbol="ETH/USDT")), {TRADE: 4})
    writer.commit(kept(bar(symbol="SOL/USDT"), bar(symbol="ETH/USDT")), {TRADE: 6})
    assert rows(tmp_path, "SELECT symbol FROM bars ORDER BY 1") == [("ETH/USDT",), ("SOL/USDT",)]
    writer.close()


def test_asking_before_there_is_a_shard_says_so(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="no market shard"):
        rows(tmp_path, "SELECT 1")
    with pytest.raises(ShardError, match="The shards are: trading, market"):
        list(read_rows(tmp_path, "news", "SELECT 1"))
