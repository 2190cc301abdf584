"""A bar names its first and last trade, says whether it is whole, and is told while it grows."""

import re
from pathlib import Path
from typing import Any

import pytest

from schema.market import Bar, BarSoFar, Trade
from services import engine, predictor
from services.ingest import state
from services.ingest.buckets import Bucket
from services.ingest.effects import RawTrade
from tests.services.ingest.exchange import (
    GRACE_MS,
    MINUTE_MS,
    MS,
    START_MS,
    SYMBOL,
    Exchange,
    Stand,
    tape_of,
)
from tests.services.ingest.steady import STEADY, ready, steady

SERVICES = Path(__file__).parents[3] / "services"
MINUTE_NS = MINUTE_MS * MS
OPEN_NS = START_MS * MS


def run(stand: Stand, minutes: int) -> Stand:
    for _ in range(minutes * 4):
        stand.advance(MINUTE_MS // 4)
        stand.live(stand.due())
        stand.settle()
    return stand


def ids_in(tape: list[RawTrade], bar: Bar) -> list[int]:
    return [row[0] for row in tape if bar.open_ns <= row[3] * MS < bar.ts_event]


@pytest.mark.parametrize("timeframe", ["1m", "5m"])
def test_a_bar_of_trades_names_its_first_and_last_trade(timeframe: str) -> None:
    tape = tape_of([700] * 1_200)
    stand = run(ready(Stand(Exchange(tape, 200), (START_MS + 65_000) * MS)), 12)
    made = [bar for bar in stand.bars(timeframe) if bar.source == "trades"]
    assert made
    for bar in made:
        ids = ids_in(tape, bar)
        assert (bar.first_trade_id, bar.last_trade_id, bar.trades) == (ids[0], ids[-1], len(ids))
        assert bar.whole
        assert bar.revision == 0


def test_a_bar_of_the_exchange_names_no_trades_and_is_whole() -> None:
    stand = steady()
    fetched = [bar for bar in stand.bars() if bar.source == "rest"]
    assert fetched
    assert {(bar.first_trade_id, bar.last_trade_id, bar.whole) for bar in fetched} == {(0, 0, True)}


def trade(trade_id: int, at_ns: int, px: int = 100) -> Trade:
    return Trade(
        ts_event=at_ns,
        symbol=SYMBOL,
        trade_id=trade_id,
        px=px,
        qty=1,
        buyer_maker=False,
        px_exp=2,
        qty_exp=5,
    )


def folded(*trades: Trade) -> state.Feed:
    feed = state.Feed(symbol=SYMBOL)
    for one in trades:
        state.apply(feed, one)
    return feed


def test_a_minute_that_lacks_an_id_within_is_not_whole() -> None:
    feed = folded(trade(1, OPEN_NS), trade(2, OPEN_NS + 1), trade(4, OPEN_NS + 2))
    minute = feed.minutes[OPEN_NS]
    assert (minute.first_id, minute.last_id, minute.trades, minute.whole) == (1, 4, 3, False)
    state.apply(feed, trade(5, OPEN_NS + 3))
    assert not feed.minutes[OPEN_NS].whole
    state.apply(feed, trade(6, OPEN_NS + MINUTE_NS))
    assert feed.minutes[OPEN_NS + MINUTE_NS].whole


def test_an_id_that_lacks_between_two_minutes_lets_the_feed_begin_anew() -> None:
    feed = folded(trade(1, OPEN_NS), trade(3, OPEN_NS + MINUTE_NS))
    assert list(feed.minutes) == [OPEN_NS + MINUTE_NS]
    assert feed.join_ns == OPEN_NS + MINUTE_NS


def test_a_longer_bar_with_a_minute_that_is_not_whole_is_not_whole() -> None:
    feed = state.Feed(symbol=SYMBOL)
    sides: dict[str, Any] = {
        "open": 5,
        "high": 7,
        "low": 3,
        "close": 4,
        "volume": 9,
        "quote_volume": 9,
    }
    for minute, whole in enumerate((True, False, True)):
        open_ns = OPEN_NS + minute * MINUTE_NS
        one = Bar(
            ts_event=open_ns + MINUTE_NS,
            symbol=SYMBOL,
            timeframe="1m",
            open_ns=open_ns,
            trades=2,
            px_exp=2,
            qty_exp=5,
            quote_exp=7,
            first_trade_id=minute * 2 + 1,
            last_trade_id=minute * 2 + 2,
            whole=whole,
            **sides,
        )
        state.apply(feed, one)
    made = feed.frames["5m"]
    assert (made.first_id, made.last_id, made.whole, made.volume) == (1, 6, False, 27)


def test_a_bar_that_was_said_by_older_code_is_whole_and_of_no_revision() -> None:
    old = Bucket(0, 1, 1, 1, 1, 1, 1, 1, 0, "trades")
    assert (old.first_id, old.last_id, old.whole, old.revision) == (0, 0, True, 0)


def test_the_minute_in_the_making_is_told_at_most_once_in_its_time() -> None:
    tape = tape_of([100] * 2_400)
    stand = ready(Stand(Exchange(tape, 1_000), (START_MS + 65_000) * MS, sofar_ms=1_000))
    for _ in range(900):
        stand.advance(100)
        stand.live(stand.due())
        stand.settle()
    told = [one for one in stand.said if isinstance(one, BarSoFar)]
    assert 60 <= len(told) <= 92
    seen: dict[int, BarSoFar] = {}
    for one in told:
        before = seen.get(one.open_ns)
        assert before is None or before.trades < one.trades
        seen[one.open_ns] = one
    for bar in stand.bars():
        if (last := seen.get(bar.open_ns)) is not None:
            assert last.open == bar.open
            assert bar.low <= last.low <= last.high <= bar.high
            assert last.volume <= bar.volume


def test_a_minute_in_the_making_is_not_told_where_nobody_wants_it() -> None:
    stand = run(steady(), 2)
    assert not [one for one in stand.said if isinstance(one, BarSoFar)]


def test_a_feed_that_cannot_be_trusted_tells_of_no_minute_in_the_making() -> None:
    tape = tape_of(STEADY)
    stand = Stand(Exchange(tape, 200), (START_MS + 65_000) * MS, sofar_ms=1_000)
    stand.open()
    stand.connect()
    stand.advance(GRACE_MS)
    stand.live(stand.due())
    assert not [one for one in stand.said if isinstance(one, BarSoFar)]


def test_nobody_who_decides_hears_of_a_minute_in_the_making() -> None:
    for card in (engine, predictor):
        assert "ingest.sofar" not in card.HEARS
    said = re.compile(r"\bBarSoFar\b|ingest\.sofar")
    deciding = ("engine", "predictor", "risk", "gateway", "optimizer", "backtest", "writer")
    for name in deciding:
        for path in (SERVICES / name).rglob("*.py"):
            assert not said.search(path.read_text()), f"{path} uses a bar that is not closed"
