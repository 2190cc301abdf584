"""Every call of ccxt on the served venue, and every field that ccxt makes of its answer."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest

from schema.setting_types import PLAY_KEY, PLAY_SECRET
from services.venue.columns import DAY_MS, MINUTE_MS
from services.venue.payload import ORDER_TYPES
from services.venue.synthetic import Synthetic
from tests.services.gateway.failing import Answer, failing
from tests.services.venue.serving import Serving, serving
from tests.services.venue.trading import BTC, WAIT_S, client, far_below, live, onlooker, opened

DAY = 20_400
ORIGIN_MS = DAY * DAY_MS + 9 * 3_600_000
KINDS = (ccxt.async_support.binance, ccxt.pro.binance)
TICKER = {
    *("last", "bid", "ask", "bidVolume", "askVolume", "open", "high", "low", "baseVolume"),
    *("quoteVolume", "vwap", "timestamp", "previousClose"),
}
ROW = {
    *("symbol", "orderId", "orderListId", "clientOrderId", "transactTime", "price", "origQty"),
    *("executedQty", "cummulativeQuoteQty", "status", "timeInForce", "type", "side"),
}

_names = (f"call-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    market = Synthetic(7, ("BTC/USDT", "ETH/USDT"), DAY - 2)
    with serving(market, ORIGIN_MS, 60.0, tmp_path_factory.mktemp("calls")) as found:
        yield found


def test_a_market_tells_its_limits_its_steps_and_which_orders_it_takes(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        found = await exchange.load_markets(True, {"symbols": '["BTCUSDT"]'})
        assert list(found) == [BTC]
        market = found[BTC]
        assert (market["active"], market["spot"], market["margin"]) == (True, True, False)
        assert (market["taker"], market["maker"]) == (0.001, 0.001)
        assert (market["precision"]["price"], market["precision"]["amount"]) == (0.01, 1e-5)
        limits = market["limits"]
        assert limits["amount"] == {"min": 1e-5, "max": 9e9}
        assert limits["price"] == {"min": 0.01, "max": 9e10}
        assert limits["cost"] == {"min": 5.0, "max": 9e9}
        assert limits["market"] == {"min": 0.0, "max": 9e9}
        assert market["info"]["orderTypes"] == list(ORDER_TYPES)

    onlooker(venue, work)


def test_a_ticker_has_every_field_of_the_day(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        for symbol, ticker in (await exchange.fetch_tickers()).items():
            one = await exchange.fetch_ticker(symbol)
            assert set(one["info"]) == set(ticker["info"])
            assert all(one[key] > 0 for key in TICKER), one
            assert one["percentage"] == pytest.approx(one["change"] / one["open"] * 100, abs=2e-3)
            assert one["low"] <= one["vwap"] <= one["high"] and one["bid"] < one["ask"]

    onlooker(venue, work)


def test_candles_begin_and_end_where_they_are_asked_to(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        since = ORIGIN_MS - 600 * MINUTE_MS
        assert len(await exchange.fetch_ohlcv(BTC, "1m")) == 500
        rows = await exchange.fetch_ohlcv(BTC, "5m", since, 7)
        assert [row[0] for row in rows] == [since + n * 5 * MINUTE_MS for n in range(7)]
        until = {"until": since + 9 * MINUTE_MS}
        rows = await exchange.fetch_ohlcv(BTC, "1m", since, None, until)
        assert [row[0] for row in rows] == [since + n * MINUTE_MS for n in range(10)]
        for _, open_, high, low, close, volume in rows:
            assert low <= min(open_, close) <= max(open_, close) <= high and volume > 0

    onlooker(venue, work)


def test_trades_are_the_same_by_every_endpoint_and_charge_nobody(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        found = await exchange.fetch_trades(BTC, ORIGIN_MS - 600_000, 50)
        first = int(found[0]["id"])
        exchange.apiKey = "none"  # ccxt asks for one here; the exchange itself no longer does
        how = {"fetchTradesMethod": "publicGetHistoricalTrades", "fromId": first}
        other = await exchange.fetch_trades(BTC, None, 50, how)
        keys = ("id", "timestamp", "price", "amount", "cost", "side")
        told = [[trade[key] for key in keys] for trade in found]
        assert told == [[trade[key] for key in keys] for trade in other]
        assert {trade["side"] for trade in found} == {"buy", "sell"}
        assert {trade["fee"]["cost"] for trade in found} == {None}
        newest = await exchange.fetch_trades(BTC, None, 5, {"fetchTradesMethod": "publicGetTrades"})
        assert int(newest[-1]["id"]) == int(newest[0]["id"]) + 4

    onlooker(venue, work)


def test_a_book_has_as_many_levels_as_are_asked_for_and_a_number(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        for limit in (5, 20, 100):
            book = await exchange.fetch_order_book(BTC, limit)
            assert (len(book["bids"]), len(book["asks"])) == (limit, limit)
        assert [px for px, _ in book["bids"]] == sorted((p for p, _ in book["bids"]), reverse=True)
        assert [px for px, _ in book["asks"]] == sorted(px for px, _ in book["asks"])
        assert book["nonce"] > ORIGIN_MS

    onlooker(venue, work)


Asked = tuple[str, str, float | None, dict[str, object]]

ORDERS: list[tuple[Asked, str, str, str]] = [
    # (type, side, how far from the last price, more), and Binance's type, its time, its status
    (("limit", "buy", 0.8, {}), "LIMIT", "GTC", "open"),
    (("limit", "buy", 0.8, {"timeInForce": "IOC"}), "LIMIT", "IOC", "expired"),
    (("limit", "buy", 0.8, {"timeInForce": "FOK"}), "LIMIT", "FOK", "expired"),
    (("limit", "buy", 0.8, {"postOnly": True}), "LIMIT_MAKER", "GTC", "open"),
    (("limit", "buy", 1.2, {}), "LIMIT", "GTC", "closed"),
    (("market", "buy", None, {}), "MARKET", "GTC", "closed"),
    (("market", "buy", None, {"cost": 700}), "MARKET", "GTC", "closed"),
    (("market", "sell", 0.8, {"stopLossPrice": 0.8}), "STOP_LOSS", "GTC", "open"),
    (("limit", "sell", 0.8, {"stopLossPrice": 0.8}), "STOP_LOSS_LIMIT", "GTC", "open"),
    (("market", "sell", 1.2, {"takeProfitPrice": 1.2}), "TAKE_PROFIT", "GTC", "open"),
    (("limit", "sell", 1.2, {"takeProfitPrice": 1.2}), "TAKE_PROFIT_LIMIT", "GTC", "open"),
    (("market", "buy", 1.2, {"stopLossPrice": 1.2}), "STOP_LOSS", "GTC", "open"),
    (("limit", "buy", 0.8, {"takeProfitPrice": 0.8}), "TAKE_PROFIT_LIMIT", "GTC", "open"),
]


async def placed(exchange: Any, asked: Asked, last: float) -> tuple[Any, float | None]:
    kind, side, away, more = asked
    px = None if away is None else float(exchange.price_to_precision(BTC, last * away))
    prices = {name: px for name in more if name.endswith("Price")}
    params = {**more, **prices, "clientOrderId": next(_names)}
    limit_px = px if kind == "limit" else None
    return await exchange.create_order(BTC, kind, side, 0.01, limit_px, params), px


def test_orders_of_every_type_are_taken_shown_by_both_ids_and_ended(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        await exchange.create_order(BTC, "market", "buy", 0.1)
        last = (await exchange.fetch_ticker(BTC))["last"]
        for asked, kind, tif, status in ORDERS:
            made, px = await placed(exchange, asked, last)
            info = made["info"]
            assert set(info) >= ROW, kind
            assert (info["type"], info["timeInForce"], made["status"]) == (kind, tif, status)
            assert ("stopPrice" in info) == (made["triggerPrice"] is not None)
            if made["triggerPrice"] is not None:
                assert made["triggerPrice"] == px
            await shown(exchange, made)
            if status == "open":
                gone = await exchange.cancel_order(made["id"], BTC)
                assert (gone["status"], gone["remaining"]) == ("canceled", made["amount"])
            elif status == "closed":
                told_its_fills(made)

    live(venue, work)


async def shown(exchange: Any, made: Any) -> None:
    by_id = await exchange.fetch_order(made["id"], BTC)
    named = {"origClientOrderId": made["clientOrderId"]}
    assert await exchange.fetch_order(None, BTC, named) == by_id
    assert (await exchange.fetch_orders(BTC))[-1] == by_id
    for key in ("status", "amount", "filled", "price", "side", "type", "timeInForce", "cost"):
        assert by_id[key] == made[key], key
    assert by_id["info"]["time"] <= by_id["info"]["updateTime"] == made["info"]["transactTime"]


def told_its_fills(made: Any) -> None:
    fills = made["info"]["fills"]
    assert set(fills[0]) == {"price", "qty", "commission", "commissionAsset", "tradeId"}
    assert sum(trade["amount"] for trade in made["trades"]) == pytest.approx(made["filled"])
    assert sum(trade["cost"] for trade in made["trades"]) == pytest.approx(made["cost"])
    assert made["fee"]["currency"] == "BTC"
    assert made["fee"]["cost"] == pytest.approx(made["filled"] / 1000, abs=1e-8 * len(fills))


def test_open_orders_of_all_symbols_are_a_question_that_ccxt_wants_confirmed(
    venue: Serving,
) -> None:
    async def work(exchange: Any) -> None:
        px = await far_below(exchange)
        made = await exchange.create_order(BTC, "limit", "buy", 0.01, px)
        with pytest.raises(ccxt.ExchangeError, match="warnWithoutSymbol"):
            await exchange.fetch_open_orders()
        exchange.options["fetchOpenOrders"] = {"warnWithoutSymbol": False}
        assert made["id"] in {order["id"] for order in await exchange.fetch_open_orders()}
        assert made["id"] not in {o["id"] for o in await exchange.fetch_open_orders("ETH/USDT")}
        (gone,) = await exchange.cancel_all_orders(BTC)
        assert gone["id"] == made["id"]
        assert made["id"] in {o["id"] for o in await exchange.fetch_canceled_orders(BTC)}

    live(venue, work)


def test_my_trades_are_cut_by_time_number_and_order(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        made = [await exchange.create_order(BTC, "market", "buy", 0.01) for _ in range(3)]
        since = made[0]["timestamp"]
        found = await exchange.fetch_my_trades(BTC, since)
        assert {trade["order"] for trade in found} >= {order["id"] for order in made}
        # ccxt sorts trades of one instant by the text of their ids.
        found.sort(key=lambda trade: int(trade["id"]))
        first = await exchange.fetch_my_trades(BTC, since, 2)
        assert {trade["id"] for trade in first} == {trade["id"] for trade in found[:2]}
        assert await exchange.fetch_my_trades(BTC, None, 1) == found[-1:]
        mine = await exchange.fetch_my_trades(BTC, None, None, {"orderId": made[1]["id"]})
        assert {trade["order"] for trade in mine} == {made[1]["id"]}
        for trade in found:
            assert trade["cost"] == pytest.approx(trade["price"] * trade["amount"], abs=1e-8)
            assert (trade["side"], trade["takerOrMaker"]) == ("buy", "taker")
            assert trade["fee"]["cost"] == pytest.approx(trade["amount"] / 1000, abs=1e-8)
            assert {"isBuyer", "isMaker", "quoteQty"} <= set(trade["info"])
        closed = await exchange.fetch_closed_orders(BTC, since)
        assert [order["id"] for order in closed][-3:] == [order["id"] for order in made]

    live(venue, work)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__module__))
def test_both_asynchronous_clients_make_a_round_trip(
    venue: Serving, kind: Callable[[Any], Any]
) -> None:
    async def work(exchange: Any) -> None:
        before = await exchange.fetch_balance()
        assert before["timestamp"] >= ORIGIN_MS and before["free"]["USDT"] > 0
        bought = await exchange.create_order(BTC, "market", "buy", 0.02)
        sold = await exchange.create_order(BTC, "market", "sell", 0.01998)
        after = await exchange.fetch_balance()
        gain = sold["cost"] - sold["fee"]["cost"] - bought["cost"]
        paid = after["total"]["USDT"] - before["total"]["USDT"]
        assert paid == pytest.approx(gain, abs=1e-5)

    live(venue, work, kind=kind)


def test_the_synchronous_client_trades_as_well(venue: Serving) -> None:
    exchange = opened(ccxt.binance, venue.port, PLAY_KEY, PLAY_SECRET)
    exchange.load_markets()
    last = exchange.fetch_ticker(BTC)["last"]
    px = float(exchange.price_to_precision(BTC, last * 0.8))
    made = exchange.create_order(BTC, "limit", "buy", 0.01, px)
    assert exchange.fetch_order(made["id"], BTC)["status"] == "open"
    assert exchange.cancel_order(made["id"], BTC)["status"] == "canceled"
    assert exchange.fetch_balance()["free"]["USDT"] > 0
    exchange.close()


@pytest.mark.parametrize(("status", "error"), [
    (418, ccxt.DDoSProtection), (429, ccxt.DDoSProtection), (500, ccxt.ExchangeNotAvailable),
    (502, ccxt.ExchangeNotAvailable), (503, ccxt.ExchangeNotAvailable),
])  # fmt: skip
def test_ccxt_names_what_an_exchange_in_trouble_answers(
    exchange_in_trouble: int, status: int, error: type[Exception]
) -> None:
    async def work() -> None:
        async with asyncio.timeout(WAIT_S), client(exchange_in_trouble) as exchange:
            with pytest.raises(error):
                await exchange.request(f"trouble/{status}", ["public"])

    asyncio.run(work())


@pytest.fixture(scope="module")
def exchange_in_trouble() -> Iterator[int]:
    with failing() as made:
        for status in (418, 429, 500, 502, 503):
            made.answers[f"GET /api/v3/trouble/{status}"] = Answer(status, "no")
        yield made.port
