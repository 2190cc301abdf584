"""`rrr symbols` and `rrr data fetch` in a house that runs: a new symbol, its venue's history."""

import datetime as dt
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.system.checkout import Checkout

pytestmark = pytest.mark.slow
NEW = "XRP/USDT"
MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def checkout() -> Iterator[Checkout]:
    made = Checkout(
        RRR_CLOCK__SCALE="10", RRR_VENUE__HISTORY_DAYS="3", RRR_INGEST__HISTORY_DAYS="1"
    )
    try:
        made.up()
        yield made
    finally:
        made.close()


def told(checkout: Checkout, *words: str) -> Any:
    done = checkout.rrr(*words, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def klines(checkout: Checkout, symbol: str, since_ms: int, stop_ms: int) -> list[list[Any]]:
    found: list[list[Any]] = []
    while since_ms < stop_ms:
        query = f"symbol={symbol}&interval=1m&startTime={since_ms}&endTime={stop_ms - 1}&limit=1000"
        with urllib.request.urlopen(f"{checkout.venue}/api/v3/klines?{query}") as answer:
            page = json.load(answer)
        found += page
        since_ms = page[-1][0] + MINUTE_MS if len(page) == 1000 else stop_ms
    return found


def test_history_of_the_venue_is_fetched_once_and_whole(checkout: Checkout) -> None:
    (done,) = told(checkout, "data", "fetch", "BTC/USDT", "--since", "2d")
    assert done["exchange"].startswith("local_synthetic_")
    assert (done["added"], done["bad"]) == (done["bars"], 0)
    first, last = (_ms(done[name]) for name in ("since", "until"))
    theirs = klines(checkout, "BTCUSDT", first, last)
    assert done["bars"] == len(theirs) == (last - first) // MINUTE_MS - done["absent"]
    (again,) = told(checkout, "data", "fetch", "BTC/USDT", "--since", "2d")
    assert again["pages"] <= 1  # The minutes that passed meanwhile.


def test_a_new_symbol_is_heard_after_the_restart(checkout: Checkout) -> None:
    done = checkout.rrr("symbols", "add", NEW, "--restart", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "have begun anew" in done.stdout
    checkout.until("all is READY", lambda: checkout.status()["ready"])

    def standing() -> dict[str, Any]:
        rows = told(checkout, "data", "status", "--house")
        return next(row for row in rows if row["symbol"] == NEW)

    checkout.until("its history came", lambda: standing()["rows"] > 1_400)
    assert any(row["symbol"] == NEW for row in told(checkout, "symbols", "list"))


def test_a_symbol_goes_again_once_nothing_of_it_is_open(checkout: Checkout) -> None:
    locked = checkout.rrr("lock", NEW, "it goes", "--yes")
    assert locked.returncode == 0, locked.stderr
    said = ""

    def removed() -> bool:
        nonlocal said
        checkout.rrr("close", NEW, "--yes")
        done = checkout.rrr("symbols", "remove", NEW, "--restart", "--yes")
        said = done.stdout + done.stderr
        assert done.returncode == 0 or "is not removed" in said, said
        return done.returncode == 0

    checkout.until("it is removed", removed)
    checkout.until("all is READY", lambda: checkout.status()["ready"])
    assert not any(row["symbol"] == NEW for row in told(checkout, "symbols", "list")), said


def _ms(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).timestamp()) * 1000
