"""An engine on a desk: a test plays the market and the gateway, message by message."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import msgspec

from bus.service import Heard, Said, Service
from bus.turn import run_turn
from schema.head import Local, Message, Noticed
from schema.house import Command, CommandDone, PeerSeen, Started, Timer, Wake
from schema.identity import strategy_tag
from schema.market import FeedStatus
from schema.messages import decode, encode
from schema.orders import Fill, OrderAccepted, OrderCanceled, OrderDenied, OrderPendingCancel
from schema.strategy import StrategiesOffered
from schema.streams import home
from schema.trading import CancelIntent, Decision, OrderIntent
from services.engine.core import Engine
from services.engine.orders import slot_of
from services.engine.state import Slot
from tests.services.engine.engine_made import (
    MINUTE_NS,
    PX,
    SECOND_NS,
    START_NS,
    SYMBOL,
    Made,
    bar,
    forecast,
    instrument,
    money,
    quote,
    submitted,
)


class Desk:
    """One engine, its clock and its timers; what it says is kept in order."""

    def __init__(self, made: Made, now_ns: int = START_NS) -> None:
        self.core, self.offers = made
        self.now_ns = now_ns
        self.said: list[Message] = []
        self.noticed: list[Noticed] = []
        self.done: list[CommandDone] = []
        self.wakes: dict[str, int] = {}
        self._trades = 0
        self._pos = 0

    def open(self, *, bars: int = 260, deposit: bool = True) -> "Desk":
        """Start with everything there that an entry needs."""
        self.hear(Started(epoch=1, grade="fresh"), StrategiesOffered(offers=self.offers))
        for symbol in self.core.terms.symbols:
            self.lists(symbol, bars)
        if deposit:
            self.hear(money(self.now_ns, 100_000))
        self.peers()
        self.pass_time(12 * SECOND_NS)
        self.hear(*(quote(self.now_ns, symbol=symbol) for symbol in self.core.terms.symbols))
        return self

    def lists(self, symbol: str, bars: int) -> None:
        """Tell of a symbol, and of what it did before."""
        self.hear(instrument(symbol=symbol))
        self.hear(FeedStatus(ts_event=self.now_ns, symbol=symbol, state="OK", reason=""))
        for n in range(bars + 3, 3, -1):  # Old enough that nobody is asked about them.
            wobble = 3_000 if n % 2 else -3_000
            self.hear(bar(self.now_ns - n * MINUTE_NS, PX + wobble, symbol))

    def peers(self, state: str = "READY", *names: str) -> None:
        """Tell of the other services."""
        for name in names or ("ingest", "risk", "gateway"):
            self.hear(PeerSeen(service=name, state=state))

    def hear(self, *messages: Said) -> list[Message]:
        """Hear messages in one turn; return what is said."""
        outcome = run_turn(self.core, [self._placed(m) for m in messages], self.now_ns)
        self.said += outcome.said
        self.noticed += [noticed for _, noticed in outcome.noticed]
        self._perform(outcome.effects)
        return outcome.said

    def pass_time(self, ns: int, px: int = 0) -> list[Message]:
        """Let time pass, timer by timer; with a price, quotes go on."""
        until_ns = self.now_ns + ns
        found: list[Message] = []
        while due := sorted((at, name) for name, at in self.wakes.items() if at <= until_ns):
            at_ns, name = due[0]
            del self.wakes[name]
            self.now_ns = max(self.now_ns, at_ns)
            if px:
                found += self.hear(quote(self.now_ns, px))
            found += self.hear(Timer(name=name, at_ns=at_ns))
        self.now_ns = until_ns
        return found + (self.hear(quote(self.now_ns, px)) if px else [])

    def command(self, verb: str, *args: str) -> CommandDone:
        """Ask what a person asks."""
        self.hear(Command(request_id="1", verb=verb, args=args, by="me"))
        return self.done[-1]

    def forecast(self, probability: float, px: int = PX) -> list[Message]:
        """Hear a fresh quote and a forecast of the next minute."""
        self.pass_time(MINUTE_NS - self.now_ns % MINUTE_NS + SECOND_NS, px)
        return self.hear(forecast(self.now_ns, probability))

    def wants(self, wish: str, px: int = PX, symbol: str = SYMBOL) -> list[Message]:
        """Tell strategies what to want, as `told` understands it, at a fresh quote."""
        wish = wish if ":" in wish else f"told:{wish}"
        self.pass_time(MINUTE_NS - self.now_ns % MINUTE_NS + SECOND_NS)
        for other in self.core.terms.symbols:
            self.hear(quote(self.now_ns, px, other))
        return self.hear(forecast(self.now_ns, 0.5, symbol=symbol, source=wish))

    def bar(self, close: int = PX) -> list[Message]:
        """Close the next minute."""
        self.pass_time(MINUTE_NS - self.now_ns % MINUTE_NS + SECOND_NS)
        self.hear(quote(self.now_ns, close))
        return self.hear(bar(self.now_ns // MINUTE_NS * MINUTE_NS - MINUTE_NS, close))

    def slot(self, name: str = "told", symbol: str = SYMBOL) -> Slot:
        """Return what a strategy wants of a symbol."""
        return slot_of(self.core.state.books, name, symbol)

    def held(self, name: str = "", symbol: str = SYMBOL) -> Fraction:
        """Return what the account, or one strategy, holds of a symbol."""
        tag = strategy_tag(name) if name else ""
        holding = self.core.state.books.ledger.holding(symbol, tag)
        return Fraction(holding.qty, 10**holding.qty_exp) if holding else Fraction(0)

    def take(self, said: Sequence[Message], fee: int = 0) -> list[Message]:
        """Accept and fill all entries and exits of what was said; accept and cancel the rest."""
        found: list[Message] = []
        for message in said:
            if isinstance(message, CancelIntent):
                found += self.cancel(message.client_order_id)
            elif isinstance(message, OrderIntent):
                found += self.replace(message) if message.replaces else self.accept(message)
                if message.leg != "stop" and not message.limit_px:
                    found += self.fill(message, fee=fee)
        return found + self.take(found, fee) if found else []

    def accept(self, intent: OrderIntent) -> list[Message]:
        """Submit and accept an order."""
        accepted = OrderAccepted(
            ts_event=self.now_ns,
            trace=intent.trace,
            client_order_id=intent.client_order_id,
            symbol=intent.symbol,
            venue_order_id="1",
        )
        return self.hear(submitted(intent, self.now_ns), accepted)

    def replace(self, intent: OrderIntent) -> list[Message]:
        """Let an order take the place of the one that it names."""
        old: dict[str, Any] = {"client_order_id": intent.replaces, "symbol": intent.symbol}
        new: dict[str, Any] = {"client_order_id": intent.client_order_id, "symbol": intent.symbol}
        return [
            *self.hear(
                OrderPendingCancel(ts_event=self.now_ns, reason="", **old),
                submitted(intent, self.now_ns),
            ),
            *self.hear(
                OrderCanceled(ts_event=self.now_ns, **old),
                OrderAccepted(ts_event=self.now_ns, venue_order_id="1", **new),
            ),
        ]

    def fill(
        self, intent: OrderIntent, qty: int = 0, px: int = PX, fee: int = 0, **changes: Any
    ) -> list[Message]:
        """Fill an order, or some of it; the fee of a buy is in base, that of a sale in quote."""
        return self.hear(self.filling(intent, qty, px, fee, **changes))

    def filling(
        self, intent: OrderIntent, qty: int = 0, px: int = PX, fee: int = 0, **changes: Any
    ) -> Fill:
        self._trades += 1
        qty = qty or intent.qty
        paid_in = intent.symbol.split("/")[intent.side == "sell"]
        fill = Fill(
            ts_event=self.now_ns, trace=intent.trace, client_order_id=intent.client_order_id,
            symbol=intent.symbol, side=intent.side, venue_order_id="1",
            venue_trade_id=str(self._trades), px=px, qty=qty, quote_qty=px * qty, fee=fee,
            fee_asset=paid_in, maker=False, px_exp=2, qty_exp=5, quote_exp=7, fee_exp=8,
            cum_qty=qty,
        )  # fmt: skip
        return msgspec.structs.replace(fill, **changes)

    def tell(self, kind: Any, order_id: str, **fields: Any) -> list[Message]:
        """Hear one of the gateway's messages on an order."""
        named = {field.name for field in msgspec.structs.fields(kind)}
        defaults = {"reason": "", "code": "", "detail": "", "by": "risk", "symbol": SYMBOL}
        values = {key: value for key, value in defaults.items() if key in named} | fields
        return self.hear(kind(ts_event=self.now_ns, client_order_id=order_id, **values))

    def cancel(self, order_id: str) -> list[Message]:
        """Let the venue cancel an order."""
        self.tell(OrderPendingCancel, order_id)
        return self.tell(OrderCanceled, order_id)

    def deny(self, order_id: str, code: str = "PRICE_OUTSIDE_COLLAR") -> list[Message]:
        return self.tell(OrderDenied, order_id, code=code)

    def enter(self) -> OrderIntent:
        """Let `threshold` enter."""
        entry: OrderIntent = only(self.forecast(0.6), OrderIntent)
        return entry

    def hold(self, fee: int = 0) -> tuple[OrderIntent, OrderIntent]:
        """Enter, fill, and return entry and stop, which is accepted."""
        entry = self.enter()
        self.accept(entry)
        stop = only(self.fill(entry, fee=fee), OrderIntent)
        self.accept(stop)
        return entry, stop

    def orders(self) -> list[OrderIntent]:
        return [m for m in self.said if isinstance(m, OrderIntent)]

    def _placed(self, message: Said) -> Heard:
        stream = home(type(message))
        if stream is None:
            return Heard(message)
        assert isinstance(message, Message)
        self._pos += 1
        (again,) = decode(stream.number, encode([message]))
        return Heard(again, stream.number, self._pos)

    def _perform(self, effects: Sequence[Local]) -> None:
        for effect in effects:
            if isinstance(effect, Wake):
                self.wakes[effect.name] = effect.at_ns
            elif isinstance(effect, CommandDone):
                self.done.append(effect)


def only(said: Sequence[Message], kind: Any) -> Any:
    """Return the one message of a kind."""
    (found,) = [m for m in said if isinstance(m, kind)]
    return found


def decisions(said: Sequence[Message]) -> list[Decision]:
    return [m for m in said if isinstance(m, Decision)]


def none_ordered(said: Sequence[Message]) -> bool:
    return not any(isinstance(m, OrderIntent | CancelIntent) for m in said)


def restarted(core: Service, again: Made) -> Engine:
    """Return an engine that goes on from the snapshot of another one."""
    data = msgspec.msgpack.encode(core.state)
    again.core.state = msgspec.msgpack.decode(data, type=type(again.core.state))
    return again.core
