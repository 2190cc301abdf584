"""A desk that plays engine, risk, edge and clock around the gateway's core, by hand.

Whatever a test does here is run a second time from its beginning, and once more from a snapshot
before each turn: the same inputs have to give the same bytes, and what was said the same books.
"""

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from bus.service import Heard
from bus.turn import Outcome, run_turn
from schema.exchange import (
    AskTop,
    ClockSeen,
    OrderReport,
    ReportPushed,
    SendCancel,
    SendOrder,
    StreamUp,
    VenueTrade,
)
from schema.head import Effect, Local, Message
from schema.house import Command, CommandDone, PeerSeen, Started, Timer, Unanswered, Wake
from schema.joined import SendPair, SendReplace
from schema.lifecycle import State
from schema.messages import encode
from schema.settings import Settings
from schema.streams import STREAMS, home
from schema.trading import CancelIntent, OrderIntent
from services.gateway.core import Gateway
from services.gateway.state import Books
from services.gateway.state import State as Kept
from tests.services.gateway.gateway_account import Account
from tests.services.gateway.gateway_words import LISTED, MARKET_NS, MS, SCALE, WALL_MS, WORLD, Words
from tests.services.shipped import shipped

INTENT, VERDICT, FEED = (
    STREAMS[n].number for n in ("engine.intent", "risk.verdict", "ingest.feed")
)
M = TypeVar("M", bound=Message)
E = TypeVar("E", bound=Effect)
HELD_BACK = (SendOrder, SendPair, SendReplace, SendCancel, AskTop)


def settings(**environ: str) -> Settings:
    return shipped(RRR_CLOCK__SCALE=str(SCALE), **environ)


class Desk(Words):
    """One gateway, and everybody that it speaks with."""

    def __init__(self, *, armed: bool = True, **environ: str) -> None:
        super().__init__()
        self.settings = settings(**environ)
        self.armed = armed
        self.core = Gateway(self.settings, WORLD, armed=armed)
        self.account = Account()
        self.said: list[Message] = []
        self.effects: list[Effect] = []
        self.done: list[CommandDone] = []
        self.turns: list[tuple[int, list[Heard], bytes, list[bytes]]] = []
        self.heard: list[Message] = []  # on streams, in all lives
        self.wakes: dict[str, int] = {}
        self._pos = 0

    @property
    def books(self) -> Books:
        books: Books = self.core.state.books
        return books

    @property
    def wall_ms(self) -> int:
        return WALL_MS + int((self.now_ns - MARKET_NS) / (MS * SCALE))

    # Time, and what happens in it.

    def put(self, *messages: Message | Local) -> list[Message]:
        """Let the core hear some messages in one turn, and return what it said."""
        heard = [self._heard(message) for message in messages]
        before = msgspec.msgpack.encode(self.core.state)
        self.account.wall_ms, self.account.market_ms = self.wall_ms, self.now_ns // MS
        outcome = run_turn(self.core, heard, self.now_ns)
        self.turns.append((self.now_ns, heard, before, _bytes(outcome)))
        for effect in outcome.effects:
            if isinstance(effect, Wake):
                self.wakes[effect.name] = effect.at_ns
            elif isinstance(effect, CommandDone):
                self.done.append(effect)
            else:
                assert isinstance(effect, Effect)
                self.effects.append(effect)
        self.said += outcome.said
        return outcome.said

    def _heard(self, message: Message | Local) -> Heard:
        if not isinstance(message, Message):
            return Heard(message)
        stream = home(type(message))
        assert stream is not None
        self.heard.append(message)
        self._pos += 1
        return Heard(message, stream.number, self._pos)

    def pass_ms(self, wall_ms: int) -> None:
        """Let wall time pass; timers fire in it."""
        until_ns = self.now_ns + int(wall_ms * MS * SCALE)
        while self.wakes and min(self.wakes.values()) <= until_ns:
            at_ns, name = min((at, name) for name, at in self.wakes.items())
            del self.wakes[name]
            self.now_ns = max(self.now_ns, at_ns)
            self.put(Timer(name=name, at_ns=at_ns))
        self.now_ns = until_ns

    def settle(self, *, also: tuple[type[Effect], ...] = ()) -> None:
        """Answer what is asked by the truth, until nothing is; what sends waits, but for `also`."""
        for _ in range(100):
            ready = [e for e in self.effects if not isinstance(e, HELD_BACK) or type(e) in also]
            if not ready:
                return
            for effect in ready:
                self.effects.remove(effect)
                self.put(self.account.answer(effect))
        raise AssertionError(f"it never stops to ask: {self.effects}")

    def live_ms(self, wall_ms: int, *, also: tuple[type[Effect], ...] = ()) -> None:
        """Let wall time pass in small steps, with every question answered."""
        for _ in range(wall_ms // 100):
            self.pass_ms(100)
            self.settle(also=also)

    # The house.

    def boot(self) -> "Desk":
        """Start, with everybody there and everything compared."""
        self.put(Started(epoch=1, grade="fresh"))
        self.put(LISTED, PeerSeen(service="risk", state="READY"))
        self.put(PeerSeen(service="engine", state="READY"))
        self.tell_clock()
        self.put(StreamUp())
        self.settle()
        assert self.core.trouble(self.now_ns) is None
        return self

    def restart(self, grade: str = "exact", engine: str = "READY") -> None:
        """Kill it and start it anew; what was asked is never answered."""
        before = self.core.state
        self.core = Gateway(self.settings, WORLD, armed=self.armed)
        if grade == "exact":
            packed = msgspec.msgpack.encode(before)
            self.core.state = msgspec.msgpack.decode(packed, type=Kept)
        else:
            for message in self.said:
                self.core.apply(message)
            self.core.forget()
            for heard in self.heard:
                self.core.refill(heard)
            self.turns.clear()
            self.wakes.clear()
        self.effects.clear()
        self.put(Started(epoch=2, grade=grade))
        self.put(PeerSeen(service="risk", state="READY"))
        if engine:
            self.put(PeerSeen(service="engine", state=engine))
        self.tell_clock()

    def tell_clock(self, offset_ms: int = 0) -> None:
        now_ns = self.now_ns
        self.put(
            ClockSeen(wall_ms=self.wall_ms, market_ns=now_ns, scale=SCALE, offset_ms=offset_ms)
        )

    def command(self, verb: str, *args: str) -> CommandDone:
        self.put(Command(request_id=verb, verb=verb, args=args, by="me"))
        return self.done[-1]

    # Engine and risk.

    def approve(self, intent: OrderIntent) -> list[Message]:
        """Let the engine want an order and risk approve it."""
        return self.put(intent, self.verdict(intent))

    def cancel(self, intent: OrderIntent) -> list[Message]:
        return self.put(
            CancelIntent(
                ts_event=self.now_ns,
                client_order_id=intent.client_order_id,
                strategy="toy",
                symbol=intent.symbol,
            )
        )

    # The edge.

    def take(self, kind: type[E]) -> E:
        """Take the one effect of a kind that waits for its answer."""
        (found,) = [effect for effect in self.effects if type(effect) is kind]
        self.effects.remove(found)
        assert isinstance(found, kind)
        return found

    def waits(self, kind: type[Effect]) -> int:
        return sum(1 for effect in self.effects if type(effect) is kind)

    def place(self, intent: OrderIntent) -> OrderIntent:
        """Send an order and have the exchange take it."""
        self.approve(intent)
        self.put(self.account.answer(self.take(SendOrder)))
        return intent

    def push(self, report: OrderReport, *trades: VenueTrade, reason: str = "") -> list[Message]:
        word = "TRADE" if trades else report.status
        return self.put(ReportPushed(report=report, execution=word, reason=reason, trades=trades))

    def fill(self, intent: OrderIntent, qty: str, **fields: Any) -> VenueTrade:
        """Execute a part of an order, and push it."""
        trade = self.account.fill(intent.client_order_id, qty, **fields)
        self.push(self.account.orders[intent.client_order_id].report(), trade)
        return trade

    def bought(self, qty: str = "0.01000") -> OrderIntent:
        """Hold a position."""
        intent = self.place(self.intent(qty=int(qty.replace(".", ""))))
        self.fill(intent, qty)
        return intent

    def silence(self, effect: Effect, reason: str = "no answer within 5000 ms") -> list[Message]:
        return self.put(Unanswered(effect_id=effect.effect_id, reason=reason))

    # What came of it.

    def of(self, kind: type[M]) -> list[M]:
        """Return everything said of one kind."""
        return [message for message in self.said if isinstance(message, kind)]

    def story(self, intent: OrderIntent) -> list[str]:
        """Return the names of all that was said of an order."""
        own = (m for m in self.said if getattr(m, "client_order_id", "") == intent.client_order_id)
        return [type(message).__name__ for message in own]

    def standing(self, intent: OrderIntent) -> State:
        books, order_id = self.books, intent.client_order_id
        order = books.open.get(order_id) or books.ended[order_id]
        return order.place.state

    def prove(self) -> None:
        """Run every turn again: from its beginning, from a snapshot, and as a fold."""
        again = Gateway(self.settings, WORLD, armed=self.armed)
        if self.turns:
            again.state = _unpacked(self.turns[0][2])
        for number, (now_ns, heard, before, said) in enumerate(self.turns):
            if number % 7 == 3:
                again.state = _unpacked(before)
            assert _bytes(run_turn(again, heard, now_ns)) == said, f"turn {number}"
        folded = Gateway(self.settings, WORLD)
        for message in self.said:
            folded.apply(message)
        assert _plain(folded.state.books) == _plain(self.books)


def _unpacked(data: bytes) -> Kept:
    return msgspec.msgpack.decode(data, type=Kept)


def _plain(books: Books) -> Any:
    return msgspec.structs.asdict(books)


def _bytes(outcome: Outcome) -> list[bytes]:
    pack = msgspec.msgpack.Encoder().encode
    return [encode([m]) for m in outcome.said] + [pack(effect) for effect in outcome.effects]


def opened() -> Iterator[Desk]:
    """Lend a desk that is ready to trade, and prove its turns afterwards."""
    desk = Desk().boot()
    yield desk
    desk.prove()
