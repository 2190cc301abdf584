"""ccxt's Binance as ingest uses it: unmodified, each request weighed, none sent in a ban."""

from typing import Any

from bus.narrow import narrow
from schema.settings import Settings
from schema.weights import MINUTE_MS
from services.ingest.edge_budget import Budget

with narrow():
    from ccxt.pro.binance import binance

KEEP_ALIVE_MS = 10_000
"""ccxt's own default notices a dead socket after six minutes; this one after half a minute."""


class Session(binance):  # type: ignore[misc]
    """ccxt's Binance, each of whose requests is weighed, and none sent while it is forbidden."""

    def __init__(self, config: dict[str, Any], budget: Budget) -> None:
        super().__init__(config)
        self._budget = budget

    async def fetch(self, url: str, *rest: Any, **named: Any) -> Any:
        """Make one request, once there is room for it."""
        async with self._budget.room(url):
            return await super().fetch(url, *rest, **named)

    def on_rest_response(self, code: int, *rest: Any) -> Any:
        """Read from an answer what the exchange counts, and whether it wants to be left alone."""
        _, url, _, headers, body, *_ = rest
        self._budget.take(url, code, headers, body)
        return super().on_rest_response(code, *rest)


def open_binance(settings: Settings, budget: Budget) -> Any:
    """Return ccxt's Binance: in local mode it knows no other address than the venue's."""
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
    if settings.mode == "local":
        place = f"127.0.0.1:{settings.ports.venue}"
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
