"""A small exchange on loopback: klines of what a test says, a listing, weights, and bad days."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from bus.clock import SystemClock
from tests.services.rrr.data_desk import opens_s, values

INTERVALS_S = {"1m": 60, "5m": 300, "15m": 900, "1h": 3600, "4h": 14_400, "1d": 86_400}


def row(number: int, timeframe: str = "1m") -> list[Any]:
    """Return the n-th bar of the tests as the exchange writes it."""
    open_ms, step_ms = opens_s(number, timeframe) * 1000, INTERVALS_S[timeframe] * 1000
    return [open_ms, *values(number), open_ms + step_ms - 1, "12.5", 3, "0", "0", "0"]


class Candles(ThreadingHTTPServer):
    """What it has, what it was asked, and what it answers instead."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.rows: dict[tuple[str, str], list[list[Any]]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.listing: dict[str, str] = {"BTCUSDT": "TRADING"}
        self.weight = 1
        self.refuse: list[tuple[int, dict[str, str], bytes]] = []
        self.refuse_from = 0  # of the questions for klines

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def klines(self) -> list[dict[str, str]]:
        """What was asked of bars, but for where they begin."""
        return [q for call, q in self.asked if call == "klines" and q["limit"] != "1"]

    def put(self, numbers: Any, timeframe: str = "1m", name: str = "BTCUSDT") -> None:
        """Have some bars."""
        self.rows[name, timeframe] = [row(n, timeframe) for n in numbers]


class Answering(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    server: Candles

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        call = address.path.rpartition("/")[2]
        query = {key: value[0] for key, value in parse_qs(address.query).items()}
        self.server.asked.append((call, query))
        reached = call == "klines" and len(self.server.klines) > self.server.refuse_from
        if reached and self.server.refuse:
            self._send(*self.server.refuse.pop(0))
            return
        answers = {"time": self._time, "exchangeInfo": self._listing, "klines": self._klines}
        status, body = answers[call](query)
        self._send(status, {}, msgspec.json.encode(body))

    def _time(self, _query: dict[str, str]) -> tuple[int, Any]:
        return 200, {"serverTime": SystemClock().wall_ns() // 1_000_000}

    def _listing(self, query: dict[str, str]) -> tuple[int, Any]:
        wanted = msgspec.json.decode(query["symbols"], type=list[str])
        if not set(wanted) <= set(self.server.listing):
            return 400, {"code": -1121, "msg": "Invalid symbol."}
        found = [entry(name, self.server.listing[name]) for name in wanted]
        return 200, {"symbols": found, "rateLimits": []}

    def _klines(self, query: dict[str, str]) -> tuple[int, Any]:
        rows = self.server.rows.get((query["symbol"], query["interval"]), [])
        first, last = int(query["startTime"]), int(query["endTime"])
        return 200, [one for one in rows if first <= one[0] <= last][: int(query["limit"])]

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        self.send_header("X-MBX-USED-WEIGHT-1M", str(self.server.weight))
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Write nothing."""


def entry(name: str, status: str = "TRADING") -> dict[str, Any]:
    """Return a symbol as it is listed: lots of 0.001, worth 5 at least."""
    return {
        "symbol": name, "status": status, "baseAsset": name[:-4], "quoteAsset": name[-4:],
        "orderTypes": ["LIMIT", "MARKET"],
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.01", "minPrice": "0.01",
             "maxPrice": "1000000"},
            {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001", "maxQty": "9000"},
            {"filterType": "NOTIONAL", "minNotional": "5", "applyMinToMarket": True,
             "maxNotional": "9000000", "applyMaxToMarket": False, "avgPriceMins": 5},
        ],
    }  # fmt: skip


@contextmanager
def candles() -> Iterator[Candles]:
    """Yield an exchange that answers until it is left."""
    server = Candles()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
