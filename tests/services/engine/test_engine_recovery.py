"""An engine that is killed at any append comes back with the same books, and says nothing twice."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bus.clock import ManualClock, SystemClock
from bus.errors import JournalError
from bus.hub import Hub
from bus.memory import MemoryJournals
from bus.outlet import Outlet
from bus.pulse import Pulse
from bus.runner import Runner
from bus.service import Parts
from schema.head import Message
from schema.house import Recovered, Started
from schema.market import FeedStatus
from schema.orders import OrderAccepted, OrderCanceled
from schema.streams import STREAMS, home
from schema.trading import CancelIntent, OrderIntent
from services.engine.core import Engine
from services.engine.state import State
from tests.bus.toy import launch, records, said, settle
from tests.services.engine.engine_desk import (
    MINUTE_NS,
    PX,
    SECOND_NS,
    START_NS,
    SYMBOL,
    Desk,
    bar,
    engine,
    forecast,
    instrument,
    money,
    quote,
    submitted,
)

OWN = ("engine.intent", "engine.portfolio")


class KilledError(JournalError):
    """The process ends before an append."""

    def __init__(self) -> None:
        super().__init__("killed", "start again")


class Deadly(MemoryJournals):
    """Journals whose owner dies before its n-th append."""

    left = -1

    def writer(self, stream, epoch, code):  # type: ignore[no-untyped-def]
        writer = super().writer(stream, epoch, code)
        if stream.owner == "engine":
            write = writer._write

            def counted(frames: Sequence[bytes], wall_ns: int) -> None:
                if self.left == 0:
                    self.left = -1
                    raise KilledError
                self.left -= self.left > 0
                write(frames, wall_ns)

            writer._write = counted  # type: ignore[method-assign]
        return writer


class World:
    """Journals, a hub, the others' outlets, and an engine that may die."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = ManualClock(START_NS)
        self.hub = Hub()
        self.journals = Deadly(self.clock)
        self.outlets = {
            name: Outlet(name, self.hub.join(()), self.clock)
            for name in ("ingest", "predictor", "risk", "gateway")
        }
        for name, outlet in self.outlets.items():
            outlet.open(self.journals, self.journals.open_epoch(name), "")
        self.pulses = [Pulse(name, self.hub.join(()), self.clock) for name in self.outlets]
        for pulse in self.pulses:
            pulse.become("READY")
        self.play = Desk(engine())  # Makes the gateway's messages; its engine hears nothing.
        self.code = "one"
        self.answered: set[str] = set()
        self.kills = 0
        self.start()

    def start(self) -> None:
        self.core: Engine = engine()
        self.runner: Runner = launch(
            Parts(self.core), self.journals, self.hub, self.clock, self.path, self.code
        )

    def kill(self) -> None:
        self.kills += 1
        self.hub.places[-1].close()
        while True:
            try:
                self.start()
            except KilledError:
                self.hub.places[-1].close()
            else:
                return

    def say(self, *messages: Message) -> None:
        for message in messages:
            stream = home(type(message))
            assert stream is not None
            self.outlets[stream.owner].say([message])

    def beat(self) -> None:
        for pulse in self.pulses:
            pulse.beat()

    def work(self, ns: int = 2 * SECOND_NS, px: int = PX) -> None:
        """Let time pass; the others are alive, and the gateway answers each order once."""
        self.clock.advance(ns)
        self.beat()
        self.say(quote(self.clock.market_ns(), px))
        for _ in range(4):
            try:
                settle(self.runner)
            except KilledError:
                self.kill()
            self.answer()

    def answer(self) -> None:
        now_ns = self.play.now_ns = self.clock.market_ns()
        for message in records(self.journals, OWN[0]):
            if isinstance(message, OrderIntent | CancelIntent):
                key = f"{type(message).__name__} {message.client_order_id}"
                if key not in self.answered:
                    self.answered.add(key)
                    self.say(*self._answer(message, now_ns))

    def _answer(self, wish: OrderIntent | CancelIntent, now_ns: int) -> list[Message]:
        order_id = wish.client_order_id
        if isinstance(wish, CancelIntent):
            return [OrderCanceled(ts_event=now_ns, client_order_id=order_id, symbol=SYMBOL)]
        accepted = OrderAccepted(
            ts_event=now_ns, client_order_id=order_id, symbol=SYMBOL, venue_order_id="1"
        )
        told: list[Message] = [submitted(wish, now_ns), accepted]
        if wish.leg != "stop":
            told.append(self.play.filling(wish, fee=wish.qty if wish.side == "buy" else 0))
        return told

    def story(self) -> None:
        """Enter, hold, leave, and enter again."""
        now_ns = self.clock.market_ns()
        self.say(instrument(), FeedStatus(ts_event=now_ns, symbol=SYMBOL, state="OK", reason=""))
        self.say(*(bar(now_ns - n * MINUTE_NS, PX + n % 2 * 6_000) for n in range(60, 0, -1)))
        self.say(money(now_ns, 100_000))
        self.work()
        self.work(30 * SECOND_NS)
        for probability in (0.5, 0.6, 0.6, 0.4, 0.5, 0.6, 0.6):
            self.work(MINUTE_NS)
            self.say(forecast(self.clock.market_ns(), probability))
            self.work()
            self.work(20 * SECOND_NS)

    def orders(self) -> list[OrderIntent]:
        return [m for m in records(self.journals, OWN[0]) if isinstance(m, OrderIntent)]


def legs(world: World) -> list[str]:
    return [order.leg for order in world.orders()]


def same_books(one: State, other: State) -> bool:
    return one.books == other.books


def grade(world: World) -> str:
    return recoveries(world)[-1].grade


def recoveries(world: World) -> list[Recovered]:
    return [m for name in OWN for m in records(world.journals, name) if isinstance(m, Recovered)]


def test_the_story_is_a_round_trip_and_a_second_entry(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.story()
    assert legs(world) == ["entry", "stop", "exit", "entry", "stop"]
    assert world.runner.pulse.state == "READY"


def test_an_exact_recovery_is_equal_to_the_last_byte(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.story()
    world.runner._flush_silent()
    before, spoken = world.core.state, [said(world.journals, name) for name in OWN]
    world.kill()
    assert world.core.state == before
    assert [said(world.journals, name) for name in OWN] == spoken
    settle(world.runner)
    assert recoveries(world) == []


@pytest.mark.parametrize("snapshot", [False, True])
def test_a_folded_recovery_keeps_positions_orders_and_targets(
    tmp_path: Path, *, snapshot: bool
) -> None:
    world = World(tmp_path)
    world.story()
    if snapshot:
        world.runner.snapshot()
    world.runner._flush_silent()
    before = world.core.state
    world.code = "two"
    world.kill()
    assert same_books(world.core.state, before)
    windows = world.core.state.windows
    assert windows.closes == before.windows.closes
    assert windows.instruments == before.windows.instruments
    assert windows.tops == before.windows.tops
    assert grade(world) == "folded"
    for _ in range(20):
        world.work()
    assert legs(world) == ["entry", "stop", "exit", "entry", "stop"]
    world.say(forecast(world.clock.market_ns(), 0.4))
    world.work()
    assert legs(world)[-1] == "exit"


def test_killed_at_every_append_it_trades_the_same_and_nothing_twice(tmp_path: Path) -> None:
    whole = World(tmp_path)
    whole.story()
    wanted = [(o.leg, o.side, o.qty) for o in whole.orders()]
    kills = 0
    for n in range(200):
        world = World(tmp_path)
        world.journals.left = n
        world.story()
        if not world.kills:
            break
        kills += world.kills
        ids = [order.client_order_id for order in world.orders()]
        assert len(ids) == len(set(ids))
        assert [(o.leg, o.side, o.qty) for o in world.orders()] == wanted, n
        assert world.core.state.books.ledger == whole.core.state.books.ledger
    assert kills > 20


def test_after_a_start_the_first_input_is_the_start_itself(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.story()
    world.core.handle(Started(epoch=3, grade="exact"), world.clock.market_ns())
    assert world.core.state.windows.peers == {}
    assert STREAMS["risk.event"].name in world.core.folds


def test_a_first_start_hears_a_week_of_history_and_trades_on_none_of_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    week = range(7 * 1440, 3, -1)
    world.say(instrument(), money(START_NS, 100_000))
    world.outlets["ingest"].say([bar(START_NS - n * MINUTE_NS) for n in week])
    world.outlets["predictor"].say([forecast(START_NS - n * MINUTE_NS, 0.9) for n in week])
    started_ns = SystemClock().mono_ns()
    world.work()
    assert SystemClock().mono_ns() - started_ns < 2 * SECOND_NS
    assert said(world.journals, OWN[0]) == []
    closes = world.core.state.windows.closes[SYMBOL]
    assert closes.open_ns == START_NS - 4 * MINUTE_NS
    assert len(closes.values) < 480
