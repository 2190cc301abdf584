"""WebSocket clients: what each wants, and a bounded queue of what it has not taken yet.

A client that does not read is disconnected before its queue can fill the memory; it comes back and
fetches what it missed, as it would from the real exchange.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import msgspec
from aiohttp import WSMsgType, web

from services.venue.faults_rows import SPOILED, Spoiler
from services.venue.live import Live, Stream, stream_of
from services.venue.market import Market
from services.venue.subscriptions import Wanted, obey

OUTBOX_BYTES = 4 << 20
MESSAGE_BYTES = 1 << 16
PING_S = 20.0
CLOSE_S = 0.2


Says = Callable[[str], bool]
"""Says something of a symbol, by its id."""


def _never(_: str) -> bool:
    return False


class Script(NamedTuple):
    """Which symbols say nothing, lose changes of their book, or say what cannot be true."""

    mute: Says = _never
    loses: Says = _never
    spoils: Says = _never


WELL = Script()


class Client:
    """One connection."""

    def __init__(self, request: web.Request, streams: list[str], *, wrapped: bool) -> None:
        self.wanted: Wanted = dict.fromkeys(streams)
        self.wrapped = wrapped  # the combined form: {"stream": …, "data": …}
        self.too_slow = False
        self._request = request
        self._socket = web.WebSocketResponse(
            heartbeat=PING_S, max_msg_size=MESSAGE_BYTES, compress=False, timeout=CLOSE_S
        )
        self._outbox: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._filled = asyncio.Event()

    def put(self, text: bytes) -> None:
        """Queue one message; past the limit the client is dropped instead."""
        if self.too_slow:
            return
        self._outbox.append(text)
        self._waiting_bytes += len(text)
        self._filled.set()
        if self._waiting_bytes > OUTBOX_BYTES:
            self.drop()

    def drop(self) -> None:
        """Cut the connection without ceremony; a client that does not read hears no goodbye."""
        self.too_slow = True
        self._outbox.clear()
        if self._request.transport is not None:
            self._request.transport.abort()

    def answer(self, text: str) -> bytes:
        """Obey one request, and return the answer to it."""
        return obey(text, self.wanted)

    async def serve(self) -> web.WebSocketResponse:
        """Obey requests until the client goes."""
        await self._socket.prepare(self._request)
        sending = asyncio.create_task(self._send())
        try:
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    self.put(self.answer(message.data))
                elif message.type is WSMsgType.BINARY:
                    self.put(self.answer(""))
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
        return self._socket

    async def _send(self) -> None:
        with contextlib.suppress(ConnectionError):  # It went; `serve` notices.
            while True:
                await self._filled.wait()
                self._filled.clear()
                while self._outbox:
                    text = self._outbox.popleft()
                    await self._socket.send_frame(text, WSMsgType.TEXT)
                    self._waiting_bytes -= len(text)


Kind = TypeVar("Kind", bound=Client)


class Crowd(Generic[Kind]):
    """All connections of one kind that stand."""

    def __init__(self) -> None:
        self.clients: set[Kind] = set()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self.clients)

    async def hold(self, client: Kind) -> web.WebSocketResponse:
        """Serve a connection until it goes."""
        self.clients.add(client)
        try:
            return await client.serve()
        finally:
            self.clients.discard(client)
            self.dropped += client.too_slow

    def drop_all(self) -> None:
        """Cut every connection."""
        for client in self.clients:
            client.drop()


class Sockets(Crowd[Client]):
    """All clients, and the one pass that tells each of them what happened."""

    def __init__(self, market: Market) -> None:
        super().__init__()
        self._market = market
        self._live = Live(market)
        self._spoiler = Spoiler()
        self._known: dict[str, Stream | None] = {}
        self.events = 0

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Take one connection; streams may be named in its address."""
        in_path = [name for name in request.match_info.get("tail", "").split("/") if "@" in name]
        in_query = [name for name in request.query.get("streams", "").split("/") if name]
        return await self.hold(Client(request, in_path + in_query, wrapped=bool(in_query)))

    def emit(self, after_ms: int, until_ms: int, faults: Script = WELL) -> None:
        """Queue what happened in (after, until] for everybody who wants it, but not of the mute.

        A symbol that loses something is asked for each change of its book, and one that is spoiled
        for each of its trades and tops.
        """
        by_stream: dict[str, list[Client]] = {}
        for client in self.clients:
            for name in client.wanted:
                by_stream.setdefault(name, []).append(client)
        for name, clients in by_stream.items():
            if (stream := self._stream(name)) is not None and not faults.mute(stream.facts.id):
                self._tell(stream, clients, (after_ms, until_ms), faults)

    def _stream(self, name: str) -> Stream | None:
        if name not in self._known:
            if len(self._known) > MESSAGE_BYTES:
                self._known.clear()
            self._known[name] = stream_of(name, self._market.facts)
        return self._known[name]

    def _tell(
        self, stream: Stream, clients: list[Client], span_ms: tuple[int, int], faults: Script
    ) -> None:
        symbol = stream.facts.id
        for event in self._live.events(stream, *span_ms):
            if stream.kind == "depth" and faults.loses(symbol):
                continue
            if stream.kind in SPOILED and faults.spoils(symbol):
                self._put(stream, clients, self._spoiler.before(event))
            self.events += 1
            self._put(stream, clients, msgspec.json.encode(event))

    def _put(self, stream: Stream, clients: list[Client], plain: bytes) -> None:
        for client in clients:
            client.put(_wrapped(stream.name, plain) if client.wrapped else plain)


def _wrapped(name: str, plain: bytes) -> bytes:
    return b'{"stream":%b,"data":%b}' % (msgspec.json.encode(name), plain)
