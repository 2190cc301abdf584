"""An engine in its process, as far as a test can play it: journals, a hub, and sudden deaths."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bus.clock import ManualClock
from bus.errors import JournalError
from bus.hub import Hub
from bus.memory import MemoryJournals
from bus.outlet import Outlet
from bus.pulse import Pulse
from bus.runner import Runner
from bus.service import Parts
from schema.head import Message
from schema.house import Recovered
from schema.market import FeedStatus
from schema.orders import OrderAccepted, OrderCanceled, OrderPendingCancel
from schema.strategy import Offer, StrategiesOffered
from schema.streams import home
from schema.trading import CancelIntent, OrderIntent
from services.engine.boundary import Guard
from services.engine.series import CLOSE
from services.engine.state import State, Windows
from tests.bus.toy import launch, records, settle
from tests.services.engine.engine_desk import Desk
from tests.services.engine.engine_made import (
    MINUTE_NS,
    PX,
    SECOND_NS,
    START_NS,
    SYMBOL,
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

    def __init__(self, path: Path, *made: Offer, guard: Guard | None = None) -> None:
        self.path, self.made, self.guard = path, made, guard
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
        self.core, offers = engine(made=self.made, guard=self.guard)
        parts = Parts(self.core, first=(StrategiesOffered(offers=offers),))
        self.runner: Runner = launch(
            parts, self.journals, self.hub, self.clock, self.path, self.code
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
            ids = [order_id, *(m.oco for m in self.orders() if m.client_order_id == order_id)]
            return [
                OrderCanceled(ts_event=now_ns, client_order_id=one, symbol=SYMBOL)
                for one in ids
                if one
            ]
        accepted = OrderAccepted(
            ts_event=now_ns, client_order_id=order_id, symbol=SYMBOL, venue_order_id="1"
        )
        told: list[Message] = [submitted(wish, now_ns), accepted]
        if wish.replaces:
            old: Any = {"ts_event": now_ns, "client_order_id": wish.replaces, "symbol": SYMBOL}
            told = [OrderPendingCancel(**old, reason=""), told[0], OrderCanceled(**old), accepted]
        if wish.order_type == "market":
            told.append(self.play.filling(wish, fee=wish.qty if wish.side == "buy" else 0))
        return told

    def story(self) -> None:
        """Enter, hold, leave, and enter again."""
        now_ns = self.clock.market_ns()
        self.say(instrument(), FeedStatus(ts_event=now_ns, symbol=SYMBOL, state="OK", reason=""))
        self.say(*(bar(now_ns - n * MINUTE_NS, PX + n % 2 * 6_000) for n in range(250, 0, -1)))
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


def closes(windows: Windows) -> list[list[float]]:
    return [series.row(CLOSE, series.size).tolist() for series in windows.series.values()]


def same_books(one: State, other: State) -> bool:
    return one.books == other.books


def grade(world: World) -> str:
    return recoveries(world)[-1].grade


def recoveries(world: World) -> list[Recovered]:
    return [m for name in OWN for m in records(world.journals, name) if isinstance(m, Recovered)]
