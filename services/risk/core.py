"""Risk: a verdict on every intent, and the books and limits that it is judged by."""

from collections.abc import Mapping
from typing import ClassVar

from bus.service import Said, Service
from schema.approval import order_hash
from schema.head import Message
from schema.house import Command, PeerSeen, Started, TimeGap
from schema.instruments import Denial
from schema.ledger import Ledger, deposit
from schema.market import FeedStatus, Instrument, Quote
from schema.orders import Deposit, Fill, InstrumentHalted, InstrumentResumed, KillLevel
from schema.settings import Settings
from schema.trading import DayOpened, LimitBreached, LimitReleased, OrderIntent, RiskState, Verdict
from services.risk import HEARS, NAME, SAYS, answers, day, orders
from services.risk.limits import judge
from services.risk.money import limits_of
from services.risk.standing import latch, state_after
from services.risk.state import State, Windows

MOVES = frozenset({Deposit, Fill})
"""What changes the account's worth beside the market."""

STOPS = (KillLevel, InstrumentHalted, InstrumentResumed, LimitBreached, LimitReleased, RiskState)
BOOKED = frozenset({Deposit, DayOpened, *STOPS})
"""What is booked beside the orders."""

WORDS = (OrderIntent, Instrument, FeedStatus, Started, PeerSeen, KillLevel, TimeGap, Command)
HEARD = frozenset({Quote, *WORDS})
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
        self._account: day.Account | None = None
        self._ledger: Ledger | None = None  # that the account was worked out of; None: it moved
        self.limits = limits_of(settings)

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        if type(message) not in HEARD:
            return []
        match message:
            case Quote():
                self._price(message)
                return self._look(now_ns)
            case OrderIntent():
                return [*self._look(now_ns), self._verdict(message, now_ns)]
            case Instrument() | FeedStatus():
                self.refill(message)
                return self._look(now_ns)
            case Started(epoch=epoch):
                self.state.windows.epoch = epoch
                return self._with_state([], now_ns)
            case PeerSeen():
                self._see_writer(message, now_ns)
                return self._with_state([], now_ns)
            case KillLevel():
                return self._with_state([], now_ns)
            case TimeGap():
                self.state.windows.quotes.clear()  # Nobody knows how old they are.
            case Command():
                return self._answer(message, now_ns)
        return []

    def apply(self, message: Message) -> None:
        if type(message) in MOVES:
            self._ledger = None
        if (fold := orders.FOLDS.get(type(message))) is not None:
            fold(self.state.books, message, self.limits)
        elif type(message) in BOOKED:
            self._book(message)

    def _book(self, message: Message) -> None:
        books = self.state.books
        match message:
            case Deposit():
                deposit(books.ledger, message)
            case KillLevel():
                books.kill = message
            case InstrumentHalted():
                books.halted[message.symbol] = message
            case InstrumentResumed():
                books.halted.pop(message.symbol, None)
            case DayOpened():
                books.anchor = message
            case LimitBreached() | LimitReleased():
                latch(books.latched, message)
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
        found = judge(intent, self.state.books, self.state.windows, self.limits, now_ns)
        approved, code = (False, found.code) if isinstance(found, Denial) else (True, "OK")
        return Verdict(
            ts_event=now_ns,
            client_order_id=intent.client_order_id,
            order_hash=order_hash(intent),
            approved=approved,
            code=code,
            detail=found.detail if isinstance(found, Denial) else found.figures(),
            epoch=self.state.windows.epoch,
            expires_ns=now_ns + self.limits.verdict_ttl_ns,
            symbol=intent.symbol,
        )

    def _price(self, quote: Quote) -> None:
        if (
            quote.bid_px > 0 and quote.ask_px > 0
        ):  # With one side missing there is no price; the old one ages.
            self.state.windows.quotes[quote.symbol] = quote

    def _look(self, now_ns: int) -> list[Said]:
        books, windows = self.state.books, self.state.windows
        if now_ns - windows.looked_ns < day.PAUSE_NS:
            return []
        if self._ledger is not books.ledger:
            self._account, self._ledger = day.account_of(books, self.limits), books.ledger
        said = day.look(self._account, books, windows, self.limits, now_ns)
        return self._with_state(said, now_ns) if said else []

    def _with_state(self, said: list[Message], now_ns: int) -> list[Said]:
        return [*said, *state_after(self.state.books, self.state.windows, said, now_ns)]

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
                return [answers.limited(command, books, windows, limits, now_ns)]
            case "balances":
                return [answers.balanced(command, books)]
            case "audit":
                return [answers.audited(command, books)]
            case "release":
                said, done = answers.release(command, books, windows, limits, now_ns)
                return [*(self._with_state(said, now_ns) if said else []), done]
        return [answers.unknown(command)]
