"""Books of the real venue through unmodified ccxt: exact, and whole again behind a lost change."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec import structs

from schema.market import DepthUpdate, Level
from services.ingest.core import Ingest
from services.ingest.edge import Binance
from services.ingest.edge_budget import cost_of
from services.ingest.edge_depth import live_depth
from services.ingest.effects import NONE
from services.venue.effects import ObeyFaults
from services.venue.market import Market
from services.venue.synthetic import Synthetic
from tests.ports import free_port
from tests.services.ingest.exchange import settings
from tests.services.ingest.house import Seat, market_clock, venue_seat

SYMBOLS = ("BTC/USDT", "ETH/USDT")
DAY_NS = 86_400_000_000_000
ORIGIN_NS = 1_750_000_000_000_000_000 // DAY_NS * DAY_NS + DAY_NS // 3
DEPTH = 10


class Pair:
    """A venue, and an ingest that follows its books."""

    def __init__(self, folder: Path) -> None:
        self.market = Synthetic(7, SYMBOLS, ORIGIN_NS // DAY_NS - 3)
        clock, port = market_clock(ORIGIN_NS, 20.0), free_port()
        given = settings(port, SYMBOLS, 60_000 * 30, scale=20.0)
        chosen = structs.replace(given, ingest=structs.replace(given.ingest, depth=DEPTH))
        self.venue = venue_seat(self.market, clock, port, folder)
        self.ingest = Seat(Binance(chosen), clock, Ingest(chosen))

    def updates(self, symbol: str) -> list[DepthUpdate]:
        return [m for m in self.ingest.said if isinstance(m, DepthUpdate) and m.symbol == symbol]

    def anews(self, symbol: str) -> int:
        return sum(update.anew for update in self.updates(symbol))

    def figure(self, name: str) -> int:
        assert self.ingest.core is not None
        return dict(self.ingest.core.counters())[name]

    async def until_each_has(self, count: int) -> None:
        await self.ingest.until(
            lambda: all(len(self.updates(symbol)) >= count for symbol in SYMBOLS),
            f"{count} words on each book",
        )


@asynccontextmanager
async def paired(folder: Path) -> AsyncIterator[Pair]:
    pair = Pair(folder)
    await pair.venue.start()
    await pair.ingest.start()
    try:
        yield pair
    finally:
        await pair.ingest.stop()
        await pair.venue.stop()


def assert_exact(market: Market, updates: list[DepthUpdate]) -> None:
    """Fold the words plainly, and hold each book against the market's own as of its id."""
    sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
    before_id = 0
    for update in updates:
        if update.anew:
            sides = ({}, {})
        else:
            assert update.first_update_id == before_id + 1
        before_id = update.last_update_id
        for side, levels in zip(sides, (update.bids, update.asks), strict=True):
            side.update(dict(levels))
        bids, asks = ({px: qty for px, qty in side.items() if qty} for side in sides)
        sides = (bids, asks)
        book = market.book(update.symbol.replace("/", ""), update.last_update_id)
        assert best(bids, reverse=True) == book.bids[:DEPTH]
        assert best(asks, reverse=False) == book.asks[:DEPTH]


def best(side: dict[int, int], *, reverse: bool) -> tuple[Level, ...]:
    return tuple(sorted(side.items(), reverse=reverse))


async def follow(folder: Path) -> None:
    async with paired(folder) as pair:
        await pair.until_each_has(8)
        for symbol in SYMBOLS:
            assert pair.anews(symbol) == 1
            assert_exact(pair.market, pair.updates(symbol))
        assert pair.figure("depth_gaps") == pair.figure("depth_refused") == 0


def test_books_through_ccxt_are_the_venues_own(tmp_path: Path) -> None:
    asyncio.run(follow(tmp_path))


async def lose(folder: Path) -> None:
    async with paired(folder) as pair:
        await pair.until_each_has(4)
        words = ("set", "lost_depth", "symbol=BTC/USDT")
        await pair.venue.edge.perform(ObeyFaults(effect_id="1", args=words))
        await pair.ingest.until(lambda: pair.anews(SYMBOLS[0]) == 2, "the book anew")
        await pair.until_each_has(12)
        assert pair.figure("depth_gaps") == 1
        for symbol in SYMBOLS:
            assert_exact(pair.market, pair.updates(symbol))
        assert pair.anews(SYMBOLS[1]) == 1
        assert pair.ingest.core is not None
        assert pair.ingest.core.trouble(0) is None


def test_a_lost_change_is_found_and_the_book_made_whole(tmp_path: Path) -> None:
    asyncio.run(lose(tmp_path))


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        ("depth?symbol=BTCUSDT&limit=100", 5),
        ("depth?symbol=BTCUSDT&limit=500", 25),
        ("depth?limit=1000&symbol=BTCUSDT", 50),
        ("depth?symbol=BTCUSDT&limit=5000", 250),
        ("depth?symbol=BTCUSDT", 5),
        ("klines?limit=1000", 2),
    ],
)
def test_a_book_is_weighed_by_its_levels(query: str, cost: int) -> None:
    assert cost_of(f"http://127.0.0.1:1/api/v3/{query}") == cost


def test_what_is_no_change_is_left_for_the_core_to_refuse() -> None:
    spoiled = live_depth("BTC/USDT", {"U": "7", "u": True, "b": [["1"]], "a": None, "E": 1.5}, 0)
    assert (spoiled.first_id, spoiled.last_id, spoiled.at_ms) == (NONE, NONE, NONE)
    assert spoiled.bids == spoiled.asks == (("", ""),)
