"""One of several strategies does whatever it likes, and the others do not miss a bar."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import psutil  # type: ignore[import-untyped]  # it ships none, and the lock has none
import pytest

from bus.wire import ask
from schema.house import CommandDone
from schema.identity import strategy_tag, tag_of
from schema.market import Bar
from schema.settings import StrategySettings
from schema.strategy import StrategyState
from schema.units import MINUTE_NS
from services.engine.sources import offer_of
from tests.system import journals
from tests.system import strategies_at_fault as planted
from tests.system.account import Account
from tests.system.books import (
    SYMBOL,
    VENUE_SYMBOL,
    assert_equal_everywhere,
    assert_orders_are_lawful,
    at_rest,
)
from tests.system.checkout import Checkout
from tests.system.strategies_at_fault import EVEN, FAULTY, STEADY, WORSE, Fault, at_fault, sound

pytestmark = pytest.mark.slow

SCALE = 12
"""A bar closes every five seconds: a house that dies twice within one of them is back in time."""

FRESH_BARS = 2
"""The engine decides no bar that closed longer ago, in bars."""

ANSWER_MS = 20_000
SOURCES = {
    STEADY: sound("round(view.price * 0.5, -3)"),
    EVEN: sound("round(view.price * 0.5, -3) + 10.0 * (self.state.bars % 7)"),
    FAULTY: at_fault(),
    WORSE: at_fault(),
}


class Trading(Checkout):
    """A house with strategies of its own, asked as a person and as a program would."""

    def __init__(self) -> None:
        super().__init__(
            RRR_CLOCK__SCALE=str(SCALE),
            RRR_VENUE__SYMBOL=SYMBOL,
            RRR_INGEST__HISTORY_DAYS="1",
            RRR_PREDICTOR__TRAIN="false",
            RRR_WARDEN__EXITS="20",  # It is killed more often here than a house is.
        )
        lines = [f'[strategy.{name}]\nmode = "off"' for name in ("threshold", "pulse")]
        for name, text in SOURCES.items():
            self.write(name, text)
            lines.append(f'[strategy.{name}]\nfile = "strategies/{name}.py"\nbudget = 1000')
        with (self.root / "settings.local.toml").open("a") as file:
            file.write("\n".join(lines) + "\n")

    def write(self, name: str, text: str) -> None:
        """Save the file of a strategy."""
        (self.root / "strategies" / f"{name}.py").write_text(text)

    def engine(self, verb: str, *args: str) -> CommandDone:
        """Ask the engine itself."""
        return ask(self.run_dir, "engine", verb, args, timeout_ms=ANSWER_MS)

    def reload(self, name: str, fault: Fault) -> CommandDone:
        """Save another source, and offer it."""
        self.write(name, at_fault(fault))
        settings = StrategySettings(file=f"strategies/{name}.py", budget=1000.0)
        offer = offer_of(self.root, name, settings, (SYMBOL,))
        return self.engine("offer", msgspec.json.encode(offer).decode(), "the next fault")

    def resume(self, name: str) -> None:
        """Release a strategy, as a person does."""
        done = self.rrr("strategy", "resume", name, "it is mended", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr

    def failures(self) -> dict[str, dict[str, str]]:
        """Return what status says of each strategy that is stopped."""
        stops: list[dict[str, str]] = self.status()["stops"]
        return {stop["scope"]: stop for stop in stops if stop["what"] == "strategy failed"}

    def held(self, name: str) -> tuple[str, str]:
        """Return what a strategy holds, and its one order that rests at the venue."""
        rows: list[dict[str, Any]] = json.loads(self.engine("strategies").body)
        (row,) = (row for row in rows if row["name"] == name)
        there = Account(self.venue).get("/api/v3/openOrders", symbol=VENUE_SYMBOL)
        ids = [order["clientOrderId"] for order in there]
        mine = [order_id for order_id in ids if tag_of(order_id) == strategy_tag(name)]
        return row["symbols"][0]["position"], " ".join(mine)

    def recoveries(self) -> list[str]:
        """Return how each life of the engine came back."""
        log = (self.root / "logs" / "system" / "engine.jsonl").read_text().splitlines()
        lines = [json.loads(line) for line in log if '"recovered"' in line]
        return [line["grade"] for line in lines]

    def engine_process(self) -> psutil.Process:
        """Return the process of the engine that runs now."""
        return psutil.Process(self.pids()["engine"])


@pytest.fixture
def house() -> Iterator[Trading]:
    """A house in which all strategies hold something behind a stop."""
    made = Trading()
    try:
        made.up()
        made.until("all hold something", lambda: all(made.held(name)[1] for name in SOURCES))
        yield made
    finally:
        made.close()


def test_the_others_miss_no_bar_whatever_one_strategy_does(house: Trading) -> None:
    engine, held = house.engine_process(), {n: house.held(n) for n in (FAULTY, WORSE)}
    for fault in planted.AT_LOADING:
        done = house.reload(FAULTY, fault)
        assert not done.ok, fault
        assert fault.says in done.text
    for pair in planted.ROUNDS:
        _fail(house, dict(zip((FAULTY, WORSE), pair, strict=True)), held)
    assert engine.is_running(), "the engine lived through all of that"
    assert house.recoveries() == ["fresh"]
    _die(house, held)
    assert house.rrr("restart", "engine").returncode == 0
    assert house.recoveries()[-1] == "exact"
    _assert_no_bar_is_missed(house)
    at_rest(house)
    assert_equal_everywhere(house)
    assert_orders_are_lawful(house)
    assert journals.holes(house.journal_dir()) == []
    assert house.rrr("down").returncode == 0
    assert house.left_behind() == []


def _fail(house: Trading, faults: dict[str, Fault], held: dict[str, tuple[str, str]]) -> None:
    stopped = house.failures().keys() & faults.keys()
    for name, fault in faults.items():
        done = house.reload(name, fault)
        assert done.ok, done.text
    for name in stopped:
        house.resume(name)
    found = house.until("all have failed", lambda: _all_of(house.failures(), faults))
    for name, fault in faults.items():
        assert found[name]["why"].startswith(fault.says)
        assert found[name]["since"]
        assert found[name]["release"] == f'rrr strategy resume {name} "why"'
        assert house.held(name) == held[name], "its stop rests, its position is what it was"


def _all_of(found: dict[str, dict[str, str]], names: dict[str, Fault]) -> dict[str, dict[str, str]]:
    return found if found.keys() >= names.keys() else {}


def _die(house: Trading, held: dict[str, tuple[str, str]]) -> None:
    """Let the engine die: once by chance, then in one strategy again and again."""
    assert house.reload(FAULTY, planted.NAPS).ok
    house.resume(FAULTY)
    before, crumb = house.engine_process(), house.run_dir / "engine.crumb"
    house.until("it is called", lambda: crumb.read_bytes().startswith(b"in  faulty"))
    before.kill()
    house.until("the engine is back", lambda: house.pids().get("engine", 0) not in {0, before.pid})
    house.until("all is READY", lambda: house.status()["ready"])
    assert house.recoveries() == ["fresh", "exact"]
    assert FAULTY not in house.failures(), "one death is nobody's fault"
    for fault in (planted.ENDLESS_IN_C, planted.SEGFAULT):
        _fail(house, {FAULTY: fault}, held)
    assert house.reload(FAULTY, planted.NONE).ok
    house.resume(FAULTY)
    bars = len(_bars_of(house, FAULTY))
    house.until("it is asked again", lambda: len(_bars_of(house, FAULTY)) > bars)
    assert house.held(FAULTY) == held[FAULTY]


def _assert_no_bar_is_missed(house: Trading) -> None:
    said = journals.messages(house.journal_dir(), "ingest.bar")
    closed = [bar.open_ns for bar in said if isinstance(bar, Bar) and bar.timeframe == "1m"]
    for name in (STEADY, EVEN):
        states = _bars_of(house, name)
        asked = [state["open_ns"] for state, _ in states]
        assert asked == [o for o in closed if asked[0] <= o <= asked[-1]], name
        assert [state["bars"] for state, _ in states] == list(range(1, len(states) + 1))
        late = max(at_ns - state["open_ns"] - MINUTE_NS for state, at_ns in states)
        assert late <= FRESH_BARS * MINUTE_NS, name


def _bars_of(house: Trading, name: str) -> list[tuple[dict[str, int], int]]:
    """Return what a strategy remembered after each bar, and when it was said in market time."""
    said = journals.messages(house.journal_dir(), "engine.intent")
    return [
        (msgspec.msgpack.decode(one.state), one.ts_event)
        for one in said
        if isinstance(one, StrategyState) and one.strategy == name
    ]
