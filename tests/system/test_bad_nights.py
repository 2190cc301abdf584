"""Bad nights of an operator, who gets through each with the commands that status names."""

import signal
import tempfile
from collections.abc import Iterator
from typing import Any

import psutil  # type: ignore[import-untyped]  # it ships none, and the lock has none
import pytest

from tests.system import journals, market
from tests.system.account import Account
from tests.system.books import assert_equal_everywhere, assert_orders_are_lawful, at_rest
from tests.system.checkout import Checkout
from tests.system.operator import Operator

pytestmark = pytest.mark.slow

VENUE_SYMBOL = "BTCUSDT"
SCALE = 120
OUTAGE_S = 40 * 60 // SCALE
FOR_EVER_S = 3_600
DEATHS = 8
QUIET_S = 5
HELD = ("risk", "engine", "ingest", "monitor")


def new_house(directory: str) -> Checkout:
    """Return a house in which a small round trip is made every minute or so."""
    return market.replaying(
        directory,
        SCALE,
        RRR_STRATEGY__THRESHOLD__MODE="off",
        RRR_STRATEGY__PULSE__PARAMS__EVERY_S="240",
        RRR_STRATEGY__PULSE__PARAMS__HOLD_S="180",
    )


@pytest.fixture
def house() -> Iterator[Checkout]:
    with tempfile.TemporaryDirectory() as directory:
        made = new_house(directory)
        try:
            yield made
        finally:
            made.close()


def test_an_exchange_that_answers_5xx_for_forty_minutes(house: Checkout) -> None:
    house.up()
    page = Account(house.venue)
    house.until("a purchase", lambda: house.status()["positions"])
    fault(house, "error_5xx", "--for", str(OUTAGE_S), "call=any", "when=before")
    begun_ns = house.clock.mono_ns()
    house.until("a sell in doubt", lambda: in_doubt(house))
    assert [row["what"] for row in house.status()["stops"]].count("order unconfirmed") == 1
    left_ms = OUTAGE_S * 1_000 - (house.clock.mono_ns() - begun_ns) // 1_000_000
    house.clock.pause_ms(max(0, left_ms))
    fault(house, "error_5xx", "--for", str(FOR_EVER_S), "call=GET order", "when=before")
    (order_id,) = in_doubt(house)
    operator = Operator(house, fate=lambda part: fate_of(page, part))
    operator.bring_back()
    assert operator.typed == [
        ("rrr", "resolve", order_id[:12], "absent", "--evidence", "the night is over")
    ]
    said: list[Any] = journals.messages(house.journal_dir(), "gateway.order")
    (word,) = [m for m in said if type(m).__name__ == "OrderResolved"]
    assert (word.client_order_id, word.fate) == (order_id, "absent")
    assert word.by
    house.rrr("venue", "fault", "--clear")
    house.until("the position is sold", lambda: sold_after(page))
    at_rest(house)
    assert_equal_everywhere(house)
    assert_orders_are_lawful(house)
    clean(house)


def test_a_service_that_is_left_down_after_a_crash_loop(house: Checkout) -> None:
    house.up()
    house.until("a fill", lambda: house.query("trading", "SELECT 1 AS n FROM fills LIMIT 1"))
    for _ in range(DEATHS):
        if crash_loop(house):
            break
        house.until("risk runs, or is left down", lambda: crash_loop(house) or process(house))
        for one in process(house):
            one.kill()
        house.clock.pause_ms(200)
    house.until("it is left down", lambda: crash_loop(house))
    assert house.status()["trading"] is False
    operator = Operator(house)
    operator.bring_back()
    assert operator.typed == [("supervisorctl", "start", "risk")]
    before = len(Account(house.venue).trades(VENUE_SYMBOL))
    house.until("it trades on", lambda: len(Account(house.venue).trades(VENUE_SYMBOL)) > before)
    at_rest(house)
    assert_equal_everywhere(house)
    assert_orders_are_lawful(house)
    clean(house)


def test_a_kill_works_at_boot_and_whoever_else_is_held(house: Checkout) -> None:
    file = house.run_dir / "KILL"
    file.write_text("HALTED not today\n")
    house.up()
    page = Account(house.venue)
    house.clock.pause_ms(QUIET_S * 1_000)
    assert page.orders(VENUE_SYMBOL) == []
    report = house.status()
    assert report["trading"] is False
    assert report["stops"][0]["by"] == "file"
    refused = house.rrr("resume", "too soon", "--yes")
    assert refused.returncode == 3
    assert "not today" in refused.stderr
    file.unlink()
    Operator(house).bring_back()
    house.until("an order", lambda: page.orders(VENUE_SYMBOL))
    for name in HELD:
        kill_with_one_held(house, page, name)
    house.until("a position", lambda: house.status()["positions"])
    assert house.rrr("kill", "out", "--flatten").returncode == 0
    house.until("all is sold", lambda: house.status()["risk"]["state"] == "HALTED")
    house.until("nothing is open", lambda: page.get("/api/v3/openOrders") == [])
    assert all(float(one["qty"]) < 0.0002 for one in house.status()["positions"])


def kill_with_one_held(house: Checkout, page: Account, name: str) -> None:
    (held,) = process(house, name)
    held.send_signal(signal.SIGSTOP)
    try:
        done = house.rrr("kill", f"{name} hangs")
        assert done.returncode == 0, done.stderr
        assert f"{name} hangs" in done.stdout
        bought = entries(page)
        house.clock.pause_ms(2_000)
        assert entries(page) == bought
    finally:
        held.send_signal(signal.SIGCONT)
    Operator(house).bring_back()


def entries(page: Account) -> int:
    return sum(1 for row in page.orders(VENUE_SYMBOL) if row["side"] == "BUY")


def fault(house: Checkout, name: str, *words: str) -> None:
    done = house.rrr("venue", "fault", name, *words)
    assert done.returncode == 0, done.stderr


def in_doubt(house: Checkout) -> list[str]:
    """Return the sells that status tells to be in doubt."""
    rows = house.status()["stops"]
    return [row["why"].split()[1] for row in rows if row["what"] == "order unconfirmed"]


def fate_of(page: Account, part: str) -> str:
    """Look at the venue's own page."""
    rows = [row for row in page.orders(VENUE_SYMBOL) if row["clientOrderId"].startswith(part)]
    return "present" if rows else "absent"


def sold_after(page: Account) -> bool:
    rows = page.orders(VENUE_SYMBOL)
    return bool(rows) and rows[-1]["side"] == "SELL" and rows[-1]["status"] == "FILLED"


def process(house: Checkout, name: str = "risk") -> list[psutil.Process]:
    """Return the process of a service, asked of the machine."""
    found = []
    for one in house.processes():
        try:
            if f"services.{name}" in one.cmdline():
                found.append(one)
        except psutil.Error:
            continue
    return found


def crash_loop(house: Checkout) -> bool:
    what = "service left down after a crash loop"
    loops = [row["scope"] for row in house.status()["stops"] if row["what"] == what]
    assert loops in ([], ["risk"]), house.story()
    return loops == ["risk"]


def clean(house: Checkout) -> None:
    """Hold all books against each other once more, by the audit that was written apart."""
    done = house.rrr("audit", "--running", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
