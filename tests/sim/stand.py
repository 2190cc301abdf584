"""The stand of the simulator: engine, risk and gateway as they ship, and a scripted world around.

One clock, one seed, one thread: the same seed is the same run. The market and the forecasts are
scripted; orders go to the venue's own desk, over a bus and a way that lose and double things.
"""

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from os import getpid
from pathlib import Path
from typing import cast

from bus.edge import EdgeThread
from bus.intake import wanted
from bus.log import Log
from bus.pulse import Pulse
from bus.runner import Runner
from bus.service import Parts, Service
from schema.exchange import ReportPushed, SendOrder
from schema.head import Effect, Local
from schema.house import Command, CommandDone
from schema.messages import encode_inline
from schema.strategy import StrategiesOffered
from schema.streams import Stream
from schema.units import MS_NS
from services.engine.boundary import Bare
from services.engine.core import Engine
from services.engine.sources import offer_of
from services.gateway.core import Gateway
from services.risk.core import Risk
from services.venue.columns import MINUTE_MS
from tests.services.shipped import ROOT
from tests.sim.exchange import Exchange
from tests.sim.lives import Live
from tests.sim.lossy import LossyHub
from tests.sim.mortal import HouseClock, Killed, MortalJournals
from tests.sim.odds import Dice, Plan
from tests.sim.oracle import Oracle
from tests.sim.restless import restless, waiting
from tests.sim.script import Script
from tests.sim.steps import Counts
from tests.sim.terms import settings_of, symbols_of
from tests.sim.truth import Truth
from tests.sim.venue_edge import VenueEdge

WORLD = "local-sim-1"
NAMES = ("engine", "risk", "gateway")
START_NS = 1_750_000_020_000 // MINUTE_MS * MINUTE_MS * MS_NS
ROUNDS_MAX = 200
HURRY_NS = 500_000_000
"""For half a second in two, the gateway tells how things stand whenever that has changed."""


class Stand:
    """A house of three with its exchange."""

    def __init__(self, path: Path, plan: Plan, *, scale: float = 10, start_ns: int = 0) -> None:
        self.path, self.plan, self.flips = path, plan, plan.flips
        (path / "gateway.lease").write_text(f"{getpid()}")
        self.counts = Counts()
        self.dice = Dice(plan, self.counts)
        self.symbols = symbols_of(self.dice)
        self.settings = settings_of(self.dice, scale, self.symbols)
        self.trace, self.events = blake2b(digest_size=16), 0
        shipped_ones = [
            offer_of(ROOT, name, self.settings.strategy[name], self.symbols)
            for name in ("threshold", "pulse")
        ]
        symbol = self.symbols[-1]
        offers = (*shipped_ones, restless(symbol, flips=plan.flips), waiting(symbol))
        self.offers = {offer.name: offer for offer in offers}  # what the settings name
        self.moody = False  # a strategy decides otherwise when it is asked again
        self.clock = HouseClock(start_ns or START_NS, scale)
        self.journals = MortalJournals(self.clock)
        self.hub = LossyHub(self.dice, self.journals, self.later)
        self.exchange = Exchange(plan.seed, self.clock, self.dice, self.symbols)
        self.truth = Truth(self.exchange)
        self.oracle = Oracle(self.truth, self.dice, self.settings)
        self._introduce()
        self.lives: dict[str, Live] = {}
        self.paused: dict[str, int] = {}  # until when, monotonic
        self.codes = dict.fromkeys(NAMES, "one")
        self.edges: list[VenueEdge] = []  # those of dead gateways too: requests are on their way
        self._due: list[tuple[int, Callable[[], None]]] = []
        self._worked_ns = self.requests = 0
        self.script = Script(self.hub, self.journals, self.exchange, self.dice)
        for name in NAMES:
            self.start(name)

    def _introduce(self) -> None:
        self.oracle.journals, self.oracle.hub = self.journals, self.hub
        self.oracle.record.counts = self.counts
        self.exchange.took = self.oracle.took
        self.journals.heard = self._appended

    def start(self, name: str, *, again: bool = False) -> None:
        """Start a service, as its process would."""
        core = self._core(name)
        edge = None
        if name == "gateway":
            edge = VenueEdge(self.exchange, self.dice, self.path, self)
            edge.fuse = self._burn
            self.edges = [*self.edges[-3:], edge]
        place = self.hub.join(wanted(core))
        pulse = Pulse(name, place, self.clock)
        pulse.code = self.codes[name]
        log = Log(self.path, name, "test", self.clock, (1 << 20, 2))
        log.console = -1
        thread = cast("EdgeThread", edge) if edge is not None else None
        offered = StrategiesOffered(offers=tuple(self.offers.values()))
        parts = Parts(core, first=(offered,) if name == "engine" else ())
        runner = Runner(parts, place, self.journals, pulse, log, thread)
        self.journals.fuses.pop(name, None)
        self.lives[name] = Live(core, runner, place, edge)
        try:
            runner.start()
        except Killed:
            self.kill(name)
        except AssertionError:
            if name != "engine" or not self.moody or again:
                raise
            self.kill(name)
            self.start(name, again=True)

    def engine(self) -> Engine:
        """Return the engine that runs."""
        core = self.lives["engine"].core
        assert isinstance(core, Engine)
        return core

    def gateway_edge(self) -> VenueEdge | None:
        """Return the edge of the gateway that runs."""
        life = self.lives.get("gateway")
        return life.edge if life is not None else None

    def kill(self, name: str) -> None:
        """Kill a service with all that it had in memory."""
        life = self.lives.pop(name, None)
        self.paused.pop(name, None)
        if life is not None:
            life.place.close()
            if life.edge is not None:
                life.edge.die()

    def pause(self, name: str, ms: int) -> None:
        """Stop a service in the middle of what it does, to go on later."""
        if name in self.lives:
            self.paused[name] = self.clock.mono_ns() + ms * MS_NS
            edge = self.lives[name].edge
            if edge is not None:
                edge.frozen = True

    def cut_power(self) -> None:
        """Kill all at once, with what was not on the disk."""
        for name in NAMES:
            self.kill(name)
        self.script.place.close()
        self._due.clear()
        self.journals.cut_power(self.dice.of("torn"))
        self.oracle.refold()
        self.script.open()

    def ask(self, name: str, verb: str, *args: str) -> list[CommandDone]:
        """Give a service a person's command; return all answers of its life."""
        place = self.lives[name].place
        self.requests += 1
        asked = Command(request_id=f"{self.requests}", verb=verb, args=args, by="me")
        place.asked.append(asked)
        return place.answers

    def step(self, ms: int) -> None:
        """Let time pass, and everybody do what there is to do."""
        self.clock.advance_ms(ms)
        now_ns = self.clock.mono_ns()
        for name in [name for name, until_ns in self.paused.items() if until_ns <= now_ns]:
            self._go_on(name)
        self._happen(now_ns)
        reports = self.exchange.pass_time()
        self._note(reports)
        for edge in self.edges:
            edge.push(reports)
            edge.arrive()
        self.script.step()
        if "gateway" in self.lives and now_ns % (4 * HURRY_NS) < HURRY_NS:
            self.lives["gateway"].runner.dues.hurry()
        self.work()

    def work(self) -> None:
        """Let every service come to rest, in any order."""
        chance = self.dice.of("turns")
        for _ in range(ROUNDS_MAX):
            names = [name for name in NAMES if name in self.lives and name not in self.paused]
            chance.shuffle(names)
            busy = [name for name in names if self._turn(name)]
            if not busy:
                return
        raise AssertionError(f"it never comes to rest: {busy}")

    def later(self, ms: int, work: "partial[None]") -> None:
        """Let something happen on the bus after a while."""
        self._due.append((self.clock.mono_ns() + ms * MS_NS, work))

    def performed(self, effect: Effect) -> None:
        """Look at what the core wants done."""
        self._mark(effect)
        self.oracle.paused_ns = self.clock.mono_ns() - self._worked_ns
        self.oracle.performed(effect)

    def departed(self, effect: Effect) -> None:
        """Look at what leaves the house."""
        self.oracle.kill_file = (self.path / "KILL").exists()
        self.oracle.departed(effect)

    def answered(self, message: Local) -> None:
        """Look at what comes back."""
        self._mark(message)

    def _mark(self, message: Local) -> None:
        self.events += 1
        self.trace.update(self.clock.mono_ns().to_bytes(8, "little") + encode_inline(message))

    def _appended(self, stream: Stream, frames: Sequence[bytes]) -> None:
        for frame in frames:
            self.events += 1
            self.trace.update(frame)
        self.oracle.hear(stream, frames)

    def _note(self, reports: list[ReportPushed]) -> None:
        self.events += len(reports)

    def _happen(self, now_ns: int) -> None:
        due = [work for at_ns, work in self._due if at_ns <= now_ns]
        self._due = [(at_ns, work) for at_ns, work in self._due if at_ns > now_ns]
        for work in due:
            work()

    def _go_on(self, name: str) -> None:
        del self.paused[name]
        edge = self.lives[name].edge
        if edge is not None:
            edge.frozen = False

    def _burn(self, when: str, effect: Effect) -> None:
        """Die before or after an effect, or stand still right behind it."""
        now = when == self.dice.of("moments").choice(("before", "after"))
        if now and self.dice.hits("kill_at_effect"):
            raise Killed(effect.effect_id)
        if when == "after" and isinstance(effect, SendOrder) and self.dice.hits("kill_in_send"):
            self._kill_in_send()
        if when == "after" and self.dice.hits("pause_in_send"):
            self.pause("gateway", self.dice.of("pauses").choice((300, 2_000, 8_000, 40_000)))

    def _kill_in_send(self) -> None:
        """Kill while an order that is on the record has not left."""
        life = self.lives.get("gateway")
        if life is None or life.edge is None:
            return
        life.edge.held = self.dice.of("held").choice((1, 3))
        if self.dice.of("kills in send").random() < 0.5:
            (self.path / "KILL").write_text("in the middle")
        else:
            self.ask("gateway", "kill", "HALTED", "in the middle")

    def _core(self, name: str) -> Service:
        match name:
            case "engine":
                return Engine(self.settings, WORLD, Bare())
            case "risk":
                return Risk(self.settings)
            case _:
                return Gateway(self.settings, WORLD)

    def _turn(self, name: str) -> bool:
        life = self.lives[name]
        try:
            more = life.runner.turn() or life.runner.behind
        except Killed:
            self.kill(name)
            return False
        if name == "gateway":
            self._worked_ns = self.clock.mono_ns()
        return more
