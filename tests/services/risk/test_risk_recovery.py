"""A restart on the memory bus: turns run again say the same bytes, and nothing is forgotten."""

from pathlib import Path
from typing import Any

import pytest

from bus.clock import ManualClock
from bus.hub import Hub
from bus.memory import MemoryJournals
from bus.outlet import Outlet
from bus.runner import Runner
from bus.service import Parts
from schema.head import Message
from schema.house import Recovered
from schema.orders import KillLevel
from schema.trading import OrderIntent, RiskState, Verdict
from schema.units import SECOND_NS
from services.risk.core import Risk
from services.risk.state import Books
from tests.bus.toy import launch, records, said, settle
from tests.services.risk.risk_desk import (
    BTC,
    MARK,
    NOON_NS,
    UNIT,
    deposit,
    fill,
    instrument,
    quote,
    settings,
    submitted,
)

ONE = UNIT // 10
LOW = MARK * 8 // 10
OUTPUTS = ("risk.verdict", "risk.event")


class World:
    """A memory bus on which engine, gateway and ingest speak and risk answers."""

    def __init__(self, path: Path, **limits: Any) -> None:
        self.path = path
        self.limits = limits
        self.clock = ManualClock(NOON_NS)
        self.hub = Hub()
        self.journals = MemoryJournals(self.clock)
        self.outlets = {name: self._outlet(name) for name in ("engine", "gateway", "ingest")}
        self.n = 0
        self.start()
        self.say("ingest", instrument(), quote(BTC, MARK, NOON_NS))
        self.say("gateway", deposit(100_000))
        self.price(MARK)

    def _outlet(self, service: str) -> Outlet:
        outlet = Outlet(service, self.hub.join(()), self.clock)
        outlet.open(self.journals, self.journals.open_epoch(service), "")
        return outlet

    def start(self, code: str = "one") -> Runner:
        """Start risk, as its process would."""
        self.risk = Risk(settings(**self.limits))
        parts = Parts(self.risk)
        self.runner = launch(parts, self.journals, self.hub, self.clock, self.path, code)
        settle(self.runner)
        return self.runner

    def kill(self) -> Books:
        """End the process without a word and return the books that went with it."""
        self.hub.places[-1].close()
        books: Books = self.risk.state.books
        return books

    def say(self, service: str, *messages: Message) -> None:
        """Let a service speak, and risk answer a little later."""
        self.outlets[service].say(messages)
        self.clock.advance(1_000_000)
        settle(self.runner)
        self.clock.advance(1_000_000)

    def price(self, px: int, seconds: int = 1) -> None:
        self.clock.advance(seconds * SECOND_NS)
        self.say("ingest", quote(BTC, px, self.clock.now_ns))

    def intent(self, **changes: Any) -> OrderIntent:
        self.n += 1
        values: dict[str, Any] = {
            "ts_event": self.clock.now_ns, "client_order_id": f"{self.n:032x}", "strategy": "t",
            "symbol": BTC, "side": "buy", "order_type": "market", "qty": ONE, "px_exp": 2,
            "qty_exp": 8, "ref_px": MARK,
        }  # fmt: skip
        return OrderIntent(**values | changes)

    def ask(self, **changes: Any) -> tuple[OrderIntent, Verdict]:
        order = self.intent(**changes)
        self.say("engine", order)
        found = records(self.journals, "risk.verdict")
        verdicts = [message for message in found if isinstance(message, Verdict)]
        assert verdicts[-1].client_order_id == order.client_order_id
        return order, verdicts[-1]

    def story(self) -> None:
        """Hold a position, an open order and a reservation, and have been refused once."""
        bought, found = self.ask()
        self.say("gateway", submitted(bought, found))
        self.say("gateway", fill(bought, ONE, MARK, "1", fee=ONE // 1000))
        waiting, found = self.ask(order_type="limit", limit_px=MARK * 99 // 100)
        self.say("gateway", submitted(waiting, found))
        self.ask()
        _, found = self.ask(qty=100 * ONE)
        assert not found.approved

    def spoken(self) -> list[bytes]:
        return [one for name in OUTPUTS for one in said(self.journals, name)]

    def folded(self) -> bool:
        found = [one for name in OUTPUTS for one in records(self.journals, name)]
        return any(isinstance(one, Recovered) for one in found)


@pytest.mark.parametrize("snapshot", [False, True])
def test_turns_that_are_run_again_say_the_same(tmp_path: Path, *, snapshot: bool) -> None:
    world = World(tmp_path)
    world.story()
    if snapshot:
        world.runner.snapshot()
    world.price(LOW)
    spoken, books = world.spoken(), world.kill()
    world.start()
    assert not world.folded()
    assert world.spoken() == spoken
    assert world.risk.state.books == books
    assert world.risk.state.windows.epoch == 2


@pytest.mark.parametrize("snapshot", [False, True])
def test_other_code_keeps_the_books(tmp_path: Path, *, snapshot: bool) -> None:
    world = World(tmp_path)
    world.story()
    if snapshot:
        world.runner.snapshot()
    world.ask()
    world.say("gateway", KillLevel(ts_event=1, level="REDUCING", by="me", reason="why"))
    spoken, books = world.spoken(), world.kill()
    world.start("two")
    assert world.folded()
    assert world.spoken() == spoken
    assert world.risk.state.books == books
    assert world.risk.state.windows.instruments
    assert world.risk.state.windows.quotes


@pytest.mark.parametrize("code", ["one", "two"])
def test_a_restart_forgets_no_reservation(tmp_path: Path, code: str) -> None:
    world = World(tmp_path)
    order, found = world.ask(qty=3 * ONE)
    world.kill()
    world.start(code)
    world.price(MARK)
    assert world.ask(qty=3 * ONE)[1].code == "MAX_POSITION_EXCEEDED"
    world.say("gateway", submitted(order, found))
    assert dict(world.risk.counters())["orders_open"] == 1


@pytest.mark.parametrize("code", ["one", "two"])
def test_a_restart_forgets_no_rate(tmp_path: Path, code: str) -> None:
    world = World(tmp_path, order_rate=1)
    assert world.ask()[1].approved
    world.kill()
    world.start(code)
    world.price(MARK)
    assert world.ask()[1].code == "RATE_LIMIT_EXCEEDED"


@pytest.mark.parametrize("code", ["one", "two"])
def test_a_restart_forgets_no_loss(tmp_path: Path, code: str) -> None:
    world = World(tmp_path)
    order, found = world.ask(qty=3 * ONE)
    world.say("gateway", submitted(order, found), fill(order, 3 * ONE, MARK, "1"))
    world.price(LOW)
    anchor = world.risk.state.books.anchor
    world.kill()
    world.start(code)
    world.price(MARK)
    assert world.risk.state.books.anchor == anchor
    assert world.ask()[1].code == "DAILY_LOSS_LIMIT"
    states = [one for one in records(world.journals, "risk.event") if isinstance(one, RiskState)]
    assert [one.state for one in states] == ["ACTIVE", "REDUCING"]


@pytest.mark.parametrize("code", ["one", "two"])
def test_a_restart_forgets_no_peak_and_no_change_of_a_limit(tmp_path: Path, code: str) -> None:
    world = World(tmp_path, daily_loss=100_000, weekly_loss=0, max_drawdown_pct=5.0)
    order, found = world.ask(qty=3 * ONE)
    world.say("gateway", submitted(order, found), fill(order, 3 * ONE, MARK, "1"))
    world.price(MARK * 2, 60)
    marks = world.risk.state.books.marks
    assert marks.peak is not None
    assert marks.peak.equity == 115_000 * UNIT
    world.kill()
    world.start(code)
    assert world.risk.state.books.marks == marks
    world.price(MARK * 3 // 2)
    assert world.ask(ref_px=MARK * 3 // 2)[1].code == "MAX_DRAWDOWN"
    states = [one for one in records(world.journals, "risk.event") if isinstance(one, RiskState)]
    assert [one.state for one in states] == ["ACTIVE", "REDUCING"]


def test_a_kill_level_said_while_it_was_away_is_obeyed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.kill()
    halt = KillLevel(ts_event=1, level="HALTED", by="me", reason="why")
    world.outlets["gateway"].say([halt])
    world.outlets["engine"].say([world.intent()])
    world.start()
    found = [m for m in records(world.journals, "risk.verdict") if isinstance(m, Verdict)]
    assert [one.code for one in found] == ["TRADING_HALTED"]
