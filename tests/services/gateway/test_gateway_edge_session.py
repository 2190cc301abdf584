"""The addresses, keys and memory of the gateway's ccxt."""

import asyncio
import gc
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.errors import SettingsError
from schema.settings import PLAY_KEY, PLAY_SECRET
from services.gateway.edge_session import FAILURES, Pace, Session, open_session
from tests.ports import free_port
from tests.services.gateway.served import settings

ROOT = Path(__file__).parents[3]
RSS_MAX = 70 << 20

LOAD = """
import sys

import psutil

import bus.edge
import bus.shell
from services.gateway.edge import Exchange

assert not hasattr(sys.modules["ccxt.pro.kraken"], "__file__")
print(psutil.Process().memory_info().rss)
"""


def opened() -> Session:
    return open_session(settings(8_123), lambda: 0, Pace())


def addresses(urls: object) -> list[str]:
    if isinstance(urls, str):
        return [urls]
    assert isinstance(urls, dict)
    return [found for inner in urls.values() for found in addresses(inner)]


def test_the_gateway_knows_no_other_address_than_the_venue() -> None:
    found = addresses(opened().urls["api"])
    assert {address.partition("//")[2].partition("/")[0] for address in found} == {"127.0.0.1:8123"}


def test_an_endpoint_that_is_not_the_venue_fails_closed() -> None:
    with pytest.raises(Exception, match="does not have a testnet"):
        opened().sign("order", ["fapiPrivate"], "POST", {})


def test_the_journaled_time_wins_over_ccxt_and_so_does_its_window() -> None:
    session = opened()
    body = session.sign("order", ["private"], "POST", {"newClientOrderId": "a", "timestamp": 7})
    fields = dict(pair.split("=") for pair in body["body"].split("&"))
    assert (fields["timestamp"], fields["recvWindow"]) == ("7", "5000")


def test_no_key_but_the_one_for_play_is_known() -> None:
    session = opened()
    assert (session.apiKey, session.secret) == (PLAY_KEY, PLAY_SECRET)


def test_a_create_is_never_repeated_and_never_throttled() -> None:
    session = opened()
    assert session.enableRateLimit is False
    assert session.options["maxRetriesOnFailure"] == 0
    assert session.timeout < settings(8_123).gateway.answer_ms


def test_no_order_leaves_in_another_mode() -> None:
    with pytest.raises(SettingsError, match="paper"):
        open_session(msgspec.structs.replace(settings(8_123), mode="paper"), lambda: 0, Pace())


def test_a_stream_that_finds_nobody_leaves_no_failure_unread() -> None:
    async def dialled() -> list[dict[str, Any]]:
        unread: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: unread.append(what))
        session = open_session(settings(free_port()), lambda: 0, Pace(close_s=0.0))
        with pytest.raises(FAILURES):
            await session.subscribe()
        await session.close()
        del session
        gc.collect()
        return unread

    assert asyncio.run(dialled()) == []


def test_the_gateway_is_small_enough() -> None:
    run = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < RSS_MAX
