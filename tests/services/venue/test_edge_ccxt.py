"""The venue as unmodified ccxt and ccxt.pro see it."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest

from services.venue.columns import DAY_MS, MINUTE_MS
from services.venue.synthetic import Synthetic
from tests.services.venue.serving import Serving, serving
from tests.services.venue.trading import onlooker

DAY = 20_400
ORIGIN_MS = DAY * DAY_MS + 9 * 3_600_000
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")


def market() -> Synthetic:
    return Synthetic(7, SYMBOLS, DAY - 30)


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Serving]:
    with serving(market(), ORIGIN_MS, 300.0, tmp_path) as found:
        yield found


def test_ccxt_loads_markets_and_history(venue: Serving) -> None:
    async def work(exchange: Any) -> Any:
        markets = await exchange.load_markets()
        assert sorted(markets) == sorted(SYMBOLS)
        assert markets["BTC/USDT"]["precision"]["price"] == 0.01
        assert abs(await exchange.fetch_time() - venue.clock.wall_ns() // 10**6) < 1000
        rows = await exchange.fetch_ohlcv("ETH/USDT", "1m", limit=1000)
        assert len(rows) == 1000
        assert all(b[0] - a[0] == MINUTE_MS for a, b in itertools.pairwise(rows))
        days = await exchange.fetch_ohlcv("ETH/USDT", "1d")
        assert len(days) == 31
        trades = await exchange.fetch_trades("SOL/USDT", limit=1000)
        ids = [int(trade["id"]) for trade in trades]
        assert ids == list(range(ids[0], ids[0] + 1000))
        exchange.apiKey = "none"  # ccxt asks for one here; the exchange itself no longer does
        old = await exchange.fetch_trades(
            "SOL/USDT", params={"fetchTradesMethod": "publicGetHistoricalTrades", "fromId": ids[5]}
        )
        assert [int(trade["id"]) for trade in old][:10] == ids[5:15]
        book = await exchange.fetch_order_book("BTC/USDT")
        assert book["bids"][0][0] < book["asks"][0][0]
        ticker = await exchange.fetch_ticker("BTC/USDT")
        assert ticker["low"] <= ticker["last"] <= ticker["high"]

    onlooker(venue, work)


def test_ccxt_names_the_errors_of_the_venue(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        await exchange.load_markets()
        with pytest.raises(ccxt.BadSymbol):
            await exchange.public_get_depth({"symbol": "NONEUSDT"})
        with pytest.raises(ccxt.BadRequest):
            await exchange.public_get_klines({"symbol": "BTCUSDT", "interval": "7m"})

    onlooker(venue, work)


def test_trades_watched_live_are_the_tape_without_a_hole(venue: Serving) -> None:
    async def work(exchange: Any) -> Any:
        found: list[Any] = []
        while len(found) < 60:
            found += await exchange.watch_trades("BTC/USDT")
        return found

    found = {int(trade["id"]): trade for trade in onlooker(venue, work)}
    ids = sorted(found)
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    tape = market().tape_from("BTCUSDT", ids[0], len(ids), venue.now_ms())
    said = [found[trade_id]["info"] for trade_id in ids]
    assert [(t["T"], t["p"]) for t in said] == [
        (at_ms, f"{px / 100:.8f}")
        for at_ms, px in zip(tape.at_ms.tolist(), tape.px.tolist(), strict=True)
    ]


def test_the_book_watched_live_is_the_book(venue: Serving) -> None:
    async def work(exchange: Any) -> Any:
        for _ in range(8):
            book = await exchange.watch_order_book("BTC/USDT")
        return [list(level) for level in book["bids"]], book["nonce"]

    bids, at_ms = onlooker(venue, work)
    expected = market().book("BTCUSDT", at_ms)
    assert bids == [[px / 100, qty / 10**5] for px, qty in expected.bids]


def test_candles_and_tops_are_watched_live(venue: Serving) -> None:
    async def work(exchange: Any) -> Any:
        seen: dict[int, Any] = {}
        while len(seen) < 3:
            for row in await exchange.watch_ohlcv("SOL/USDT", "1m"):
                seen[row[0]] = row
        tops: dict[str, Any] = {}
        while len(tops) < 3:
            await exchange.watch_bids_asks(list(SYMBOLS))
            tops |= exchange.bidsasks  # several may have moved for one wake
        fetched = await exchange.fetch_ohlcv("SOL/USDT", "1m", since=min(seen))
        return seen, tops, fetched

    seen, tops, fetched = onlooker(venue, work)
    whole = sorted(seen)[1]
    assert seen[whole] == next(row for row in fetched if row[0] == whole)
    assert all(top["bid"] < top["ask"] for top in tops.values())
