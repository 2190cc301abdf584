"""An exchange that answers as a test wants: slowly, brokenly, or not at all."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from bus.clock import SystemClock
from bus.edge import EdgeThread
from bus.service import Bridge, Edge
from tests.ports import free_port
from tests.services.gateway.published import PLACED, error

DEADLINE_NS = 10_000_000_000


def wait_for(holds: Callable[[], bool], why: Callable[[], str] = lambda: "it never was so") -> None:
    clock = SystemClock()
    deadline_ns = clock.mono_ns() + DEADLINE_NS
    while not holds():
        assert clock.mono_ns() < deadline_ns, why()
        clock.pause_ms(2)


@dataclass
class Answer:
    """What an exchange does on one request."""

    status: int = 200
    body: object = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_s: float = 0.0
    cut: bool = False  # the connection is reset instead
    short: bool = False  # less comes than was announced


HTML = "<html><body>502 Bad Gateway</body></html>"

NO_PROOF = [
    Answer(500, "oops"),
    Answer(500, error(-1013)),
    Answer(502, HTML, {"Content-Type": "text/html"}),
    Answer(503, error(-1008)),
    Answer(504, ""),
    Answer(400, error(-1006)),
    Answer(400, error(-1007)),
    Answer(400, error(-2010, "Duplicate order sent.")),
    Answer(400, HTML),
    Answer(200, ""),
    Answer(200, HTML),
    Answer(200, error(-2010)),
    Answer(200, []),
    Answer(200, PLACED),  # the answer to another order, or to a single one
    Answer(200, "{", short=True),
    Answer(cut=True),
]
"""Answers to something new that say nothing of what became of it."""


class Failing(Edge):
    """An exchange that answers as a test wants, and remembers what it was asked."""

    def __init__(self) -> None:
        self.port = free_port()
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answers: dict[str, Answer] = {}
        self.subscription: Callable[[dict[str, Any]], dict[str, Any] | None] = _accepted
        self.ponging = True
        self.sockets: list[web.WebSocketResponse] = []
        self.let_go = asyncio.Event()
        self._clock = SystemClock()

    async def run(self, bridge: Bridge) -> None:
        self._loop = asyncio.get_running_loop()
        application = web.Application()
        application.router.add_get("/ws-api/v3", self._stream)
        application.router.add_route("*", "/{tail:.*}", self._answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self.port).start()
            bridge.ready(None)
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    def forget(self) -> None:
        """Answer as at first, and forget what was asked."""
        self.answers.clear()
        self.asked.clear()
        self.let_go.clear()

    def count(self, request: str) -> int:
        return sum(asked == request for asked, _ in self.asked)

    def tell(self, event: Mapping[str, object]) -> None:
        """Say an event on every stream."""
        self.write(json.dumps({"subscriptionId": 0, "event": event}))

    def write(self, text: str) -> None:
        """Write a text on every stream."""
        for socket in [socket for socket in self.sockets if not socket.closed]:
            asyncio.run_coroutine_threadsafe(socket.send_str(text), self._loop).result(5)

    def cut(self) -> None:
        """Reset every stream's connection."""
        for socket in self.sockets:
            transport = socket._req.transport if socket._req else None
            if transport is not None:
                self._loop.call_soon_threadsafe(transport.abort)
        self.sockets = []

    def release(self) -> None:
        """Let everything go on that waits."""
        self._loop.call_soon_threadsafe(self.let_go.set)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = f"{request.method} {request.path}"
        posted = {name: str(value) for name, value in (await request.post()).items()}
        fields = dict(request.query) | posted
        self.asked.append((asked, fields))
        answer = self.answers.get(asked, self._usual(request.path))
        if answer.wait_s:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.let_go.wait(), answer.wait_s)
        return await self._answered(request, answer)

    async def _answered(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        if answer.cut:
            assert request.transport is not None
            request.transport.abort()
        text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        headers = {"Content-Type": "application/json", **answer.headers}
        if answer.short:
            response = web.StreamResponse(headers=headers | {"Content-Length": "500"})
            await response.prepare(request)
            await response.write(text.encode())
            assert request.transport is not None
            request.transport.close()
            return response
        return web.Response(status=answer.status, text=text, headers=headers)

    def _usual(self, path: str) -> Answer:
        if path == "/api/v3/time":
            return Answer(body={"serverTime": self._clock.wall_ns() // 1_000_000})
        return Answer(404, {"code": -1000, "msg": "nothing is here"})

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.PING and self.ponging:
                await socket.pong(message.data)
            if message.type is WSMsgType.TEXT:
                answer = self.subscription(json.loads(message.data))
                if answer is not None:
                    self.sockets.append(socket)
                    await socket.send_json(answer)
        return socket


def _accepted(asked: dict[str, Any]) -> dict[str, Any]:
    return {"id": asked["id"], "status": 200, "result": {"subscriptionId": 0}}


@contextmanager
def failing(exchange: Failing | None = None) -> Iterator[Failing]:
    made = exchange or Failing()
    thread = EdgeThread(made, SystemClock())
    thread.start()
    try:
        wait_for(lambda: thread.why_not is None)
        yield made
    finally:
        thread.stop()
