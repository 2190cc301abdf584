"""The gateway's edge in the simulator: no thread, and a way to the exchange that loses things.

Every effect gets exactly one answer, as the bus promises: the true one, late or not, or
`Unanswered`. What was sent arrives even when the gateway has died meanwhile.
"""

from collections.abc import Callable
from functools import partial
from random import Random

import msgspec

from bus.clock import NS_PER_MS
from schema.exchange import (
    ClockSeen,
    LevelSet,
    OrderNotSent,
    ReportPushed,
    SendOrder,
    SetLevel,
    StreamDown,
    StreamUp,
)
from schema.head import Effect, Local
from schema.house import Unanswered
from tests.sim.exchange import Exchange

CLOCK_EVERY_NS = 2_000 * NS_PER_MS


class Faults(msgspec.Struct):
    """How likely each fault is."""

    lost_request: float = 0.0
    lost_answer: float = 0.0
    late: float = 0.0
    lost_push: float = 0.0
    doubled_push: float = 0.0


class VenueEdge:
    """What the runner sees of an edge."""

    failure = None

    def __init__(self, exchange: Exchange, faults: Faults, chance: Random) -> None:
        self.exchange = exchange
        self.faults = faults
        self.chance = chance
        self.alive = True
        self.stream = True
        self._level, self._halted = "untold", frozenset[str]()
        self._due: list[tuple[int, Callable[[], None]]] = []
        self._inbox: list[Local] = []
        self._clock_ns = 0

    @property
    def why_not(self) -> str | None:
        return None if self.stream else "the user stream is down"

    def start(self) -> None:
        """Connect."""
        self.tell_clock()
        self._inbox.append(StreamUp())

    def stop(self) -> None:
        """There is no thread to stop."""

    def age_ms(self) -> int:
        return 0

    def notes(self) -> list[tuple[str, dict[str, object]]]:
        return []

    def take(self) -> list[Local]:
        found, self._inbox = self._inbox, []
        return found

    def tell_clock(self) -> None:
        """Say what the clocks show."""
        clock = self.exchange.clock
        self._clock_ns = clock.mono_ns()
        self._inbox.append(
            ClockSeen(
                wall_ms=clock.wall_ns() // NS_PER_MS,
                market_ns=clock.market_ns(),
                scale=clock.scale,
                offset_ms=self.exchange.offset_ms,
            )
        )

    def switch_stream(self, *, up: bool) -> None:
        """Let the user stream end or begin."""
        if up != self.stream:
            self.stream = up
            self._inbox.append(StreamUp() if up else StreamDown(reason="it was cut"))

    def perform(self, effect: Effect) -> None:
        """Do an effect as the real edge would, with what goes wrong on the way."""
        if isinstance(effect, SetLevel):
            self._level, self._halted = effect.level, frozenset(effect.halted)
            self._inbox.append(LevelSet(effect_id=effect.effect_id))
            return
        if isinstance(effect, SendOrder) and (why := self._why_not(effect)):
            self._inbox.append(
                OrderNotSent(
                    effect_id=effect.effect_id,
                    client_order_id=effect.intent.client_order_id,
                    symbol=effect.intent.symbol,
                    reason=why,
                )
            )
            return
        self._travel(effect)

    def arrive(self) -> None:
        """Let happen what is due by now."""
        now_ns = self.exchange.clock.mono_ns()
        if self.alive and now_ns - self._clock_ns > CLOCK_EVERY_NS:
            self.tell_clock()
        due = [work for at_ns, work in self._due if at_ns <= now_ns]
        self._due = [(at_ns, work) for at_ns, work in self._due if at_ns > now_ns]
        for work in due:
            work()

    def push(self, reports: list[ReportPushed]) -> None:
        """Let the user stream say something, or not, or twice."""
        for report in reports if self.stream else ():
            if self.chance.random() >= self.faults.lost_push:
                self._inbox.append(report)
            if self.chance.random() < self.faults.doubled_push:
                self._after(self.chance.randint(0, 3_000), partial(self._say, report))

    def _why_not(self, effect: SendOrder) -> str:
        intent = effect.intent
        if self.exchange.clock.wall_ns() > effect.deadline_wall_ms * NS_PER_MS:
            return "its deadline has passed"
        if intent.reduce_only:
            return ""
        if self._level != "ACTIVE":
            return f"the level is {self._level}"
        return "it is halted" if intent.symbol in self._halted else ""

    def _travel(self, effect: Effect) -> None:
        roll, faults = self.chance.random(), self.faults
        there_ms = self.chance.randint(1, 120)
        lost = roll < faults.lost_request
        mute = lost or roll < faults.lost_request + faults.lost_answer
        if not mute and roll < faults.lost_request + faults.lost_answer + faults.late:
            there_ms = self.chance.randint(200, 9_000)
        if mute or there_ms >= effect.timeout_ms:
            silence = Unanswered(effect_id=effect.effect_id, reason="no answer came")
            wait_ms = self.chance.choice((200, effect.timeout_ms))
            self._after(max(wait_ms, 0), lambda: self._say(silence))
        if not lost:
            answered = not mute and there_ms < effect.timeout_ms
            self._after(there_ms, lambda: self._reach(effect, answered=answered))

    def _reach(self, effect: Effect, *, answered: bool) -> None:
        answer = self.exchange.answer(effect)
        if answered:
            self._after(self.chance.randint(1, 80), lambda: self._say(answer))

    def _say(self, message: Local) -> None:
        if self.alive:
            self._inbox.append(message)

    def _after(self, ms: int, work: Callable[[], None]) -> None:
        self._due.append((self.exchange.clock.mono_ns() + ms * NS_PER_MS, work))
