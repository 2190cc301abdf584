"""Joins intent and verdict, sends, and says what became of every order; holds the kill switch.

After every input it looks at how things stand and asks for what is missing, so that one place
mends a cold start, a restart, a lost answer and a silent stream.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

from bus.service import Limited, Said, Service
from schema.head import Message
from schema.house import SnapshotDue, Started
from schema.lifecycle import State as Standing
from schema.market import FeedBudget, Instrument
from schema.settings import Settings
from schema.trading import CancelIntent, OrderIntent, Verdict
from services.gateway import (
    HEARS,
    NAME,
    SAYS,
    account,
    arming,
    books,
    budget,
    cancels,
    disarming,
    flatten,
    guard,
    hearing,
    join,
    kill,
    pairs,
    reconcile,
    replaces,
    restless,
    stops,
    trades,
    unconfirmed,
    vanished,
)
from services.gateway.answers import claim
from services.gateway.state import State, Windows
from services.gateway.symbols import Symbols
from services.gateway.turn import Rules, Turn

LEVEL = {"ACTIVE": 0, "REDUCING": 1, "HALTED": 2, "FLATTEN": 3}


class Gateway(Service):
    """The one process that sends orders, and the books of what came of them."""

    name: ClassVar[str] = NAME
    hears: ClassVar[tuple[str, ...]] = HEARS
    says: ClassVar[tuple[str, ...]] = SAYS
    snapshots: ClassVar[tuple[str, ...]] = SAYS

    def __init__(self, settings: Settings, world: str, *, armed: bool = True) -> None:
        own = settings.gateway
        self.needs = {  # type: ignore[misc]
            "risk": own.risk_silence_ms,
            "engine": own.engine_silence_ms,
        }
        self.rules = Rules(
            own,
            world,
            settings.engine.intent_ttl_ms * 1_000_000,
            needs_arm=settings.mode == "live",
            account=settings.exchange.account,
        )
        if self.rules.needs_arm:
            self.needs = {**self.needs, "ingest": own.engine_silence_ms}  # type: ignore[misc]
        self.state = State(windows=Windows(armed=armed))
        self._armed = armed
        self._ahead: deque[Message] = deque()
        self._symbols = Symbols()

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        assert not self._ahead, f"{self._ahead[0]} was said and never applied"
        if isinstance(message, SnapshotDue):
            return [*account.told(self.state.books, now_ns)]
        turn = Turn(self.state, self.rules, now_ns)
        if not self._take(turn, message):
            return []
        _settle(turn, self._symbols)
        self._ahead = turn.ahead
        return turn.said

    def apply(self, message: Message) -> None:
        if self._ahead and self._ahead[0] is message:
            self._ahead.popleft()  # `handle` said it, and the books have it already.
        else:
            books.apply(self.state.books, message)

    def forget(self) -> None:
        self.state.windows = Windows(armed=self._armed)

    def refill(self, message: Message) -> None:
        windows, known = self.state.windows, self.state.books.ids
        match message:
            case Instrument():
                windows.instruments[message.symbol] = message
                windows.listings += 1
            case FeedBudget():
                windows.rates = budget.rates_in(windows.rates, message)
            case OrderIntent() if message.client_order_id not in known:
                windows.intents[message.client_order_id] = message
            case Verdict() if message.client_order_id not in known:
                windows.verdicts[message.client_order_id] = message

    def trouble(self, now_ns: int) -> str | None:
        windows = self.state.windows
        if not windows.armed:
            return "no exchange is connected in this mode"
        if windows.clock is None:
            return "the exchange's clock is not known yet"
        if windows.reconciled is None:
            return "orders and balances are not reconciled yet"
        if not windows.instruments:
            return "no instrument is known yet"
        why = self._limits(now_ns)  # Whatever it is, exits, stops and cancels go on.
        return Limited(why) if why else None

    def _limits(self, now_ns: int) -> str:
        if self.state.windows.can_withdraw:
            return "the exchange's key may withdraw money; make one that may not"
        if not self.state.windows.can_trade:
            return "the exchange's key may not trade"
        return arming.hindrance(Turn(self.state, self.rules, now_ns))

    def counters(self) -> tuple[tuple[str, int], ...]:
        found = self.state.books
        unsure = sum(1 for o in found.open.values() if o.place.state is Standing.UNCONFIRMED)
        return (
            ("submitted", found.submitted),
            ("denied", found.denied),
            ("unconfirmed", unsure),
            ("fills", found.fills),
            ("orders_open", len(found.open)),
            ("late_fills", found.late_fills),
            ("foreign_orders", found.foreign_orders),
            ("external_orders", len(self.state.windows.externals)),
            ("unexplained", sum(1 for one in found.differences.values() if one.n)),
            ("outside", found.outside),
            ("strays", self.state.windows.strays),
            ("level", LEVEL[found.level]),
        )

    def _take(self, turn: Turn, message: Said) -> bool:
        """Take in a message; False for one that is for others."""
        ear = EARS.get(type(message))
        if ear is not None:
            ear(turn, message)
        elif isinstance(message, Started):
            hearing.start(turn, message, armed=self._armed)
        else:
            assert isinstance(message, Message), (
                f"gateway does not listen to {type(message).__name__}"
            )
            return False
        return True


def _hear_instrument(turn: Turn, instrument: Instrument) -> None:
    turn.windows.instruments[instrument.symbol] = instrument
    turn.windows.listings += 1
    vanished.hear_listing(turn, instrument)


EARS: dict[type[Said], Callable[[Turn, Any], None]] = {
    OrderIntent: join.hear_intent,
    Verdict: join.hear_verdict,
    CancelIntent: cancels.hear_cancel,
    Instrument: _hear_instrument,
    FeedBudget: budget.hear_feed,
    **hearing.EARS,
}


def _settle(turn: Turn, symbols: Symbols) -> None:
    windows, orders = turn.windows, turn.books.open
    disarming.settle(turn)
    if windows.waiting:
        kill.settle(turn)
    if windows.unclaimed:
        claim(turn)
    join.settle(turn)
    if orders or windows.doubts:
        unconfirmed.settle(turn)
    if orders or windows.wishes:
        cancels.settle(turn)
    flatten.settle(turn)
    if orders or windows.vanished:
        restless.settle(turn)
        pairs.settle(turn)
        replaces.settle(turn)
        vanished.settle(turn)
    symbols.look(turn)
    reconcile.settle(turn, symbols.listed)
    trades.settle(turn, symbols.all)
    if windows.engine_lost_ns:
        guard.settle(turn)
    stops.note(turn)
    turn.wake()
