"""Unmodified ccxt clients that watch the served venue and trade on it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import ccxt.pro

from schema.setting_types import PLAY_KEY, PLAY_SECRET
from tests.services.venue.serving import Serving

WAIT_S = 15
BTC = "BTC/USDT"


def opened(kind: Callable[[Any], Any], port: int, key: str, secret: str) -> Any:
    """Return a client of any of ccxt's three kinds that knows one address alone."""
    exchange = kind(
        {
            "apiKey": key,
            "secret": secret,
            "enableRateLimit": False,
            "streaming": {"keepAlive": 10_000},
            "options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}},
        }
    )
    http, ws = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
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
    return exchange


@asynccontextmanager
async def client(
    port: int,
    key: str = PLAY_KEY,
    secret: str = PLAY_SECRET,
    kind: Callable[[Any], Any] = ccxt.pro.binance,
) -> AsyncIterator[Any]:
    exchange = opened(kind, port, key, secret)
    try:
        yield exchange
    finally:
        await exchange.close()


def live(venue: Serving, work: Callable[[Any], Awaitable[Any]], **more: Any) -> Any:
    async def run() -> Any:
        async with asyncio.timeout(WAIT_S), client(venue.port, **more) as exchange:
            await exchange.load_markets()
            return await work(exchange)

    return asyncio.run(run())


def onlooker(venue: Serving, work: Callable[[Any], Awaitable[Any]]) -> Any:
    """Do the work without a key."""
    return live(venue, work, key="", secret="")


async def far_below(exchange: Any) -> float:
    ticker = await exchange.fetch_ticker(BTC)
    return float(exchange.price_to_precision(BTC, ticker["last"] * 0.8))
