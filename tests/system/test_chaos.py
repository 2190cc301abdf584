"""Chaos: several processes at once are killed or held while it trades, and nobody waits for them.

The books come out equal everywhere, and no service finds its own past to be another.
"""

import os
import random
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships none, and the lock has none
import pytest

from schema.house import Alert
from tests.system import journals, market
from tests.system.books import assert_equal_everywhere, assert_orders_are_lawful, at_rest
from tests.system.checkout import Checkout

pytestmark = pytest.mark.slow

SEED = 7
TRADERS = ("engine", "risk", "gateway", "venue")
OTHERS = ("ingest", "predictor", "writer_trading", "writer_market", "monitor")
KILLS = 3
"""So many rounds of kills: a fifth death within a minute would be a crash loop."""

ALARMS = {"BooksDiffer", "OrderBreach", "InstrumentHalted", "BalanceDiffers"}
"""What no death of a process may make somebody believe."""

DEFECTS = ("Traceback", "AssertionError")


@pytest.fixture
def house() -> Iterator[Checkout]:
    """A house that makes a small round trip every few seconds."""
    with tempfile.TemporaryDirectory() as directory:
        made = market.replaying(
            directory,
            RRR_STRATEGY__PULSE__PARAMS__EVERY_S="120",
            RRR_STRATEGY__PULSE__PARAMS__HOLD_S="60",
        )
        try:
            made.up()
            yield made
        finally:
            made.close()


def test_books_are_equal_after_many_have_died_at_once(house: Checkout) -> None:
    chance = random.Random(SEED)
    for _ in range(KILLS):
        _until_it_trades_again(house)
        _kill_when_an_order_is_on_its_way(house, (chance.choice(TRADERS), chance.choice(OTHERS)))
        house.clock.pause_ms(chance.randrange(1_500))  # Some of them are in their recovery now.
        _kill(house, (chance.choice(TRADERS),))
    _hold(house, chance.sample(TRADERS, 2), chance.randrange(500, 2_500))
    _until_it_trades_again(house)
    _kill_the_supervisor_and(house, chance.sample(TRADERS, 2))
    _until_it_trades_again(house)
    at_rest(house)
    assert_equal_everywhere(house)
    assert_orders_are_lawful(house)
    assert journals.holes(house.journal_dir()) == []
    assert _alarms(house) == []
    assert _defects(house) == []
    assert house.rrr("down").returncode == 0
    assert house.left_behind() == []


def _kill_when_an_order_is_on_its_way(house: Checkout, names: tuple[str, ...]) -> None:
    orders = house.journal_dir() / "gateway" / "order"
    before = _written(orders)
    house.until("an order", lambda: _written(orders) > before)
    _kill(house, names)


def _written(directory: Path) -> int:
    return sum(path.stat().st_mtime_ns for path in directory.glob("*.seg"))


def _kill(house: Checkout, names: tuple[str, ...] | list[str]) -> None:
    for process in _running(house, names):
        process.send_signal(signal.SIGKILL)


def _hold(house: Checkout, names: list[str], held_ms: int) -> None:
    held = _running(house, names)
    for process in held:
        process.send_signal(signal.SIGSTOP)
    house.clock.pause_ms(held_ms)
    for process in held:
        process.send_signal(signal.SIGCONT)


def _kill_the_supervisor_and(house: Checkout, names: list[str]) -> None:
    supervisor = int((house.run_dir / "supervisord.pid").read_text())
    os.kill(supervisor, signal.SIGKILL)
    _kill(house, names)
    house.up()


def _running(house: Checkout, names: tuple[str, ...] | list[str]) -> list[psutil.Process]:
    # From the machine, not from the house: half of it may be dead while this asks.
    wanted = {*(f"services.{name}" for name in names)}
    found = {process: _program(process) for process in house.processes()}
    return [process for process, program in found.items() if program in wanted]


def _program(process: psutil.Process) -> str:
    try:
        parts: list[str] = process.cmdline()[2:]
    except psutil.Error:
        return ""
    return "_".join(parts)


def _until_it_trades_again(house: Checkout) -> None:
    house.until("all is READY", lambda: house.status()["ready"])
    before = _fills(house)
    house.until("a fill", lambda: _fills(house) > before)


def _fills(house: Checkout) -> int:
    return int(house.query("trading", "SELECT count(*) AS n FROM fills")[0]["n"])


def _alarms(house: Checkout) -> list[str]:
    said = journals.messages(house.journal_dir(), "monitor.alert")
    return [one.summary for one in said if isinstance(one, Alert) and one.name in ALARMS]


def _defects(house: Checkout) -> list[str]:
    logs = [*(house.root / "logs").glob("*/*.out"), *(house.root / "logs").glob("*/*.jsonl")]
    return [
        f"{log.name}: {line}"
        for log in logs
        for line in log.read_text(errors="replace").splitlines()
        if any(word in line for word in DEFECTS)
    ]
