"""Bars and ticks into their months, and back out through the views."""

from pathlib import Path

from msgspec.structs import replace

from bus.bars import open_bars
from bus.clock import ManualClock
from bus.lease import Lease
from bus.rows import Reader, read_rows
from bus.shard import Connection
from schema.market import FeedGap, FeedStatus
from services.writer.core import Writer
from services.writer.effects import Told
from services.writer.market_store import MarketStore
from services.writer.months import Months
from tests.services.market_desk import (
    BAR,
    END_OF_JANUARY,
    FEED,
    LIMITS,
    MINUTE_NS,
    NOW,
    TRADE,
    at,
    bar,
    kept,
    rows,
    store,
    trade,
)
from tests.services.shipped import shipped


def test_bars_and_ticks_are_shown_as_the_exchange_said_them(tmp_path: Path) -> None:
    writer = store(tmp_path)
    writer.commit(kept(bar(), trade(7, buyer_maker=True)), {BAR: 3, TRADE: 9})
    (found,) = read_rows(tmp_path, "market", "SELECT * FROM bars")
    assert found == {
        "symbol": "BTC/USDT", "timeframe": "1m", "open_ms": END_OF_JANUARY // 1_000_000,
        "time": "2026-01-31T23:58:00.000Z",
        "open": "64000.10", "high": "64000.20", "low": "64000.00", "close": "64000.01",
        "volume": "0.00000100", "quote_volume": "0.06400000", "trades": 3, "source": "trades",
        "vwap": "64000.00",
    }  # fmt: skip
    (tick,) = read_rows(tmp_path, "market", "SELECT * FROM ticks")
    assert tick == {
        "symbol": "BTC/USDT", "trade_id": 7, "ts_ms": END_OF_JANUARY // 1_000_000,
        "time": "2026-01-31T23:58:00.000Z",
        "price": "64000.10", "qty": "0.00000005", "side": "sell",
    }  # fmt: skip
    writer.close()


def test_a_batch_is_split_at_midnight_and_the_newest_month_holds_the_positions(
    tmp_path: Path,
) -> None:
    writer = store(tmp_path)
    bars = [bar(END_OF_JANUARY + index * MINUTE_NS) for index in range(4)]
    writer.commit(kept(*bars), {BAR: 4})
    assert [path.name for path in sorted(tmp_path.glob("*.db"))] == [
        "market_data_2026_01.db",
        "market_data_2026_02.db",
    ]
    counts = "SELECT count(*) FROM market_data_2026_0{}.bar"
    assert rows(tmp_path, counts.format(1)) == rows(tmp_path, counts.format(2)) == [(2,)]
    position = "SELECT pos FROM market_data_2026_02.stream_position"
    assert rows(tmp_path, position) == [(4,)]
    assert rows(tmp_path, "SELECT count(*), count(DISTINCT open_ms) FROM bars") == [(4, 4)]
    writer.close()
    again = store(tmp_path)
    assert again.cursors() == {BAR: 4}
    again.close()


def test_a_new_month_takes_the_positions_over(tmp_path: Path) -> None:
    writer = store(tmp_path)
    writer.commit(kept(trade(1)), {TRADE: 1})
    writer.commit(kept(bar(at("2026-02-03T00:00:00"))), {TRADE: 1, BAR: 1})
    writer.close()
    again = store(tmp_path)
    assert again.cursors() == {TRADE: 1, BAR: 1}
    again.commit(kept(trade(2)), {TRADE: 2, BAR: 1})
    assert rows(tmp_path, "SELECT count(*) FROM market_data_2026_01.tick") == [(2,)]
    assert again.cursors() == {TRADE: 2, BAR: 1}
    again.close()


def test_a_month_is_on_the_disk_before_the_next_one_takes_its_positions(tmp_path: Path) -> None:
    writer = store(tmp_path)
    writer.commit(kept(trade(1)), {TRADE: 1})
    writer.commit(kept(bar(at("2026-02-03T00:00:00"))), {TRADE: 1, BAR: 1})
    january, february = sorted(writer.shards(), key=lambda shard: shard.path)
    assert january.db.pragma("synchronous") == 2
    assert february.db.pragma("synchronous") == 1
    followed = "SELECT value FROM market_data_2026_01.meta WHERE key = 'followed_by'"
    assert rows(tmp_path, followed) == [("202602",)]
    writer.close()
    again = store(tmp_path)
    again.commit(kept(trade(2)), {TRADE: 2, BAR: 1})
    (january,) = (one for one in again.shards() if one.path.name.endswith("01.db"))
    assert january.db.pragma("synchronous") == 2
    again.close()


def test_a_month_that_was_half_made_when_its_maker_died_is_made_again(tmp_path: Path) -> None:
    writer = store(tmp_path)
    writer.commit(kept(bar()), {BAR: 1})
    writer.close()
    half = Connection(str(tmp_path / "market_data_2026_02.db"))
    half.pragma("journal_mode", "wal")
    half.close()
    again = store(tmp_path)
    assert again.cursors() == {BAR: 1}
    again.commit(kept(bar(END_OF_JANUARY + 2 * MINUTE_NS)), {BAR: 2})
    assert rows(tmp_path, "SELECT count(*) FROM bars") == [(2,)]
    again.close()


def test_at_most_three_months_are_open(tmp_path: Path) -> None:
    writer = store(tmp_path)
    opens = [at(f"2025-{month:02d}-01T00:00:00") for month in range(1, 13)]
    writer.commit(kept(*(bar(open_ns) for open_ns in opens)), {BAR: 12})
    assert len(list(writer.shards())) == 3
    assert rows(tmp_path, "SELECT count(*) FROM bars") == [(12,)]
    writer.commit(kept(bar(opens[0] + MINUTE_NS)), {BAR: 13})
    assert len(list(writer.shards())) == 3
    assert writer.cursors() == {BAR: 13}
    writer.close()


def test_the_same_messages_again_change_nothing(tmp_path: Path) -> None:
    writer = store(tmp_path)
    everything = kept(bar(), trade(1), trade(2), bar(END_OF_JANUARY + 2 * MINUTE_NS))
    writer.commit(everything, {BAR: 2, TRADE: 2})
    before = [rows(tmp_path, f"SELECT * FROM {view}") for view in ("bars", "ticks")]
    writer.commit(everything, {BAR: 4, TRADE: 4})
    assert [rows(tmp_path, f"SELECT * FROM {view}") for view in ("bars", "ticks")] == before
    assert dict(writer.counters())["repeats"] == 2
    assert dict(writer.counters())["corrections"] == 0
    writer.close()


def test_a_bar_that_is_said_again_with_other_values_is_corrected(tmp_path: Path) -> None:
    writer = store(tmp_path)
    writer.commit(kept(bar()), {BAR: 1})
    writer.commit(kept(bar(close=6400002, source="rest")), {BAR: 2})
    assert rows(tmp_path, "SELECT close FROM bars") == [("64000.02",)]
    assert dict(writer.counters())["corrections"] == 1
    writer.close()


def test_other_decimals_are_rescaled_exactly(tmp_path: Path) -> None:
    writer = store(tmp_path)
    second = bar(END_OF_JANUARY - MINUTE_NS, open=640001, high=640002, low=640000, close=640001)
    writer.commit(kept(bar()), {BAR: 1})
    writer.commit(kept(bar(second.open_ns, open=640001, high=640002, low=640000, close=640001,
                           px_exp=1, volume=1000, qty_exp=9)), {BAR: 2})  # fmt: skip
    found = rows(tmp_path, "SELECT open, volume FROM bars ORDER BY open_ms")
    assert found == [("64000.10", "0.00000100"), ("64000.10", "0.00000100")]
    writer.close()


def test_gaps_of_the_feed_are_kept_and_its_status_is_not(tmp_path: Path) -> None:
    writer = store(tmp_path)
    gap = FeedGap(
        ts_event=END_OF_JANUARY, symbol="BTC/USDT", first_trade_id=3, last_trade_id=5, filled=True
    )
    status = FeedStatus(ts_event=END_OF_JANUARY, symbol="BTC/USDT", state="OK", reason="")
    writer.commit(kept(gap, status, gap), {FEED: 3})
    assert rows(tmp_path, "SELECT first_trade_id, filled FROM gaps") == [(3, 1)]
    writer.close()


def test_the_last_bars_come_across_months_oldest_first(tmp_path: Path) -> None:
    writer = store(tmp_path)
    bars = [bar(END_OF_JANUARY + index * MINUTE_NS) for index in range(5)]
    writer.commit(kept(*bars), {BAR: 5})
    with open_bars(tmp_path) as reader:
        found = reader.last("BTC/USDT", "1m", 4)
        assert found.exponents == (2, 8, 8)
        assert found.open_ns.tolist() == [one.open_ns for one in bars[1:]]
        assert found.rows()[0][1:] == (6400010, 6400020, 6400000, 6400001, 100, 6400000, 3)
        assert len(reader.last("NO/ONE", "1m", 4)) == 0
    writer.close()


def test_idle_moves_the_log_into_the_file_once_it_is_time(tmp_path: Path) -> None:
    clock = ManualClock()
    lease = Lease(tmp_path / "shard_market.lease")
    assert lease.take()
    writer = MarketStore(Months(tmp_path, "w"), lease, clock, LIMITS)
    writer.commit(kept(trade(1)), {TRADE: 1})
    writer.idle()
    assert dict(writer.counters())["wal_bytes"] > 0
    clock.advance(6_000_000_000)
    writer.idle()
    assert dict(writer.counters())["wal_bytes"] == 0
    assert writer.alarm() is None
    writer.close()


def test_bars_of_a_whole_run_become_what_each_of_them_would_alone(tmp_path: Path) -> None:
    first, length_ns = END_OF_JANUARY - 3 * MINUTE_NS, 5 * MINUTE_NS  # On the grid of both.
    alike = [bar(first, timeframe=timeframe) for timeframe in ("1m", "5m")]
    said = [
        *alike,
        *(replace(one, open_ns=one.open_ns - length_ns, close=6400002) for one in alike),
        bar(first + MINUTE_NS),
        bar(first + MINUTE_NS, timeframe="5m"),  # beside its grid, at the time of the one before
        bar(first + length_ns),  # in the month that follows
    ]
    found = []
    for name, runs in (("run", [said[:4], said]), ("alone", [[one] for one in said])):
        (tmp_path / name).mkdir()
        writer = store(tmp_path / name)
        for pos, run in enumerate(runs, start=1):
            told = kept(*run) if name == "alone" else [Told(messages=run, now_ns=NOW)]
            writer.commit(told, {BAR: pos})
        writer.close()
        found.append(rows(tmp_path / name, "SELECT * FROM bars ORDER BY timeframe, open_ms"))
        assert dict(writer.counters())["dead_letters"] == 1
    assert found[0] == found[1]
    assert len(found[0]) == len(said) - 1


def test_a_reader_that_pins_the_log_is_alarmed(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "shard_market.lease")
    assert lease.take()
    limits = replace(shipped().writer, wal_checkpoint_mib=1, wal_alarm_mib=1)
    clock = ManualClock()
    writer = MarketStore(Months(tmp_path, "w"), lease, clock, limits)
    writer.commit(kept(trade(0), trade(1)), {TRADE: 1})
    reader = Reader(tmp_path, "market")
    held = reader.rows("SELECT * FROM market_data_2026_01.tick")
    next(held)
    writer.commit(kept(*(trade(trade_id) for trade_id in range(2, 60_000))), {TRADE: 2})
    assert "a reader holds back" in str(Writer("market", writer.alarm).trouble(NOW))
    held.close()
    clock.advance(6_000_000_000)
    writer.idle()
    assert writer.alarm() is None
    reader.close()
    writer.close()
