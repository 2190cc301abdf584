"""The real venue goes mute or says what cannot be true: ingest stays up, and says only truth."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from schema.market import FeedStatus, Quarantined, Quote, Trade
from services.venue.effects import ObeyFaults
from services.venue.faults_rows import TOPS, TRADES, Spoiler
from services.venue.synthetic import Synthetic
from tests.ports import free_port
from tests.services.ingest.house import Seat, ingest_seat, market_clock, venue_seat

SYMBOL = "BTC/USDT"
DAY_NS = 86_400_000_000_000
ORIGIN_NS = 1_750_000_000_000_000_000 // DAY_NS * DAY_NS + DAY_NS // 3
SCALE = 60.0
STALE_MS = 60_000 * 30
MUTE_BOUND_S = 10.0


class Pair:
    """A venue, and an ingest that hears it."""

    def __init__(self, folder: Path) -> None:
        self.market = Synthetic(7, (SYMBOL,), ORIGIN_NS // DAY_NS - 3)
        self.clock, port = market_clock(ORIGIN_NS, SCALE), free_port()
        self.venue = venue_seat(self.market, self.clock, port, folder)
        self.ingest: Seat = ingest_seat(self.clock, port, (SYMBOL,), STALE_MS)

    async def fault(self, *words: str) -> None:
        await self.venue.edge.perform(ObeyFaults(effect_id="1", args=words))

    @property
    def is_ok(self) -> bool:
        assert self.ingest.core is not None
        return self.ingest.core.trouble(0) is None

    def trades(self) -> list[Trade]:
        return [m for m in self.ingest.said if isinstance(m, Trade)]

    def states(self) -> list[str]:
        return [m.state for m in self.ingest.said if isinstance(m, FeedStatus)]

    async def until_trades(self, more: int) -> None:
        last = self.trades()[-1].trade_id if self.trades() else 0
        await self.ingest.until(
            lambda: bool(self.trades()) and self.trades()[-1].trade_id >= last + more,
            f"{more} more trades",
        )


@asynccontextmanager
async def paired(folder: Path) -> AsyncIterator[Pair]:
    pair = Pair(folder)
    await pair.venue.start()
    await pair.ingest.start()
    try:
        await pair.ingest.until(lambda: pair.is_ok, "ingest is READY")
        await pair.until_trades(20)
        yield pair
    finally:
        await pair.ingest.stop()
        await pair.venue.stop()


def assert_true(pair: Pair) -> None:
    trades = pair.trades()
    first = trades[0].trade_id
    tape = pair.market.tape_from("BTCUSDT", first, len(trades), 1 << 42)
    assert [t.trade_id for t in trades] == list(range(first, first + len(trades)))
    assert [t.px for t in trades] == tape.px.tolist()
    assert [t.qty for t in trades] == tape.qty.tolist()
    assert [t.ts_event // 1_000_000 for t in trades] == tape.at_ms.tolist()
    low, high = min(t.px for t in trades), max(t.px for t in trades)
    for top in (m for m in pair.ingest.said if isinstance(m, Quote)):
        assert 0.9 * low < top.bid_px <= top.ask_px < 1.1 * high


async def spoil(folder: Path) -> None:
    async with paired(folder) as pair:
        await pair.fault("set", "bad_rows", "for_s=60")
        await pair.until_trades(2 * len(TRADES))
        await pair.ingest.until(
            lambda: (
                {m.kind for m in pair.ingest.said if isinstance(m, Quarantined)}
                >= {"trade", "quote", "text"}
            ),
            "each kind is refused",
        )
        await pair.fault("clear")
        await pair.until_trades(5)
        await pair.ingest.until(lambda: pair.is_ok, "all is well again")
        assert not [note for note in pair.ingest.notes if note[0] == "session.ended"]
        assert_true(pair)


@pytest.mark.slow
def test_every_kind_of_bad_row_goes_by_and_only_truth_is_said(tmp_path: Path) -> None:
    asyncio.run(spoil(tmp_path))


async def mute(folder: Path) -> None:
    async with paired(folder) as pair:
        await pair.until_trades(40)
        states = len(pair.states())
        await pair.fault("set", "stale_quotes", "for_s=60")
        began_ns = pair.clock.mono_ns()
        await pair.ingest.until(lambda: "CONNECTING" in pair.states()[states:], "it is noticed")
        seen_s = (pair.clock.mono_ns() - began_ns) / 1e9
        await pair.fault("clear")
        await pair.ingest.until(lambda: pair.is_ok, "the new session stands")
        await pair.until_trades(5)
        back_s = (pair.clock.mono_ns() - began_ns) / 1e9
        assert seen_s < MUTE_BOUND_S / 2
        assert back_s < MUTE_BOUND_S
        assert_true(pair)


@pytest.mark.slow
def test_a_mute_venue_is_noticed_and_dialled_anew_within_ten_seconds(tmp_path: Path) -> None:
    asyncio.run(mute(tmp_path))


def test_the_venue_plants_each_kind_in_its_turn() -> None:
    spoiler = Spoiler()
    trade = {"e": "trade", "s": "BTCUSDT", "t": 7, "p": "60000.00000000", "q": "1.0", "T": 9}
    top = {"u": 1, "s": "BTCUSDT", "b": "1.00000000", "B": "2.0", "a": "1.01000000", "A": "3.0"}
    rows = [spoiler.before(trade) for _ in TRADES]
    assert len(set(rows)) == len(TRADES)
    assert len({spoiler.before(top) for _ in TOPS}) == len(TOPS)
    assert any(b'"6000000.000000"' in row for row in rows)
