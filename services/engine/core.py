"""The engine: hears the market and the gateway, asks the strategies, and steers every slot."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from bus.service import Said, Service
from schema.forecast import Forecast
from schema.head import Message
from schema.house import Command, EdgeFailed, PeerSeen, Started, TimeGap, Timer, Wake
from schema.market import Bar, FeedStatus, Instrument, Quote
from schema.orders import Deposit, Fill
from schema.setting_types import TIMEFRAMES_NS
from schema.settings import Settings
from schema.strategy import StrategiesOffered, StrategyFell, StrategyLoaded, StrategyRetired
from schema.trading import StrategyFailed, StrategyResumed
from schema.units import MS_NS, SECOND_NS
from services.engine import HEARS, NAME, SAYS
from services.engine.acting import steer_all, steer_slot, steer_symbol
from services.engine.asking import (
    ENDS,
    ask_bar,
    ask_forecast,
    ask_order,
    ask_shadow,
    ask_timer,
    set_timer,
)
from services.engine.books import FOLDS
from services.engine.boundary import Guard
from services.engine.commands import obey
from services.engine.deciding import fell_key
from services.engine.hearing import (
    hear_bar,
    hear_feed,
    hear_forecast,
    hear_peer,
    hear_quote,
    series_key,
)
from services.engine.line import Pass, Terms
from services.engine.offers import ARM, begin
from services.engine.portfolio import portfolios, positions_after
from services.engine.resting import is_calm, is_leaving
from services.engine.roster import Roster
from services.engine.state import State, Windows
from services.engine.trailing import TRAILS
from services.engine.valuation import Valuation

FRESH_BARS = 2
"""A forecast, or a bar, that closed longer than so many of its bars ago is history."""

SETTLE_PARTS = 3
"""A third of an order's life without old news, and what was missed is heard."""

SWEEP, SETTLED = "sweep", "settled"
MONEY = frozenset({Fill, Deposit})
"""What changes the account's worth beside the market."""

RECASTS = frozenset({StrategyLoaded, StrategyRetired, StrategyResumed, StrategyFailed})
"""What changes who plays."""


class Engine(Service):
    """One account, its strategies, and one slot for each strategy and symbol."""

    name: ClassVar[str] = NAME
    hears: ClassVar[tuple[str, ...]] = HEARS
    says: ClassVar[tuple[str, ...]] = SAYS
    needs: ClassVar[Mapping[str, int]] = {"ingest": 3000, "risk": 3000, "gateway": 3000}
    folds: ClassVar[tuple[str, ...]] = ("risk.event", "gateway.order")
    foreign: ClassVar[bool] = True

    def __init__(self, settings: Settings, world: str, guard: Guard) -> None:
        self.state = State()
        self.roster = Roster(guard)
        self.guard = guard
        self._ears: dict[type[Said], Callable[[Any, int], list[Said]]] = {
            Quote: self._quoted,
            Bar: self._bar,
            Forecast: self._forecast,
            Command: self._command,
            FeedStatus: self._market,
            Instrument: self._market,
        }
        self._calm: set[str] = set()  # symbols that need no look while books and filters stay
        self._valuation = Valuation()
        self._is_news = True  # whether what `apply` heard last changed anything
        self.terms = Terms(
            world=world,
            symbols=settings.ingest.symbols or settings.venue.symbol,
            ttl_ns=settings.engine.intent_ttl_ms * MS_NS,
            stale_ns=settings.risk.stale_data_ms * MS_NS,
            snapshot_ns=settings.engine.snapshot_s * SECOND_NS,
            resize_pct=settings.engine.resize_pct,
            reserve_bps=max(settings.engine.cash_reserve_bps, settings.venue.taker_bps),
            fee_bps=settings.venue.taker_bps,
            trail_step_bps=settings.engine.trail_step_bps,
            trail_pause_ns=settings.engine.trail_pause_ms * MS_NS,
        )

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        ear = self._ears.get(type(message))
        if ear is not None:
            return ear(message, now_ns)
        if isinstance(message, Message):
            return self._told(message, now_ns)
        return self._local(message, now_ns)

    def apply(self, message: Message) -> None:
        change = FOLDS.get(type(message))
        if change is None:
            return
        self._calm.clear()
        if type(message) in ENDS:
            before = self._marks(message)
            change(self.state.books, message)
            self._is_news = self._marks(message) != before
            return
        change(self.state.books, message)
        if type(message) in RECASTS:
            self.roster.reset()

    def _marks(self, message: Message) -> tuple[int, int]:
        books = self.state.books
        order = books.orders.get(getattr(message, "client_order_id", ""))
        return books.ledger.fills, order.ended_ns if order is not None else 0

    def forget(self) -> None:
        self.state.windows = Windows()
        self._calm.clear()

    def refill(self, message: Message) -> None:
        match message:
            case Quote():
                hear_quote(self.state.windows, message)
            case Bar():
                key = series_key(message.symbol, message.timeframe)
                _, room = self.roster.ears(self.state.books, key)
                hear_bar(self.state.windows, message, key, room)
            case Forecast():
                hear_forecast(self.state.windows, message)
            case FeedStatus() | Instrument():
                self._market(message, 0)

    def trouble(self, now_ns: int) -> str | None:
        if not self.state.windows.instruments:
            return "no instrument is known yet: ingest has not told any"
        return None

    def counters(self) -> tuple[tuple[str, int], ...]:
        """Return what was decided, ordered and filled, and what is open."""
        books = self.state.books
        is_open = [not order.place.terminal for order in books.orders.values()]
        return (
            ("intents", books.intents),
            ("decisions", books.decisions),
            ("fills", books.ledger.fills),
            ("orders_open", sum(is_open)),
        )

    def _pass(self, now_ns: int, trace: int = 0) -> Pass:
        return Pass(self.state, self.terms, now_ns, trace)

    def _quoted(self, quote: Quote, now_ns: int) -> list[Said]:
        hear_quote(self.state.windows, quote)
        symbol = quote.symbol
        if symbol in self._calm or now_ns - quote.ts_event > self.terms.stale_ns:
            return []
        turn = self._pass(now_ns)
        if is_calm(turn, symbol):
            self._calm.add(symbol)
        else:
            steer_symbol(turn, symbol)
        return turn.said

    def _bar(self, bar: Bar, now_ns: int) -> list[Said]:
        key = series_key(bar.symbol, bar.timeframe)
        takers, room = self.roster.ears(self.state.books, key)
        sides = hear_bar(self.state.windows, bar, key, room)
        if sides is None or not takers or self._is_old(bar, bar.timeframe, now_ns):
            return []
        turn = Pass(self.state, self.terms, now_ns, bar.trace)
        ask_bar(turn, self.guard, takers, bar, sides)
        return turn.said

    def _forecast(self, forecast: Forecast, now_ns: int) -> list[Said]:
        hear_forecast(self.state.windows, forecast)
        if self._is_old(forecast, forecast.timeframe, now_ns):
            return []
        turn = self._pass(now_ns, forecast.trace)
        ask_forecast(turn, self.guard, self.roster.on(turn.books, forecast.symbol), forecast)
        return turn.said

    def _command(self, command: Command, now_ns: int) -> list[Said]:
        return obey(self._pass(now_ns), self.roster, self.guard, command)

    def _market(self, message: FeedStatus | Instrument, now_ns: int) -> list[Said]:
        self._calm.clear()
        hear_feed(self.state.windows, message)
        return []

    def _is_old(self, message: Message, timeframe: str, now_ns: int) -> bool:
        return now_ns - message.ts_event > FRESH_BARS * TIMEFRAMES_NS[timeframe]

    def _told(self, message: Message, now_ns: int) -> list[Said]:
        """Steer by what the gateway told; `apply` has booked it already."""
        turn = Pass(self.state, self.terms, now_ns, message.trace)
        if type(message) is Fill:
            turn.said += positions_after(turn, message)
        elif type(message) is Deposit and message.symbol:
            turn.windows.moved[message.symbol] = None
        order_id = getattr(message, "client_order_id", "")
        if order_id and now_ns - message.ts_event > self.terms.ttl_ns:
            self._settle(turn)  # Older news: there may be more of it, and it decides.
        elif type(message) in MONEY:
            self._value(turn)
        order = self.state.books.orders.get(order_id)
        if order is not None:
            if self._is_news and type(message) in ENDS:
                cast = self.roster.find(turn.books, order.intent.strategy, order.intent.symbol)
                ask_order(turn, self.guard, cast, order, message)
            if not is_leaving(order):
                steer_slot(turn, order.intent.strategy, order.intent.symbol)
        return turn.said

    def _local(self, message: Said, now_ns: int) -> list[Said]:
        turn = self._pass(now_ns)
        match message:
            case Started(grade=grade):
                self._start(turn, grade)
            case StrategiesOffered():
                begin(turn, self.guard, message)
            case StrategyFell():
                key = fell_key(message.strategy, message.symbol, message.moment)
                turn.windows.fell[key] = (message.reason, message.detail)
            case PeerSeen():
                hear_peer(self.state.windows, message, now_ns)
                steer_all(turn)
            case TimeGap():
                self.state.windows.tops.clear()
            case Timer():
                self._timer(turn, message)
            case EdgeFailed():
                raise AssertionError("the engine has no edge that could fail")
        return turn.said

    def _start(self, turn: Pass, grade: str) -> None:
        turn.windows.peers.clear()
        if grade != "exact":
            turn.windows.wakes.clear()  # No timer is set any more.
        self._settle(turn)
        turn.wake(SWEEP, turn.now_ns + self.terms.snapshot_ns)

    def _settle(self, turn: Pass) -> None:
        turn.windows.settled_ns = turn.now_ns + self.terms.ttl_ns // SETTLE_PARTS
        turn.said.append(Wake(name=SETTLED, at_ns=turn.windows.settled_ns))

    def _timer(self, turn: Pass, timer: Timer) -> None:
        turn.windows.wakes.pop(timer.name, None)
        sort, _, rest = timer.name.partition(" ")
        if sort == "strategy":
            ask_timer(turn, self.guard, self.roster, rest, timer.at_ns)
        elif sort in {"slot", "refused", TRAILS}:
            strategy, _, symbol = rest.partition(" ")
            steer_slot(turn, strategy, symbol)
        elif sort == "shadow":
            ask_shadow(turn, self.guard, self.roster, rest)
        elif sort == ARM:
            for name in turn.books.loaded:
                set_timer(turn, self.roster, name)
        else:
            steer_all(turn)
        if sort == SWEEP:
            self._value(turn)
            turn.wake(SWEEP, turn.now_ns + self.terms.snapshot_ns)

    def _value(self, turn: Pass) -> None:
        turn.said += portfolios(turn, self._valuation)
