"""Unmodified ccxt between the real venue and ingest, over real sockets."""

import asyncio
from pathlib import Path

import pytest

from schema.market import Bar, FeedGap, FeedStatus, Instrument, Quote, Trade
from services.ingest.core import Ingest
from services.venue.market import Market
from services.venue.synthetic import Synthetic
from tests.ports import free_port
from tests.services.ingest.house import Seat, ingest_seat, market_clock, venue_seat

SYMBOLS = ("BTC/USDT", "ETH/USDT")
DAY_NS = 86_400_000_000_000
ORIGIN_NS = 1_750_000_000_000_000_000 // DAY_NS * DAY_NS + DAY_NS // 3
SCALE = 120.0
STALE_MS = 60_000 * 30


def synthetic() -> Synthetic:
    return Synthetic(7, SYMBOLS, ORIGIN_NS // DAY_NS - 3)


def trades_of(seat: Seat, symbol: str) -> list[Trade]:
    return [m for m in seat.said if isinstance(m, Trade) and m.symbol == symbol]


def bars_of(seat: Seat, symbol: str, timeframe: str = "1m") -> list[Bar]:
    return [
        m
        for m in seat.said
        if isinstance(m, Bar) and (m.symbol, m.timeframe) == (symbol, timeframe)
    ]


def live_bars(seat: Seat, symbol: str) -> list[Bar]:
    return [bar for bar in bars_of(seat, symbol) if bar.source == "trades"]


def is_ready(seat: Seat) -> bool:
    return seat.core is not None and seat.core.trouble(0) is None


def assert_contiguous(trades: list[Trade]) -> None:
    ids = [trade.trade_id for trade in trades]
    assert ids == list(range(ids[0], ids[0] + len(ids)))


def assert_same_tape(trades: list[Trade], market: Market) -> None:
    tape = market.tape_from(
        trades[0].symbol.replace("/", ""), trades[0].trade_id, len(trades), 1 << 42
    )
    assert trades[0].trade_id == tape.first_id
    assert [t.ts_event // 1_000_000 for t in trades] == tape.at_ms.tolist()
    assert [t.px for t in trades] == tape.px.tolist()
    assert [t.qty for t in trades] == tape.qty.tolist()
    assert [t.buyer_maker for t in trades] == tape.maker.tolist()


def assert_bars_fold_from_trades(seat: Seat, symbol: str) -> None:
    trades = trades_of(seat, symbol)
    for bar in live_bars(seat, symbol):
        of_minute = [t for t in trades if bar.open_ns <= t.ts_event < bar.ts_event]
        assert bar.trades == len(of_minute)
        assert (bar.open, bar.close) == (of_minute[0].px, of_minute[-1].px)
        assert (bar.high, bar.low) == (max(t.px for t in of_minute), min(t.px for t in of_minute))
        assert bar.volume == sum(t.qty for t in of_minute)


async def run_plainly(tmp_path: Path) -> None:
    market, clock, port = synthetic(), market_clock(ORIGIN_NS, SCALE), free_port()
    venue, ingest = (
        venue_seat(market, clock, port, tmp_path),
        ingest_seat(clock, port, SYMBOLS, STALE_MS),
    )
    await venue.start()
    await ingest.start()
    try:
        await ingest.until(lambda: is_ready(ingest), "ingest is READY")
        await ingest.until(
            lambda: all(len(live_bars(ingest, symbol)) > 5 for symbol in SYMBOLS), "live bars"
        )
    finally:
        await ingest.stop()
        await venue.stop()
    for symbol in SYMBOLS:
        assert_contiguous(trades_of(ingest, symbol))
        assert_same_tape(trades_of(ingest, symbol), market)
        assert_bars_fold_from_trades(ingest, symbol)
        opens = [bar.open_ns for bar in bars_of(ingest, symbol)]
        assert opens == sorted(set(opens))
        assert len(opens) > 1_440
        assert bars_of(ingest, symbol, "1h")
        assert any(isinstance(m, Quote) and m.symbol == symbol for m in ingest.said)
        assert any(isinstance(m, Instrument) and m.symbol == symbol for m in ingest.said)


def test_history_and_live_feed_come_through_ccxt_without_a_hole(tmp_path: Path) -> None:
    asyncio.run(run_plainly(tmp_path))


async def run_with_a_dead_venue(tmp_path: Path) -> None:
    market, clock, port = synthetic(), market_clock(ORIGIN_NS, SCALE), free_port()
    venue = venue_seat(market, clock, port, tmp_path)
    ingest = ingest_seat(clock, port, SYMBOLS, STALE_MS)
    await ingest.start()  # Before there is a venue at all.
    await ingest.until(lambda: bool(ingest.notes), "the first dial fails")
    await venue.start()
    try:
        await ingest.until(lambda: is_ready(ingest), "ingest is READY")
        await ingest.until(lambda: len(live_bars(ingest, SYMBOLS[0])) > 2, "live bars")
        await venue.stop()
        await ingest.until(lambda: not is_ready(ingest), "the venue's death is noticed")
        last = trades_of(ingest, SYMBOLS[0])[-1].trade_id
        venue = venue_seat(market, clock, port, tmp_path)
        await venue.start()
        await ingest.until(lambda: is_ready(ingest), "ingest is READY again")
        await ingest.until(lambda: len(live_bars(ingest, SYMBOLS[0])) > 12, "more live bars")
    finally:
        await ingest.stop()
        await venue.stop()
    for symbol in SYMBOLS:
        assert_contiguous(trades_of(ingest, symbol))
        assert_same_tape(trades_of(ingest, symbol), market)
        assert_bars_fold_from_trades(ingest, symbol)
    gaps = [m for m in ingest.said if isinstance(m, FeedGap) and m.symbol == SYMBOLS[0]]
    assert any(gap.filled and gap.first_trade_id == last + 1 for gap in gaps)
    states = [m.state for m in ingest.said if isinstance(m, FeedStatus)]
    assert "CONNECTING" in states
    assert "OK" in states


@pytest.mark.slow
def test_a_venue_that_dies_and_returns_leaves_no_hole(tmp_path: Path) -> None:
    asyncio.run(run_with_a_dead_venue(tmp_path))


async def run_with_a_dead_ingest(tmp_path: Path) -> None:
    market, clock, port = synthetic(), market_clock(ORIGIN_NS, SCALE), free_port()
    venue = venue_seat(market, clock, port, tmp_path)
    first = ingest_seat(clock, port, SYMBOLS, STALE_MS)
    await venue.start()
    await first.start()
    await first.until(lambda: is_ready(first), "ingest is READY")
    await first.until(lambda: len(live_bars(first, SYMBOLS[0])) > 1, "live bars")
    await first.stop()
    second = ingest_seat(clock, port, SYMBOLS, STALE_MS)
    assert isinstance(second.core, Ingest)
    for message in first.said:
        second.core.apply(message)
    await asyncio.sleep(0)
    await second.start()
    try:
        await second.until(lambda: is_ready(second), "ingest is READY again")
        await second.until(lambda: len(live_bars(second, SYMBOLS[0])) > 5, "live bars")
    finally:
        await second.stop()
        await venue.stop()
    first.said += second.said
    for symbol in SYMBOLS:
        assert_contiguous(trades_of(first, symbol))
        assert_bars_fold_from_trades(first, symbol)
        opens = [bar.open_ns for bar in bars_of(first, symbol)]
        assert opens == sorted(set(opens))


@pytest.mark.slow
def test_a_restarted_ingest_goes_on_where_its_own_streams_end(tmp_path: Path) -> None:
    asyncio.run(run_with_a_dead_ingest(tmp_path))
