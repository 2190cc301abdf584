"""ccxt's Binance as ingest uses it: unmodified, each request weighed, none sent in a ban.

It has no key, in no mode. In local mode the venue is the exchange, and elsewhere the stand-in that
`exchange.url` names, or else Binance itself, at the addresses that ccxt knows.
"""

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from bus.errors import EdgeError
from bus.narrow import narrow
from schema.settings import Settings
from schema.weights import MINUTE_MS
from services.ingest.edge_budget import Budget
from services.ingest.edge_depth import Changes
from services.ingest.edge_gate import Gate, odd_in
from services.ingest.effects import Spoiled
from services.ingest.rows import UNREADABLE, shown

with narrow():
    from ccxt.base.errors import BaseError

BARRED = frozenset({403, 451})
"""What the exchange answers to an address, or a country, that it does not serve."""

KEEP_ALIVE_MS = 10_000
"""ccxt's own default notices a dead socket after six minutes; this one after half a minute."""


class BarredError(EdgeError):
    """The exchange serves nobody at this address; asking more often changes nothing."""


class Session(Changes):
    """ccxt's Binance, each of whose requests is weighed, and none sent while it is forbidden."""

    def __init__(self, config: dict[str, Any], budget: Budget) -> None:
        super().__init__(config)
        self._budget = budget
        self.gate = Gate()

    def handle_message(self, client: Any, message: Any) -> None:
        """Let ccxt read a message that it can read; the others are for the core to judge."""
        odd = odd_in(message, self.markets_by_id or {}, self.safe_symbol)
        if odd is not None:
            self.gate.keep(odd)
            return
        super().handle_message(client, message)

    def client(self, url: str) -> Any:
        """Return ccxt's socket, which goes on behind a text that nobody can read."""
        found = super().client(url)
        if not isinstance(found.handle_message, partial):
            found.handle_message = partial(self._read, found.handle_message)
        return found

    def _read(self, read: Callable[[Any], None], frame: Any) -> None:
        # What is raised here would end ccxt's loop over the socket, without a word.
        try:
            read(frame)
        except (*UNREADABLE, ArithmeticError, BaseError) as error:
            why = f"{type(error).__name__}: {error}"[:160]
            row = shown(getattr(frame, "data", frame))
            self.gate.keep(Spoiled(symbol="", kind="text", reason=why, row=row))

    async def fetch(self, url: str, *rest: Any, **named: Any) -> Any:
        """Make one request, once there is room for it."""
        async with self._budget.room(url):
            return await super().fetch(url, *rest, **named)

    def on_rest_response(self, code: int, *rest: Any) -> Any:
        """Read from an answer what the exchange counts, and whether it wants to be left alone."""
        _, url, _, headers, body, *_ = rest
        self._budget.take(url, code, headers, body)
        if code in BARRED:
            raise BarredError(
                f"{urlsplit(url).hostname} refuses this machine's address: HTTP {code}",
                "Binance does not serve every country: run this where it does, or name a stand-in "
                "in `exchange.url`; it is tried again by itself",
            )
        return super().on_rest_response(code, *rest)


def open_binance(settings: Settings, budget: Budget) -> Any:
    """Return ccxt's Binance; where a stand-in plays it, it knows no other address."""
    exchange = Session(
        {
            "enableRateLimit": True,
            "rateLimiterAlgorithm": "rollingWindow",
            "rollingWindowSize": MINUTE_MS,
            "newUpdates": True,
            "streaming": {"keepAlive": KEEP_ALIVE_MS},
            "options": {
                "defaultType": "spot",
                "fetchMarkets": {"types": ["spot"]},
                "maxRetriesOnFailure": 0,  # What failed is asked again by the core, in its pace.
            },
        },
        budget,
    )
    if place := place_of(settings):
        rest = f"http://{place}/api/v3"
        # "/stream" in the address is how ccxt knows that it is the spot market's.
        streams = f"ws://{place}/stream/ws"
        exchange.urls["test"] = {
            "public": rest,
            "private": rest,
            "v1": f"http://{place}/api/v1",
            "ws": {
                "spot": streams,
                "margin": streams,
                "ws-api": {"spot": f"ws://{place}/ws-api/v3"},
            },
        }
        exchange.set_sandbox_mode(True)
    return exchange


def place_of(settings: Settings) -> str:
    """Return host and port of what plays the exchange; empty: it is the exchange itself."""
    if settings.mode == "local":
        return f"127.0.0.1:{settings.ports.venue}"
    return urlsplit(settings.exchange.url).netloc
