"""The WebSocket API: signed requests on a socket, and the user's own events on it.

A client that subscribed hears what happens from then on; what it missed it asks for.
"""

from collections.abc import Callable, Mapping

import msgspec
from aiohttp import web

from services.venue import signing, statement
from services.venue.columns import Facts
from services.venue.desk import Changes
from services.venue.faults import Faults
from services.venue.faults_pushes import Pushes, wrapped
from services.venue.params import Params, Refusal
from services.venue.payload import Json
from services.venue.private import ON_SOCKET, Private
from services.venue.sockets import Client, Crowd

SUBSCRIPTION = 0

Fields = dict[str, str]


class Asked(msgspec.Struct):
    """A request as it arrives; the text of each parameter is kept, because that was signed."""

    method: str
    id: int | str | None = None
    params: dict[str, msgspec.Raw] = {}


class Caller(Client):
    """One connection to the WebSocket API."""

    def __init__(self, request: web.Request, obey: Callable[["Caller", str], bytes]) -> None:
        super().__init__(request, [], wrapped=False)
        self.subscribed = False
        self._obey = obey

    def answer(self, text: str) -> bytes:
        return self._obey(self, text)


class UserStream(Crowd[Caller]):
    """All connections to the WebSocket API, and what is told to those that subscribed."""

    def __init__(self, private: Private, facts: Mapping[str, Facts], faults: Faults) -> None:
        super().__init__()
        self._private = private
        self._pushes = Pushes(faults, wrapped(SUBSCRIPTION))
        self._facts = facts
        self.requests = 0
        self.refused = 0

    async def serve(
        self, request: web.Request, obey: Callable[[Caller, str], bytes]
    ) -> web.WebSocketResponse:
        """Take one connection; `obey` answers its requests."""
        return await self.hold(Caller(request, obey))

    def obey(self, caller: Caller, text: str, wall_ms: int) -> bytes:
        """Return the answer to one request."""
        self.requests += 1
        try:
            asked = msgspec.json.decode(text, type=Asked)
            fields = {name: _plain(raw) for name, raw in asked.params.items()}
        except msgspec.MsgspecError as error:
            self.refused += 1
            return _error(None, Refusal(-1135, f"Invalid JSON Request: {error}"))
        try:
            found = self._obeyed(caller, asked.method, fields, wall_ms)
        except Refusal as refusal:
            self.refused += 1
            return _error(asked.id, refusal)
        return msgspec.json.encode({"id": asked.id, "status": 200, "result": found})

    def _obeyed(self, caller: Caller, method: str, fields: Fields, wall_ms: int) -> object:
        match method:
            case "ping":
                return {}
            case "time":
                return {"serverTime": wall_ms}
            case "userDataStream.subscribe.signature":
                return self._subscribe(caller, fields, wall_ms)
            case "userDataStream.unsubscribe":
                caller.subscribed = False
                return {}
            case _ if method in ON_SOCKET:
                signed = signing.of_socket(fields)
                return self._private.obey(ON_SOCKET[method], signed, wall_ms)[0]
            case _:
                raise Refusal(-1020, "This operation is not supported.")

    def _subscribe(self, caller: Caller, fields: Fields, wall_ms: int) -> Json:
        params = Params(fields)
        signing.check(signing.of_socket(fields), params, wall_ms)
        params.ignore("apiKey")
        params.check_all_read()
        if caller.subscribed:
            raise Refusal(-2035, "User Data Stream subscription already active.")
        caller.subscribed = True
        return {"subscriptionId": SUBSCRIPTION}

    def tell(self, changes: Changes, late_ms: int, shown: Callable[[Json], Json]) -> int:
        """Queue what happened for everybody who subscribed; return how many events that were.

        A fill is told so late, and everything else as it is `shown`.
        """
        events = [shown(event) for event in events_of(changes, self._facts)]
        self._pushes.put(events, late_ms)
        self.push()
        return len(events)

    def push(self) -> None:
        """Push what is due."""
        for text in self._pushes.due():
            for caller in self.clients:
                if caller.subscribed:
                    caller.put(text)


def events_of(changes: Changes, facts: Mapping[str, Facts]) -> list[Json]:
    """Return what happened as the stream says it: orders, their pairs, and then the money."""
    at_ms = changes.reports[-1].at_ms if changes.reports else changes.batch.at_ms
    events = [
        statement.report_event(facts[report.order.symbol], report) for report in changes.reports
    ]
    events += [
        statement.pair_event(pair, changes.legs[pair.id], at_ms) for pair in changes.batch.pairs
    ]
    events += [statement.moved_event(moved) for moved in changes.batch.moves]
    if changes.batch.balances:
        events.append(statement.position_event(changes.batch.balances, at_ms))
    return events


def _plain(raw: msgspec.Raw) -> str:
    text = bytes(raw).decode()
    return msgspec.json.decode(text, type=str) if text.startswith('"') else text


def _error(request_id: int | str | None, refusal: Refusal) -> bytes:
    told = {"id": request_id, "status": refusal.status, "error": refusal.body}
    return msgspec.json.encode(told)
