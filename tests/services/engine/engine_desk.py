"""An engine on a desk: a test plays the market and the gateway, message by message."""

from collections.abc import Sequence
from typing import Any

import msgspec

from bus.service import Heard, Said, Service
from bus.turn import run_turn
from schema.approval import order_hash
from schema.forecast import Forecast
from schema.head import Local, Message
from schema.house import Command, CommandDone, PeerSeen, Started, Timer, Wake
from schema.market import Bar, FeedStatus, Instrument, Quote
from schema.messages import decode, encode
from schema.orders import (
    Deposit,
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderPendingCancel,
    OrderSubmitted,
)
from schema.streams import home
from schema.trading import CancelIntent, Decision, OrderIntent, Verdict
from services.engine.core import Engine
from services.engine.shipped import strategies
from services.engine.strategy import Strategy
from tests.services.shipped import shipped

SYMBOL = "BTC/USDT"
START_NS = 1_750_000_020_000_000_000 // 60_000_000_000 * 60_000_000_000
MINUTE_NS = 60_000_000_000
SECOND_NS = 1_000_000_000
TTL_NS = 30 * SECOND_NS
"""What an order lives, at the scale of the desk."""

PX = 6_000_000
WORLD = "local-test"


def settings(*names: str) -> Any:
    listed = "[" + ",".join(f'"{name}"' for name in names) + "]"
    return shipped(
        RRR_ENGINE__STRATEGIES=listed,
        RRR_ENGINE__INTENT_TTL_MS="3000",
        RRR_INGEST__SYMBOLS=f'["{SYMBOL}"]',
        RRR_PREDICTOR__TIMEFRAME="1m",
        RRR_RISK__STALE_DATA_MS="10000",
        RRR_CLOCK__SCALE="10",
        RRR_THRESHOLD__BUDGET="10000",
        RRR_THRESHOLD__ENTER="0.54",
        RRR_THRESHOLD__EXIT="0.48",
        RRR_THRESHOLD__RISK_BPS="20",
        RRR_THRESHOLD__STOP_DEVIATIONS="4.0",
        RRR_THRESHOLD__HOLD_BARS="60",
        RRR_PULSE__NOTIONAL="50",
        RRR_PULSE__EVERY_S="300",
        RRR_PULSE__HOLD_S="120",
    )


def engine(*names: str, made: tuple[Strategy, ...] | None = None) -> Engine:
    chosen = settings(*(names or ("threshold",)))
    return Engine(chosen, WORLD, strategies(chosen) if made is None else made)


def instrument(**changes: Any) -> Instrument:
    values: dict[str, Any] = {
        "ts_event": START_NS, "symbol": SYMBOL, "venue_symbol": "BTCUSDT", "base": "BTC",
        "quote": "USDT", "px_exp": 2, "qty_exp": 5, "quote_exp": 7, "tick": 1, "lot": 1,
        "min_px": 1, "max_px": 100_000_000, "min_qty": 1, "max_qty": 900_000_000,
        "min_notional": 50_000_000,
    }  # fmt: skip
    return Instrument(**values | changes)


def quote(now_ns: int, px: int = PX, symbol: str = SYMBOL) -> Quote:
    return Quote(
        ts_event=now_ns, symbol=symbol, bid_px=px - 1, bid_qty=100_000, ask_px=px + 1,
        ask_qty=100_000, px_exp=2, qty_exp=5,
    )  # fmt: skip


def bar(open_ns: int, close: int = PX) -> Bar:
    return Bar(
        ts_event=open_ns + MINUTE_NS, symbol=SYMBOL, timeframe="1m", open_ns=open_ns, open=close,
        high=close, low=close, close=close, volume=1, quote_volume=1, trades=1, px_exp=2,
        qty_exp=5, quote_exp=7,
    )  # fmt: skip


def forecast(now_ns: int, probability: float, trace: int = 77) -> Forecast:
    open_ns = now_ns // MINUTE_NS * MINUTE_NS - MINUTE_NS
    return Forecast(
        ts_event=open_ns + MINUTE_NS, trace=trace, symbol=SYMBOL, timeframe="1m",
        bar_open_ns=open_ns, horizon_ns=15 * MINUTE_NS, probability_up=probability,
        confidence=0.1, source="baseline",
    )  # fmt: skip


def submitted(intent: OrderIntent, now_ns: int) -> OrderSubmitted:
    verdict = Verdict(
        ts_event=now_ns, client_order_id=intent.client_order_id, order_hash=order_hash(intent),
        approved=True, code="OK", detail="", epoch=1, expires_ns=now_ns,
    )  # fmt: skip
    return OrderSubmitted(
        ts_event=now_ns, trace=intent.trace, client_order_id=intent.client_order_id,
        intent=intent, verdict=verdict, signed_ms=1, symbol=intent.symbol,
    )  # fmt: skip


class Desk:
    """One engine, its clock and its timers; what it says is kept in order."""

    def __init__(self, core: Engine, now_ns: int = START_NS) -> None:
        self.core = core
        self.now_ns = now_ns
        self.said: list[Message] = []
        self.done: list[CommandDone] = []
        self.wakes: dict[str, int] = {}
        self._trades = 0
        self._pos = 0

    def open(self, *, bars: int = 60, deposit: bool = True) -> "Desk":
        """Start with everything there that an entry needs."""
        self.hear(Started(epoch=1, grade="fresh"), instrument())
        self.hear(FeedStatus(ts_event=self.now_ns, symbol=SYMBOL, state="OK", reason=""))
        for n in range(bars, 0, -1):
            wobble = 3_000 if n % 2 else -3_000
            self.hear(bar(self.now_ns - n * MINUTE_NS, PX + wobble))
        if deposit:
            self.hear(money(self.now_ns, 100_000))
        self.peers()
        self.pass_time(12 * SECOND_NS)
        self.hear(quote(self.now_ns))
        return self

    def peers(self, state: str = "READY", *names: str) -> None:
        """Tell of the other services."""
        for name in names or ("ingest", "risk", "gateway"):
            self.hear(PeerSeen(service=name, state=state))

    def hear(self, *messages: Said) -> list[Message]:
        """Hear messages in one turn; return what is said."""
        outcome = run_turn(self.core, [self._placed(m) for m in messages], self.now_ns)
        self.said += outcome.said
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
        fill = Fill(
            ts_event=self.now_ns, trace=intent.trace, client_order_id=intent.client_order_id,
            symbol=intent.symbol, side=intent.side, venue_order_id="1",
            venue_trade_id=str(self._trades), px=px, qty=qty, quote_qty=px * qty, fee=fee,
            fee_asset="BTC" if intent.side == "buy" else "USDT", maker=False, px_exp=2, qty_exp=5,
            quote_exp=7, fee_exp=8, cum_qty=qty,
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


def money(now_ns: int, amount: int) -> Deposit:
    return Deposit(
        ts_event=now_ns, asset="USDT", amount=amount * 10**7, exp=7, venue_id=f"opening {amount}"
    )


def only(said: Sequence[Message], kind: Any) -> Any:
    """Return the one message of a kind."""
    (found,) = [m for m in said if isinstance(m, kind)]
    return found


def decisions(said: Sequence[Message]) -> list[Decision]:
    return [m for m in said if isinstance(m, Decision)]


def none_ordered(said: Sequence[Message]) -> bool:
    return not any(isinstance(m, OrderIntent | CancelIntent) for m in said)


def restarted(core: Service, again: Engine) -> Engine:
    """Return an engine that goes on from the snapshot of another one."""
    data = msgspec.msgpack.encode(core.state)
    again.state = msgspec.msgpack.decode(data, type=type(again.state))
    return again
