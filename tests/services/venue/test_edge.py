"""The venue's server under attack: garbage, clients that do not read, a port that is taken."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from bus.errors import BusyError
from services.venue import sockets
from services.venue.columns import DAY_MS, Tape
from services.venue.effects import Served
from services.venue.ledger import read_ledger
from services.venue.synthetic import Synthetic
from tests.services.venue.serving import Serving, serving

DAY = 20_400
ORIGIN_MS = DAY * DAY_MS - 60_000
WAIT_S = 15


def market() -> Synthetic:
    return Synthetic(7, ("BTC/USDT",), DAY - 2)


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Serving]:
    with serving(market(), ORIGIN_MS, 600.0, tmp_path) as found:
        yield found


def talk(work: Callable[[aiohttp.ClientSession], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(WAIT_S), aiohttp.ClientSession() as session:
            await work(session)

    asyncio.run(run())


def test_garbage_frames_are_answered_and_the_feed_goes_on(venue: Serving) -> None:
    async def work(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(f"{venue.ws}/stream/ws/7") as ws:
            await ws.send_str('{"method":"SUBSCRIBE","params":["btcusdt@trade","x@y"],"id":1}')
            assert await ws.receive_json() == {"result": None, "id": 1}
            for garbage in ("", "{", "[[[[", '{"method":"BUY"}', "\x00"):
                await ws.send_str(garbage)
            await ws.send_bytes(b"\xff\x00")
            errors = trades = 0
            while errors < 6 or trades < 100:
                message = await ws.receive_json()
                errors += "error" in message
                trades += message.get("e") == "trade"

    talk(work)


def test_the_socket_of_the_account_answers_garbage_in_its_own_form(venue: Serving) -> None:
    async def work(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(f"{venue.ws}/ws-api/v3") as ws:

            async def ask(text: str) -> tuple[object, int, int]:
                await ws.send_str(text)
                found = await ws.receive_json()
                return found["id"], found["status"], found.get("error", {}).get("code", 0)

            for garbage in ("", "{", "[]", '{"id":[]}', '{"method":"ping","params":7}'):
                assert await ask(garbage) == (None, 400, -1135)
            assert await ask('{"id":"a","method":"ping"}') == ("a", 200, 0)
            assert await ask('{"id":1,"method":"order.buy"}') == (1, 400, -1020)
            assert await ask('{"id":2,"method":"account.status"}') == (2, 401, -2014)
            named = '{"apiKey":"local","timestamp":1,"signature":"x"}'
            subscribe = "userDataStream.subscribe.signature"
            assert await ask(f'{{"id":3,"method":"{subscribe}","params":{named}}}') == (
                3,
                400,
                -1021,
            )

    talk(work)


def test_an_oversized_frame_ends_that_connection_alone(venue: Serving) -> None:
    async def work(session: aiohttp.ClientSession) -> None:
        async with (
            session.ws_connect(f"{venue.ws}/ws/btcusdt@trade") as other,
            session.ws_connect(f"{venue.ws}/ws") as ws,
        ):
            await ws.send_str("x" * (sockets.MESSAGE_BYTES + 10))
            closing = await ws.receive()
            assert closing.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
            assert (await other.receive_json())["e"] == "trade"

    talk(work)


def test_streams_named_in_the_address_come_wrapped_with_their_name(venue: Serving) -> None:
    async def work(session: aiohttp.ClientSession) -> None:
        address = f"{venue.ws}/stream?streams=btcusdt@bookTicker/btcusdt@kline_1m"
        seen: set[str] = set()
        async with session.ws_connect(address) as ws:
            while len(seen) < 2:
                message = await ws.receive_json()
                assert message["data"]["s"] == "BTCUSDT"
                seen.add(message["stream"])

    talk(work)


def test_a_stranger_on_the_port_is_answered_in_json(venue: Serving) -> None:
    async def work(session: aiohttp.ClientSession) -> None:
        for method, path in (("GET", "/"), ("POST", "/api/v3/depth"), ("PUT", "/api/v3/time")):
            async with session.request(method, venue.http + path) as response:
                assert response.status == 404
                assert json.loads(await response.text())["code"] == -1000
        async with session.get(f"{venue.http}/stream/ws/1") as response:
            assert response.status == 400

    talk(work)


@pytest.mark.slow
def test_a_client_that_does_not_read_is_dropped_and_the_others_are_served(tmp_path: Path) -> None:
    symbols = tuple(f"{base}/USDT" for base in ("BTC", "ETH", "SOL", "ADA", "XRP", "LTC"))
    with serving(Synthetic(7, symbols, DAY - 2), ORIGIN_MS, 3600.0, tmp_path) as venue:
        drop_the_deaf(venue, [symbol.replace("/", "").lower() for symbol in symbols])


def drop_the_deaf(venue: Serving, symbols: list[str]) -> None:
    kinds = ("depth", "depth@100ms", "depth@1000ms", "trade", "aggTrade", "kline_1m")
    names = json.dumps([f"{symbol}@{kind}" for symbol in symbols for kind in kinds])
    request = (
        f"GET /stream/ws/1 HTTP/1.1\r\nHost: 127.0.0.1:{venue.port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    ask = f'{{"method":"SUBSCRIBE","params":{names},"id":1}}'.encode()
    masked = b"\x81\xfe" + len(ask).to_bytes(2, "big") + bytes(4) + ask
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", venue.port))
    deaf.sendall(request.encode() + masked)

    async def work(session: aiohttp.ClientSession) -> None:
        async with session.ws_connect(f"{venue.ws}/ws/btcusdt@trade") as ws:
            dropped = 0
            while not dropped:
                assert (await ws.receive_json())["e"] == "trade"
                served = venue.thread.take()
                dropped = max((one.dropped for one in served if isinstance(one, Served)), default=0)
            assert (await ws.receive_json())["e"] == "trade"

    with deaf:
        talk(work)


def test_bytes_that_are_no_http_are_counted_and_printed_nowhere(
    venue: Serving, capfd: pytest.CaptureFixture[str]
) -> None:
    async def work(session: aiohttp.ClientSession) -> None:
        for garbage in (b"\x00\xff" * 50 + b"\r\n\r\n", b"GET /api?\xff HTTP/1.1\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", venue.port)
            writer.write(garbage)
            assert b"400" in await reader.readline()
            writer.close()
        async with session.get(f"{venue.http}/api/v3/ping") as response:
            assert response.status == 200

    talk(work)
    assert capfd.readouterr().err == ""
    assert venue.thread.failure is None


def test_a_defect_in_an_answer_ends_the_venue_instead_of_hiding_in_a_500(tmp_path: Path) -> None:
    class Broken(Synthetic):
        def make_tape(self, symbol: str, day: int) -> Tape:
            raise ZeroDivisionError

    async def work(session: aiohttp.ClientSession) -> None:
        async with session.get(f"{broken.http}/api/v3/trades?symbol=BTCUSDT") as response:
            assert response.status == 500
        while broken.thread.failure is None:  # noqa: ASYNC110 - the other side is a thread
            await asyncio.sleep(0.01)

    with serving(Broken(7, ("BTC/USDT",), DAY - 2), ORIGIN_MS, 1.0, tmp_path) as broken:
        talk(work)
        assert isinstance(broken.thread.failure, ZeroDivisionError)


def test_a_port_that_is_taken_is_said_with_what_to_do(venue: Serving, tmp_path: Path) -> None:
    taken = pytest.raises(BusyError, match=rf"port {venue.port} on 127\.0\.0\.1 is taken")
    with taken, serving(market(), ORIGIN_MS, 1.0, tmp_path, venue.port):
        pass


def test_the_ledger_runs_ahead_while_it_lives_and_is_exact_when_it_stops(tmp_path: Path) -> None:
    with serving(market(), ORIGIN_MS, 60.0, tmp_path) as venue:
        during = read_ledger(venue.ledger)
        assert during is not None and during.first_ns == ORIGIN_MS * 10**6
        assert during.market_ns > venue.clock.market_ns()
        venue.thread.stop()
        after = read_ledger(venue.ledger)
        assert after is not None
        assert after.market_ns <= venue.clock.market_ns() < during.market_ns
