"""`rrr balance`: what the gateway tells of each asset, and the ledger's word while it is away."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from schema.orders import BalanceSeen
from services.rrr.survey import NotReadyError
from tests.services.bare import bare_house, entered_house
from tests.services.rrr.answering import Answers, Services
from tests.services.rrr.money_desk import BEGIN_NS, Desk, run, told

USDT = {
    "asset": "USDT", "ours": "999.5", "external": "100", "free": "1000", "locked": "99.5",
    "venue": "1099.5", "difference": "0", "fence": "999.5", "as_of": "2023-11-14T22:13:00.000Z",
}  # fmt: skip
ODD = {
    "asset": "BTC", "ours": "0.5", "external": "0", "free": "0.4", "locked": "0",
    "venue": "0.4", "difference": "-0.1", "fence": "0.4",
}  # fmt: skip


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A house in which nothing runs, entered."""
    with entered_house() as house:
        yield Desk(house)


def asked(answers: Answers, *words: str) -> Any:
    with bare_house() as house:
        services = Services(house, ("gateway",), answers)
        try:
            return services.rrr("balance", *words)
        finally:
            services.close()


def test_a_table_shows_ours_the_venues_and_the_difference() -> None:
    done = asked({("gateway", "balances"): (True, "", [USDT, ODD])})
    head, usdt, btc = done.out.splitlines()[1:4]
    assert head.split() == [
        *("ASSET", "OURS", "EXTERNAL", "VENUE", "FREE", "LOCKED", "DIFFERENCE", "FENCE"),
    ]
    assert usdt.split()[:4] == ["USDT", "999.5", "100", "1099.5"]
    assert btc.split()[-2:] == ["-0.1", "0.4"]
    assert "it stops trading" in done.out
    assert done.out.rstrip().endswith("what the exchange said at 2023-11-14T22:13:00.000Z.")
    assert (done.code, done.asked) == (0, [("gateway", "balances")])


def test_json_has_what_the_gateway_says_and_may_lack_what_it_does_not() -> None:
    partly = {"asset": "ETH", "ours": "1"}
    done = asked({("gateway", "balances"): (True, "", [USDT, partly])}, "--json")
    found = json.loads(done.out)
    assert found["venue_known"] is True
    assert found["balances"][0] == USDT
    assert found["balances"][1]["venue"] is None


def test_an_answer_in_a_strange_form_is_one_clear_line() -> None:
    done = asked({("gateway", "balances"): (True, "", {"no": "list"})})
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "Traceback" not in done.err


def test_while_the_house_is_down_the_ledger_tells_ours_alone(desk: Desk) -> None:
    desk.put_in(0, "USDT", 1_000 * 10**8)
    desk.fill(1, "buy", 1_000, 6_000_000, fee=100_000_000)
    desk.day.say(BalanceSeen(ts_event=BEGIN_NS, asset="ETH", free=5, locked=0, exp=1, difference=5))
    desk.keep()
    found = told("balance")
    rows = {row["asset"]: row for row in found["balances"]}
    assert (rows["USDT"]["ours"], rows["BTC"]["ours"]) == ("399", "0.01")
    assert (rows["USDT"]["venue"], rows["USDT"]["fence"]) == (None, None)
    assert (rows["ETH"]["ours"], rows["ETH"]["difference"]) == ("0", "0.5")
    assert found["venue_known"] is False
    assert "The venue's figures are not known: gateway does not run" in run("balance").output


@pytest.mark.usefixtures("desk")
def test_before_there_is_a_shard_nothing_can_be_told() -> None:
    assert isinstance(run("balance").exception, NotReadyError)
