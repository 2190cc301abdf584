"""The exchange, through unmodified ccxt.

A session is one ccxt instance with one socket for each symbol's trades, one for all quotes and one
for all books. Any failure of any of them ends the whole session and the next one begins after a
pause, so that there is one way back. What was missed meanwhile the core finds by trade ids and
fetches. No key is read: everything here is public.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, assert_never

import aiohttp

from bus.errors import EdgeError
from bus.narrow import narrow
from bus.service import Bridge, Edge
from schema.head import Effect, Local
from schema.settings import Settings
from services.ingest.edge_budget import Budget
from services.ingest.edge_depth import fetch_depth, next_changes, symbols_by_id
from services.ingest.edge_fetch import fetch_bars, fetch_trades
from services.ingest.edge_listing import Entries, begin, reload
from services.ingest.edge_offset import Offset
from services.ingest.edge_session import BarredError, open_binance, place_of
from services.ingest.effects import (
    AskTime,
    Connected,
    FetchBars,
    FetchDepth,
    FetchTrades,
    Listed,
    LiveTrades,
    Obey,
    Obeyed,
    Offline,
    Redial,
    Redialed,
    TimeAsked,
)
from services.ingest.rows import live_quote, live_trade

with narrow():
    from ccxt.base.errors import (
        BaseError,
        NetworkError,
    )

PAUSE_S = 0.2
PAUSE_MAX_S = 5.0
PAUSE_BARRED_S = 60.0
PATIENCE_S = 10.0
"""A socket that does not stand after this long is dialled anew."""

FAILURES = (BaseError, aiohttp.ClientError, OSError, TimeoutError)


class RedialError(EdgeError):
    """The core wants a new session."""


class Binance(Edge):
    """The public market data of Binance, or of the venue that stands in for it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._symbols = list(settings.ingest.symbols or settings.venue.symbol)
        self._exchange: Any = None
        self._redial = asyncio.Event()
        self._barred = False
        self._offset = Offset()
        self._budget = Budget(settings.ingest.weight_share)

    async def run(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._budget.open(bridge.clock)
        bridge.ready(None)  # Whether the feed can be trusted is the core's to say.
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._budget.tell(bridge))
            tasks.create_task(self._keep_sessions(bridge))

    async def _keep_sessions(self, bridge: Bridge) -> None:
        pause_s = PAUSE_S
        while True:
            await self._budget.free()
            began_ns = bridge.clock.mono_ns()
            reason = await self._session()
            await bridge.hear(Offline(reason=reason))
            bridge.note("session.ended", reason=reason)
            if bridge.clock.mono_ns() - began_ns > PATIENCE_S * 1e9:
                pause_s = PAUSE_S
            await asyncio.sleep(PAUSE_BARRED_S if self._barred else pause_s)
            pause_s = min(2 * pause_s, PAUSE_MAX_S)

    async def perform(self, effect: Effect) -> Local:
        if isinstance(effect, Obey):
            self._budget.obey(effect.retry_wall_ms)
            return Obeyed(effect_id=effect.effect_id)
        if isinstance(effect, Redial):
            self._redial.set()
            return Redialed(effect_id=effect.effect_id, symbol=effect.symbol)
        if isinstance(effect, AskTime):
            self._offset.want()
            return TimeAsked(effect_id=effect.effect_id, symbol=effect.symbol)
        assert isinstance(effect, FetchTrades | FetchBars | FetchDepth)
        exchange = self._exchange
        if exchange is None:
            raise EdgeError("no session with the exchange", "It is tried again by itself")
        try:
            return await self._fetch(exchange, effect)
        except FAILURES as error:
            raise EdgeError(_said_by(error), "It is tried again by itself") from error

    async def _fetch(self, exchange: Any, effect: FetchTrades | FetchBars | FetchDepth) -> Local:
        match effect:
            case FetchTrades():
                return await fetch_trades(exchange, effect, self._bridge.hear)
            case FetchBars():
                return await fetch_bars(exchange, effect, self._bridge.hear)
            case FetchDepth():
                return await fetch_depth(exchange, effect, self._bridge.clock.wall_ns)
            case _:
                assert_never(effect)

    async def _session(self) -> str:
        self._redial.clear()
        self._barred, reason = False, ""
        exchange = open_binance(self._settings, self._budget)
        try:
            await begin(exchange, self._symbols, self._hear_listing)
            self._exchange = exchange
            await self._watch(exchange)
        except* FAILURES as group:
            reason = self._cured(_first(group))
        except* EdgeError as group:
            self._barred = isinstance(_first(group), BarredError)
            reason = str(_first(group))
        finally:
            self._exchange = None
            await exchange.close()
        return reason

    def _cured(self, error: BaseException) -> str:
        reason = _said_by(error)
        if not isinstance(error.__cause__ or error, aiohttp.ClientConnectorError):
            return reason
        place = place_of(self._settings)
        who, cure = (
            "the exchange",
            "the way to the internet, or name a stand-in in `exchange.url`",
        )
        if place:
            who, cure = f"what plays the exchange at {place}", "whether it runs"
        return f"{who} cannot be reached: look at {cure}; it is tried again by itself ({reason})"

    async def _hear_listing(self, found: Entries) -> None:
        await self._bridge.hear(Listed(markets=found))

    async def _watch(self, exchange: Any) -> None:
        async with asyncio.TaskGroup() as tasks:
            for symbol in self._symbols:
                if symbol in exchange.markets:
                    tasks.create_task(self._follow_trades(exchange, symbol))
            tasks.create_task(self._follow_quotes(exchange))
            if self._settings.ingest.depth:
                tasks.create_task(self._follow_depth(exchange))
            tasks.create_task(self._attend(exchange))
            tasks.create_task(self._follow_odd(exchange))
            tasks.create_task(self._offset.keep(exchange, self._bridge))
            tasks.create_task(reload(exchange, self._symbols, self._hear_listing))

    async def _attend(self, exchange: Any) -> None:
        """Say which sockets stand, then wait for the wish to dial anew."""
        waiting = {symbol for symbol in self._symbols if symbol in exchange.markets}
        async with asyncio.timeout(PATIENCE_S):
            while waiting:
                for symbol in [symbol for symbol in waiting if _stands(exchange, symbol)]:
                    waiting.remove(symbol)
                    await self._bridge.hear(Connected(symbol=symbol))
                await asyncio.sleep(PAUSE_S / 10)
        await self._redial.wait()
        raise RedialError("the live feed was silent while the exchange traded", "A new one begins")

    async def _follow_trades(self, exchange: Any, symbol: str) -> None:
        while True:
            trades = await _watched(exchange.watch_trades(symbol))
            recv_ns = self._bridge.clock.wall_ns()
            raw = tuple(live_trade(trade["info"]) for trade in trades)
            await self._bridge.hear(LiveTrades(symbol=symbol, trades=raw, recv_ns=recv_ns))

    async def _follow_quotes(self, exchange: Any) -> None:
        symbols = [symbol for symbol in self._symbols if symbol in exchange.markets]
        seen: dict[str, Any] = {}
        while True:
            await _watched(exchange.watch_bids_asks(symbols))
            # Several symbols may have moved for one wake; what moves meanwhile is seen next.
            while fresh := _moved(exchange.bidsasks, seen):
                for symbol, ticker in fresh.items():
                    seen[symbol] = ticker
                    await self._bridge.hear(
                        live_quote(symbol, ticker["info"], self._bridge.clock.wall_ns())
                    )

    async def _follow_odd(self, exchange: Any) -> None:
        """Tell the core what was kept from ccxt."""
        while True:
            await self._bridge.hear(await exchange.gate.next())

    async def _follow_depth(self, exchange: Any) -> None:
        listed = [symbol for symbol in self._symbols if symbol in exchange.markets]
        names, wall_ns = symbols_by_id(exchange, listed), self._bridge.clock.wall_ns
        while True:
            for change in await _watched(next_changes(exchange, names, wall_ns)):
                await self._bridge.hear(change)


def _said_by(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]


async def _watched(watching: Awaitable[Any]) -> Any:
    # ccxt cancels what waits on a socket that it closes; that is a loss, not our own end.
    try:
        return await watching
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise NetworkError("the socket was closed") from error


def _moved(bidsasks: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
    return {symbol: one for symbol, one in bidsasks.items() if seen.get(symbol) is not one}


def _stands(exchange: Any, symbol: str) -> bool:
    return any(
        client.isConnected and f"trade::{symbol}" in client.subscriptions
        for client in exchange.clients.values()
    )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
