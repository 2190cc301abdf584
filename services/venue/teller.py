"""The account as it is served: nothing is answered or told before it is on the disk.

Every request first lets market time pass, so that an order meets the market as it is now.
"""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl

from aiohttp import web

from schema.units import to_text
from services.venue.account import EXP, Terms
from services.venue.columns import DAY_MS
from services.venue.desk import Desk
from services.venue.faults import Asked, Faults
from services.venue.faults_desk import Hand
from services.venue.faults_hidden import Hidden
from services.venue.faults_kinds import CANCEL, REPLACE
from services.venue.faults_sight import Sight
from services.venue.market import Market
from services.venue.private import Private
from services.venue.rest import Answer
from services.venue.store import Log, open_log
from services.venue.userstream import Caller, UserStream

Tick = Callable[[], int]
"""Lets market time pass, and returns the wall's, in milliseconds."""


class Teller:
    """Serves one desk, and keeps its log."""

    def __init__(self, desk: Desk, log: Log, faults: Faults, mark_ms: int = DAY_MS) -> None:
        self._desk = desk
        self._mark_ms = mark_ms
        self._log = log
        self._private = Private(desk)
        self._stream = UserStream(self._private, desk.market.facts, faults)
        self._faults = faults
        self._hand = Hand(desk, faults)
        self._sight = Sight(desk, faults)
        self._hidden = Hidden(faults)
        self._logged_ms = desk.at_ms
        self.orders = 0
        self.fills = 0
        self.events = 0

    def advance(self, until_ms: int) -> None:
        """Let market time pass; what it did to our orders is kept and told."""
        self._desk.advance(until_ms)
        self._keep()
        self._stream.push()

    def look(self) -> None:
        """Take in that other faults are set than before."""
        self._sight.look()
        if self._faults.look("dead_stream") is not None:
            self._stream.drop_all()

    def move(self, asset: str, amount: int) -> str:
        """Let money come or go, keep and tell it; return what is free then."""
        self._desk.move(asset, amount)
        self._keep()
        return to_text(self._desk.records.account.free(asset), EXP)

    def serves(self, request: web.Request) -> str | None:
        """Return the signed call that a request makes, None when it makes none."""
        return self._private.call_of(request.method, request.path)

    async def answer(self, call: str, request: web.Request, tick: Tick, asked: Asked) -> Answer:
        """Answer a signed request."""
        body = (await request.read()).decode(errors="replace")
        query = request.raw_path.partition("?")[2]
        key = request.headers.get("X-MBX-APIKEY", "")
        wall_ms = tick()
        if call in CANCEL or call == REPLACE:
            self._race(asked, dict(parse_qsl(f"{query}&{body}")))
        private = self._sight.private(call, self._private)
        found = private.rest(call, key, query, body, wall_ms)
        self._keep()
        if found.status != web.HTTPOk.status_code:
            return found
        return self._hidden.told(asked, self._sight.told(asked, found))

    def _race(self, asked: Asked, fields: dict[str, str]) -> None:
        self._sight.look()
        late_ms = self._hand.before_cancel(asked, fields)
        if late_ms is not None:
            self._keep(late_ms)

    async def serve(self, request: web.Request, tick: Tick) -> web.WebSocketResponse:
        """Take a connection to the WebSocket API."""

        def obey(caller: Caller, text: str) -> bytes:
            answer = self._stream.obey(caller, text, tick())
            self._keep()
            return answer

        if self._faults.strike("dead_stream", Asked(call="stream")):
            raise web.HTTPServiceUnavailable
        return await self._stream.serve(request, obey)

    @property
    def requests(self) -> int:
        return self._stream.requests

    @property
    def refused(self) -> int:
        return self._stream.refused

    @property
    def dropped(self) -> int:
        return self._stream.dropped

    @property
    def sockets(self) -> int:
        return len(self._stream)

    @property
    def open_orders(self) -> int:
        return len(self._desk.records.all_open())

    def drop_all(self) -> None:
        """Cut every connection."""
        self._stream.drop_all()

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def _keep(self, late_ms: int = 0) -> None:
        changes = self._desk.drain()
        if changes is None:
            self._mark()
            return
        self._log.append(changes.batch)
        self._logged_ms = changes.batch.at_ms
        self.orders += sum(report.kind == "NEW" for report in changes.reports)
        self.fills += len(changes.batch.fills)
        late_ms = self._sight.keep(changes.batch, late_ms)
        self.events += self._stream.tell(changes, late_ms, self._sight.event)

    def _mark(self) -> None:
        # What waits is followed along the tape again after a kill; not from too far back.
        if self._desk.at_ms - self._logged_ms > self._mark_ms:
            batch = self._desk.records.drain()
            self._log.append(batch)
            self._sight.keep(batch)
            self._logged_ms = self._desk.at_ms


def open_teller(market: Market, terms: Terms, path: Path, now_ms: int, faults: Faults) -> Teller:
    """Return the teller of the account in a file, which is begun when there is none yet."""
    log, records = open_log(path)
    desk = Desk(market, terms, now_ms, records)
    if records is None:
        log.append(desk.records.drain())
    return Teller(desk, log, faults)
