"""Where the exchange is a real one: its public side alone, by no key, and what a refusal says."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bus.clock import SystemClock
from schema.settings import Settings
from services.ingest.core import Ingest
from services.ingest.edge import Binance
from services.ingest.edge_budget import Budget
from services.ingest.edge_session import open_binance
from tests.ports import free_port
from tests.services.ingest.house import Seat
from tests.services.shipped import shipped

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
REAL = "binance.com"


def on(mode: str, url: str = "") -> Settings:
    return shipped(
        MODE=mode,
        RRR_EXCHANGE__URL=url,
        RRR_EXCHANGE__ACCOUNT="main7",
        RRR_VENUE__SYMBOL='["BTC/USDT"]',
    )


def hosts(exchange: Any) -> set[str]:
    """Return whom the public side of a session reaches."""
    known = exchange.urls["api"]
    reached = [known["public"], known["ws"]["spot"], known["ws"]["ws-api"]["spot"]]
    return {address.split("/")[2] for address in reached}


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_without_a_stand_in_ccxts_own_addresses_are_used(mode: str) -> None:
    exchange = open_binance(on(mode), Budget(0.5))
    assert {host.partition(":")[0].rpartition(".binance.")[2] for host in hosts(exchange)} == {
        "com"
    }


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_a_stand_in_is_the_only_exchange_that_is_known(mode: str) -> None:
    exchange = open_binance(on(mode, "http://127.0.0.1:9000"), Budget(0.5))
    assert hosts(exchange) == {"127.0.0.1:9000"}
    assert REAL not in str(exchange.urls["api"])


def test_in_local_mode_a_stand_in_is_not_asked() -> None:
    exchange = open_binance(on("local", "http://127.0.0.1:9000"), Budget(0.5))
    assert hosts(exchange) == {"127.0.0.1:8090"}


@pytest.mark.parametrize("status", ["451 Unavailable For Legal Reasons", "403 Forbidden"])
def test_an_exchange_that_bars_this_country_is_named_with_a_cure(status: str) -> None:
    reason = asyncio.run(_reason_of(_answering(status)))
    assert f"refuses this machine's address: HTTP {status[:3]}" in reason
    assert "`exchange.url`" in reason


def test_a_stand_in_that_does_not_run_is_named_with_a_cure() -> None:
    port, reason = asyncio.run(_reason_of_nobody())
    assert f"what plays the exchange at 127.0.0.1:{port} cannot be reached" in reason
    assert "whether it runs" in reason


async def _reason_of_nobody() -> tuple[int, str]:
    port = free_port()
    return port, await _reason(port)


async def _reason_of(serve: Serve) -> str:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        return await _reason(server.sockets[0].getsockname()[1])


async def _reason(port: int) -> str:
    """Return what a house on paper says of the exchange at a port; it tries again meanwhile."""
    settings = on("paper", f"http://127.0.0.1:{port}")
    core = Ingest(settings)
    seat = Seat(Binance(settings), SystemClock(), core)
    await seat.start()
    try:
        await seat.until(lambda: bool(seat.notes), "a session that ended")
        return str(core.trouble(0))
    finally:
        await seat.stop()


def _answering(status: str) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b'{"code": 0, "msg": "Service unavailable from a restricted location"}'
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    return serve
