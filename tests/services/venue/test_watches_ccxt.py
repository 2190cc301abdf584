"""Every socket of ccxt.pro on the served venue: what is watched is what REST lists."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ccxt.pro
import pytest

from services.venue.book import Depth
from services.venue.columns import DAY_MS
from services.venue.synthetic import Synthetic
from tests.services.venue.serving import Serving, serving
from tests.services.venue.trading import BTC, far_below, live, onlooker

DAY = 20_400
ORIGIN_MS = DAY * DAY_MS + 9 * 3_600_000


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    market = Synthetic(7, ("BTC/USDT", "ETH/USDT"), DAY - 2)
    with serving(market, ORIGIN_MS, 60.0, tmp_path_factory.mktemp("watches")) as found:
        yield found


def test_what_the_socket_offers_is_what_rest_offers(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        bought = await exchange.create_order_ws(BTC, "market", "buy", 0.01)
        assert (bought["status"], bought["filled"]) == ("closed", 0.01)
        assert bought["fee"]["currency"] == "BTC"
        px = await far_below(exchange)
        # A unified `clientOrderId` would be sent beside the exchange's own and be one too many.
        named = {"newClientOrderId": "ws-1"}
        made = await exchange.create_order_ws(BTC, "limit", "buy", 0.01, px, named)
        assert made["clientOrderId"] == named["newClientOrderId"]
        (gone,) = await exchange.cancel_all_orders_ws(BTC)
        assert (gone["id"], gone["status"]) == (made["id"], "canceled")
        ids = [order["id"] for order in await exchange.fetch_orders_ws(BTC)]
        assert ids[-2:] == [bought["id"], made["id"]]
        mine = await exchange.fetch_my_trades_ws(BTC)
        assert mine[-1]["order"] == bought["id"]
        assert mine == await exchange.fetch_my_trades(BTC)

    live(venue, work)


def test_my_trades_are_watched_with_their_fees(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        await exchange.authenticate()
        seen: list[Any] = []
        waiting = asyncio.create_task(exchange.watch_my_trades(BTC))
        await asyncio.sleep(0)
        made = await exchange.create_order(BTC, "market", "buy", 0.01)
        wanted = {str(fill["tradeId"]) for fill in made["info"]["fills"]}
        seen += await waiting
        while not wanted <= {trade["id"] for trade in seen}:
            seen += await exchange.watch_my_trades(BTC)
        listed = {trade["id"]: trade for trade in await exchange.fetch_my_trades(BTC)}
        for trade in seen:
            for key in ("order", "price", "amount", "cost", "side", "takerOrMaker", "fee"):
                assert trade[key] == listed[trade["id"]][key], key

    live(venue, work)


def test_tickers_are_watched_and_are_what_rest_lists(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        ticker = await exchange.watch_ticker(BTC, {"name": "ticker"})
        listed = await exchange.fetch_ticker(BTC)
        for key in ("last", "bid", "ask", "open", "high", "low", "vwap", "baseVolume", "change",
                    "quoteVolume", "percentage", "bidVolume", "askVolume"):  # fmt: skip
            assert type(ticker[key]) is type(listed[key]), key
        assert ticker["open"] == pytest.approx(listed["open"], rel=0.01)
        several = await exchange.watch_tickers([BTC, "ETH/USDT"])
        while set(several) != {BTC, "ETH/USDT"}:
            several |= await exchange.watch_tickers([BTC, "ETH/USDT"])
        mini = await exchange.watch_ticker(BTC, {"name": "miniTicker"})
        assert mini["info"]["e"] == "24hrMiniTicker" and mini["last"] > 0
        await exchange.un_watch_tickers([BTC, "ETH/USDT"])

    onlooker(venue, work)


class Holed(Synthetic):
    """A market whose book loses one change, once."""

    holes = 0

    def depths(self, symbol: str, after_ms: int, until_ms: int) -> list[Depth]:
        found = super().depths(symbol, after_ms, until_ms)
        if self.holes == 0 and after_ms > ORIGIN_MS + 60_000:
            self.holes += 1
            return [replace(found[0], first_id=found[0].first_id + 1)]
        return found


async def watch_for_ever(exchange: Any) -> None:
    while True:
        await exchange.watch_order_book(BTC)


def test_a_hole_in_the_book_is_said_once_and_healed_by_the_next_call(tmp_path: Path) -> None:
    market = Holed(7, ("BTC/USDT",), DAY - 2)

    async def work(exchange: Any) -> int:
        with pytest.raises(ccxt.ChecksumError):
            await watch_for_ever(exchange)
        for _ in range(5):
            book = await exchange.watch_order_book(BTC)
        bids = [[px / 100, qty / 10**5] for px, qty in market.book("BTCUSDT", book["nonce"]).bids]
        assert [list(level) for level in book["bids"]] == bids
        return int(book["nonce"])

    with serving(market, ORIGIN_MS, 300.0, tmp_path) as venue:
        assert onlooker(venue, work) > ORIGIN_MS + 60_000
    assert market.holes == 1


def test_what_is_no_longer_watched_is_no_longer_sent(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        await exchange.watch_trades(BTC)
        await exchange.un_watch_trades(BTC)
        await exchange.watch_ohlcv("ETH/USDT", "1m")
        await exchange.un_watch_ohlcv("ETH/USDT", "1m")
        await exchange.watch_order_book(BTC)
        await exchange.un_watch_order_book(BTC)
        assert exchange.trades.get(BTC) is None

    onlooker(venue, work)
