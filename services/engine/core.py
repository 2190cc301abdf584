"""The engine: hears the market and the gateway, asks the strategies, and steers every slot."""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from bus.service import Said, Service
from schema.forecast import Forecast
from schema.head import Message
from schema.house import Command, EdgeFailed, PeerSeen, Started, TimeGap, Timer, Wake
from schema.market import Bar, FeedStatus, Instrument, Quote
from schema.orders import Deposit, Fill
from schema.settings import TIMEFRAMES_NS, Settings
from schema.units import MS_NS, SECOND_NS
from services.engine import HEARS, NAME, SAYS
from services.engine.acting import steer_all, steer_slot, steer_symbol
from services.engine.books import fold, slots_of
from services.engine.commands import obey
from services.engine.deciding import Asked, decide
from services.engine.hearing import hear_bar, hear_feed, hear_peer, hear_quote
from services.engine.line import Pass, Terms
from services.engine.portfolio import portfolio, positions_after
from services.engine.state import State, Windows
from services.engine.strategy import Strategy

FRESH_BARS = 2
"""A forecast, or a bar, that closed longer than so many of its bars ago is history."""

FIRST_TIMER_NS = 20 * SECOND_NS
RETRY_TIMER_NS = 5 * SECOND_NS
SETTLE_PARTS = 3
"""A third of an order's life without old news, and what was missed is heard."""

SWEEP, SETTLED = "sweep", "settled"


class Engine(Service):
    """One account, its strategies, and one slot for each strategy and symbol."""

    name: ClassVar[str] = NAME
    hears: ClassVar[tuple[str, ...]] = HEARS
    says: ClassVar[tuple[str, ...]] = SAYS
    needs: ClassVar[Mapping[str, int]] = {"ingest": 3000, "risk": 3000, "gateway": 3000}
    folds: ClassVar[tuple[str, ...]] = ("risk.event", "gateway.order")

    def __init__(self, settings: Settings, world: str, strategies: tuple[Strategy, ...]) -> None:
        self.state = State()
        self.strategies = {strategy.name: strategy for strategy in strategies}
        self.timeframe = settings.predictor.timeframe
        self.terms = Terms(
            world=world,
            names=tuple(self.strategies),
            symbols=settings.ingest.symbols or settings.venue.symbol,
            ttl_ns=settings.engine.intent_ttl_ms * MS_NS,
            stale_ns=settings.risk.stale_data_ms * MS_NS,
            snapshot_ns=settings.engine.snapshot_s * SECOND_NS,
            step_ns=TIMEFRAMES_NS[self.timeframe],
        )

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        match message:
            case Quote():
                hear_quote(self.state.windows, message)
                return self._quoted(message, now_ns)
            case Bar():
                return self._bar(message, now_ns) if self._takes(message) else []
            case Forecast():
                return self._forecast(message, now_ns)
            case Command():
                return obey(self.state, self.terms, message, now_ns)
            case FeedStatus() | Instrument():
                hear_feed(self.state.windows, message)
            case Message():
                return self._told(message, now_ns)
            case _:
                return self._local(message, now_ns)
        return []

    def apply(self, message: Message) -> None:
        fold(self.state.books, message, self.terms.names)

    def forget(self) -> None:
        self.state.windows = Windows()

    def refill(self, message: Message) -> None:
        match message:
            case Quote():
                hear_quote(self.state.windows, message)
            case Bar() if self._takes(message):
                hear_bar(self.state.windows, message)
            case FeedStatus() | Instrument():
                hear_feed(self.state.windows, message)

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

    def _takes(self, bar: Bar) -> bool:
        return bar.timeframe == self.timeframe

    def _pass(self, now_ns: int, trace: int = 0) -> Pass:
        return Pass(self.state, self.terms, now_ns, trace)

    def _quoted(self, quote: Quote, now_ns: int) -> list[Said]:
        if now_ns - quote.ts_event > self.terms.stale_ns:
            return []
        turn = self._pass(now_ns)
        steer_symbol(turn, quote.symbol)
        return turn.said

    def _bar(self, bar: Bar, now_ns: int) -> list[Said]:
        news = hear_bar(self.state.windows, bar)
        if not news or self._is_old(bar, bar.timeframe, now_ns):
            return []
        turn = self._pass(now_ns, bar.trace)
        for strategy in self.strategies.values():
            if bar.symbol in strategy.symbols:
                moment, call = f"bar {bar.open_ns}", partial(strategy.on_bar, bar)
                decide(turn, Asked(strategy, bar.symbol, moment, call, bar.open_ns))
        return turn.said

    def _forecast(self, forecast: Forecast, now_ns: int) -> list[Said]:
        if self._is_old(forecast, forecast.timeframe, now_ns):
            return []
        turn = self._pass(now_ns, forecast.trace)
        for strategy in self.strategies.values():
            if forecast.symbol in strategy.symbols:
                open_ns = forecast.bar_open_ns
                moment, call = f"forecast {open_ns}", partial(strategy.on_forecast, forecast)
                decide(turn, Asked(strategy, forecast.symbol, moment, call, open_ns))
        return turn.said

    def _is_old(self, message: Message, timeframe: str, now_ns: int) -> bool:
        return now_ns - message.ts_event > FRESH_BARS * TIMEFRAMES_NS[timeframe]

    def _told(self, message: Message, now_ns: int) -> list[Said]:
        """Steer by what the gateway told; `apply` has booked it already."""
        turn = self._pass(now_ns, message.trace)
        if isinstance(message, Fill):
            turn.said += positions_after(turn, message)
        order_id = getattr(message, "client_order_id", "")
        if order_id and now_ns - message.ts_event > self.terms.ttl_ns:
            self._settle(turn)  # Older news: there may be more of it, and it decides.
        elif isinstance(message, Fill | Deposit):
            self._value(turn)
        order = self.state.books.orders.get(order_id)
        if order is not None:
            steer_slot(turn, order.intent.strategy, order.intent.symbol)
        return turn.said

    def _local(self, message: Said, now_ns: int) -> list[Said]:
        turn = self._pass(now_ns)
        match message:
            case Started(grade=grade):
                self._start(turn, grade)
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
        self._settle(turn)
        turn.wake(SWEEP, turn.now_ns + self.terms.snapshot_ns)
        for strategy in self.strategies.values() if grade != "exact" else ():
            if strategy.every_ns:
                last_ns = max(
                    (slot.since_ns for slot in slots_of(turn.books, strategy.name)), default=0
                )
                at_ns = max(turn.now_ns + FIRST_TIMER_NS, last_ns + strategy.every_ns)
                turn.wake(f"strategy {strategy.name}", at_ns)

    def _settle(self, turn: Pass) -> None:
        turn.windows.settled_ns = turn.now_ns + self.terms.ttl_ns // SETTLE_PARTS
        turn.said.append(Wake(name=SETTLED, at_ns=turn.windows.settled_ns))

    def _timer(self, turn: Pass, timer: Timer) -> None:
        turn.windows.wakes.pop(timer.name, None)
        sort, _, rest = timer.name.partition(" ")
        if sort == "strategy":
            self._strategy_timer(turn, timer, rest)
        elif sort in {"slot", "refused"}:
            strategy, _, symbol = rest.partition(" ")
            steer_slot(turn, strategy, symbol)
        else:
            steer_all(turn)
        if sort == SWEEP:
            self._value(turn)
            turn.wake(SWEEP, turn.now_ns + self.terms.snapshot_ns)

    def _strategy_timer(self, turn: Pass, timer: Timer, name: str) -> None:
        strategy = self.strategies.get(name)
        if strategy is None:
            return
        entered = False
        for symbol in strategy.symbols:
            moment, call = f"timer {timer.at_ns}", partial(strategy.on_timer, timer.at_ns)
            decide(turn, Asked(strategy, symbol, moment, call))
            entered = entered or turn.slot(name, symbol).since_ns == turn.now_ns
        pause_ns = strategy.every_ns if entered else min(RETRY_TIMER_NS, strategy.every_ns)
        turn.wake(timer.name, turn.now_ns + pause_ns)

    def _value(self, turn: Pass) -> None:
        found = portfolio(turn)
        if found is not None:
            turn.said.append(found)
