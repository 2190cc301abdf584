"""The stand of the simulator: engine, risk and gateway as they ship, and a scripted world around.

One clock, one seed, one thread: the same seed is the same run. The market and the forecasts are
scripted; orders go to the venue's own desk, over a way that loses and doubles things.
"""

from pathlib import Path
from random import Random
from typing import cast

import msgspec

from bus.edge import EdgeThread
from bus.hub import Hub, Place
from bus.intake import wanted
from bus.log import Log
from bus.pulse import Pulse
from bus.record import JournalReader, JournalWriter
from bus.runner import Runner
from bus.service import Parts, Service
from schema.exchange import SendOrder
from schema.forecast import Forecast
from schema.frame import Kind
from schema.head import Message
from schema.house import Command, CommandDone
from schema.market import FeedStatus
from schema.messages import decode
from schema.orders import OrderSubmitted
from schema.strategy import StrategiesOffered
from schema.streams import STREAMS, home
from schema.units import MS_NS
from services.engine.boundary import Bare
from services.engine.core import Engine
from services.engine.sources import offer_of
from services.gateway.core import Gateway
from services.risk.core import Risk
from services.venue.columns import MINUTE_MS
from tests.services.shipped import ROOT, shipped
from tests.sim.exchange import Exchange
from tests.sim.mortal import HouseClock, Killed, MortalJournals
from tests.sim.restless import restless
from tests.sim.venue_edge import Faults, VenueEdge
from tests.sim.walk import SYMBOL, listed

WORLD = "local-sim-1"
NAMES = ("engine", "risk", "gateway")
START_NS = 1_750_000_020_000 // MINUTE_MS * MINUTE_MS * MS_NS
ROUNDS_MAX = 200
HURRY_NS = 500_000_000
"""For half a second in two, the gateway tells how things stand whenever that has changed."""

SCRIPTED = ("ingest.bar", "ingest.quote", "ingest.feed", "predictor.forecast")


class Live(msgspec.Struct):
    """One service that runs."""

    core: Service
    runner: Runner
    place: Place
    edge: VenueEdge | None = None


class Tail:
    """What was said on a stream since the last look."""

    def __init__(self, reader: JournalReader) -> None:
        self._reader = reader
        self._pos = 0

    def news(self) -> list[Message]:
        found: list[Message] = []
        while frames := self._reader.read(self._pos):
            self._pos = frames[-1].last
            for frame in frames:
                if frame.kind == Kind.DATA:
                    found += decode(self._reader.stream.number, frame.body)
        return found


class Stand:
    """A house of three with its exchange."""

    def __init__(
        self, path: Path, seed: int, *, scale: float = 10, start_ns: int = 0, flips: bool = False
    ) -> None:
        self.path = path
        self.seed = seed
        self.flips = flips  # one of the strategies sells what it does not have
        self.chance = Random(f"stand {seed}")
        self.settings = shipped(
            RRR_CLOCK__SCALE=f"{scale:g}",
            RRR_INGEST__SYMBOLS=f'["{SYMBOL}"]',
            RRR_STRATEGY__THRESHOLD__PARAMS__STOP_DEVIATIONS="0.3",
            RRR_STRATEGY__PULSE__PARAMS__EVERY_S="60",
            RRR_STRATEGY__PULSE__PARAMS__HOLD_S="25",
        )
        shipped_ones = [
            offer_of(ROOT, name, self.settings.strategy[name], (SYMBOL,))
            for name in ("threshold", "pulse")
        ]
        offers = (*shipped_ones, restless(SYMBOL, flips=flips))
        self.offers = {offer.name: offer for offer in offers}  # what the settings name
        self.moody = False  # a strategy decides otherwise when it is asked again
        self.clock = HouseClock(start_ns or START_NS, scale)
        self.faults = Faults()
        self.hub = Hub()
        self.journals = MortalJournals(self.clock)
        self.exchange = Exchange(seed, self.clock, self._witness)
        self.submitted: dict[str, OrderSubmitted] = {}
        self.orders = Tail(self.journals.reader(STREAMS["gateway.order"]))
        self.said: list[Message] = []  # on gateway.order
        self.lives: dict[str, Live] = {}
        self.codes = dict.fromkeys(NAMES, "one")
        self.edges: list[VenueEdge] = []  # those of dead gateways too: requests are on their way
        self.bar_ms = 0
        self.probability = 0.5
        self.feeding = True
        self.open_scripted()
        for name in NAMES:
            self.start(name)

    def open_scripted(self) -> None:
        """Begin a life of those that are scripted, and tell the market so far."""
        self.script = self.hub.join(())
        self.pulses = [Pulse(name, self.script, self.clock) for name in ("ingest", "predictor")]
        epochs = {pulse.service: self.journals.open_epoch(pulse.service) for pulse in self.pulses}
        self.writers: dict[str, JournalWriter] = {}
        for name in SCRIPTED:
            epoch = epochs[name.partition(".")[0]]
            self.writers[name] = self.journals.writer(STREAMS[name], epoch, "")
        for pulse in self.pulses:
            pulse.become("READY")
        now_ns = self.clock.market_ns()
        self.say(listed(now_ns))
        self.say(FeedStatus(ts_event=now_ns, symbol=SYMBOL, state="OK", reason=""))
        self.bar_ms = self.bar_ms or now_ns // MS_NS // MINUTE_MS * MINUTE_MS - 300 * MINUTE_MS

    def start(self, name: str, *, again: bool = False) -> None:
        """Start a service, as its process would."""
        core = self._core(name)
        edge = VenueEdge(self.exchange, self.faults, self.chance) if name == "gateway" else None
        place = self.hub.join(wanted(core))
        pulse = Pulse(name, place, self.clock)
        pulse.code = self.codes[name]
        log = Log(self.path, name, "test", self.clock, (1 << 20, 2))
        log.console = -1
        thread = cast("EdgeThread", edge) if edge is not None else None
        offered = StrategiesOffered(offers=tuple(self.offers.values()))
        first = (offered,) if name == "engine" else ()
        parts = Parts(core, first=first)
        runner = Runner(parts, place, self.journals, pulse, log, thread)
        self.journals.fuses.pop(name, None)
        if edge is not None:
            self.edges.append(edge)
        self.lives[name] = Live(core, runner, place, edge)
        try:
            runner.start()
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

    def kill(self, name: str) -> None:
        """Kill a service with all that it had in memory."""
        life = self.lives.pop(name, None)
        if life is not None:
            life.place.close()
            if life.edge is not None:
                life.edge.alive = life.edge.stream = False

    def cut_power(self) -> None:
        """Kill all at once, with what was not on the disk."""
        for name in NAMES:
            self.kill(name)
        self.script.close()
        self.journals.cut_power()
        self.open_scripted()

    def say(self, message: Message) -> None:
        """Have one of the scripted services say something."""
        stream = home(type(message))
        assert stream is not None
        for frame in self.writers[stream.name].append([message]):
            self.script.send(frame)

    def ask(self, name: str, verb: str, *args: str) -> list[CommandDone]:
        """Give a service a person's command; return all answers of its life."""
        place = self.lives[name].place
        asked = Command(request_id=f"{len(place.answers)}", verb=verb, args=args, by="me")
        place.asked.append(asked)
        return place.answers

    def step(self, ms: int) -> None:
        """Let time pass, and everybody do what there is to do."""
        self.clock.advance_ms(ms)
        reports = self.exchange.pass_time()
        for edge in self.edges:
            edge.push(reports)
            edge.arrive()
        if self.feeding:
            self._tell_market()
        for pulse in self.pulses if self.feeding else ():
            pulse.beat()
        if "gateway" in self.lives and self.clock.mono_ns() % (4 * HURRY_NS) < HURRY_NS:
            self.lives["gateway"].runner.dues.hurry()
        self.work()

    def work(self) -> None:
        """Let every service come to rest, in any order."""
        for _ in range(ROUNDS_MAX):
            names = [name for name in NAMES if name in self.lives]
            self.chance.shuffle(names)
            busy = [name for name in names if self._turn(name)]
            if not busy:
                return
        raise AssertionError(f"it never comes to rest: {busy}")

    def hear_orders(self) -> None:
        """Take what the gateway's journal holds by now."""
        for message in self.orders.news():
            self.said.append(message)
            if isinstance(message, OrderSubmitted):
                self.submitted[message.client_order_id] = message

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
            return life.runner.turn() or life.runner.behind
        except Killed:
            self.kill(name)
            return False

    def _tell_market(self) -> None:
        now_ns = self.clock.market_ns()
        while self.bar_ms + MINUTE_MS <= now_ns // MS_NS:
            bar = self.exchange.walk.bar(self.bar_ms)
            self.say(bar)
            self.bar_ms += MINUTE_MS
            self.say(
                Forecast(
                    ts_event=bar.ts_event, trace=self.bar_ms, symbol=SYMBOL, timeframe="1m",
                    bar_open_ns=bar.open_ns, horizon_ns=15 * 60 * 10**9,
                    probability_up=self.chance.choice((0.4, 0.5, 0.6, 0.6)), confidence=0.5,
                )
            )  # fmt: skip
        self.say(self.exchange.walk.quote(now_ns))

    def _witness(self, effect: SendOrder) -> None:
        self.hear_orders()
        found = self.submitted.get(effect.intent.client_order_id)
        assert found is not None, f"{effect.intent} was sent and never submitted"
        assert found.intent == effect.intent
