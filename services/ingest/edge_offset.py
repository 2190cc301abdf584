"""Asks the exchange for its time, at the start of a session, every few minutes, and when wanted."""

import asyncio
from contextlib import suppress
from typing import Any

import aiohttp

from bus.clock import NS_PER_MS
from bus.errors import EdgeError
from bus.narrow import narrow
from bus.service import Bridge
from services.ingest.effects import ServerTime

with narrow():
    from ccxt.base.errors import BaseError

EVERY_S = 180.0
LEAST_S = 1.0
FAILURES = (BaseError, aiohttp.ClientError, OSError, TimeoutError, EdgeError, ValueError, KeyError)


class Offset:
    """How far the exchange's clock is from ours."""

    def __init__(self) -> None:
        self._wanted = asyncio.Event()

    def want(self) -> None:
        """Ask soon."""
        self._wanted.set()

    async def keep(self, exchange: Any, bridge: Bridge) -> None:
        """Ask again and again; an answer that fails says nothing, and ends nothing."""
        while True:
            self._wanted.clear()
            with suppress(*FAILURES):
                await bridge.hear(ServerTime(offset_ms=await _offset_ms(exchange, bridge)))
            await asyncio.sleep(LEAST_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._wanted.wait()


async def _offset_ms(exchange: Any, bridge: Bridge) -> int:
    before_ns = bridge.clock.wall_ns()
    answer = await exchange.publicGetTime()
    middle_ns = (before_ns + bridge.clock.wall_ns()) // 2
    return int(answer["serverTime"]) - middle_ns // NS_PER_MS
