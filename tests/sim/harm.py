"""What goes wrong in a simulated house beside single requests: deaths, pauses, clocks, people."""

from collections.abc import Callable

from bus.hub import Place
from services.venue.orders import Order, Ticket
from services.venue.params import Refusal
from tests.sim.caprice import Caprice
from tests.sim.exchange import UNIT
from tests.sim.stand import NAMES, Stand
from tests.sim.walk import FACTS_OF

PASS_MS = 100
RANKS = {"ACTIVE": 0, "REDUCING": 1, "HALTED": 2, "FLATTEN": 3}
SHORT = (2, 10, 40)
"""Passes that a bad time of the exchange lasts."""


class Harm:
    """Does something bad now and then."""

    def __init__(self, stand: Stand, endure: Callable[[int], None]) -> None:
        self._stand, self._endure = stand, endure
        self._caprice = Caprice(stand)
        self._until: dict[str, int] = {}  # what ends, and in which pass
        self._n = 0
        self._strangers = 0
        self.strangers: list[tuple[int, str]] = []  # pass and order id of what others did
        self._killed: tuple[Place, str, str] | None = None  # who was told, as what, which level
        self._acts: dict[str, Callable[[], None]] = {
            "kill": self._kill,
            "kill_at_append": self._kill_at_append,
            "pause": self._pause,
            "power_loss": stand.cut_power,
            "clock_step": self._step_clock,
            "absence": self._be_absent,
            "feed_stops": self._stop_feed,
            "maintenance": self._maintain,
            "stream_dies": self._kill_stream,
            "stream_mute": self._mute_stream,
            "skew": self._skew,
            "foreign": self._trade_by_hand,
            "kill_switch": self._kill_switch,
            "kill_file": self._lay_file,
            "resume": self._resume,
        }

    def act(self) -> None:
        """Do what the dice want in this pass, and end what has lasted long enough."""
        self._n += 1
        self._check_kill()
        self._caprice.act()
        for name, act in self._acts.items():
            if self._stand.dice.hits(name):
                act()
        if "kill_file" not in self._until and (self._stand.path / "KILL").exists():
            self._last("kill_file")
        for name in [name for name, until in self._until.items() if until <= self._n]:
            del self._until[name]
            self._end(name)

    def heal(self) -> None:
        """End everything bad, for good."""
        self._stand.dice.healed = True
        for name in (
            "maintenance",
            "stream_dies",
            "stream_mute",
            "skew",
            "kill_file",
            "feed_stops",
        ):
            self._end(name)
        self._until.clear()
        self._stand.journals.fuses.clear()
        self._stand.exchange.hidden.clear()
        for name in list(self._stand.paused):
            self._stand.paused[name] = 0

    def _last(self, name: str) -> None:
        self._until[name] = self._n + self._stand.dice.of(f"{name} lasts").choice(SHORT)

    def _end(self, name: str) -> None:
        edge, stand = self._stand.gateway_edge(), self._stand
        match name:
            case "maintenance" | "stream_dies" | "stream_mute" if edge is not None:
                edge.down = edge.mute = False
                edge.switch_stream(up=True)
            case "skew":
                stand.exchange.offset_ms = 0
                if edge is not None:
                    edge.tell_clock()
            case "feed_stops":
                stand.script.feeding = True
            case "kill_file":
                (stand.path / "KILL").unlink(missing_ok=True)

    def _kill(self) -> None:
        name = self._stand.dice.of("who dies").choice(NAMES)
        self._renew(name)
        self._stand.kill(name)

    def _kill_at_append(self) -> None:
        chance, journals = self._stand.dice.of("fuses"), self._stand.journals
        name = chance.choice(NAMES)
        self._renew(name)
        journals.after = chance.random() < 0.5
        journals.fuses[name] = chance.randrange(4)

    def _renew(self, name: str) -> None:
        if self._stand.dice.hits("new_code"):
            self._stand.codes[name] += "'"

    def _pause(self) -> None:
        chance = self._stand.dice.of("pauses")
        self._stand.pause(chance.choice(NAMES), chance.choice((300, 700, 2_500, 8_000)))

    def _step_clock(self) -> None:
        steps = (-3_000, 700, 5_000, 60_000)
        self._stand.clock.set_ms(self._stand.dice.of("clock").choice(steps))

    def _be_absent(self) -> None:
        """Let a service, or two, be dead or stand still for ten minutes."""
        stand, chance = self._stand, self._stand.dice.of("absent")
        if self._stand.dice.odds["absence"] == 0:
            return
        stand.dice.odds["absence"] = 0
        for name in chance.sample(NAMES, chance.choice((1, 1, 2))):
            if chance.random() < 0.5:
                stand.pause(name, 590_000)
            else:
                stand.kill(name)
        self._endure(30)

    def _stop_feed(self) -> None:
        self._stand.script.feeding = False
        self._last("feed_stops")

    def _maintain(self) -> None:
        edge = self._stand.gateway_edge()
        if edge is not None:
            edge.down = True
            edge.switch_stream(up=False)
            self._last("maintenance")

    def _kill_stream(self) -> None:
        edge = self._stand.gateway_edge()
        if edge is not None:
            edge.switch_stream(up=False)
            self._last("stream_dies")

    def _mute_stream(self) -> None:
        edge = self._stand.gateway_edge()
        if edge is not None:
            edge.mute = True
            self._last("stream_mute")

    def _skew(self) -> None:
        offsets = (300, -300, 900, -900, 4_000, -4_000)
        self._stand.exchange.offset_ms = self._stand.dice.of("offsets").choice(offsets)
        edge = self._stand.gateway_edge()
        if edge is not None:
            edge.tell_clock()
        self._last("skew")

    def _trade_by_hand(self) -> None:
        """Let somebody else trade in the account, or put an order there."""
        stand, chance = self._stand, self._stand.dice.of("stranger")
        facts = FACTS_OF[chance.choice(stand.symbols)]
        self._strangers += 1
        top = stand.exchange.walk.top(facts.id, stand.exchange.desk.at_ms)
        px = top.bid[0] * 98 // 100 * int(10 ** (8 - facts.px_exp))
        ticket = Ticket(
            symbol=facts.id, side="BUY", type="MARKET", qty=UNIT // 100,
            client_id=f"web_{self._strangers}",
        )  # fmt: skip
        if chance.random() < 0.5:
            ticket = Ticket(
                symbol=facts.id, side="BUY", type="LIMIT", qty=UNIT // 100, px=px,
                client_id=f"web_{self._strangers}",
            )  # fmt: skip
        stand.truth.meet_stranger()
        try:
            order = stand.exchange.desk.place(ticket)
        except Refusal:
            return
        if stand.oracle.record.opened:
            self.strangers.append((self._n, str(order.id)))

    def _kill_switch(self) -> None:
        if "gateway" in self._stand.lives:
            level = self._stand.dice.of("levels").choice(("REDUCING", "HALTED", "FLATTEN"))
            self._stand.ask("gateway", "kill", level, "because")
            place = self._stand.lives["gateway"].place
            self._killed = (place, f"{self._stand.requests}", level)

    def _check_kill(self) -> None:
        """Assert that a kill that was answered stands on the record."""
        if self._killed is None:
            return
        place, request, asked = self._killed
        if any(answer.request_id == request for answer in place.answers):
            self._killed = None
            level = self._stand.oracle.record.level
            assert RANKS[level] >= min(RANKS[asked], 2), f"I8: {asked} was latched, it is {level}"

    def check_strangers(self) -> None:
        """Assert that all that others did has halted its symbol."""
        missed = [name for _n, name in self.strangers if name not in self._halts()]
        assert not missed, f"I19: orders of others were overlooked: {missed}"

    def is_told(self, order: Order) -> bool:
        """Return whether the house has said of an order that it was not made here."""
        return str(order.id) in self._halts()

    def _halts(self) -> list[str]:
        return " ".join(self._stand.oracle.record.halts).replace(":", " ").split()

    def _lay_file(self) -> None:
        text = self._stand.dice.of("files").choice(("", "FLATTEN by file", "REDUCING"))
        (self._stand.path / "KILL").write_text(text)
        self._last("kill_file")

    def _resume(self) -> None:
        self._killed = None
        if "gateway" in self._stand.lives:
            self._stand.ask("gateway", "resume", "because")
            for symbol in self._stand.symbols:
                self._stand.ask("gateway", "resume-symbol", symbol, "because")
