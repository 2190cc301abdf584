"""An exchange for measurements: says trades as fast as they are taken, or at a pace, with times.

`python -m tests.bench.data_exchange PORT SYMBOL...`. Each line on standard input is a `Burst`; when
it is said, one line with a `Sent` comes out. Trades have ids in order, so that REST has them too.
"""

import asyncio
import json
import sys
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from bus.clock import SystemClock
from schema.units import MS_NS
from schema.weights import USED

PAGE = 1_000
PRICE, QTY = "64000.10", "0.00100"
BOOK = {"b": "64000.00", "B": "1.00000", "a": "64000.20", "A": "1.00000"}
FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00",
     "tickSize": "0.01"},
    {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
    {"filterType": "NOTIONAL", "minNotional": "5", "maxNotional": "9000000"},
]  # fmt: skip

clock = SystemClock()


class Burst(msgspec.Struct):
    """Trades to say of each of some symbols; a rate of 0 is as fast as they are taken."""

    symbols: list[str]
    count: int
    rate: int = 0  # rounds a second, in each of which every symbol has one trade
    quotes: bool = False


class Sent(msgspec.Struct):
    """When the first and the last were said, and with a pace each one; by the machine's clock."""

    first_id: int
    last_id: int
    begun_ns: int
    at_ns: dict[str, list[int]] = {}


class Exchange:
    """What it lists, what it has said, and who listens."""

    def __init__(self, symbols: list[str]) -> None:
        self.names = {symbol.replace("/", ""): symbol for symbol in symbols}
        self.times: dict[str, list[int]] = {name: [_now_ms()] for name in self.names}
        self.sockets: dict[str, list[web.WebSocketResponse]] = {}

    def entry(self, name: str) -> dict[str, Any]:
        base, quote = self.names[name].split("/")
        return {
            "symbol": name, "status": "TRADING", "baseAsset": base, "quoteAsset": quote,
            "orderTypes": ["LIMIT", "MARKET"], "filters": FILTERS, "isSpotTradingAllowed": True,
            "permissions": ["SPOT"], "baseAssetPrecision": 8, "quoteAssetPrecision": 8,
        }  # fmt: skip

    async def rest(self, request: web.Request) -> web.Response:
        """Answer a question; no budget of requests is measured here, so that none is spent."""
        call = request.path.rpartition("/")[2]
        return web.json_response(self._answer(call, request.query), headers={USED: "1"})

    def _answer(self, call: str, query: Any) -> object:
        match call:
            case "exchangeInfo":
                wanted = json.loads(query["symbols"]) if "symbols" in query else list(self.names)
                listed = [self.entry(one) for one in wanted]
                return {"serverTime": _now_ms(), "rateLimits": [], "symbols": listed}
            case "time":
                return {"serverTime": _now_ms()}
            case "trades" | "historicalTrades":
                return self._trades(query["symbol"], query)
            case "depth":
                sides = {"bids": [[BOOK["b"], BOOK["B"]]], "asks": [[BOOK["a"], BOOK["A"]]]}
                return {"lastUpdateId": 1, **sides}
        return []

    def _trades(self, name: str, query: Any) -> list[dict[str, Any]]:
        times = self.times[name]
        limit = int(query.get("limit", PAGE))
        first = int(query["fromId"]) if "fromId" in query else max(1, len(times) - limit + 1)
        return [
            {"id": n, "price": PRICE, "qty": QTY, "quoteQty": "64.0001", "time": times[n - 1],
             "isBuyerMaker": n % 2 == 0, "isBestMatch": True}
            for n in range(max(1, first), min(len(times), first + limit - 1) + 1)
        ]  # fmt: skip

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        """Take somebody who listens."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type != WSMsgType.TEXT:
                break
            asked = json.loads(message.data)
            for stream in asked["params"]:
                self.sockets.setdefault(stream, []).append(socket)
            await socket.send_str(json.dumps({"result": None, "id": asked["id"]}))
        for listeners in self.sockets.values():
            if socket in listeners:
                listeners.remove(socket)
        return socket

    async def say(self, burst: Burst) -> Sent:
        """Say some trades, and return when."""
        names = [symbol.replace("/", "") for symbol in burst.symbols]
        first_id = len(self.times[names[0]]) + 1
        sent = Sent(first_id, first_id + burst.count - 1, clock.mono_ns())
        for number in range(burst.count):
            if burst.rate:
                due_ns = sent.begun_ns + number * 1_000_000_000 // burst.rate
                await asyncio.sleep(max(0, due_ns - clock.mono_ns()) / 1e9)
            for name in names:
                await self._say_one(name, sent if burst.rate else None, quotes=burst.quotes)
        return sent

    async def _say_one(self, name: str, sent: Sent | None, *, quotes: bool) -> None:
        now_ms, low = _now_ms(), name.lower()
        self.times[name].append(now_ms)
        number = len(self.times[name])
        text = (
            f'{{"e":"trade","E":{now_ms},"s":"{name}","t":{number},"p":"{PRICE}","q":"{QTY}",'
            f'"T":{now_ms},"m":{"false" if number % 2 else "true"},"M":true}}'
        )
        if sent is not None:
            sent.at_ns.setdefault(name, []).append(clock.mono_ns())
        for socket in self.sockets.get(f"{low}@trade", ()):
            await socket.send_str(text)
        if quotes:
            quote = json.dumps({"u": number, "s": name, **BOOK})
            for socket in self.sockets.get(f"{low}@bookTicker", ()):
                await socket.send_str(quote)


def _now_ms() -> int:
    return clock.wall_ns() // MS_NS


async def _serve(port: int, symbols: list[str]) -> None:
    exchange = Exchange(symbols)
    app = web.Application()
    app.router.add_get("/api/v3/{call:.*}", exchange.rest)
    app.router.add_get("/stream/{rest:.*}", exchange.socket)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    sys.stdout.write("here\n")
    sys.stdout.flush()
    while line := await asyncio.to_thread(sys.stdin.readline):
        sent = await exchange.say(msgspec.json.decode(line, type=Burst))
        sys.stdout.buffer.write(msgspec.json.encode(sent) + b"\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2:]))
