"""Real money, rehearsed: a house in live mode at a stand-in, from no permission to its end."""

import json
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import psutil  # type: ignore[import-untyped]  # it ships none, and the lock has none
import pytest

from schema.head import Message
from schema.orders import Fill, LiveArmed, LiveDisarmed, OrderSubmitted
from schema.setting_types import PLAY_KEY, PLAY_KEY_WITHDRAWS, PLAY_SECRET
from services.gateway.keys import FILE, Keys, file_of
from tests.system.checkout import Checkout
from tests.system.journals import messages
from tests.system.standin import StandIn

pytestmark = pytest.mark.slow

ACCOUNT = "acct81"
CANARY = f"canary-{token_hex(8)}"
"""The secret of the stand-in, which is in no source of the house that holds it."""

WORLD = "live-binance-standin-acct"
FAST = {
    "RRR_STRATEGY__PULSE__PARAMS__EVERY_S": "4",
    "RRR_STRATEGY__PULSE__PARAMS__HOLD_S": "2",
    "RRR_STRATEGY__THRESHOLD__MODE": "off",
    "RRR_PREDICTOR__TRAIN": "false",
    "RRR_INGEST__HISTORY_DAYS": "1",
    "RRR_VENUE__SYMBOL": "BTC/USDT",
}


class LiveHouse(Checkout):
    """A house whose exchange is a stand-in, and whose keys a person has put there."""

    def __init__(self, url: str) -> None:
        super().__init__(
            MODE="live",
            RRR_EXCHANGE__ACCOUNT=ACCOUNT,
            RRR_EXCHANGE__URL=url,
            RRR_HOUSE__NUMBER="81",
            **FAST,
        )

    def put_key(self, key: str) -> None:
        path = self.root / FILE
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(file_of({f"binance-{ACCOUNT}": Keys(key, CANARY)}))

    def journal_dir(self) -> Path:
        return self.root / "data" / WORLD / "journal"

    def said(self) -> list[Message]:
        return messages(self.journal_dir(), "gateway.order")

    def sent(self) -> list[OrderSubmitted]:
        return [one for one in self.said() if isinstance(one, OrderSubmitted)]

    def entries(self) -> list[OrderSubmitted]:
        return [one for one in self.sent() if one.intent.leg == "entry"]

    def fills(self) -> int:
        return sum(isinstance(one, Fill) for one in self.said())

    def check(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.rrr("live", "check", "--json").stdout)
        return found

    def arm(self, span: str, why: str = "a rehearsal") -> str:
        """Arm it as a script does; return what it said instead, if it did not."""
        done = self.rrr("live", "arm", "--for", span, "--why", why, "--account", ACCOUNT)
        return "" if done.returncode == 0 else done.stdout + done.stderr

    def alerts(self) -> set[str]:
        return {one["name"] for one in self.status()["alerts"]}

    def holds(self, condition: str) -> bool:
        return all(one["state"] != "fails" for one in self.check()["conditions"]
                   if one["name"] == condition)  # fmt: skip


@pytest.fixture
def exchange() -> Iterator[StandIn]:
    made = StandIn("80", RRR_VENUE__SYMBOL="BTC/USDT")
    types = made.house.root / "schema" / "setting_types.py"
    types.write_text(types.read_text().replace(f'"{PLAY_SECRET}"', f'"{CANARY}"'))
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def house(exchange: StandIn) -> Iterator[LiveHouse]:
    made = LiveHouse(exchange.url)
    try:
        yield made
    finally:
        made.close()


def test_real_money_waits_for_a_person_and_ends_by_itself(
    house: LiveHouse, exchange: StandIn
) -> None:
    refuses_without_keys(house)
    house.put_key(PLAY_KEY)
    done = house.rrr("up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"World: {WORLD} (live)" in done.stdout
    assert "leaves before it is armed" in done.stdout
    nothing_leaves_before_it_is_armed(house, exchange)
    house.until("all conditions hold", lambda: house.check()["ok"])
    assert house.arm("1h") == ""
    house.until("it trades", lambda: house.fills() >= 2)
    a_death_changes_nothing(house)
    nobody_else_saw_the_secret(house)
    it_ends_by_itself(house)
    a_key_that_may_withdraw_is_refused(house)
    a_file_of_keys_that_others_can_read_is_refused(house)


def refuses_without_keys(house: LiveHouse) -> None:
    done = house.rrr("up")
    assert done.returncode == 78, done.stdout + done.stderr
    assert "rrr keys set" in done.stderr


def nothing_leaves_before_it_is_armed(house: LiveHouse, exchange: StandIn) -> None:
    house.until("somebody is told", lambda: "LiveNotArmed" in house.alerts())
    report = house.status()
    assert not report["trading"]
    states = {one["name"]: one["state"] for one in report["services"]}
    assert states["gateway"] == "DEGRADED"  # From its start on: it closes and protects.
    (stop,) = [one for one in report["stops"] if one["what"] == "not armed"]
    assert stop["release"].startswith("rrr live arm")
    assert not [one for one in exchange.requests() if one.call == "POST order"]
    assert "not the account" in house.rrr(
        "live", "arm", "--for", "1h", "--why", "x", "--account", "other"
    ).stderr or not house.check()["ok"]  # fmt: skip


def a_death_changes_nothing(house: LiveHouse) -> None:
    house.kill("gateway")
    assert house.check()["armed"]
    before = len(house.entries())
    house.until("it goes on", lambda: len(house.entries()) > before)


def it_ends_by_itself(house: LiveHouse) -> None:
    assert house.arm("6s") == ""
    house.until("two hours before it somebody is told", lambda: "LiveArmEnds" in house.alerts())
    house.until("it is over", lambda: not house.check()["armed"])
    house.until("somebody is told", lambda: "LiveNotArmed" in house.alerts())
    report = house.status()
    assert [one["what"] for one in report["stops"] if "live arm" in one["release"]] == [
        "arm expired"
    ]
    house.until("what was bought is sold", lambda: house.sent()[-1].intent.leg != "entry")
    until_ns = 0
    for message in house.said():
        match message:
            case LiveArmed():
                until_ns = message.until_ns
            case LiveDisarmed():
                until_ns = 0
            case OrderSubmitted(intent=intent) if intent.leg == "entry":
                assert message.ts_event < until_ns


def nobody_else_saw_the_secret(house: LiveHouse) -> None:
    house.rrr("keys", "test")
    canary = CANARY.encode()
    for process in house.processes():
        assert CANARY not in " ".join(process.cmdline())
        assert CANARY not in str(process.environ())
    gateway = psutil.Process(house.pids()["gateway"])
    if hasattr(gateway, "rlimit"):
        assert gateway.rlimit(psutil.RLIMIT_CORE)[0] == 0
    kept = [path for path in house.root.rglob("*") if path.is_file() and path.name != FILE]
    assert len(kept) > 100
    assert [path for path in kept if canary in path.read_bytes()] == []


def a_key_that_may_withdraw_is_refused(house: LiveHouse) -> None:
    house.until("it is there", lambda: "gateway" in house.pids())
    house.put_key(PLAY_KEY_WITHDRAWS)
    psutil.Process(house.pids()["gateway"]).kill()
    house.until("the exchange has said so", lambda: not house.holds("key withdraws"))
    assert "key withdraws" in house.arm("1h")
    assert not house.check()["armed"]


def a_file_of_keys_that_others_can_read_is_refused(house: LiveHouse) -> None:
    house.put_key(PLAY_KEY)
    psutil.Process(house.pids()["gateway"]).kill()
    house.until("all conditions hold", lambda: house.check()["ok"])
    (house.root / FILE).chmod(0o644)
    house.until("it is seen", lambda: not house.holds("keys"))
    assert "nothing was armed: keys" in house.arm("1h")
    assert house.rrr("keys", "test").returncode == 1
