"""ccxt's Binance as the gateway uses it: unmodified requests and sockets, answers as they came.

Orders go through ccxt's raw requests and not through `create_order`, which rounds prices half up,
makes a spent amount of a market order's price, and parses every number into a float. What an answer
means is judged elsewhere, by code; here its status, headers and text are kept before ccxt reads
them. ccxt's own throttle is off: after an idle second it holds an order back for up to half of one.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

import aiohttp
import msgspec

from bus.errors import SettingsError
from bus.narrow import narrow
from schema.setting_types import PLAY_KEY, PLAY_SECRET
from schema.settings import Settings
from services.gateway.keys import Keys

with narrow():
    from ccxt.base.errors import BaseError, NetworkError
    from ccxt.pro.binance import binance

ANSWER_SHARE = 0.9
"""Of what an answer may take in all; so a request ends before the effect that waits for it."""

FAILURES = (BaseError, aiohttp.ClientError, OSError, TimeoutError)
ENDED = "ended"
QUERY = re.compile(r"\?\S*")
"""Of an address: a signature is good for some seconds, and is for nobody to read."""

MOVED = "balanceUpdate"
PLAY = Keys(PLAY_KEY, PLAY_SECRET)
OK = 200


class Pace(msgspec.Struct, frozen=True):
    """How patient the edge is, in wall time; tests are in more of a hurry."""

    clock_s: float = 10.0  # between two looks at the exchange's clock
    budget_s: float = 5.0  # between two words about the request budget
    kill_s: float = 0.1  # between two looks for the kill file
    patience_s: float = 10.0  # for a stream to stand
    keep_alive_s: float = 10.0  # between two pings; ccxt's own default takes minutes to notice
    silent_s: float = 25.0  # without a sign of life, pongs too, a stream is dead
    pause_s: float = 0.2  # before a stream is dialled anew, doubled …
    pause_max_s: float = 5.0  # … up to this
    close_s: float = 0.25  # that ccxt leaves to sockets that close


class Reply(msgspec.Struct):
    """What came back to one request; a status of 0 says that nothing whole did."""

    status: int = 0
    body: str = ""
    headers: Mapping[str, str] = {}
    failure: str = ""
    sent: bool = True  # False: no connection stood, so not a byte has left

    def __str__(self) -> str:
        if not self.status:
            return self.failure
        return f"HTTP {self.status} {self.body.strip()[:120] or 'without a body'}"


_REPLY: ContextVar[Reply] = ContextVar("_REPLY")


class Session(binance):  # type: ignore[misc]
    """One instance of ccxt: its hooks keep answers and events, its clock is the exchange's."""

    def __init__(self, config: dict[str, Any], now_ms: Callable[[], int]) -> None:
        super().__init__(config)
        self.heard: asyncio.Queue[Mapping[str, Any] | str] = asyncio.Queue()
        self._now_ms = now_ms

    async def ask(
        self, method: str, path: str, params: Mapping[str, object], api: str = "private"
    ) -> Reply:
        """Make exactly one request, and return what came back, whatever it was."""
        reply = Reply()
        token = _REPLY.set(reply)
        try:
            await self.request(path, [api], method, dict(params))
        except FAILURES as error:
            reply.failure = said_by(error)
            reply.sent = not isinstance(error.__cause__, aiohttp.ClientConnectorError)
        finally:
            _REPLY.reset(token)
        return reply

    async def subscribe(self) -> None:
        """Begin the user stream; `heard` then brings its events, and at last why it ended."""
        client = self.client(self.urls["api"]["ws"]["ws-api"]["spot"])
        client.future(ENDED).add_done_callback(self._end)
        try:
            await self.authenticate({"type": "spot"})
        except asyncio.CancelledError as error:
            # ccxt cancels what waits on a socket that it closes; that is a loss, not our own end.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise NetworkError("the socket was closed") from error

    def life_sign(self) -> object:
        """Return what changes whenever the stream's socket brings anything, be it a pong."""
        return [client.last_message_at for client in self.clients.values()]

    def _end(self, ended: "asyncio.Future[None]") -> None:
        error = None if ended.cancelled() else ended.exception()
        self.heard.put_nowait(said_by(error) if error else "the socket was closed")

    # What ccxt calls.

    def watch(self, url: str, *rest: Any) -> Any:
        # With the answer that is awaited ccxt fails one that nobody reads; asyncio would print it.
        answer = super().watch(url, *rest)
        for future in self.client(url).futures.values():
            future.add_done_callback(_read)
        return answer

    def nonce(self) -> int:
        return self._now_ms()

    def on_rest_response(self, code: int, *rest: Any) -> Any:
        _, _, _, headers, body, *_ = rest
        reply = _REPLY.get()
        reply.status, reply.body = code, body
        reply.headers = {name.lower(): value for name, value in headers.items()}
        return super().on_rest_response(code, *rest)

    def handle_errors(self, *_: Any) -> None:
        # By class, a refusal and an open fate look alike; wire_codes.py judges by code.
        return None

    def handle_order_update(self, _client: Any, message: Mapping[str, Any]) -> None:
        self.heard.put_nowait(message)

    def handle_balance(self, _client: Any, message: Mapping[str, Any]) -> None:
        # Balances are asked for; what came or went by other ways than trading is said once.
        if message.get("e") == MOVED:
            self.heard.put_nowait(message)

    def handle_event_stream_terminated(self, _client: Any, _message: Mapping[str, Any]) -> None:
        # ccxt itself would leave whoever waits for an order waiting.
        self.heard.put_nowait("the exchange ended the stream: eventStreamTerminated")


def open_session(
    settings: Settings, now_ms: Callable[[], int], pace: Pace, keys: Keys | None = None
) -> Session:
    """Return a session with the one place that orders go to in this mode, and its key.

    Without keys that is the venue of this house; with them the exchange, or its stand-in.
    """
    if (settings.mode == "live") != (keys is not None):
        have = "no keys" if keys is None else "keys"
        raise SettingsError(
            f"mode {settings.mode} and {have}: real money needs them, and nothing else takes any",
            "`rrr keys list` shows which there are",
        )
    session = Session(_config(settings, pace, keys or PLAY), now_ms)
    if place := _stand_in(settings):
        _know_only(session, place)
    return session


def _stand_in(settings: Settings) -> str:
    """Return where the stand-in for the exchange is; empty for the exchange itself."""
    if settings.mode == "live":
        return settings.exchange.url.removeprefix("http://")
    return f"127.0.0.1:{settings.ports.venue}"


def _know_only(session: Session, place: str) -> None:
    rest = f"http://{place}/api/v3"
    session.urls["test"] = {
        "public": rest,
        "private": rest,
        "sapi": f"http://{place}/sapi/v1",
        "ws": {"ws-api": {"spot": f"ws://{place}/ws-api/v3"}},
    }
    session.set_sandbox_mode(True)


def _config(settings: Settings, pace: Pace, keys: Keys) -> dict[str, Any]:
    return {
        "apiKey": keys.key,
        "secret": keys.secret,
        "enableRateLimit": False,
        "timeout": int(settings.gateway.answer_ms * ANSWER_SHARE),
        "timeout_on_exit": int(pace.close_s * 1000),
        "ssl_context": True,  # aiohttp's own, verified; ccxt takes 0.1 s to make another
        "streaming": {"keepAlive": int(pace.keep_alive_s * 1000)},
        "enableLastHttpResponse": False,
        "enableLastJsonResponse": False,
        "enableLastResponseHeaders": False,
        "options": {
            "defaultType": "spot",
            "recvWindow": settings.gateway.recv_window_ms,
            "maxRetriesOnFailure": 0,
        },
    }


def _read(future: "asyncio.Future[object]") -> None:
    if not future.cancelled():
        future.exception()


def said_by(error: BaseException) -> str:
    """Return a failure in one line, without what a request was signed with."""
    return QUERY.sub("?...", f"{type(error).__name__}: {error}")[:200]
