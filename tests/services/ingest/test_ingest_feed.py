"""One feed, situation by situation: what it hears and what it says of it."""

import msgspec
import pytest

from schema.house import Command, CommandDone, TimeGap
from schema.market import Bar, FeedStatus, Trade
from services.ingest.effects import FetchBars, FetchTrades, Redial
from tests.services.ingest.exchange import (
    GRACE_MS,
    MINUTE_MS,
    MS,
    STALE_MS,
    START_MS,
    SYMBOL,
    Exchange,
    Stand,
    tape_of,
)
from tests.services.ingest.steady import ready, steady


def test_a_live_feed_is_ok_and_ready() -> None:
    stand = steady()
    assert stand.status() == "OK"
    assert stand.core.trouble(stand.now_ns) is None


def test_before_the_exchange_answers_there_is_trouble() -> None:
    stand = Stand(Exchange([]), START_MS * MS)
    assert stand.status() == "CONNECTING"
    assert SYMBOL in str(stand.core.trouble(stand.now_ns))


def test_ids_may_begin_at_zero() -> None:
    stand = steady(first_id=0)
    assert stand.trades() == list(range(stand.trades()[0], stand.trades()[-1] + 1))
    assert stand.status() == "OK"


def test_a_bar_has_the_trace_of_its_last_trade() -> None:
    stand = steady()
    bar = next(bar for bar in stand.bars() if bar.source == "trades")
    trades = [m for m in stand.said if isinstance(m, Trade) and m.ts_event < bar.ts_event]
    assert bar.trace == trades[-1].trace != 0


def test_a_trade_that_comes_twice_is_said_once() -> None:
    stand = steady()
    stand.advance(2_000)
    trades = stand.due()
    stand.live(trades)
    stand.live(trades)
    assert stand.trades() == sorted(set(stand.trades()))
    assert not stand.effects


def test_a_jump_is_fetched_and_said_in_order() -> None:
    stand = steady()
    stand.advance(5_000)
    trades = stand.due()
    stand.live(trades[4:])
    assert stand.status() == "BACKFILLING"
    assert stand.core.trouble(stand.now_ns) is not None
    (effect,) = stand.effects
    assert isinstance(effect, FetchTrades)
    assert effect.from_id == trades[0][0]
    stand.settle()
    assert stand.trades()[-len(trades) :] == [trade[0] for trade in trades]
    gap = stand.gaps()[-1]
    assert (gap.first_trade_id, gap.last_trade_id) == (trades[0][0], trades[3][0])
    assert gap.filled
    assert stand.status() == "OK"


def test_a_hole_that_the_exchange_no_longer_has_ends_at_a_whole_minute() -> None:
    stand = steady()
    last = stand.trades()[-1]
    stand.advance(5_000)
    stand.exchange.kept_from = last + 5
    stand.exchange.recent = 3
    stand.live(stand.due()[8:])
    stand.settle()
    for _ in range(2):
        stand.advance(MINUTE_MS)
        stand.live(stand.due())
        stand.settle()
    gap = next(gap for gap in stand.gaps() if not gap.filled)
    assert gap.first_trade_id == last + 1
    trades = [m for m in stand.said if isinstance(m, Trade)]
    after = next(t for t in trades if t.trade_id > last)
    assert gap.last_trade_id == after.trade_id - 1
    assert after.ts_event // MS % MINUTE_MS < 500
    assert {bar.source for bar in stand.bars()} == {"rest", "trades"}
    opens = [bar.open_ns for bar in stand.bars()]
    assert opens == list(range(opens[0], opens[-1] + 1, MINUTE_MS * MS))


def test_the_first_trade_ever_may_be_lost_by_the_live_feed() -> None:
    tape = tape_of([60_000, 0, 0, 70_000])
    stand = ready(Stand(Exchange(tape), (START_MS - 2 * MINUTE_MS) * MS))
    stand.advance(2 * MINUTE_MS)
    stand.live(stand.due()[1:])
    stand.settle()
    stand.advance(3 * MINUTE_MS)
    stand.live(stand.due())
    stand.settle()
    assert stand.bars()[0].trades == 3


def test_an_exchange_behind_its_own_live_feed_is_asked_again_and_not_at_once() -> None:
    stand = ready(Stand(Exchange([]), START_MS * MS))
    stand.live(((1, "60000.00", "1.0", stand.now_ns // MS, False),))
    stand.settle()
    assert not stand.effects
    assert stand.status() == "BACKFILLING"
    stand.advance(GRACE_MS)
    assert stand.effects


def test_an_exchange_that_counts_anew_is_halted_and_named() -> None:
    stand = steady()
    stand.advance(1_000)
    for trade_id in (1, 2, 3):
        assert stand.status() == "OK"
        stand.live(((trade_id, "60000.00", "1.0", stand.now_ns // MS, False),))
    assert stand.status() == "HALTED"
    assert "counts anew" in str(stand.core.trouble(stand.now_ns))


def test_a_silent_minute_is_closed_only_after_the_exchange_was_asked() -> None:
    stand = steady()
    stand.exchange.tape = stand.exchange.until(stand.now_ns)
    last = max(trade.ts_event for trade in stand.said if isinstance(trade, Trade))
    close_ns = last - last % (MINUTE_MS * MS) + MINUTE_MS * MS
    stand.advance((close_ns - stand.now_ns) // MS + GRACE_MS)
    assert stand.bars()[-1].ts_event < close_ns
    assert any(isinstance(effect, FetchTrades) for effect in stand.effects)
    stand.settle()
    assert stand.bars()[-1].ts_event == close_ns


def test_a_feed_without_trades_is_stale_and_still_ready() -> None:
    stand = steady()
    stand.exchange.tape = stand.exchange.until(stand.now_ns)
    stand.advance(STALE_MS + GRACE_MS)
    assert stand.status() == "STALE"
    stand.settle()
    assert stand.status() == "STALE"
    assert not any(isinstance(effect, Redial) for effect in stand.effects)
    assert stand.core.trouble(stand.now_ns) is None


def test_a_silent_socket_beside_a_trading_exchange_is_dialled_anew() -> None:
    stand = steady()
    before = stand.trades()[-1]
    stand.advance(STALE_MS)
    while not any(isinstance(effect, Redial) for effect in stand.effects):
        stand.answer()
    assert stand.status() == "CONNECTING"
    assert stand.trades()[-1] > before


def test_after_a_drop_the_missed_trades_are_fetched_at_once() -> None:
    stand = steady()
    stand.drop()
    assert stand.status() == "CONNECTING"
    stand.advance(5_000)
    stand.open()
    stand.connect()
    stand.settle()
    assert stand.status() == "OK"
    assert stand.trades()[-1] == stand.exchange.until(stand.now_ns)[-1][0]
    assert next(m for m in reversed(stand.said) if isinstance(m, FeedStatus)).reconnects == 1


def test_an_answer_older_than_the_connection_does_not_end_the_resync() -> None:
    stand = steady()
    stand.drop()
    stand.open()
    stand.hear(TimeGap(jump_ms=900))
    stale = stand.exchange.answer(stand.effects.pop(), stand.now_ns)
    stand.connect()
    stand.hear(stale)
    assert stand.status() == "BACKFILLING"
    stand.settle()
    assert stand.status() == "OK"


def test_an_exchange_that_does_not_answer_is_asked_again_later() -> None:
    stand = steady()
    stand.advance(3_000)
    stand.live(stand.due()[3:])
    stand.refuse()
    assert stand.status() == "CONNECTING"
    assert not stand.effects
    stand.advance(GRACE_MS)
    assert stand.effects
    stand.settle()
    assert stand.status() == "OK"


def test_history_comes_oldest_first_and_without_minutes_of_no_volume() -> None:
    stand = Stand(Exchange(tape_of([0, 400_000, 60_000, 60_000])), (START_MS + 700_000) * MS)
    ready(stand)
    opens = [bar.open_ns for bar in stand.bars()]
    assert opens == sorted(set(opens))
    assert [bar.trades for bar in stand.bars()] == [1, 1, 1, 1]


def test_a_restart_asks_for_no_bar_that_was_said() -> None:
    stand = steady()
    last = stand.bars()[-1]
    stand.restart(from_snapshot=False)
    stand.open()
    assert not [e for e in stand.effects if isinstance(e, FetchBars) and e.start_ns < last.ts_event]


def test_bars_of_a_lost_tail_of_trades_are_not_said_twice() -> None:
    stand = steady()
    stand.advance(MINUTE_MS)
    stand.live(stand.due())
    stand.settle()
    bars = stand.bars()
    cut = [m for m in stand.said if isinstance(m, Trade)][:-150]
    survived = [m for m in stand.said if not isinstance(m, Trade)]
    stand.said = [*cut, *survived]
    stand.restart(from_snapshot=False)
    ready(stand)
    again = [bar.open_ns for bar in stand.bars()]
    assert again == sorted(set(again))
    assert stand.bars()[: len(bars)] == bars


def test_every_bar_in_the_making_survives_a_snapshot() -> None:
    stand = steady()
    packed = msgspec.msgpack.encode(stand.core.state)
    assert msgspec.msgpack.decode(packed, type=type(stand.core.state)) == stand.core.state


def test_a_command_that_ingest_does_not_know_is_answered() -> None:
    stand = steady()
    (done,) = stand.core.handle(Command(request_id="1", verb="dance", args=(), by="me"), 0)
    assert isinstance(done, CommandDone)
    assert not done.ok


def test_what_ingest_does_not_hear_is_a_defect() -> None:
    with pytest.raises(AssertionError, match="does not listen to Bar"):
        steady().core.handle(steady().bars()[0], 0)


def test_a_message_of_a_symbol_that_is_no_longer_followed_changes_nothing() -> None:
    stand = steady()
    before = msgspec.msgpack.encode(stand.core.state)
    bar = next(m for m in stand.said if isinstance(m, Bar))
    stand.core.apply(msgspec.structs.replace(bar, symbol="XRP/USDT"))
    assert msgspec.msgpack.encode(stand.core.state) == before
