"""What cannot be true is refused with a reason, and nothing behind ingest ever sees it."""

import gzip
from pathlib import Path

import pytest

from schema.market import FeedGap, FeedStatus, Quote
from services.ingest.effects import (
    AskTime,
    FetchedTrades,
    FetchTrades,
    Listed,
    LiveQuote,
    RawTrade,
    ServerTime,
    Spoiled,
)
from tests.services.ingest.exchange import (
    GRACE_MS,
    MARKET,
    MINUTE_MS,
    MS,
    START_MS,
    SYMBOL,
    Exchange,
    Stand,
    decimal,
    fold,
    row_of,
    tape_of,
)
from tests.services.ingest.hostile import (
    HOSTILE,
    LEAP,
    changed,
    quote,
    refused,
    said_trades,
    true_trades,
)
from tests.services.ingest.steady import ready, steady

CRASH = Path(__file__).parents[4] / "shared/data/bitfinex_zombie3000/BTCUSD_1m_2017.csv.gz"
CRASH_MS = 1_489_152_480_000  # 2017-03-10 13:28


@pytest.mark.parametrize("kind", [*HOSTILE, *LEAP])
def test_a_bad_row_is_refused_and_its_true_one_is_said(kind: str) -> None:
    stand = steady()
    stand.advance(500)
    (true,) = stand.due()
    stand.live(((HOSTILE | LEAP)[kind](true),))
    stand.live((true,))
    stand.settle()
    stand.advance(GRACE_MS)
    stand.live(stand.due())
    stand.settle()
    assert said_trades(stand) == true_trades(stand)
    assert [(m.kind, m.symbol, m.times) for m in refused(stand)] == [("trade", SYMBOL, 1)]
    assert refused(stand)[0].reason
    assert stand.status() == "OK"


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_bad_row_in_the_place_of_a_true_one_is_asked_for_again_by_its_id(kind: str) -> None:
    stand = steady()
    stand.advance(500)
    (true,) = stand.due()
    stand.live((HOSTILE[kind](true),))
    (asked,) = [effect for effect in stand.effects if isinstance(effect, FetchTrades)]
    assert asked.from_id == true[0]
    assert stand.status() == "BACKFILLING"
    stand.settle()
    assert stand.trades()[-1] == true[0]
    assert said_trades(stand) == true_trades(stand)
    assert not [gap for gap in stand.gaps() if not gap.filled]


@pytest.mark.parametrize("kind", ["zero", "us", "hundredfold"])
@pytest.mark.parametrize("first", [False, True])
def test_what_the_exchange_says_again_and_again_is_given_up_by_name(
    kind: str, *, first: bool
) -> None:
    stand = ready(Stand(Exchange(tape_of([500] * 600), 200), (START_MS + 65_000) * MS))
    at = next(
        n
        for n, trade in enumerate(stand.exchange.tape)
        if trade[3] > stand.now_ns // MS
        and (trade[3] // MINUTE_MS != stand.exchange.tape[n - 1][3] // MINUTE_MS) == first
    )
    true = stand.exchange.tape[at]
    stand.exchange.tape[at] = HOSTILE[kind](true)
    minute = true[3] // MINUTE_MS * MINUTE_MS * MS
    for _ in range(290):
        stand.advance(500)
        now_ms = stand.now_ns // MS
        stand.live(tuple(t for t in stand.exchange.tape if now_ms - 500 < _ms(t, true) <= now_ms))
        whole_exchange_answers(stand)
    (gap,) = [gap for gap in stand.gaps() if not gap.filled]
    assert (gap.first_trade_id, gap.last_trade_id, gap.refused) == (true[0], true[0], True)
    assert "the exchange says so again" in gap.reason
    ids = stand.trades()
    assert [n for n in range(ids[0], ids[-1] + 1) if n not in ids] == [true[0]]
    of_minute = [bar for bar in stand.bars() if bar.open_ns == minute and not bar.revision]
    assert [bar.whole for bar in of_minute] == [False]
    others = [bar for bar in stand.bars() if bar.open_ns != minute and bar.source == "trades"]
    assert all(bar.whole for bar in others)
    assert stand.status() == "OK"


def _ms(trade: RawTrade, true: RawTrade) -> int:
    return true[3] if trade[0] == true[0] else trade[3]


def whole_exchange_answers(stand: Stand) -> None:
    """Answer as an exchange that has the bad row where its id is, whatever its time says."""
    while stand.effects:
        effect = stand.effects[0]
        if not isinstance(effect, FetchTrades) or effect.from_id < 0:
            stand.answer()
            continue
        stand.effects.pop(0)
        due = (stand.now_ns // MS - START_MS) // 500
        there = stand.exchange.tape[:due]
        rows = tuple(t for t in there if t[0] >= effect.from_id)[:50]
        head = there[-1][0]
        stand.hear(
            FetchedTrades(effect_id=effect.effect_id, symbol=SYMBOL, trades=rows, head_id=head)
        )


def test_a_crash_whose_prints_follow_each_other_is_believed() -> None:
    stand = steady()
    index = len(stand.exchange.until(stand.now_ns))
    for n in range(index, len(stand.exchange.tape)):
        trade = stand.exchange.tape[n]
        px = decimal(int(trade[1].replace(".", "")) * 4 // 5, 2)
        stand.exchange.tape[n] = changed(trade, px=px)
    for _ in range(8):
        stand.advance(500)
        stand.live(stand.due())
    assert said_trades(stand) == true_trades(stand)
    assert stand.trades()[-1] == stand.exchange.until(stand.now_ns)[-1][0]
    assert not refused(stand)


def test_one_print_that_the_book_agrees_with_is_believed_at_once() -> None:
    stand = steady()
    quote(stand, "59999.00", "60001.00")
    for n in range(3):
        quote(stand, "47999.00", f"4800{n}.00")
    stand.advance(500)
    *earlier, trade = stand.due()
    stand.live((*earlier, changed(trade, px="48000.50")))
    assert stand.trades()[-1] == trade[0]


@pytest.mark.parametrize(
    ("bid", "ask"),
    [
        ("NaN", "60001.00"),
        ("0", "0"),
        ("-1", "60001"),
        ("60002", "60001"),
        ("5999900", "6000100"),
        ("9" * 400, "60001"),
    ],
)
def test_a_top_that_cannot_be_true_is_not_said(bid: str, ask: str) -> None:
    stand = steady()
    quote(stand, "59999.00", "60001.00")
    before = [m for m in stand.said if isinstance(m, Quote)]
    quote(stand, bid, ask)
    assert [m for m in stand.said if isinstance(m, Quote)] == before
    assert [m.kind for m in refused(stand)] == ["quote"]


def test_a_flood_is_said_once_at_first_and_then_once_a_minute_with_its_size() -> None:
    stand = steady()
    for _ in range(600):
        stand.advance(100)
        stand.hear(LiveQuote(symbol=SYMBOL, bid_px="x", bid_qty="1", ask_px="1", ask_qty="1",
                             update_id=1, recv_ns=0))  # fmt: skip
    stand.advance(2 * MINUTE_MS)
    times = [m.times for m in refused(stand) if m.kind == "quote"]
    assert times[0] == 1
    assert (len(times), sum(times)) == (2, 600)
    assert dict(stand.core.counters())[f"quarantined.{SYMBOL}"] == 600


def test_a_listing_that_cannot_be_read_is_refused_by_name() -> None:
    stand = steady()
    stand.hear(Listed(markets={SYMBOL: {**MARKET, "filters": "}{"}}))
    assert [m.kind for m in refused(stand)] == ["listing"]
    assert stand.status() == "CONNECTING"


def test_a_row_of_no_symbol_is_said_without_one() -> None:
    stand = steady()
    stand.hear(Spoiled(symbol="", kind="text", reason="it is no object of JSON", row="}{"))
    assert [(m.symbol, m.kind, m.row) for m in refused(stand)] == [("", "text", "}{")]
    assert stand.status() == "OK"


def test_a_row_of_the_future_asks_for_the_time_and_is_believed_once_our_clock_is_known() -> None:
    stand = steady()
    stand.advance(500)
    (true,) = stand.due()
    ahead = changed(true, ms=true[3] + 9_000)
    stand.live((ahead,))
    assert [effect for effect in stand.effects if isinstance(effect, AskTime)]
    assert stand.trades()[-1] == true[0] - 1
    stand.hear(ServerTime(offset_ms=9_000))
    stand.live((ahead,))
    assert stand.trades()[-1] == true[0]
    assert [m for m in stand.said if isinstance(m, FeedStatus)][-1].offset_ms == 9_000


@pytest.mark.skipif(not CRASH.exists(), reason="the recorded year of bitfinex is not here")
def test_the_recorded_crash_of_a_minute_passes_whole() -> None:
    with gzip.open(CRASH, "rt") as lines:
        rows = [line.rstrip().split(",") for line in lines]
    around = [
        row
        for row in rows
        if row[0].replace(".", "").isdigit()
        and abs(int(float(row[0])) - CRASH_MS) <= 20 * MINUTE_MS
    ]
    tape: list[RawTrade] = []
    for stamp, first, last, high, low, *_ in around:
        for n, px in enumerate((first, high, low, last)):
            at_ms = int(float(stamp)) + 10_000 * n
            tape.append((len(tape) + 1, f"{float(px):.2f}", "1.00000", at_ms, False))
    prices = [float(t[1]) for t in tape if CRASH_MS <= t[3] < CRASH_MS + MINUTE_MS]
    assert 0.174 < 1 - prices[-1] / prices[0] < 0.176
    stand = ready(Stand(Exchange(tape, 200), (tape[0][3] + 65_000) * MS))
    for _ in range(40):
        stand.advance(MINUTE_MS)
        stand.live(stand.due())
        stand.settle()
    assert [m for m in stand.said if isinstance(m, FeedGap) and not m.filled] == []
    found = {row_of(bar) for bar in stand.bars() if bar.source == "trades"}
    assert len(found) > 30
    assert found <= set(fold(tape, "1m"))
    assert not refused(stand)
