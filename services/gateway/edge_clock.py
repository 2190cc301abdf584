"""The exchange's clock: what signatures are made by, and what the core reckons with."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from bus.clock import NS_PER_MS, Clock, Skew
from bus.errors import EdgeError
from bus.service import Bridge
from schema.exchange import ClockSeen
from schema.units import SECOND_NS
from services.gateway.edge_session import Pace

LOOK_S = 0.5

Stands = Callable[[str | None], None]
"""Told why something does not stand, or None once it does."""


class ExchangeClock:
    """Our wall clock and how far the exchange's is ahead of it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_ms = 0
        self._doubt = asyncio.Event()

    def now_ms(self) -> int:
        """Return what the exchange's clock shows now."""
        return self._clock.wall_ns() // NS_PER_MS + self._offset_ms

    def doubt(self) -> None:
        """Have it measured anew: the exchange refused a time of ours."""
        self._doubt.set()

    async def measure(self, ask: Callable[[], Awaitable[int]]) -> None:
        """Ask the exchange for its time, and trust the quicker of two answers."""
        _, self._offset_ms = min([await self._measured(ask) for _ in range(2)])

    async def _measured(self, ask: Callable[[], Awaitable[int]]) -> tuple[int, int]:
        sent_wall_ns, sent_ns = self._clock.wall_ns(), self._clock.mono_ns()
        server_ms = await ask()
        way_ns = self._clock.mono_ns() - sent_ns
        return way_ns, server_ms - (sent_wall_ns + way_ns // 2) // NS_PER_MS

    async def keep(
        self, bridge: Bridge, ask: Callable[[], Awaitable[int]], stands: Stands, pace: Pace
    ) -> None:
        """Measure it again and again, and tell the core."""
        pause_s = pace.pause_s
        while True:
            try:
                await self.measure(ask)
            except EdgeError as error:
                stands(f"the exchange does not tell its time: {error.what}")
                await self._rest(pause_s)
                pause_s = min(2 * pause_s, pace.pause_max_s)
                continue
            await bridge.hear(self._seen())
            stands(None)
            pause_s = pace.pause_s
            await self._rest(pace.clock_s)

    def _seen(self) -> ClockSeen:
        wall_ns, market_ns = self._clock.wall_ns(), self._clock.market_ns()
        return ClockSeen(
            wall_ms=wall_ns // NS_PER_MS,
            market_ns=market_ns,
            scale=self._clock.scale,
            offset_ms=self._offset_ms,
        )

    async def _rest(self, rest_s: float) -> None:
        """Wait until it is time, somebody doubts, or the machine slept."""
        skew = Skew(self._clock)
        until_ns = self._clock.mono_ns() + int(rest_s * SECOND_NS)
        while (left_ns := until_ns - self._clock.mono_ns()) > 0 and not skew.jump_ms():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left_ns / SECOND_NS, LOOK_S)):
                    await self._doubt.wait()
                break
        self._doubt.clear()
