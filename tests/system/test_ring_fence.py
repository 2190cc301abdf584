"""A house around which money moves: told or not, inside and outside of its ring fence."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from bus.wire import ask
from tests.system.checkout import Checkout

pytestmark = pytest.mark.slow

FENCE = '["USDT 5000"]'
EXTERNAL = "SELECT amount FROM ledger WHERE account = 'external' AND asset = 'USDT' ORDER BY ts_ns"
SUSPENSE = "SELECT entry, kind, amount FROM ledger WHERE account = 'suspense' ORDER BY ts_ns"


@pytest.fixture
def house() -> Iterator[Checkout]:
    made = Checkout(
        RRR_HOUSE__NUMBER="10", RRR_GATEWAY__RING_FENCE=FENCE, RRR_GATEWAY__RECONCILE_MS="2000",
        RRR_STRATEGY__PULSE__MODE="off",
    )  # fmt: skip
    try:
        made.up()
        yield made
    finally:
        made.close()


def row(house: Checkout, asset: str = "USDT") -> dict[str, str]:
    done = ask(house.run_dir, "gateway", "balances", timeout_ms=5_000)
    rows: list[dict[str, str]] = json.loads(done.body)
    return next((one for one in rows if one["asset"] == asset), {})


def sound(house: Checkout, *, but: tuple[str, ...] = ()) -> None:
    """See that audit and proofs find nothing, and that a fold of the journals is the shard."""
    report: dict[str, Any] = json.loads(house.rrr("audit", "--json", "--running").stdout)
    assert {check["name"] for check in report["checks"] if not check["ok"]} == set(but)
    for words in (("verify", "trading"), ("rebuild", "trading", "--verify")):
        done = house.rrr("db", *words)
        assert done.returncode == 0, done.stdout + done.stderr


def stops(house: Checkout) -> set[str]:
    return {one["what"] for one in house.status()["stops"]}


def amounts(house: Checkout) -> list[Decimal]:
    return [Decimal(one["amount"]) for one in house.query("trading", EXTERNAL)]


def test_money_that_moves_is_booked_once_and_outside_of_the_fence(house: Checkout) -> None:
    house.until("the opening", lambda: len(amounts(house)) == 1)
    assert amounts(house) == [95_000]
    assert Decimal(row(house)["ours"]) == 5_000
    for words in (("deposit", "USDT", "250.25"), ("withdraw", "USDT", "1000")):
        done = house.rrr("venue", *words)
        assert done.returncode == 0, done.stderr
    house.until("both movements", lambda: len(amounts(house)) == 3)
    assert amounts(house)[1:] == [Decimal("250.25"), -1_000]
    house.kill("gateway")
    house.until("a comparison", lambda: row(house) and Decimal(row(house)["difference"]) == 0)
    assert len(amounts(house)) == 3
    sound(house)
    # What comes while nobody listens is told to nobody.
    assert house.rrr("venue", "fault", "dead_stream", "--for", "5").returncode == 0
    assert house.rrr("venue", "deposit", "USDT", "40").returncode == 0
    house.until("what nobody told", lambda: len(amounts(house)) == 4)
    assert amounts(house)[-1] == 40
    assert house.query("trading", SUSPENSE) == []
    # More goes than lies outside: the rest is the house's loss, and halts.
    assert house.rrr("venue", "fault", "dead_stream", "--for", "5").returncode == 0
    assert house.rrr("venue", "withdraw", "USDT", "95000").returncode == 0
    house.until("a stop", lambda: "unexplained balance" in stops(house))
    house.until("suspense", lambda: house.query("trading", SUSPENSE))
    sound(house, but=("venue", "venue-seen"))
    adopted = house.rrr("adopt", "USDT", "-95000", "--book", "trading", "--yes", "I took it")
    assert adopted.returncode == 0, adopted.stdout + adopted.stderr
    house.until("no suspense", lambda: len(house.query("trading", SUSPENSE)) == 2)
    found = house.query("trading", SUSPENSE)
    assert [Decimal(one["amount"]) for one in found] == [-95_000, 95_000]
    sound(house)
