"""Risk: a verdict on every intent, and the books and limits that it is judged by."""

from collections.abc import Mapping
from typing import ClassVar

from bus.service import Said, Service
from schema.approval import order_hash
from schema.head import Message
from schema.house import Command, PeerSeen, Started, TimeGap, Timer
from schema.instruments import Denial
from schema.ledger import deposit
from schema.market import FeedStatus, Instrument, Quote
from schema.orders import Deposit, Fill, InstrumentHalted, InstrumentResumed, KillLevel
from schema.settings import Settings
from schema.trading import (
    CancelIntent,
    DayOpened,
    EquityMarked,
    LimitBreached,
    LimitChanged,
    LimitReleased,
    OrderIntent,
    RiskState,
    Verdict,
)
from services.risk import HEARS, NAME, SAYS, answers, changes, limits_pace, losses, orders, pace
from services.risk.case import Desk
from services.risk.cover import uncovered
from services.risk.limits import judge
from services.risk.marks import fold_mark
from services.risk.money import limits_of, texts
from services.risk.protecting import PROTECTED, Equity, Guards
from services.risk.stakes import Stakes
from services.risk.standing import fold_stop, state_after
from services.risk.state import State, Windows
from services.risk.sums import Sums
from services.risk.uses import Sight

STOPS = (KillLevel, InstrumentHalted, InstrumentResumed, LimitBreached, LimitReleased, RiskState)
BOOKED = frozenset({Deposit, DayOpened, EquityMarked, LimitChanged, *STOPS})
"""What is booked beside the orders."""

WORDS = (OrderIntent, CancelIntent, Fill, Instrument, FeedStatus, KillLevel)
HEARD = frozenset({Quote, *WORDS, Started, PeerSeen, TimeGap, Timer, Command})
"""What asks for a look or an answer; the rest of what is heard is booked."""


class Risk(Service):
    """Judges orders; what it approves is reserved until the gateway answers."""

    name: ClassVar[str] = NAME
    hears: ClassVar[tuple[str, ...]] = HEARS
    says: ClassVar[tuple[str, ...]] = SAYS
    folds: ClassVar[tuple[str, ...]] = ("gateway.order", "engine.intent")
    needs: ClassVar[Mapping[str, int]] = {"writer_trading": 5_000}

    def __init__(self, settings: Settings) -> None:
        self.state = State()
        self._settings = settings
        self.limits = limits_of(settings)
        self.guards = Guards(settings)
        self._build()

    def _build(self) -> None:
        # What follows from the state and is no part of it; a recovery puts another state here.
        books, windows = self.state.books, self.state.windows
        self.limits = limits_of(self._settings, changes.texts_of(books))
        self._sums = Sums(books, windows)
        self._stakes = Stakes(books, windows, self.limits.quote)

    def _touch(self, symbol: str) -> None:
        if symbol:
            self._sums.touch(symbol)
            self._stakes.touch(symbol)
        else:
            self._sums.touch_all()
            self._stakes.touch_all()

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        if type(message) not in HEARD:
            return []
        if not self._sums.is_of(self.state.books, self.state.windows):
            self._build()
        match message:
            case Quote():
                self._price(message)
                return self._look(now_ns)
            case OrderIntent():
                return [*self._look(now_ns), self._verdict(message, now_ns)]
            case Fill():
                return self._filled(now_ns)
            case CancelIntent():
                books, windows = self.state.books, self.state.windows
                return [*limits_pace.cancels_told(books, windows, self.limits, now_ns)]
            case Instrument() | FeedStatus():
                self.refill(message)
                return self._look(now_ns)
            case Started() | Timer() | PeerSeen() | KillLevel() | TimeGap():
                return self._of_house(message, now_ns)
            case Command():
                return self._answer(message, now_ns)
        return []

    def _of_house(self, message: Said, now_ns: int) -> list[Said]:
        match message:
            case Started(epoch=epoch):
                self.state.windows.epoch = epoch
                return [*self._with_state([], now_ns), *changes.wakes(self.state.books)]
            case Timer():
                books = self.state.books
                return [*changes.due(books, now_ns), *changes.wakes(books, after_ns=now_ns)]
            case PeerSeen():
                self._see_writer(message, now_ns)
            case TimeGap():
                self.state.windows.quotes.clear()  # Nobody knows how old they are.
                self._touch("")
                return []
        return self._with_state([], now_ns)

    def apply(self, message: Message) -> None:
        if not self._sums.is_of(self.state.books, self.state.windows):
            self._build()
        if (fold := orders.FOLDS.get(type(message))) is not None:
            fold(self.state.books, message, self.limits)
            self._touch(getattr(message, "symbol", ""))
        elif type(message) in BOOKED:
            self._book(message)
        if type(message) in PROTECTED:
            books = self.state.books
            self.guards.fold(books.protections, books.ledger, message)
            if type(message) is Fill:
                pace.count_trips(books.pace, books.protections.trips.ended, self.limits)

    def _book(self, message: Message) -> None:
        books = self.state.books
        match message:
            case Deposit():
                deposit(books.ledger, message)
                if message.symbol:
                    self._stakes.touch(message.symbol)
            case KillLevel() | InstrumentHalted() | InstrumentResumed():
                fold_stop(books, message)
            case DayOpened() | EquityMarked():
                fold_mark(books, message)
            case LimitChanged():
                changes.fold_change(books, message)
                self.limits = limits_of(self._settings, changes.texts_of(books))
            case LimitBreached() | LimitReleased():
                losses.fold_reached(books, message)
            case RiskState():
                books.standing = message

    def forget(self) -> None:
        self.state.windows = Windows()

    def refill(self, message: Message) -> None:
        windows = self.state.windows
        match message:
            case Quote():
                self._price(message)
            case Instrument():
                windows.instruments[message.symbol] = message
                self._touch(message.symbol)
            case FeedStatus():
                windows.feeds[message.symbol] = message

    def trouble(self, now_ns: int) -> str | None:
        books = self.state.books
        if books.reconciled_ns or self.limits.quote in books.ledger.balances:
            return None
        return "no balance is known yet: the gateway has not told any"

    def counters(self) -> tuple[tuple[str, int], ...]:
        """Return how the verdicts went, and what counts besides the positions."""
        books = self.state.books
        submitted = sum(order.submitted for order in books.orders.values())
        return (
            ("verdicts", books.approved + books.refused),
            ("approved", books.approved),
            ("refused", books.refused),
            ("reserved", len(books.orders) - submitted),
            ("orders_open", submitted),
        )

    def _verdict(self, intent: OrderIntent, now_ns: int) -> Verdict:
        state = self.state
        desk = Desk(state.books, state.windows, self._sums, self.limits, now_ns)
        found = judge(intent, desk)
        approved, code = (False, found.code) if isinstance(found, Denial) else (True, "OK")
        return Verdict(
            ts_event=now_ns,
            client_order_id=intent.client_order_id,
            order_hash=order_hash(intent),
            approved=approved,
            code=code,
            detail=found.detail if isinstance(found, Denial) else found.uses(),
            epoch=state.windows.epoch,
            expires_ns=now_ns + self.limits.verdict_ttl_ns,
            symbol=intent.symbol,
        )

    def _filled(self, now_ns: int) -> list[Said]:
        books, windows = self.state.books, self.state.windows
        told = limits_pace.trips_told(books, windows, self.limits, now_ns)
        return [*told, *self.guards.after_fill(books.protections, now_ns)]

    def _price(self, quote: Quote) -> None:
        if (
            quote.bid_px > 0 and quote.ask_px > 0
        ):  # With one side missing there is no price; the old one ages.
            self.state.windows.quotes[quote.symbol] = quote
            self._touch(quote.symbol)

    def _look(self, now_ns: int) -> list[Said]:
        books, windows, limits = self.state.books, self.state.windows, self.limits
        if now_ns - windows.looked_ns < losses.PAUSE_NS:
            return []
        worth = self._stakes.account(limits, now_ns)
        if worth is None:
            return []
        said = losses.look(worth, self._stakes, books, windows, limits, now_ns)
        said += uncovered(books, windows, limits, now_ns)
        equity = Equity(worth.equity, worth.moved)
        guarded = self.guards.at_look(books.protections, windows.curve, equity, now_ns)
        return [*(self._with_state(said, now_ns) if said else []), *guarded]

    def _with_state(self, said: list[Message], now_ns: int) -> list[Said]:
        hard = losses.HARD if self.limits.settings.hard else frozenset()
        after = state_after(self.state.books, self.state.windows, said, now_ns, hard)
        return [*said, *after]

    def _see_writer(self, peer: PeerSeen, now_ns: int) -> None:
        windows = self.state.windows
        if peer.state != "BEHIND":
            windows.behind = None
        elif windows.behind is None:
            windows.behind, windows.behind_since_ns = peer, now_ns

    def _answer(self, command: Command, now_ns: int) -> list[Said]:
        books, windows, limits = self.state.books, self.state.windows, self.limits
        match command.verb:
            case "stops":
                return [answers.stopped(command, books, windows)]
            case "limits":
                self._sums.refresh()
                sight = Sight(books, windows, self._sums, limits, now_ns)
                return [answers.limited(command, sight)]
            case "balances":
                return [answers.balanced(command, books)]
            case "audit":
                return [answers.audited(command, books)]
            case "release":
                return self._release(command, now_ns)
            case "set" | "unset" | "cancel":
                return self._change(command, now_ns)
        return [answers.unknown(command)]

    def _release(self, command: Command, now_ns: int) -> list[Said]:
        books, windows, limits = self.state.books, self.state.windows, self.limits
        said, done = answers.release(command, books, windows, self._stakes, limits, now_ns)
        return [*(self._with_state(said, now_ns) if said else []), done]

    def _change(self, command: Command, now_ns: int) -> list[Said]:
        books = self.state.books
        own, scale = self._settings.risk, self.limits.scale
        try:
            wish = changes.wish_of(command)
            said = changes.change(wish, books, self.limits, texts(own, scale), now_ns)
        except ValueError as error:
            return [answers.refusal(command, str(error))]
        return [said, *changes.wakes(books, said), answers.changed(command, said)]
