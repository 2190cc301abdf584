"""Faults as unmodified ccxt meets them: what it is told, and what the ledger knows."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from ccxt.base.errors import (
    BaseError,
    DDoSProtection,
    ExchangeNotAvailable,
    NetworkError,
)

from services.venue.columns import DAY_MS
from services.venue.synthetic import Synthetic
from tests.services.venue.serving import Serving, serving
from tests.services.venue.spoiled import active, desk_of, hits, requests_of, spoil
from tests.services.venue.trading import BTC, far_below, live

DAY = 20_400
OK: tuple[type[Exception], ...] = ()
UNSURE = (BaseError,)

CASES: tuple[tuple[str, str, tuple[type[Exception], ...], bool], ...] = (
    ("lost_request", "count=1", (NetworkError,), False),
    ("lost_ack", "count=1", (NetworkError,), True),
    ("unknown_1007", "when=before", UNSURE, False),
    ("unknown_1007", "when=after", UNSURE, True),
    ("error_5xx", "when=before", UNSURE, False),
    ("error_5xx", "when=after", UNSURE, True),
    ("error_1006", "when=after", UNSURE, True),
    ("html_body", "status=502", UNSURE, True),
    ("truncated_json", "side=buy", OK, True),
    ("empty_body", "symbol=BTC/USDT", OK, True),
    ("wrong_order_answer", "count=1", OK, True),
    ("slow", "ms=50", OK, True),
    ("vanish", "ms=50", OK, True),
    ("maintenance", "count=1", (ExchangeNotAvailable,), False),
)
"""Fault, a word of it, what ccxt makes of it, and whether the order stands at the venue."""


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    market, origin_ms = Synthetic(7, (BTC,), DAY - 30), DAY * DAY_MS + 9 * 3_600_000
    with serving(market, origin_ms, 60.0, tmp_path_factory.mktemp("faults")) as found:
        yield found


def test_each_fault_of_a_request_is_made_once_and_the_ledger_keeps_the_truth(
    venue: Serving,
) -> None:
    async def work(exchange: Any) -> None:
        px = await far_below(exchange)
        for number, (name, word, errors, stands) in enumerate(CASES):
            client_id = f"fault{number}"
            told = spoil(venue, "set", name, word, "count=1") if "count" not in word else None
            told = told or spoil(venue, "set", name, word)
            assert told.ok, told.text
            await placed(exchange, px, client_id, errors)
            found = desk_of(venue).records.named("BTCUSDT", client_id)
            assert (found is not None) is stands, name
            assert name not in active(venue), name
            assert hits(venue, name) >= 1

    live(venue, work)
    spoiled = {line.fault.partition(" ")[0] for line in requests_of(venue) if line.fault}
    assert {name for name, *_ in CASES} - {"slow", "vanish"} <= spoiled


async def placed(
    exchange: Any, px: float, client_id: str, errors: tuple[type[Exception], ...]
) -> None:
    params = {"newClientOrderId": client_id}
    if not errors:
        await exchange.create_order(BTC, "limit", "buy", 0.01, px, params)
        return
    with pytest.raises(errors):
        await exchange.create_order(BTC, "limit", "buy", 0.01, px, params)


@pytest.mark.parametrize(
    ("name", "error"), [("rate_429", DDoSProtection), ("ban_418", DDoSProtection)]
)
def test_a_ban_lasts_as_long_as_it_says_and_counts_who_does_not_wait(
    venue: Serving, name: str, error: type[Exception]
) -> None:
    async def work(exchange: Any) -> None:
        before = spoil(venue, "set", name, "wait_s=1").during_ban
        with pytest.raises(error):
            await exchange.fetch_balance()
        with pytest.raises(error):
            await exchange.fetch_ticker(BTC)
        assert spoil(venue, "list").during_ban == before + 1
        await asyncio.sleep(1.05)
        await exchange.fetch_balance()
        assert active(venue) == set()

    live(venue, work)
    (first, second) = [line for line in requests_of(venue) if name in line.fault]
    assert (first.fault, second.fault) == (name, f"during {name}")
    assert first.signed
    assert not second.signed


def test_reads_lag_and_are_up_to_date_again_once_it_is_cleared(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        px = await far_below(exchange)
        spoil(venue, "set", "lagging_reads", "ms=300", "for_s=30")
        order = await exchange.create_order(BTC, "limit", "buy", 0.01, px)
        assert order["id"] not in await open_ids(exchange)
        spoil(venue, "clear", "lagging_reads")
        assert order["id"] not in await open_ids(exchange), "what was late stays late"
        await asyncio.sleep(0.3)
        assert order["id"] in await open_ids(exchange)

    live(venue, work)


def test_an_order_vanishes_from_all_reads_and_comes_back(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        px = await far_below(exchange)
        spoil(venue, "set", "vanish", "ms=300")
        order = await exchange.create_order(BTC, "limit", "buy", 0.01, px)
        assert order["id"] not in await open_ids(exchange)
        with pytest.raises(BaseError, match="-2013"):
            await exchange.fetch_order(order["id"], BTC)
        await asyncio.sleep(0.3)
        assert order["id"] in await open_ids(exchange)

    live(venue, work)


def test_an_order_trades_in_the_moment_of_its_cancel(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        px = await far_below(exchange)
        order = await exchange.create_order(BTC, "limit", "buy", 0.01, px)
        spoil(venue, "set", "cancel_race")
        with pytest.raises(BaseError, match="-2011"):
            await exchange.cancel_order(order["id"], BTC)
        assert (await exchange.fetch_order(order["id"], BTC))["status"] == "closed"
        other = await exchange.create_order(BTC, "limit", "buy", 0.01, px)
        spoil(venue, "set", "cancel_unknown")
        with pytest.raises(BaseError, match="-2011"):
            await exchange.cancel_order(other["id"], BTC)
        assert (await exchange.fetch_order(other["id"], BTC))["status"] == "open"

    live(venue, work)


def test_the_last_fill_of_a_cancelled_order_is_seen_late(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        px = await far_below(exchange)
        order = await exchange.create_order(BTC, "limit", "buy", 0.01, px)
        spoil(venue, "set", "cancel_ack_without_final_fill", "ms=300", "part_pct=40")
        cancelled = await exchange.cancel_order(order["id"], BTC)
        assert (cancelled["status"], cancelled["filled"]) == ("canceled", 0)
        seen = await exchange.fetch_order(order["id"], BTC)
        assert seen["filled"] == 0
        await asyncio.sleep(0.3)
        seen = await exchange.fetch_order(order["id"], BTC)
        assert (seen["status"], seen["filled"]) == ("canceled", 0.004)

    live(venue, work)


def test_a_market_order_trades_a_part_and_its_fill_may_be_late(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        spoil(venue, "set", "partial_fill", "part_pct=25")
        order = await exchange.create_order(BTC, "market", "buy", 0.01)
        assert (order["status"], order["filled"]) == ("expired", 0.0025)
        spoil(venue, "set", "late_fill", "ms=300")
        order = await exchange.create_order(BTC, "market", "buy", 0.01)
        assert (order["status"], order["filled"]) == ("open", 0)
        assert (await exchange.fetch_order(order["id"], BTC))["filled"] == 0
        await asyncio.sleep(0.3)
        assert (await exchange.fetch_order(order["id"], BTC))["filled"] == 0.01

    live(venue, work)


def test_the_clock_is_off_and_every_symbol_in_break(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        right_ms = await exchange.fetch_time()
        spoil(venue, "set", "clock_skew", "ms=-9000", "for_s=30")
        assert await exchange.fetch_time() - right_ms < -8_000
        with pytest.raises(BaseError, match="-1021"):
            await exchange.fetch_balance()
        spoil(venue, "clear")
        spoil(venue, "set", "maintenance", "for_s=30")
        info = await exchange.public_get_exchangeinfo()
        assert {row["status"] for row in info["symbols"]} == {"BREAK"}
        spoil(venue, "clear")
        await exchange.fetch_balance()

    live(venue, work)


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("set", "lost_akc"), "did you mean lost_ack?"),
        (("set", "lost_ack", "ms=3"), "lost_ack has no 'ms'"),
        (("set", "slow", "ms=soon"), "ms is 'soon', expected a whole number"),
        (("set", "slow", "for_s"), "expected key=value, found 'for_s'"),
        (("set", "slow", "when=never"), "expected before or after"),
        (("set", "slow", "side=up"), "expected buy or sell"),
        (("set", "slow", "call=GET nothing"), "expected one of"),
        (("clear", "nothing"), "there is no fault 'nothing'"),
        (("begin",), "expected set, clear or list, found 'begin'"),
    ],
)
def test_words_that_name_no_fault_change_nothing_and_say_why(
    venue: Serving, args: tuple[str, ...], text: str
) -> None:
    told = spoil(venue, *args)
    assert not told.ok
    assert text in told.text
    assert active(venue) == set()


def test_a_scope_spares_what_is_outside_of_it(venue: Serving) -> None:
    async def work(exchange: Any) -> None:
        px = await far_below(exchange)
        spoil(venue, "set", "lost_ack", "side=sell", "count=3")
        order = await exchange.create_order(BTC, "limit", "buy", 0.01, px)
        spoil(venue, "clear", "lost_ack")
        spoil(venue, "set", "empty_body", "call=DELETE order")
        assert (await exchange.cancel_order(order["id"], BTC))["id"] is None
        with pytest.raises(BaseError, match="-2011"):
            await exchange.cancel_order(order["id"], BTC)

    live(venue, work)


async def open_ids(exchange: Any) -> set[str]:
    return {order["id"] for order in await exchange.fetch_open_orders(BTC)}
