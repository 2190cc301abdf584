"""A venue and an ingest in one asyncio loop: real sockets, real ccxt, no processes."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bus.clock import Clock, MarketTime, SystemClock
from bus.errors import EdgeError
from bus.service import Edge, Service
from schema.head import Effect, Local, Message
from schema.house import Started, Timer, Unanswered, Wake
from services.ingest.core import Ingest
from services.ingest.edge import Binance
from services.venue.edge import Exchange as VenueEdge
from services.venue.market import Market
from tests.services.ingest.exchange import settings

DEADLINE_S = 20.0


def market_clock(origin_ns: int, scale: float) -> SystemClock:
    anchor_ns = SystemClock().wall_ns()
    return SystemClock(
        MarketTime(origin_ns=origin_ns, anchor_ns=anchor_ns, scale=scale, world="test")
    )


class Seat:
    """Runs one edge, and its core when it has one, as the runner would."""

    def __init__(self, edge: Edge, clock: Clock, core: Service | None = None) -> None:
        self.edge = edge
        self.clock = clock
        self.core = core
        self.said: list[Message] = []
        self.notes: list[tuple[str, dict[str, object]]] = []
        self.why_not: str | None = "not yet"
        self._work: set[asyncio.Task[None]] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._main: asyncio.Task[None] | None = None

    async def hear(self, message: Local) -> None:
        if self.core is None:
            return
        for out in self.core.handle(message, self.clock.market_ns()):
            if isinstance(out, Message):
                self.core.apply(out)
                self.said.append(out)
            elif isinstance(out, Effect):
                self._spawn(self._perform(out))
            elif isinstance(out, Wake):
                self._wake(out)

    def ready(self, why_not: str | None) -> None:
        self.why_not = why_not

    def note(self, event: str, **fields: object) -> None:
        self.notes.append((event, fields))

    def _wake(self, wake: Wake) -> None:
        if before := self._timers.pop(wake.name, None):
            before.cancel()
        wait_s = self.clock.real_ns(wake.at_ns - self.clock.market_ns()) / 1e9
        timer = Timer(name=wake.name, at_ns=wake.at_ns)
        loop = asyncio.get_running_loop()
        self._timers[wake.name] = loop.call_later(
            max(0.0, wait_s), lambda: self._spawn(self.hear(timer))
        )

    def _spawn(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _perform(self, effect: Effect) -> None:
        try:
            answer: Local = await self.edge.perform(effect)
        except EdgeError as error:
            answer = Unanswered(effect_id=effect.effect_id, reason=str(error))
        await self.hear(answer)

    async def start(self) -> None:
        if self.core is not None:
            await self.hear(Started(epoch=1, grade="fresh"))
        self._main = asyncio.ensure_future(self.edge.run(self))

    async def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for task in [*self._work, self._main]:
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def until(self, holds: Callable[[], bool], why: str) -> None:
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not holds():
                    assert self._main is None or not self._main.done(), self._main
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"{why}: {self.said[-3:]} {self.notes[-3:]}") from None


def venue_seat(market: Market, clock: Clock, port: int, folder: Path) -> Seat:
    return Seat(VenueEdge(market, port, folder / "ledger.json", clock.market_ns()), clock)


def ingest_seat(clock: Clock, port: int, symbols: tuple[str, ...], stale_ms: int) -> Seat:
    chosen = settings(port, symbols, stale_ms, scale=clock.scale)
    return Seat(Binance(chosen), clock, Ingest(chosen))
