"""Reports of a house that runs: exact while it trades, and the same when it is down."""

import csv
import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

from tests.system.checkout import Checkout

pytestmark = pytest.mark.slow
NUMBER = "20"
FILL_S = 90


@pytest.fixture(scope="module")
def traded() -> Iterator[Checkout]:
    """A house as it comes, in which something was bought or sold."""
    made = Checkout(RRR_HOUSE__NUMBER=NUMBER)
    try:
        made.up()
        made.until("a fill", lambda: _told(made, "trades"), patience_s=FILL_S)
        yield made
    finally:
        made.close()


def test_verbs_of_money_agree_while_it_trades_and_when_it_is_down(traded: Checkout) -> None:
    day = _told(traded, "trades")[0]["time"][:10]
    report = _told(traded, "report", day)
    assert [one["residual"] for one in report["accounts"]] == ["0"]
    assert report["accounts"][0]["fills"] >= 1
    rows = list(csv.DictReader(StringIO(traded.rrr("trades", "export").stdout)))
    assert {row["flags"] for row in rows} == {""}
    found = _told(traded, "why", rows[0]["order"])
    assert found["round_trip"]["fills"] >= 1
    assert sum(step["step"] == "fill" for step in found["steps"]) >= 1
    assert traded.rrr("why-not", rows[0]["symbol"]).stdout.splitlines()[0].endswith(".")
    assert _ours(traded, running=True)
    assert traded.rrr("down").returncode == 0
    again = _told(traded, "report", day)
    assert [one["residual"] for one in again["accounts"]] == ["0"]
    assert again["accounts"][0]["fills"] >= report["accounts"][0]["fills"]
    assert _ours(traded, running=False)


def _ours(house: Checkout, *, running: bool) -> dict[str, str]:
    found = _told(house, "balance")
    assert found["venue_known"] is running, found["why"]
    return {row["asset"]: row["ours"] for row in found["balances"]}


def _told(house: Checkout, *words: str) -> Any:
    done = house.rrr(*words, "--json")
    return json.loads(done.stdout) if done.returncode == 0 else None
