"""A house on paper: real processes, an exchange that dies beside it, and no key anywhere."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.system.books import assert_equal_everywhere, assert_orders_are_lawful, at_rest
from tests.system.checkout import Checkout
from tests.system.standin import StandIn

pytestmark = pytest.mark.slow

WORLD = "paper-binance-standin"
ONE = '["BTC/USDT"]'
PUBLIC = {"GET exchangeInfo", "GET time", "GET trades", "GET historicalTrades", "GET klines"}
"""What ingest asks an exchange for, beside the streams."""

STALE_MS = 2_000
QUIET_MS = 3_000


@pytest.fixture
def exchange() -> Iterator[StandIn]:
    """What plays the exchange; house 70 by itself."""
    made = StandIn("70", RRR_VENUE__SYMBOL=ONE)
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def paper(exchange: StandIn) -> Iterator[Checkout]:
    """A house on paper that trades every few seconds."""
    made = Checkout(
        MODE="paper",
        BINANCE_API_KEY="real",
        BINANCE_SECRET="real",
        RRR_HOUSE__NUMBER="71",
        RRR_EXCHANGE__URL=exchange.url,
        RRR_VENUE__SYMBOL=ONE,
        RRR_INGEST__HISTORY_DAYS="1",
        RRR_PREDICTOR__TRAIN="false",
        RRR_RISK__STALE_DATA_MS=str(STALE_MS),
        RRR_STRATEGY__PULSE__PARAMS__EVERY_S="3",
        RRR_STRATEGY__PULSE__PARAMS__HOLD_S="1",
    )
    made.venue = f"http://127.0.0.1:{int(made.venue.rpartition(':')[2]) + 710}"
    try:
        done = made.rrr("up")
        assert done.returncode == 0, done.stdout + done.stderr + made.story()
        assert "A REHEARSAL: A STAND-IN'S MARKET, SIMULATED MONEY" in done.stdout
        yield made
    finally:
        made.close()


def test_a_house_on_paper_trades_through_deaths_and_asks_for_nothing_private(
    paper: Checkout, exchange: StandIn
) -> None:
    _trades(paper)
    _outlives_its_venue(paper)
    _waits_for_the_exchange(paper, exchange)
    _has_equal_books(paper)
    asked = exchange.requests()
    assert asked
    assert not [line for line in asked if line.signed or line.client_id]
    assert {line.call for line in asked} <= PUBLIC, {line.call for line in asked}


def _trades(paper: Checkout) -> None:
    report = paper.status()
    assert (report["mode"], report["world"]) == ("paper", WORLD)
    assert {service["state"] for service in report["services"]} == {"READY"}
    paper.until("a round trip", lambda: _fills(paper) > 1)


def _outlives_its_venue(paper: Checkout) -> None:
    before = _fills(paper)
    paper.kill("venue")
    paper.until("trades after the kill", lambda: _fills(paper) > before + 1)


def _waits_for_the_exchange(paper: Checkout, exchange: StandIn) -> None:
    exchange.kill()
    why = paper.until("the venue is closed", lambda: _reason(paper, "venue"))
    assert why.startswith("it matches nothing: BTC/USDT: its feed is CONNECTING"), why
    paper.until("ingest says what to do", lambda: "whether it runs" in _reason(paper, "ingest"))
    paper.clock.pause_ms(STALE_MS)  # Until then the last prices are good enough for risk.
    before = _counts(paper)
    paper.clock.pause_ms(QUIET_MS)
    assert _counts(paper) == before
    exchange.start()
    paper.until("it is READY again", lambda: paper.status()["ready"])
    paper.until("it trades again", lambda: _fills(paper) > before[0])


def _has_equal_books(paper: Checkout) -> None:
    at_rest(paper)
    assert_equal_everywhere(paper)
    assert_orders_are_lawful(paper)
    audit = paper.rrr("audit")
    assert audit.returncode == 0, audit.stdout + audit.stderr


def _fills(house: Checkout) -> int:
    return _counts(house)[0]


def _counts(house: Checkout) -> tuple[int, int]:
    """Return the fills, and the orders that were sent."""
    sql = "SELECT (SELECT count(*) FROM fills) AS fills, count(*) AS orders FROM orders"
    (row,) = house.query("trading", f"{sql} WHERE status <> 'DENIED'")
    return int(row["fills"]), int(row["orders"])


def _reason(house: Checkout, name: str) -> str:
    services: list[dict[str, Any]] = house.status()["services"]
    reason: str = next(one["reason"] for one in services if one["name"] == name)
    return reason
