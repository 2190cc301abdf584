"""A mute stream is told from a quiet market by asking, within ten of its own gaps."""

import pytest

from schema.market import FeedStatus, Trade
from services.ingest.effects import FetchTrades, Redial, Redialed
from tests.services.ingest.exchange import (
    GRACE_MS,
    MS,
    STALE_MS,
    START_MS,
    SYMBOL,
    Exchange,
    Stand,
    tape_of,
)
from tests.services.ingest.steady import ready

MUTE_MS = 2_000


def beating(gap_ms: int) -> Stand:
    """Return a live feed that trades so often."""
    tape = tape_of([gap_ms] * (400_000 // gap_ms))
    stand = ready(Stand(Exchange(tape, 1_000), (START_MS + 65_000) * MS))
    for _ in range(60):
        stand.advance(500)
        stand.live(stand.due())
        stand.settle()
    assert stand.status() == "OK"
    return stand


def statuses(stand: Stand) -> list[FeedStatus]:
    return [m for m in stand.said if isinstance(m, FeedStatus)]


def silent_for(stand: Stand, limit_ms: int) -> int:
    """Let time pass in which the feed brings nothing, until it is asked; return how long."""
    for waited_ms in range(100, limit_ms + 100, 100):
        stand.advance(100)
        if any(isinstance(effect, FetchTrades) for effect in stand.effects):
            return waited_ms
    raise AssertionError(f"nobody asked for {limit_ms} ms")


@pytest.mark.parametrize("gap_ms", [100, 250, 500, 1_000])
def test_a_mute_stream_is_dialled_anew_within_ten_of_its_gaps(gap_ms: int) -> None:
    stand = beating(gap_ms)
    bound_ms = max(MUTE_MS, 10 * gap_ms)
    assert statuses(stand)[-1].median_gap_ms in {0, gap_ms}
    assert silent_for(stand, bound_ms) <= bound_ms
    stand.answer()
    assert [effect for effect in stand.effects if isinstance(effect, Redial)]
    assert stand.status() == "CONNECTING"
    assert "silent while the exchange traded" in statuses(stand)[-1].reason


def test_what_the_mute_stream_left_out_is_there_before_the_new_one_stands() -> None:
    stand = beating(200)
    silent_for(stand, MUTE_MS)
    stand.settle()
    ids = stand.trades()
    assert ids == list(range(ids[0], ids[-1] + 1))
    assert ids[-1] == stand.exchange.until(stand.now_ns)[-1][0]
    stand.drop()
    stand.open()
    stand.connect()
    stand.settle()
    stand.advance(500)
    stand.live(stand.due())
    assert stand.status() == "OK"
    assert statuses(stand)[-1].reconnects == 0


def test_a_quiet_market_is_no_mute_socket() -> None:
    stand = beating(200)
    stand.exchange.tape = stand.exchange.until(stand.now_ns)
    silent_for(stand, MUTE_MS)
    stand.settle()
    assert not [effect for effect in stand.effects if isinstance(effect, Redial | Redialed)]
    assert stand.status() == "OK"
    assert statuses(stand)[-1].reason.startswith("quiet")


def test_a_quiet_market_is_asked_ever_more_seldom_and_is_stale_in_the_end() -> None:
    stand = beating(200)
    stand.exchange.tape = stand.exchange.until(stand.now_ns)
    asked = 0
    for _ in range(10 * STALE_MS // 500):
        stand.advance(500)
        asked += sum(isinstance(effect, FetchTrades) for effect in stand.effects)
        stand.settle()
    assert stand.status() == "STALE"
    assert asked <= 16


def test_the_first_trade_after_a_quiet_while_says_that_all_is_well() -> None:
    stand = beating(200)
    after = stand.exchange.tape
    stand.exchange.tape = stand.exchange.until(stand.now_ns)
    silent_for(stand, MUTE_MS)
    stand.settle()
    last = stand.exchange.tape[-1]
    stand.exchange.tape = [*stand.exchange.tape, (last[0] + 1, *after[0][1:3], stand.now_ns // MS,
                                                  False)]  # fmt: skip
    stand.live(stand.due())
    assert (stand.status(), statuses(stand)[-1].reason) == ("OK", "")


def test_an_exchange_that_does_not_answer_a_silent_feed_is_not_trusted_for_long() -> None:
    stand = beating(200)
    silent_for(stand, MUTE_MS)
    assert stand.status() == "OK"
    stand.advance(MUTE_MS // 4)
    assert stand.status() == "STALE"
    stand.refuse()
    assert stand.status() == "CONNECTING"
    stand.advance(GRACE_MS)
    stand.settle()
    stand.live(stand.due())
    stand.settle()
    ids = stand.trades()
    assert ids == list(range(ids[0], ids[-1] + 1))


def test_old_trades_that_come_again_are_no_sign_of_life() -> None:
    stand = beating(200)
    old = stand.exchange.until(stand.now_ns)[-5:]
    for _ in range(21):
        stand.advance(100)
        stand.live(tuple(old))
    assert [effect for effect in stand.effects if isinstance(effect, FetchTrades)]


def test_before_a_habit_is_known_silence_is_what_the_settings_say() -> None:
    tape = tape_of([20_000] * 30)
    stand = ready(Stand(Exchange(tape, 5), (START_MS + 65_000) * MS))
    stand.live(stand.due())
    stand.settle()
    assert statuses(stand)[-1].median_gap_ms == 0
    stand.exchange.tape = stand.exchange.until(stand.now_ns)
    last_ns = max(m.ts_event for m in stand.said if isinstance(m, Trade) and m.symbol == SYMBOL)
    waited_ms = silent_for(stand, STALE_MS) + (stand.now_ns - last_ns) // MS
    assert waited_ms > 10_000
