"""The exchange as the gateway's core knows it: effects in, answers and events out.

Everything goes through unmodified ccxt. An order is one request and never more, signed with the
time that stands in the journal, and nothing but a proof that it was not taken counts as a refusal.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bus.errors import EdgeError
from bus.house import House
from bus.service import Bridge, Edge
from schema.exchange import LevelSet, OrderNotSent, SendOrder, SetLevel
from schema.head import Effect, Local
from schema.joined import PairNotSent, SendPair, SendReplace
from schema.settings import Settings
from schema.units import SECOND_NS
from services.gateway.edge_budget import TOO_MUCH, Budget
from services.gateway.edge_clock import ExchangeClock, Stands
from services.gateway.edge_desk import Desk, named_halves
from services.gateway.edge_gate import Gate, Sending
from services.gateway.edge_lanes import Lanes, lane_of
from services.gateway.edge_place import Place
from services.gateway.edge_session import Pace, Session, open_session
from services.gateway.edge_stream import UserStream
from services.gateway.keys import Keys, read_keys
from services.gateway.wire import venue_name


def open_exchange(house: House) -> "Exchange":
    """Return the exchange of this mode; SettingsError where real money has no keys to use."""
    if house.settings.mode != "live":
        return Exchange(house.settings, house.run)
    keys = read_keys(house.root, house.settings.exchange)
    return Exchange(house.settings, house.run, keys=keys, place=Place(house))


class Exchange(Edge):
    """Binance, or the venue that stands in for it."""

    def __init__(
        self,
        settings: Settings,
        run: Path,
        pace: Pace | None = None,
        keys: Keys | None = None,
        place: Place | None = None,
    ) -> None:
        self._keys = keys
        self._here = place
        self._settings = settings
        self._run = run
        self._pace = pace or Pace()
        symbols = settings.ingest.symbols or settings.venue.symbol
        self._names = {venue_name(symbol): symbol for symbol in symbols}
        self._lanes = Lanes()
        self._desk: Desk | None = None
        self._why_not = {
            "time": "the exchange has not told its time yet",
            "stream": "the user stream does not stand yet",
        }

    async def run(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._gate = Gate(self._run, bridge.clock)
        await self._look_for_kill()
        self._clock = ExchangeClock(bridge.clock)
        self._budget = Budget(bridge.clock, self._settings.gateway, self._clock.now_ms)
        session = self._dial()
        self._desk = Desk(session, self._names, self._budget, self._clock.doubt)
        try:
            await self._watch(self._desk)
        finally:
            self._desk = None
            await session.close()

    async def perform(self, effect: Effect) -> Local:
        match effect:
            case SetLevel():
                self._gate.set(effect)
                self._budget.obey(effect)
                return LevelSet(effect_id=effect.effect_id)
            case SendOrder() | SendPair() | SendReplace():
                return await self._send(effect)
            case _:
                return await self._ask(effect)

    async def _watch(self, desk: Desk) -> None:
        stream = UserStream(
            self._dial, self._budget.ban, self._names, self._stands("stream"), self._pace
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(
                self._clock.keep(self._bridge, desk.time_ms, self._stands("time"), self._pace)
            )
            tasks.create_task(stream.keep(self._bridge))
            tasks.create_task(self._budget.tell(self._bridge, self._pace.budget_s))
            tasks.create_task(self._watch_for_kill())
            if self._here is not None:
                tasks.create_task(self._here.keep(self._bridge))

    def _dial(self) -> Session:
        return open_session(self._settings, self._clock.now_ms, self._pace, self._keys)

    def _stands(self, part: str) -> Stands:
        def stands(why_not: str | None) -> None:
            self._why_not[part] = why_not or ""
            self._bridge.ready("; ".join(filter(None, self._why_not.values())) or None)

        return stands

    async def _watch_for_kill(self) -> None:
        while True:
            await asyncio.sleep(self._pace.kill_s)
            await self._look_for_kill()

    async def _look_for_kill(self) -> None:
        if (news := self._gate.kill.news()) is not None:
            await self._bridge.hear(news)

    async def _send(self, effect: Sending) -> Local:
        deadline_ns = self._gate.deadline_mono_ns(effect)
        if why := self._why_not_sent(effect, deadline_ns):
            return _not_sent(effect, why)
        left_s = (deadline_ns - self._bridge.clock.mono_ns()) / SECOND_NS
        async with AsyncExitStack() as places:
            try:
                async with asyncio.timeout(left_s):
                    await places.enter_async_context(self._place(effect))
            except TimeoutError:
                return _not_sent(effect, self._why_late(effect))
            if why := self._why_not_sent(effect, deadline_ns):
                return _not_sent(effect, why)
            return await self._open_desk().perform(effect)

    def _why_not_sent(self, effect: Sending, deadline_ns: int) -> str | None:
        if self._desk is None:
            return "there is no session with the exchange"
        return self._budget.ban() or self._gate.why_not(effect, deadline_ns)

    async def _ask(self, effect: Effect) -> Local:
        self._open_desk()
        async with self._place(effect):
            return await self._open_desk().perform(effect)

    @asynccontextmanager
    async def _place(self, effect: Effect) -> AsyncIterator[None]:
        """Wait for room in the budget and for a place in the line."""
        lane = lane_of(effect)
        async with self._budget.room(effect):
            await self._lanes.enter(lane)
            try:
                yield
            finally:
                self._lanes.leave(lane)

    def _why_late(self, effect: Effect) -> str:
        if not self._budget.has_room(effect):
            return f"{TOO_MUCH}, until its deadline had passed"
        return "the exchange was busy until its deadline had passed"

    def _open_desk(self) -> Desk:
        if self._desk is None:
            raise EdgeError("there is no session with the exchange", "It is asked again by itself")
        if ban := self._budget.ban():
            raise EdgeError(ban, "It is asked again by itself")
        return self._desk


def _not_sent(effect: Sending, reason: str) -> OrderNotSent | PairNotSent:
    if isinstance(effect, SendPair):
        return PairNotSent(**named_halves(effect), reason=reason)
    return OrderNotSent(
        effect_id=effect.effect_id,
        client_order_id=effect.intent.client_order_id,
        symbol=effect.intent.symbol,
        reason=reason,
    )
