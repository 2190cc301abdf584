"""The account as unmodified ccxt and ccxt.pro see it: orders, their stream, and their errors."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ccxt.pro
import pytest

from services.venue.columns import DAY_MS
from services.venue.synthetic import Synthetic
from tests.services.venue.serving import Serving, serving
from tests.services.venue.trading import BTC, far_below, live

DAY = 20_400
ORIGIN_MS = DAY * DAY_MS + 9 * 3_600_000


def market() -> Synthetic:
    return Synthetic(7, ("BTC/USDT", "ETH/USDT"), DAY - 2)


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Serving]:
    with serving(market(), ORIGIN_MS, 200.0, tmp_path) as found:
        yield found


async def coming_low(exchange: Any, venue: Serving) -> float:
    # The market is a function of time: a price below it that will soon be traded through.
    while True:
        now_ms = venue.now_ms()
        low = int(market().tape("BTCUSDT", now_ms + 60_000, now_ms + 300_000).px.min()) + 1
        if low * 1.0001 < market().book("BTCUSDT", now_ms).bids[0][0]:
            return low / 100
        await exchange.fetch_time()


def test_an_order_is_created_found_listed_and_cancelled(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        px = await far_below(exchange)
        made = await exchange.create_order(BTC, "limit", "buy", 0.5, px, {"clientOrderId": "a-1"})
        assert (made["status"], made["clientOrderId"], made["filled"]) == ("open", "a-1", 0)
        assert exchange.last_response_headers["X-MBX-ORDER-COUNT-10S"] == "1"
        balance = await exchange.fetch_balance()
        assert balance["USDT"] == {
            "free": pytest.approx(100_000 - px / 2, abs=1e-6),
            "used": pytest.approx(px / 2, abs=1e-6),
            "total": 100_000,
        }
        assert balance["BTC"]["total"] == 0
        assert [o["id"] for o in await exchange.fetch_open_orders(BTC)] == [made["id"]]
        by_name = await exchange.fetch_order(None, BTC, {"origClientOrderId": "a-1"})
        assert by_name["id"] == made["id"] and by_name["timestamp"] >= ORIGIN_MS
        gone = await exchange.cancel_order(made["id"], BTC)
        assert gone["status"] == "canceled" and gone["info"]["origClientOrderId"] == "a-1"
        assert gone["info"]["clientOrderId"] not in {"", "a-1"}
        found = await exchange.fetch_order(made["id"], BTC)
        assert (found["status"], found["clientOrderId"]) == ("canceled", "a-1")
        assert [o["status"] for o in await exchange.fetch_orders(BTC)] == ["canceled"]
        assert (await exchange.fetch_balance())["USDT"]["used"] == 0

    live(venue, work)


def test_a_market_order_fills_at_the_book_and_pays_its_fee_in_what_it_gets(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        made = await exchange.create_order(BTC, "market", "buy", 0.25)
        assert (made["status"], made["filled"]) == ("closed", 0.25)
        at_ms = int(made["info"]["transactTime"])
        asks = dict(market().book("BTCUSDT", at_ms).asks)
        for fill in made["info"]["fills"]:
            px = int(fill["price"].replace(".", "")) // 10**6
            qty = int(fill["qty"].replace(".", "")) // 10**3
            assert 0 < qty <= asks[px]
        mine = await exchange.fetch_my_trades(BTC)
        assert [int(t["id"]) for t in mine] == [f["tradeId"] for f in made["info"]["fills"]]
        assert {t["fee"]["currency"] for t in mine} == {"BTC"}
        assert {(t["takerOrMaker"], t["order"]) for t in mine} == {("taker", made["id"])}
        balance = await exchange.fetch_balance()
        fees = sum(t["fee"]["cost"] for t in mine)
        assert balance["BTC"]["free"] == pytest.approx(0.25 - fees, abs=1e-9)
        sold = await exchange.create_order(
            BTC, "market", "sell", None, None, {"quoteOrderQty": 1000}
        )
        assert 900 < sold["cost"] <= 1000
        later = await exchange.fetch_my_trades(BTC, since=int(sold["info"]["transactTime"]))
        assert {t["order"] for t in later} == {sold["id"]}
        assert {t["fee"]["currency"] for t in later} == {"USDT"}

    live(venue, work)


def test_orders_and_balances_are_watched_to_the_end(venue: Serving) -> None:
    async def work(exchange: Any) -> Any:
        seen: list[Any] = []
        await exchange.authenticate()
        waiting = asyncio.create_task(exchange.watch_orders(BTC))
        balances = asyncio.create_task(exchange.watch_balance())
        px = await coming_low(exchange, venue)
        made = await exchange.create_order(BTC, "limit", "buy", 0.001, px, {"postOnly": True})
        while not seen or seen[-1]["status"] == "open":
            seen += [dict(order) for order in await waiting]
            waiting = asyncio.create_task(exchange.watch_orders(BTC))
        await balances
        waiting.cancel()
        trades = await exchange.fetch_my_trades(BTC)
        while not exchange.balance["spot"].get("BTC", {}).get("free"):
            await exchange.watch_balance()
        return made, seen, trades, exchange.balance["spot"]

    made, seen, trades, balance = live(venue, work)
    trade = trades[-1]
    assert {order["id"] for order in seen} == {made["id"]}
    assert seen[0]["info"]["x"] == "NEW"
    end = seen[-1]
    assert (end["status"], end["filled"]) == ("closed", 0.001)
    info = end["info"]
    assert (info["x"], info["t"], info["m"]) == ("TRADE", int(trade["id"]), True)
    assert trade["takerOrMaker"] == "maker" and trade["timestamp"] == info["T"]
    assert set("EsScofqpPFgCxXrilzLnNTtIwmMOZYQWV") <= set(info)
    # A resting order is filled at a moment of the tape.
    tape = market().tape("BTCUSDT", info["T"], info["T"] + 1)
    assert int(tape.px.min()) <= round(trade["price"] * 100)
    assert balance["BTC"]["free"] == pytest.approx(0.001 - sum(t["fee"]["cost"] for t in trades))


def test_a_cancel_is_told_with_its_own_id_and_the_original(venue: Serving) -> None:
    async def work(exchange: Any) -> Any:
        await exchange.authenticate()
        waiting = asyncio.create_task(exchange.watch_orders(BTC))
        px = await far_below(exchange)
        made = await exchange.create_order(BTC, "limit", "buy", 0.01, px, {"clientOrderId": "b-1"})
        await waiting
        waiting = asyncio.create_task(exchange.watch_orders(BTC))
        await exchange.cancel_order(None, BTC, {"origClientOrderId": "b-1"})
        return made, (await waiting)[-1]

    made, told = live(venue, work)
    assert (told["id"], told["status"], told["clientOrderId"]) == (made["id"], "canceled", "b-1")
    assert told["info"]["x"] == "CANCELED" and told["info"]["C"] == "b-1" != told["info"]["c"]


def test_a_stop_and_a_pair_are_placed_and_cancelled(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        await exchange.create_order(BTC, "market", "buy", 0.1)
        last = (await exchange.fetch_ticker(BTC))["last"]
        low, high = (exchange.price_to_precision(BTC, last * share) for share in (0.7, 1.3))
        stop = await exchange.create_order(
            BTC, "limit", "sell", 0.01, float(low), {"stopLossPrice": float(low)}
        )
        assert (stop["type"], stop["triggerPrice"]) == ("limit", float(low))
        assert stop["info"]["type"] == "STOP_LOSS_LIMIT"
        sent = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.05"}
        new = await exchange.private_post_orderlist_oco(
            {**sent, "aboveType": "LIMIT_MAKER", "abovePrice": high,
             "belowType": "STOP_LOSS", "belowStopPrice": low}
        )  # fmt: skip
        assert [row["type"] for row in new["orderReports"]] == ["LIMIT_MAKER", "STOP_LOSS"]
        assert (await exchange.fetch_balance())["BTC"]["used"] == 0.06
        shown = await exchange.private_get_orderlist({"orderListId": new["orderListId"]})
        assert shown["listOrderStatus"] == "EXECUTING"
        gone = await exchange.private_delete_orderlist(
            {"symbol": "BTCUSDT", "orderListId": new["orderListId"]}
        )
        assert {row["status"] for row in gone["orderReports"]} == {"CANCELED"}
        old = await exchange.private_post_order_oco(
            {**sent, "price": high, "stopPrice": low, "stopLimitPrice": low,
             "stopLimitTimeInForce": "GTC"}
        )  # fmt: skip
        assert len(old["orders"]) == 2
        assert len(await exchange.fetch_open_orders(BTC)) == 3
        await exchange.cancel_all_orders(BTC)
        assert await exchange.fetch_open_orders(BTC) == []

    live(venue, work)


def test_ccxt_names_the_refusals_of_the_account(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        px = await far_below(exchange)
        named = {"clientOrderId": "c-1"}
        await exchange.create_order(BTC, "limit", "buy", 0.01, px, named)
        with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
            await exchange.create_order(BTC, "limit", "buy", 0.01, px, named)
        with pytest.raises(ccxt.InsufficientFunds):
            await exchange.create_order(BTC, "limit", "buy", 100, px)
        with pytest.raises(ccxt.OrderImmediatelyFillable):
            await exchange.create_order(BTC, "limit", "buy", 0.01, px * 2, {"postOnly": True})
        with pytest.raises(ccxt.OrderImmediatelyFillable, match="Stop price"):
            await exchange.create_order(BTC, "market", "buy", 0.01, None, {"stopLossPrice": px})
        with pytest.raises(ccxt.BadRequest, match="Filter failure: NOTIONAL"):
            await exchange.create_order(BTC, "limit", "buy", 0.00001, px)
        with pytest.raises(ccxt.OrderNotFound):
            await exchange.cancel_order("999", BTC)
        with pytest.raises(ccxt.OrderNotFound):
            await exchange.fetch_order("999", BTC)
        # A market order with a price silently becomes an amount of money.
        made = await exchange.create_order(BTC, "market", "buy", 0.01, px)
        assert made["cost"] <= 0.01 * px
        exchange.options["recvWindow"] = 5
        exchange.nonce = lambda: venue.clock.wall_ns() // 10**6 - 2_000
        with pytest.raises(ccxt.InvalidNonce, match="outside of the recvWindow"):
            await exchange.fetch_balance()

    live(venue, work)


def test_a_key_may_trade_and_never_withdraw(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        rights = await exchange.sapi_get_account_apirestrictions()
        assert rights["enableWithdrawals"] is False
        assert rights["enableSpotAndMarginTrading"] is True

    async def refused(exchange: Any) -> None:
        with pytest.raises(ccxt.AuthenticationError):
            await exchange.fetch_balance()
        with pytest.raises((ccxt.AuthenticationError, KeyError)):
            await exchange.watch_orders()

    live(venue, work)
    live(venue, refused, secret="wrong")
    live(venue, refused, key="nobody")


def test_orders_are_placed_over_the_socket_as_well(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        px = await far_below(exchange)
        made = await exchange.create_order_ws(BTC, "limit", "buy", 0.01, px)
        assert made["status"] == "open"
        assert (await exchange.fetch_order_ws(made["id"], BTC))["status"] == "open"
        assert [o["id"] for o in await exchange.fetch_open_orders_ws(BTC)] == [made["id"]]
        balance = await exchange.fetch_balance_ws()  # ccxt hands on what it was sent
        assert float(balance["info"]["balances"][-1]["locked"]) > 0
        assert (await exchange.cancel_order_ws(made["id"], BTC))["status"] == "canceled"
        with pytest.raises(ccxt.InsufficientFunds):
            await exchange.create_order_ws(BTC, "limit", "buy", 100, px)

    live(venue, work)


def test_the_account_is_the_same_after_the_venue_went_away(tmp_path: Path) -> None:
    async def trade(exchange: Any) -> Any:
        await exchange.create_order(BTC, "market", "buy", 0.1)
        px = await far_below(exchange)
        await exchange.create_order(BTC, "limit", "buy", 0.1, px, {"clientOrderId": "d-1"})
        return await state(exchange)

    async def state(exchange: Any) -> Any:
        rows = [await exchange.fetch_my_trades(BTC), await exchange.fetch_orders(BTC)]
        balance = await exchange.fetch_balance()
        return [*rows, balance["free"], balance["used"]]

    with serving(market(), ORIGIN_MS, 1.0, tmp_path) as venue:
        before = live(venue, trade)
    with serving(market(), ORIGIN_MS + 60_000, 1.0, tmp_path) as venue:
        assert live(venue, state) == before
