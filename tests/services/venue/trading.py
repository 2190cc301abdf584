"""An unmodified ccxt client that trades on the served venue."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import ccxt.pro

from schema.settings import PLAY_KEY, PLAY_SECRET
from tests.services.venue.serving import Serving

WAIT_S = 15


@asynccontextmanager
async def client(
    venue: Serving, key: str = PLAY_KEY, secret: str = PLAY_SECRET
) -> AsyncIterator[Any]:
    exchange = ccxt.pro.binance(
        {
            "apiKey": key,
            "secret": secret,
            "enableRateLimit": False,
            "streaming": {"keepAlive": 10_000},
            "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}},
        }
    )
    http, ws = venue.http, venue.ws
    exchange.urls["test"] = {
        "public": f"{http}/api/v3",
        "private": f"{http}/api/v3",
        "v1": f"{http}/api/v1",
        "sapi": f"{http}/sapi/v1",
        "ws": {
            "spot": f"{ws}/stream/ws",
            "margin": f"{ws}/stream/ws",
            "ws-api": {"spot": f"{ws}/ws-api/v3"},
        },
    }
    exchange.set_sandbox_mode(True)
    try:
        yield exchange
    finally:
        await exchange.close()


def live(venue: Serving, work: Callable[[Any], Awaitable[Any]], **more: str) -> Any:
    async def run() -> Any:
        async with asyncio.timeout(WAIT_S), client(venue, **more) as exchange:
            await exchange.load_markets()
            return await work(exchange)

    return asyncio.run(run())
