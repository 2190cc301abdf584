"""The addresses, keys and memory of the gateway's ccxt."""

import asyncio
import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bus.errors import SettingsError
from bus.house import open_house
from schema.setting_types import PLAY_KEY, PLAY_SECRET
from schema.settings import Settings
from services.gateway.edge import Exchange, open_exchange
from services.gateway.edge_session import FAILURES, Pace, Session, open_session, said_by
from services.gateway.keys import FILE, Keys
from tests.ports import free_port
from tests.services.bare import bare_house
from tests.services.gateway.served import settings
from tests.services.shipped import shipped

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


REAL = Keys("k", "s")


def in_mode(mode: str, url: str = "") -> Settings:
    changes = {"RRR_PORTS__VENUE": "8123", "RRR_EXCHANGE__ACCOUNT": "main7"}
    return shipped(MODE=mode, RRR_EXCHANGE__URL=url, **changes)


def hosts(session: Session) -> set[str]:
    """Return whom the private side of a session reaches: REST, the wallet and the stream."""
    known = session.urls["api"]
    reached = [known["private"], known["public"], known["sapi"], known["ws"]["ws-api"]["spot"]]
    return {address.partition("//")[2].partition("/")[0] for address in reached}


def test_real_money_goes_to_the_exchange_and_never_to_the_venue() -> None:
    session = open_session(in_mode("live"), lambda: 0, Pace(), REAL)
    assert {host.partition(":")[0].rpartition(".binance.")[2] for host in hosts(session)} == {"com"}
    assert (session.apiKey, session.secret) == ("k", "s")


def test_a_rehearsal_of_real_money_knows_the_stand_in_alone() -> None:
    found = open_session(in_mode("live", "http://127.0.0.1:9000"), lambda: 0, Pace(), REAL)
    addresses_of = addresses(found.urls["api"])
    assert {place.partition("//")[2].partition("/")[0] for place in addresses_of} == {
        "127.0.0.1:9000"
    }


def test_paper_money_goes_to_the_venue_of_this_house_whoever_plays_the_market() -> None:
    session = open_session(in_mode("paper", "http://127.0.0.1:9000"), lambda: 0, Pace())
    assert hosts(session) == {"127.0.0.1:8123"}
    assert (session.apiKey, session.secret) == (PLAY_KEY, PLAY_SECRET)


@pytest.mark.parametrize(("mode", "keys"), [("live", None), ("paper", REAL), ("local", REAL)])
def test_keys_are_for_real_money_and_for_nothing_else(mode: str, keys: Keys | None) -> None:
    with pytest.raises(SettingsError, match=mode):
        open_session(in_mode(mode), lambda: 0, Pace(), keys)


@pytest.mark.parametrize("mode", ["local", "paper"])
def test_without_real_money_nobody_looks_for_keys(mode: str) -> None:
    with bare_house() as house:
        os.mkfifo(house.root / FILE, 0o600)  # Whoever opens it would wait, or complain.
        made = open_house(house.root, {"MODE": mode})
        assert isinstance(open_exchange(made), Exchange)


def test_a_failure_tells_no_signature() -> None:
    error = OSError("GET https://x/api/v3/account?timestamp=1&signature=ab12 failed")
    assert said_by(error) == "OSError: GET https://x/api/v3/account?... failed"


def test_real_money_without_keys_does_not_start() -> None:
    with bare_house() as house:
        made = open_house(house.root, {"MODE": "live", "RRR_EXCHANGE__ACCOUNT": "main7"})
        with pytest.raises(SettingsError, match="rrr keys set"):
            open_exchange(made)


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
