"""The gateway's edge in the simulator: no thread, and a way to the exchange that loses things.

The line before the call is the one that ships. Every effect gets exactly one answer, as the bus
promises: the true one, late or not, or `Unanswered`. What has left arrives even when the gateway
has died meanwhile; what waits for its turn goes with it.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from bus.clock import NS_PER_MS
from schema.exchange import (
    BudgetSeen,
    ClockSeen,
    LevelSet,
    OrderNotSent,
    OrderRefused,
    ReportPushed,
    SendCancel,
    SendOrder,
    SetLevel,
    StreamDown,
    StreamUp,
)
from schema.head import Effect, Local
from schema.house import Unanswered
from schema.joined import PairNotSent, PairRefused, ReplaceRefused, SendPair, SendReplace
from services.gateway.edge_gate import Gate
from tests.sim.exchange import Exchange
from tests.sim.odds import Dice
from tests.sim.reads import read

SENDS = SendOrder | SendPair | SendReplace
"""What carries new orders."""

CLOCK_EVERY_NS = 2_000 * NS_PER_MS
WAYS = (
    "lost_request",
    "lost_answer",
    "late_request",
    "status_unknown",
    "5xx_after_accept",
    "5xx_untaken",
    "garbage",
    "ban_429",
    "ban_418",
)
CUT = 0.5
"""How often, of a request that is late, the connection is reset long before it arrives."""

SPARED = 0.75
"""How many questions nothing befalls: else a gateway does little but compare."""

UNTAKEN = frozenset({"lost_request", "5xx_untaken"})
SILENT = frozenset({"lost_request", "lost_answer"})
BANS = {"ban_429": (1_000, 4_000, 10_000), "ban_418": (20_000,)}


class Witness(Protocol):
    """Who looks at everything that leaves."""

    def performed(self, effect: Effect) -> None:
        """Take in that the core wants something done."""

    def departed(self, effect: Effect) -> None:
        """Take in that its first byte leaves."""

    def answered(self, message: Local) -> None:
        """Take in what came back."""


class VenueEdge:
    """What the runner sees of an edge."""

    failure = None

    def __init__(self, exchange: Exchange, dice: Dice, run: Path, witness: Witness) -> None:
        self.exchange, self.dice, self.witness = exchange, dice, witness
        self.gate = Gate(run, exchange.clock)
        self.alive, self.frozen = True, False
        self.stream, self.mute, self.down = True, False, False
        self.held = 0  # so many passes nothing leaves
        self.ban_ms = 0  # until when the exchange wants to hear nothing, by our wall
        self.fuse: Callable[[str, Effect], None] = lambda _when, _effect: None
        self._outbox: list[tuple[Effect, int]] = []
        self._due: list[tuple[int, Callable[[], None]]] = []
        self._inbox: list[Local] = []
        self._clock_ns = 0
        self._run = str(run)

    @property
    def why_not(self) -> str | None:
        return None if self.stream else "the user stream is down"

    def start(self) -> None:
        """Connect."""
        self.look_for_kill()
        self.tell_clock()
        self.hear(StreamUp())

    def stop(self) -> None:
        """There is no thread to stop."""

    def age_ms(self) -> int:
        return 0

    def notes(self) -> list[tuple[str, dict[str, object]]]:
        return []

    def take(self) -> list[Local]:
        found, self._inbox = self._inbox, []
        return found

    def hear(self, message: Local) -> None:
        """Put something into the core's way."""
        if self.alive:
            self._inbox.append(message)
            self.witness.answered(message)

    def die(self) -> None:
        """Lose what has not left."""
        self.alive = self.stream = False
        self._outbox = []

    def look_for_kill(self) -> None:
        """Say that the kill file has appeared, or is gone."""
        if (news := self.gate.kill.news()) is not None:
            self.hear(news)

    def tell_clock(self) -> None:
        """Say what the clocks show."""
        clock = self.exchange.clock
        self._clock_ns = clock.mono_ns()
        self.hear(
            ClockSeen(
                wall_ms=clock.wall_ns() // NS_PER_MS,
                market_ns=clock.market_ns(),
                scale=clock.scale,
                offset_ms=self.exchange.offset_ms,
            )
        )

    def switch_stream(self, *, up: bool) -> None:
        """Let the user stream end or begin."""
        if up != self.stream and self.alive:
            self.stream = up
            self.hear(StreamUp() if up else StreamDown(reason="it was cut"))

    def perform(self, effect: Effect) -> None:
        """Take an effect, to do it as the real edge would."""
        self.fuse("before", effect)
        if isinstance(effect, SetLevel):
            self.gate.set(effect)
            self.hear(LevelSet(effect_id=effect.effect_id))
            return
        self.witness.performed(effect)
        deadline_ns = 0
        if isinstance(effect, SENDS):
            deadline_ns = self.gate.deadline_mono_ns(effect)
        self._outbox.append((effect, deadline_ns))
        self.fuse("after", effect)

    def arrive(self) -> None:
        """Let happen what is due by now, and what waits leave."""
        now_ns = self.exchange.clock.mono_ns()
        if self.alive and not self.frozen:
            if now_ns - self._clock_ns > CLOCK_EVERY_NS:
                self.tell_clock()
            self.look_for_kill()
            self.held = max(0, self.held - 1)
            waiting = [] if self.held else self._outbox
            self._outbox = self._outbox if self.held else []
            for effect, deadline_ns in waiting:
                self._leave(effect, deadline_ns)
        due = [work for at_ns, work in self._due if at_ns <= now_ns]
        self._due = [(at_ns, work) for at_ns, work in self._due if at_ns > now_ns]
        for work in due:
            work()

    def push(self, reports: list[ReportPushed]) -> None:
        """Let the user stream say something, or not, or twice, or later."""
        if not self.stream or self.mute:
            return
        for report in reports:
            match self.dice.first(("lost_push", "doubled_push", "late_push")):
                case "doubled_push":
                    self.hear(report)
                    self._say_later(report)
                case "late_push":
                    self._say_later(report)
                case "":
                    self.hear(report)

    def _say_later(self, report: ReportPushed) -> None:
        ms = self.dice.of("late pushes").choice((30, 300, 3_000, 15_000))
        self._after(ms, partial(self.hear, report))

    def _leave(self, effect: Effect, deadline_ns: int) -> None:
        if self.dice.hits("busy_lane"):
            self._outbox.append((effect, deadline_ns))
            return
        banned = self.exchange.clock.wall_ns() // NS_PER_MS < self.ban_ms
        if isinstance(effect, SENDS):
            why = "it was told to wait" if banned else self.gate.why_not(effect, deadline_ns)
            if why:
                self.hear(_not_sent(effect, why.replace(self._run, "run")))
                return
        elif banned:
            self.hear(Unanswered(effect_id=effect.effect_id, reason="it was told to wait"))
            return
        self.witness.departed(effect)
        self._travel(effect)

    def _travel(self, effect: Effect) -> None:
        chance = self.dice.of("ways")
        asks = not isinstance(effect, SENDS | SendCancel)
        spared = asks and chance.random() < SPARED
        way = "5xx_untaken" if self.down else "" if spared else self.dice.first(WAYS)
        there_ms = chance.randint(200, 9_000) if way == "late_request" else chance.randint(1, 120)
        if way in BANS:
            self._after(there_ms, partial(self._refuse, effect, chance.choice(BANS[way])))
            return
        cut = way == "late_request" and chance.random() < CUT
        late = cut or there_ms >= effect.timeout_ms
        if way and (late or way != "late_request"):
            wait_ms = effect.timeout_ms if way in SILENT or late else there_ms + 20
            wait_ms = 50 if cut else wait_ms
            silence = Unanswered(effect_id=effect.effect_id, reason=way.replace("_", " "))
            self._after(wait_ms, partial(self.hear, silence))
        if way not in UNTAKEN:
            answered = not way or (way == "late_request" and not late)
            self._after(there_ms, partial(self._reach, effect, answered=answered))

    def _reach(self, effect: Effect, *, answered: bool) -> None:
        if isinstance(effect, SENDS | SendCancel):
            answer = self.exchange.act(effect)
        else:
            answer = read(self.exchange, effect)
        if answered:
            self._after(self.dice.of("ways").randint(1, 80), partial(self.hear, answer))

    def _refuse(self, effect: Effect, ms: int) -> None:
        """Refuse a request, as one too many; nothing may be asked for a while."""
        wall_ms = self.exchange.clock.wall_ns() // NS_PER_MS
        self.ban_ms = max(self.ban_ms, wall_ms + ms)
        self.hear(BudgetSeen(used=6_000, limit=6_000, retry_wall_ms=self.ban_ms))
        self.hear(_refused(effect))

    def _after(self, ms: int, work: Callable[[], None]) -> None:
        self._due.append((self.exchange.clock.mono_ns() + ms * NS_PER_MS, work))


def _not_sent(effect: SENDS, why: str) -> Local:
    name = effect.effect_id
    if isinstance(effect, SendPair):
        stop, target = effect.stop, effect.target
        ids = (stop.client_order_id, target.client_order_id)
        return PairNotSent(effect_id=name, client_order_ids=ids, symbol=stop.symbol, reason=why)
    intent = effect.intent
    return OrderNotSent(
        effect_id=name, client_order_id=intent.client_order_id, symbol=intent.symbol, reason=why
    )


def _refused(effect: Effect) -> Local:
    name, code, text = effect.effect_id, -1003, "Too many requests."
    match effect:
        case SendOrder(intent=intent):
            order_id, symbol = intent.client_order_id, intent.symbol
            return OrderRefused(
                effect_id=name, client_order_id=order_id, symbol=symbol, code=code, text=text
            )
        case SendPair(stop=stop, target=target):
            ids = (stop.client_order_id, target.client_order_id)
            return PairRefused(
                effect_id=name, client_order_ids=ids, symbol=stop.symbol, code=code, text=text
            )
        case SendReplace(intent=intent, replaced=replaced):
            return ReplaceRefused(
                effect_id=name, client_order_id=intent.client_order_id, replaced=replaced,
                symbol=intent.symbol, code=code, text=text,
            )  # fmt: skip
    return Unanswered(effect_id=name, reason=text)
