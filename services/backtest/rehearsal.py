"""A rehearsal of one strategy: the shipped engine, and an exchange that takes all it is sent.

A market order fills at once at the last close, a limit and a stop inside of a later bar; nothing
costs a fee, is refused, or comes late. What is looked at here is the strategy, not its gain.
"""

from collections.abc import Callable, Iterator
from heapq import merge
from operator import attrgetter
from typing import Any

import msgspec

from schema.approval import order_hash
from schema.forecast import Forecast
from schema.head import Local, Message
from schema.house import PeerSeen, Started, Timer, Wake
from schema.market import Bar, FeedStatus, Instrument, Quote
from schema.orders import (
    Deposit,
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderPendingCancel,
    OrderSubmitted,
)
from schema.settings import Settings
from schema.strategy import Offer, StrategiesOffered
from schema.trading import CancelIntent, Decision, OrderIntent, StrategyFailed, Verdict
from schema.units import DAY_NS, notional
from services.backtest.history import History, in_order
from services.backtest.resting import Resting
from services.backtest.witness import Witness
from services.engine.core import Engine
from services.engine.hearing import series_key
from services.engine.loading import load
from services.engine.scene import TOO_LATE

NEVER_NS = 1 << 62
ONCE = frozenset({"IOC", "FOK"})
TELL_BARS = 500
Tell = Callable[[float], None]
"""Hears how far something has come, from 0 to 1."""

CASH_EXP = 2
CASH_TIMES = 10
"""The account has so many times the budget: what is looked at is never short of money."""

ORDERS = (
    Deposit,
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderPendingCancel,
    OrderSubmitted,
)
"""What the gateway says, which the engine folds."""

_at = attrgetter("ts_event")


class Task(msgspec.Struct, frozen=True):
    """What is rehearsed, and on which stretch of which bars."""

    offer: Offer
    settings: Settings
    history: History
    start_ns: int
    stop_ns: int
    forecasts: tuple[Forecast, ...] = ()

    def wanted(self) -> list[tuple[str, str]]:
        """Return symbol and timeframe of all bars that the strategy declares."""
        kind = load(self.offer).kind
        found = [(symbol, kind.timeframe) for symbol in self.offer.symbols]
        for name in kind.also:
            other, _, timeframe = name.rpartition(" ")
            found += [(other or symbol, timeframe) for symbol in self.offer.symbols]
        return list(dict.fromkeys(found))

    def market(self, until_ns: int) -> Iterator[Message]:
        """Yield bars, and forecasts behind the bar that they were made at."""
        bars = in_order(self.history.tracks(self.wanted()), self.start_ns, self.stop_ns)
        for message in merge(bars, self.forecasts, key=_at):
            if message.ts_event > until_ns:
                return
            yield message


def _silent(_share: float) -> None:
    """Tell nobody."""


class Rehearsal:
    """One run of a strategy from its first bar on."""

    def __init__(self, task: Task, witness: Witness, tell: Tell = _silent) -> None:
        self.task = task
        self.witness = witness
        self._tell = tell
        self.engine = Engine(task.settings, "rehearsal", witness)
        witness.windows = self.engine.state.windows
        self.now_ns = task.start_ns - DAY_NS
        self.failed: list[tuple[int, StrategyFailed]] = []
        self.bars = 0
        self._wakes: dict[str, int] = {}
        self._next_ns = NEVER_NS
        self._resting: dict[str, Resting] = {}
        self._prices: dict[str, int] = {}
        self._instruments: dict[str, Instrument] = {}
        self._trades = 0

    def play(self, until_ns: int = NEVER_NS) -> "Rehearsal":
        """Play the bars that close until a time; a strategy that fails ends it."""
        self._begin()
        for message in self.task.market(until_ns):
            self._pass(message.ts_event)
            if isinstance(message, Bar):
                self._bar(message)
            else:
                self._hear(message)
            if self.failed:
                break
        return self

    def _progress(self) -> None:
        task = self.task
        self._tell((self.now_ns - task.start_ns) / (task.stop_ns - task.start_ns))

    def _begin(self) -> None:
        task, now_ns = self.task, self.now_ns
        self._hear(Started(epoch=1, grade="fresh"))
        self._hear(StrategiesOffered(offers=(task.offer,)))
        for instrument in task.history.instruments(now_ns):
            self._instruments[instrument.symbol] = instrument
            self._hear(instrument)
            feed = FeedStatus(ts_event=now_ns, symbol=instrument.symbol, state="OK", reason="")
            self._hear(feed)
        for name in ("ingest", "risk", "gateway"):
            self._hear(PeerSeen(service=name, state="READY"))
        amount = int(task.offer.budget * CASH_TIMES * 10**CASH_EXP)
        quote = task.offer.symbols[0].partition("/")[2]
        deposit = Deposit(
            ts_event=now_ns, asset=quote, amount=amount, exp=CASH_EXP, venue_id="opening"
        )
        self._hear(deposit)

    def _bar(self, bar: Bar) -> None:
        self.bars += 1
        if self.bars % TELL_BARS == 0:
            self._progress()
        self._prices[bar.symbol] = bar.close
        for resting in list(self._resting.values()):
            px = resting.fill_px(bar)
            if px and resting.intent.client_order_id in self._resting:
                self._fill(resting.intent, px)
        self._show(self._quote(bar))
        self.witness.heard(series_key(bar.symbol, bar.timeframe), bar)
        self._hear(bar)

    def _show(self, quote: Quote) -> None:
        # Takes are watched quote by quote, and a stop trails by quotes; nothing else waits for a
        # price between bars.
        slots = self.engine.state.books.slots.values()
        if any(slot.take_px or slot.takes or slot.trails for slot in slots):
            self._hear(quote)
        else:
            self.engine.refill(quote)

    def _quote(self, bar: Bar) -> Quote:
        return Quote(
            ts_event=self.now_ns, symbol=bar.symbol, bid_px=bar.close, bid_qty=1,
            ask_px=bar.close, ask_qty=1, px_exp=bar.px_exp, qty_exp=bar.qty_exp,
        )  # fmt: skip

    def _pass(self, until_ns: int) -> None:
        while self._next_ns <= until_ns:
            at_ns, name = min((at, name) for name, at in self._wakes.items())
            del self._wakes[name]
            self._next_ns = min(self._wakes.values(), default=NEVER_NS)
            self.now_ns = max(self.now_ns, at_ns)
            self._hear(Timer(name=name, at_ns=at_ns))
        self.now_ns = until_ns

    def _hear(self, message: Message | Local) -> None:
        engine = self.engine
        if isinstance(message, ORDERS):
            engine.apply(message)
        orders: list[Message] = []
        for said in engine.handle(message, self.now_ns):
            if isinstance(said, Message):
                engine.apply(said)
                self._note(said, orders)
            elif isinstance(said, Wake):
                self._wakes[said.name] = said.at_ns
                self._next_ns = min(self._wakes.values())
        for order in orders:
            if isinstance(order, OrderIntent):
                self._take(order)
            elif isinstance(order, CancelIntent):
                self._cancel(order)

    def _note(self, said: Message, orders: list[Message]) -> None:
        match said:
            case OrderIntent() | CancelIntent():
                orders.append(said)
            case Decision():
                self.witness.decided(said)
            case StrategyFailed():
                self.failed.append((self.now_ns, said))

    def _take(self, intent: OrderIntent) -> None:
        named: dict[str, Any] = self._named(intent.client_order_id)
        verdict = Verdict(
            **named, order_hash=order_hash(intent), approved=True, code="OK", detail="", epoch=1,
            expires_ns=self.now_ns,
        )  # fmt: skip
        symbol, old_id = intent.symbol, intent.replaces
        if old_id and self._resting.pop(old_id, None) is None:
            self._hear(OrderDenied(**named, symbol=symbol, code=TOO_LATE, detail="", by="gateway"))
            return
        self._hear(
            OrderSubmitted(**named, symbol=symbol, intent=intent, verdict=verdict, signed_ms=1)
        )
        if old_id:
            self._hear(OrderCanceled(**self._named(old_id), symbol=symbol))
        self._hear(OrderAccepted(**named, symbol=symbol, venue_order_id="1"))
        if intent.order_type == "market":
            self._fill(intent, self._prices[symbol])
        elif intent.time_in_force in ONCE:
            self._at_once(intent, self._prices[symbol])
        else:
            self._resting[intent.client_order_id] = Resting(intent, self.now_ns)

    def _at_once(self, intent: OrderIntent, px: int) -> None:
        reached = px <= intent.limit_px if intent.side == "buy" else px >= intent.limit_px
        if reached and not intent.stop_px:
            self._fill(intent, px)
        else:
            named = self._named(intent.client_order_id)
            self._hear(OrderExpired(**named, symbol=intent.symbol))

    def _named(self, order_id: str) -> dict[str, Any]:
        return {"ts_event": self.now_ns, "client_order_id": order_id}

    def _cancel(self, cancel: CancelIntent) -> None:
        resting = self._resting.pop(cancel.client_order_id, None)
        if resting is None:
            return
        named = self._named(cancel.client_order_id)
        self._hear(OrderPendingCancel(**named, symbol=cancel.symbol, reason=""))
        self._end_other(resting.intent, OrderCanceled)
        self._hear(OrderCanceled(**named, symbol=cancel.symbol))

    def _end_other(
        self, intent: OrderIntent, kind: type[OrderCanceled] | type[OrderExpired]
    ) -> None:
        # Of a pair one alone is done.
        if self._resting.pop(intent.oco, None) is not None:
            self._hear(kind(**self._named(intent.oco), symbol=intent.symbol))

    def _fill(self, intent: OrderIntent, px: int) -> None:
        self._resting.pop(intent.client_order_id, None)
        self._end_other(intent, OrderExpired)
        self._trades += 1
        instrument = self._instruments[intent.symbol]
        exp = instrument.px_exp + instrument.qty_exp
        self._hear(
            Fill(
                ts_event=self.now_ns,
                trace=intent.trace,
                client_order_id=intent.client_order_id,
                symbol=intent.symbol,
                side=intent.side,
                venue_order_id="1",
                venue_trade_id=str(self._trades),
                px=px,
                qty=intent.qty,
                quote_qty=notional(px, intent.qty, exp, instrument.quote_exp),
                fee=0,
                fee_asset=instrument.quote,
                maker=False,
                px_exp=instrument.px_exp,
                qty_exp=instrument.qty_exp,
                quote_exp=instrument.quote_exp,
                fee_exp=instrument.quote_exp,
                cum_qty=intent.qty,
            )
        )
