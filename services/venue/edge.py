"""The venue's HTTP and WebSocket server on loopback, and the pace of its market."""

import asyncio
import errno
from pathlib import Path
from typing import Any, cast

import msgspec
from aiohttp import web

from bus.clock import Clock
from bus.errors import BusyError, SettingsError
from bus.house import House
from bus.service import Bridge, Edge
from schema.head import Effect, Local
from schema.settings import VenueSettings
from schema.units import MS_NS, iso, to_int
from services.venue.account import EXP, Terms, opening_of
from services.venue.complaints import Complaints
from services.venue.effects import FaultsTold, MoneyMoved, MoveMoney, ObeyFaults, Served
from services.venue.faults import Asked, Faults
from services.venue.faults_http import Outcome, after, asked_by, before
from services.venue.faults_kinds import AFTER, BEFORE
from services.venue.faults_words import obey
from services.venue.ledger import Ledger, ledger_path, write_ledger
from services.venue.listing import open_market
from services.venue.market import Market
from services.venue.requests import Requests, requests_path
from services.venue.rest import Answer, Now, Rest
from services.venue.sockets import Script, Sockets
from services.venue.store import account_path
from services.venue.teller import Teller, open_teller

HOST = "127.0.0.1"
TICK_S = 0.05
TICK_MS_MAX = 10_000
SERVED_TICKS = 20
LEDGER_TICKS = 100
FREE = Terms(0, 0)
AHEAD_NS = 15_000_000_000
WEIGHT_NS = 60_000_000_000
ORDERS_NS = 10_000_000_000
ORDER_CALLS = frozenset(
    {"POST order", "POST order/cancelReplace", "POST order/oco", "POST orderList/oco"}
)
SHUTDOWN_S = 0.5


def open_exchange(house: House, clock: Clock) -> "Exchange":
    """Return the exchange that the settings ask for; SettingsError when its files are damaged."""
    market, first_ns = open_market(house, clock.market_ns())
    venue, port = house.settings.venue, house.settings.ports.venue
    return Exchange(market, port, ledger_path(house.world_dir), first_ns, terms_of(venue))


def terms_of(venue: VenueSettings) -> Terms:
    """Return the fees and the opening balances that the settings name."""
    try:
        return Terms(venue.maker_bps, venue.taker_bps, opening_of(venue.balances))
    except ValueError as error:
        raise SettingsError(
            f"`venue.balances` is {list(venue.balances)}: {error}",
            "Name each asset once, with an amount below 92 billion",
        ) from error


class Exchange(Edge):
    """Serves one market and one account; market time comes from the bridge's clock."""

    def __init__(
        self, market: Market, port: int, path: Path, first_ns: int, terms: Terms = FREE
    ) -> None:
        self._market = market
        self._port = port
        self._path = path
        self._first_ns = first_ns
        self._terms = terms
        self._rest = Rest(market)
        self._sockets = Sockets(market)
        self._complaints = Complaints()
        self._faults = Faults()
        self._ended = False
        self._at_ms = 0  # how far the live streams have told
        self._requests = 0
        self._refused = 0
        self._weight = Window(WEIGHT_NS)
        self._orders = Window(ORDERS_NS)

    async def run(self, bridge: Bridge) -> None:
        self._clock = bridge.clock
        self._faults.now_ms = lambda: bridge.clock.mono_ns() // MS_NS
        self._at_ms = self._now_ms()
        path = account_path(self._path.parent)
        self._teller = self._opened(path)
        self._log = Requests(requests_path(self._path.parent))
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            logger=cast("Any", self._complaints),
            handle_signals=False,
            shutdown_timeout=SHUTDOWN_S,
        )
        await runner.setup()
        try:
            self._keep(self._ahead_ns())
            self._teller.advance(self._at_ms)
            await self._known(bridge)
            await self._listen(runner)
            bridge.ready(None)
            await self._keep_pace(bridge)
        finally:
            self._keep(max(self._clock.market_ns(), self._at_ms * MS_NS))
            self._drop_all()
            await runner.cleanup()
            self._log.close()
            self._teller.close()  # Not before the last request has been answered.

    def _opened(self, path: Path) -> Teller:
        return open_teller(self._market, self._terms, path, self._at_ms, self._faults)

    async def _known(self, bridge: Bridge) -> None:
        """Wait until there is a market to tell of; one that plays here is there at once."""

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=1 << 16)
        for path in ("/stream", "/ws", "/stream/{tail:.*}", "/ws/{tail:.*}"):
            application.router.add_get(path, self._sockets.serve)
        application.router.add_get("/ws-api/v3", self._serve_caller)
        application.router.add_route("*", "/{tail:.*}", self._answer)
        return application

    async def _listen(self, runner: web.AppRunner) -> None:
        try:
            await web.TCPSite(runner, HOST, self._port).start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise BusyError(
                f"port {self._port} on {HOST} is taken",
                "Stop what listens there, or set `ports.venue` in settings.local.toml",
            ) from error

    async def _answer(self, request: web.Request) -> web.Response:
        self._requests += 1
        at_ns = self._clock.wall_ns()
        call = self._teller.serves(request)
        asked = await asked_by(request, call)
        outcome = await self._outcome(asked, call, request)
        self._refused += outcome.status != web.HTTPOk.status_code
        wall_ns = self._clock.wall_ns()
        status = 0 if outcome.cut else outcome.status
        self._log.put(asked, (at_ns // MS_NS, wall_ns // MS_NS), status, outcome.fault)
        if outcome.cut and request.transport is not None:
            request.transport.abort()
        headers = {"X-MBX-USED-WEIGHT-1M": str(self._weight.add(wall_ns, outcome.weight))}
        if call in ORDER_CALLS:
            headers["X-MBX-ORDER-COUNT-10S"] = str(self._orders.add(wall_ns, 1))
        return web.Response(
            status=outcome.status,
            body=outcome.body,
            content_type="text/html" if outcome.html else "application/json",
            headers={**headers, **outcome.headers},
        )

    async def _outcome(self, asked: Asked, call: str | None, request: web.Request) -> Outcome:
        await self._pause(asked, BEFORE)
        outcome = before(self._faults, asked)
        if outcome is None:
            if call is None:
                answer = self._shown(request)
            else:
                answer = await self._teller.answer(call, request, self._passed, asked)
            outcome = after(self._faults, asked, answer)
        await self._pause(asked, AFTER)
        return outcome

    async def _pause(self, asked: Asked, when: str) -> None:
        if slow := self._faults.strike("slow", asked, when):
            await asyncio.sleep(slow.ms() / 1_000)

    async def perform(self, effect: Effect) -> Local:
        if isinstance(effect, MoveMoney):
            return self._move(effect)
        assert isinstance(effect, ObeyFaults), f"the venue performs no {type(effect).__name__}"
        told = obey(self._faults, effect.args)
        self._teller.look()
        return FaultsTold(
            effect_id=effect.effect_id,
            ok=told.ok,
            text=told.text,
            body=msgspec.json.encode(told),
        )

    def _move(self, effect: MoveMoney) -> MoneyMoved:
        asset, delta = effect.asset, effect.delta
        self._tick()
        try:
            free = self._teller.move(asset, to_int(delta, EXP))
        except ValueError as error:
            return MoneyMoved(effect_id=effect.effect_id, ok=False, text=str(error))
        text = f"{delta} {asset}: {free} {asset} is free now"
        return MoneyMoved(effect_id=effect.effect_id, ok=True, text=text)

    def _shown(self, request: web.Request) -> Answer:
        path = request.path if request.method == "GET" else f"{request.method} {request.path}"
        now = Now(self._now_ms(), self._at_ms, self._wall_ms())
        return self._rest.answer(path, dict(request.query), now)

    async def _serve_caller(self, request: web.Request) -> web.WebSocketResponse:
        return await self._teller.serve(request, self._passed)

    def _passed(self) -> int:
        self._tick()
        return self._wall_ms()

    def _wall_ms(self) -> int:
        return self._clock.wall_ns() // MS_NS + self._faults.skew_ms()

    async def _keep_pace(self, bridge: Bridge) -> None:
        ticks = 0
        while True:
            if ticks % LEDGER_TICKS == LEDGER_TICKS - 1:
                bridge.ready(self._kept())
            if ticks % SERVED_TICKS == 0:
                await self._report(bridge)
            before_ns = self._clock.mono_ns()
            await asyncio.sleep(TICK_S)
            if self._clock.mono_ns() - before_ns > TICK_MS_MAX * MS_NS:
                self._drop_all()  # The machine slept: a real exchange would be gone too.
            self._complaints.raise_defect()
            self._tick()
            ticks += 1

    def _tick(self) -> None:
        now_ms = self._now_ms()
        if now_ms > self._at_ms:
            names = ("stale_quotes", "lost_depth", "bad_rows")
            faults = Script(*(self._faults.of_symbol(name) for name in names))
            self._sockets.emit(self._at_ms, now_ms, faults)
            self._at_ms = now_ms
            self._teller.advance(now_ms)

    def _drop_all(self) -> None:
        self._sockets.drop_all()
        self._teller.drop_all()

    def _now_ms(self) -> int:
        return self._clock.market_ns() // MS_NS

    def _ahead_ns(self) -> int:
        return self._clock.market_ns() + int(AHEAD_NS * self._clock.scale)

    def _kept(self) -> str | None:
        # A full disk is no reason to stop a market that plays: it is said, and tried again.
        try:
            self._keep(self._ahead_ns())
        except SettingsError as error:
            return error.what
        return None

    def _keep(self, market_ns: int) -> None:
        write_ledger(self._path, Ledger(self._first_ns, market_ns))

    async def _report(self, bridge: Bridge) -> None:
        end_ms = self._market.end_ms
        if not self._ended and end_ms is not None and self._at_ms > end_ms:
            self._ended = True
            bridge.note("replay.ended", at=iso(end_ms * MS_NS))
        await bridge.hear(self._served(end_ms))

    def _served(self, end_ms: int | None) -> Served:
        return Served(
            requests=self._requests + self._teller.requests,
            refused=self._refused + self._teller.refused + self._complaints.garbage,
            sockets=len(self._sockets) + self._teller.sockets,
            events=self._sockets.events + self._teller.events,
            dropped=self._sockets.dropped + self._teller.dropped,
            ended_ns=end_ms * MS_NS if self._ended and end_ms is not None else 0,
            orders=self._teller.orders,
            fills=self._teller.fills,
            open_orders=self._teller.open_orders,
        )


class Window:
    """What was counted in the present window of the wall's time."""

    def __init__(self, length_ns: int) -> None:
        self._length_ns = length_ns
        self._number = 0
        self._count = 0

    def add(self, wall_ns: int, count: int) -> int:
        """Count more, and return how much it is now."""
        number = wall_ns // self._length_ns
        if number != self._number:
            self._number, self._count = number, 0
        self._count += count
        return self._count
