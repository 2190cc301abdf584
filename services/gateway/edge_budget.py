"""The request budget as the exchange tells it, and its word to wait, which is obeyed."""

import asyncio
import contextlib

from bus.clock import NS_PER_MS, Clock
from bus.service import Bridge
from schema.exchange import BudgetSeen
from schema.units import SECOND_NS, iso_ms
from services.gateway.edge_session import Reply
from services.gateway.wire_codes import is_ban, refusal_in

LIMIT = 6_000
"""Of request weight a minute for each address [doc]."""

USED = "x-mbx-used-weight-1m"
RETRY = "retry-after"
BAN_S = 60
"""When the exchange does not say for how long; it lengthens a ban that is ignored."""


class Budget:
    """What is used, and until when nothing may be asked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._used = 0
        self._retry_wall_ms = 0
        self._retry_mono_ns = 0
        self._news = asyncio.Event()
        self._bans = asyncio.Event()

    def take(self, reply: Reply) -> None:
        """Take in the headers and the status of an answer."""
        if reply.headers.get(USED, "").isdecimal():
            self._use(int(reply.headers[USED]))
        if is_ban(reply.status, refusal_in(reply.status, reply.body)):
            wait = reply.headers.get(RETRY, "")
            self._ban(int(wait) if wait.isdecimal() else BAN_S)

    def ban(self) -> str | None:
        """Return until when nothing may be asked, or None."""
        if self._clock.mono_ns() >= self._retry_mono_ns:
            return None
        return f"banned until {iso_ms(self._retry_wall_ms * NS_PER_MS)}"

    async def tell(self, bridge: Bridge, every_s: float) -> None:
        """Tell the core what changed, and a ban at once."""
        while True:
            await self._news.wait()
            self._news.clear()
            self._bans.clear()
            await bridge.hear(self._seen())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every_s):
                    await self._bans.wait()

    def _use(self, used: int) -> None:
        if used != self._used:
            self._used = used
            self._news.set()

    def _ban(self, wait_s: int) -> None:
        self._retry_mono_ns = self._clock.mono_ns() + wait_s * SECOND_NS
        self._retry_wall_ms = self._clock.wall_ns() // NS_PER_MS + wait_s * 1_000
        self._news.set()
        self._bans.set()

    def _seen(self) -> BudgetSeen:
        retry_wall_ms = self._retry_wall_ms if self.ban() else 0
        return BudgetSeen(used=self._used, limit=LIMIT, retry_wall_ms=retry_wall_ms)
