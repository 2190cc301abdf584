"""The user stream: every report of the exchange about our orders, in its order, none skipped.

Each stream has a session of its own, which dies with it: a call that is repeated on a socket that
went mute does not heal it. What happened between two streams nobody tells; whoever hears StreamUp
has to ask for it.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from bus.clock import Clock
from bus.service import Bridge
from schema.exchange import StreamDown, StreamUp
from schema.head import Local
from schema.units import SECOND_NS
from services.gateway.edge_clock import Stands
from services.gateway.edge_session import FAILURES, MOVED, Pace, Session, said_by
from services.gateway.wire import Names, moved, pushed

BAN_LOOK_S = 0.05
LOOKS = 5
"""How often a stream's age is looked at before it is too old."""


class UserStream:
    """Keeps one stream up, and says when it stands and when it fell."""

    def __init__(
        self,
        dial: Callable[[], Session],
        ban: Callable[[], str | None],
        names: Names,
        stands: Stands,
        pace: Pace,
    ) -> None:
        self._dial = dial
        self._ban = ban
        self._names = names
        self._stands = stands
        self._pace = pace

    async def keep(self, bridge: Bridge) -> None:
        """Follow one stream after another."""
        pause_s = self._pace.pause_s
        while True:
            while self._ban():  # noqa: ASYNC110 - a ban ends by time alone
                await asyncio.sleep(BAN_LOOK_S)
            began_ns = bridge.clock.mono_ns()
            reason = await self._follow(bridge)
            self._stands(f"the user stream is down: {reason}")
            bridge.note("stream.down", reason=reason)
            await bridge.hear(StreamDown(reason=reason))
            if bridge.clock.mono_ns() - began_ns > self._pace.patience_s * SECOND_NS:
                pause_s = self._pace.pause_s
            await asyncio.sleep(_jittered(pause_s, bridge.clock))
            pause_s = min(2 * pause_s, self._pace.pause_max_s)

    async def _follow(self, bridge: Bridge) -> str:
        session = self._dial()
        try:
            async with asyncio.timeout(self._pace.patience_s):
                await session.subscribe()
            await bridge.hear(StreamUp())
            self._stands(None)
            return await self._pump(session, bridge)
        except FAILURES as error:
            return said_by(error)
        except KeyError as error:
            # How ccxt ends when an answer to its subscription does not say what it expects.
            return f"the exchange did not begin a stream: ccxt failed with KeyError {error}"
        except msgspec.ValidationError as error:
            return f"an event that cannot be read: {error}"
        finally:
            await session.close()

    async def _pump(self, session: Session, bridge: Bridge) -> str:
        sign, seen_ns = session.life_sign(), bridge.clock.mono_ns()
        while True:
            try:
                async with asyncio.timeout(self._pace.silent_s / LOOKS):
                    heard = await session.heard.get()
            except TimeoutError:
                if (now_sign := session.life_sign()) != sign:
                    sign, seen_ns = now_sign, bridge.clock.mono_ns()
                elif bridge.clock.mono_ns() - seen_ns > self._pace.silent_s * SECOND_NS:
                    return f"nothing came for {self._pace.silent_s:g} s, not even a pong"
                continue
            if isinstance(heard, str):
                return heard
            await bridge.hear(_told(heard, self._names))


def _told(event: Mapping[str, Any], names: Names) -> Local:
    return moved(event) if event.get("e") == MOVED else pushed(event, names)


def _jittered(pause_s: float, clock: Clock) -> float:
    """Return between half and one and a half of a pause; a clock's last digits are random."""
    return pause_s * (0.5 + clock.mono_ns() // 1_000 % 1_000 / 1_000)
