"""The gateway under the real loop, on the memory bus, with an edge that is played by hand."""

from pathlib import Path
from typing import cast

from bus.clock import ManualClock
from bus.edge import EdgeThread
from bus.hub import Hub
from bus.intake import wanted
from bus.log import Log
from bus.memory import MemoryJournals
from bus.pulse import Pulse
from bus.record import JournalWriter
from bus.runner import Runner
from bus.service import Parts
from schema.exchange import AskTop, ClockSeen, SendOrder, StreamUp
from schema.head import Effect, Local, Message
from schema.lifecycle import State
from schema.streams import STREAMS, home
from schema.trading import OrderIntent
from services.gateway.core import Gateway
from tests.bus.toy import settle
from tests.services.gateway.gateway_account import Account
from tests.services.gateway.gateway_words import LISTED, MARKET_NS, MS, WORLD, Words
from tests.services.shipped import shipped


class HandEdge:
    """What the runner sees of an edge, without a thread: effects wait for a test to do them."""

    failure = None
    why_not = None

    def __init__(self) -> None:
        self.inbox: list[Local] = []
        self.effects: list[Effect] = []

    def start(self) -> None:
        """There is nothing to start."""

    def stop(self) -> None:
        """There is nothing to stop."""

    def take(self) -> list[Local]:
        found, self.inbox = self.inbox, []
        return found

    def notes(self) -> list[tuple[str, dict[str, object]]]:
        return []

    def perform(self, effect: Effect) -> None:
        self.effects.append(effect)

    def age_ms(self) -> int:
        return 0


def speakers(journals: MemoryJournals) -> dict[str, JournalWriter]:
    """Return the journals of those whom a gateway hears."""
    names = ("engine.intent", "risk.verdict", "ingest.feed")
    return {
        name: journals.writer(STREAMS[name], journals.open_epoch(name.partition(".")[0]), "")
        for name in names
    }


class Rig:
    """A house of four: engine, risk and ingest speak, the gateway lives and dies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = ManualClock(MARKET_NS)
        self.hub = Hub()
        self.journals = MemoryJournals(self.clock)
        self.account = Account()
        self.words = Words()
        self.place = self.hub.join(())
        self.writers = speakers(self.journals)
        self.risk = Pulse("risk", self.hub.join(()), self.clock)
        self.risk.become("READY")
        self.start()

    def start(self, code: str = "one") -> None:
        """Start the gateway; recovery performs nothing."""
        self.core = Gateway(shipped(RRR_CLOCK__SCALE="1"), WORLD)
        self.edge = HandEdge()
        place = self.hub.join(wanted(self.core))
        pulse = Pulse("gateway", place, self.clock)
        pulse.code = code
        log = Log(self.path, "gateway", "test", self.clock, (1 << 20, 2))
        log.console = -1
        edge = cast("EdgeThread", self.edge)
        self.runner = Runner(Parts(self.core), place, self.journals, pulse, log, edge)
        self.runner.start()

    def kill(self, code: str = "one") -> None:
        """Kill the gateway with everything that it had in memory, and start it anew."""
        self.hub.places[-1].close()
        self.start(code)

    def say(self, *messages: Message) -> None:
        """Have another service say something."""
        for message in messages:
            stream = home(type(message))
            assert stream is not None
            for frame in self.writers[stream.name].append([message]):
                self.place.send(frame)
        settle(self.runner)

    def tell(self, *messages: Local) -> None:
        """Have the edge say something."""
        self.edge.inbox += messages
        settle(self.runner)

    def beat(self) -> None:
        self.clock.advance(250 * MS)
        self.risk.beat()
        settle(self.runner)

    def live(self, passes: int) -> None:
        """Let time pass with everybody answering; nothing is sent."""
        for _ in range(passes):
            self.beat()
            self.account.wall_ms = self.account.market_ms = self.clock.now_ns // MS
            waiting, self.edge.effects = self.edge.effects, []
            for effect in waiting:
                if isinstance(effect, SendOrder | AskTop):
                    self.edge.effects.append(effect)
                else:
                    self.tell(self.account.answer(effect))

    def connect(self) -> None:
        """Have the edge stand and everything compared."""
        now_ns = self.clock.now_ns
        wall_ms = now_ns // MS
        self.tell(ClockSeen(wall_ms=wall_ms, market_ns=now_ns, scale=1.0, offset_ms=0), StreamUp())
        self.live(3)

    def want(self) -> OrderIntent:
        """Have the engine want an order that risk approves."""
        self.words.now_ns = self.clock.now_ns
        intent = self.words.intent()
        self.say(intent)
        self.say(self.words.verdict(intent))
        return intent

    def list_instrument(self) -> None:
        self.say(LISTED)

    def standing(self, intent: OrderIntent) -> State:
        books, order_id = self.core.state.books, intent.client_order_id
        order = books.open.get(order_id) or books.ended[order_id]
        state: State = order.place.state
        return state
