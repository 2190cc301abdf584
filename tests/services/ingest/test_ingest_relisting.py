"""What the real exchange's listing is asked for, while symbols come and go and rules change."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from ccxt.base.errors import BadSymbol
from msgspec import structs

from bus.clock import SystemClock
from bus.errors import EdgeError
from schema.listing import instrument_of
from services.ingest import edge_listing
from services.venue.columns import DAY_MS
from services.venue.synthetic import Synthetic
from tests.services.venue.serving import serving
from tests.services.venue.trading import client

BOTH = ("BTC/USDT", "ETH/USDT")


def test_a_listing_is_asked_for_again_and_a_symbol_may_be_gone(tmp_path: Path) -> None:
    now_ms = SystemClock().wall_ns() // 1_000_000
    market = Synthetic(7, BOTH, now_ms // DAY_MS - 1)
    told: list[edge_listing.Entries] = []

    async def hear(found: edge_listing.Entries) -> None:
        told.append(found)

    async def work(port: int) -> None:
        async with client(port, key="", secret="") as exchange:
            await edge_listing.begin(exchange, BOTH, hear)
            assert set(exchange.markets) == set(BOTH)
            facts = market.facts.pop("ETHUSDT")
            market.facts["BTCUSDT"] = replace(
                market.facts["BTCUSDT"],
                own=structs.replace(market.facts["BTCUSDT"].limits, orders=9),
            )
            told.append(await edge_listing.listed(exchange, BOTH))
            with pytest.raises(BadSymbol):
                await exchange.publicGetExchangeInfo({"symbol": "ETHUSDT"})
            market.facts = {facts.id: facts}
            with pytest.raises(EdgeError, match="lists none of BTC/USDT"):
                await edge_listing.begin(exchange, BOTH[:1], hear)

    with serving(market, now_ms, 1.0, tmp_path) as venue:
        asyncio.run(work(venue.port))
    assert [set(each) for each in told] == [set(BOTH), {"BTC/USDT"}, set()]
    rules = [instrument_of(each["BTC/USDT"], 1).max_orders for each in told[:2]]
    assert rules == [200, 9]


def test_a_reload_is_often_enough_for_rules_that_change() -> None:
    assert edge_listing.RELOAD_S <= 300
