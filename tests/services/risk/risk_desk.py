"""A risk core at a desk: what it hears is told to it, and what it says is kept."""

from typing import Any

import msgspec

from bus.service import Heard
from bus.turn import run_turn
from schema.head import Local, Message
from schema.house import Command, CommandDone, Started
from schema.market import Instrument, Quote
from schema.orders import Deposit, Fill, OrderSubmitted
from schema.settings import Settings
from schema.streams import home
from schema.trading import LimitBreached, LimitReleased, OrderIntent, RiskState, Verdict
from schema.units import SECOND_NS, parse_iso
from services.risk.core import Risk
from services.risk.exposure import reach
from services.risk.state import Books
from tests.services.shipped import shipped

NOON_NS = parse_iso("2026-03-15T12:00:00Z")
BTC, ETH = "BTC/USDT", "ETH/USDT"
MARK = 50_000_00  # 50 000.00
UNIT = 10**8  # of BTC
ONE = UNIT // 10  # 5 000 USDT
SELL: dict[str, Any] = {"side": "sell", "leg": "exit"}
SHIPPED = shipped()


def settings(**changes: Any) -> Settings:
    """Return the shipped settings with other limits, at a clock that runs with the wall's."""
    own = {
        "order_window_ms": 10_000,
        "stale_data_ms": 10_000,
        "verdict_ttl_ms": 1_000,
        "duplicate_order_window_ms": 0,
        "strategy_loss": 0,
    }
    risk = msgspec.structs.replace(SHIPPED.risk, **own | changes)
    clock = msgspec.structs.replace(SHIPPED.clock, scale=1)
    return msgspec.structs.replace(SHIPPED, risk=risk, clock=clock)


def worst_qty(books: Books, symbol: str, exp: int, *, buy: int = 0) -> int:
    """Return how far from nothing a symbol can come, with a purchase more."""
    low, high = reach(books, symbol, exp, buy=buy)
    return max(0, high, -low)


class Desk:
    """A core, the time, and all that was said so far."""

    def __init__(self, now_ns: int = NOON_NS, **changes: Any) -> None:
        self.settings = settings(**changes)
        self.risk = Risk(self.settings)
        self.now_ns = now_ns
        self.said: list[Message] = []
        self.answers: list[Local] = []
        self.ids = 0
        self.tell(Started(epoch=7, grade="fresh"))

    def tell(self, message: Message | Local) -> list[Message]:
        """Let it hear one message, as one turn."""
        stream = home(type(message))
        outcome = run_turn(
            self.risk, [Heard(message, stream.number if stream else 0, 1)], self.now_ns
        )
        self.said += outcome.said
        self.answers += outcome.effects
        return outcome.said

    def open(self, cash: int = 100_000) -> "Desk":
        """Let it know two instruments, their prices and an opening balance."""
        for symbol in (BTC, ETH):
            self.tell(instrument(symbol))
        self.tell(deposit(cash))
        for symbol in (BTC, ETH):
            self.quote(symbol=symbol)
        return self

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now_ns += int(seconds * SECOND_NS)

    def quote(self, px: int = MARK, symbol: str = BTC) -> list[Message]:
        """Let it hear what a symbol costs now."""
        return self.tell(quote(symbol, px, self.now_ns))

    def ask(self, qty: int = UNIT // 10, **changes: Any) -> Verdict:
        """Ask for an order and return its verdict."""
        return self.verdict(self.intent(qty, **changes))

    def verdict(self, order: OrderIntent) -> Verdict:
        """Let it judge an intent."""
        (found,) = [said for said in self.tell(order) if isinstance(said, Verdict)]
        return found

    def intent(self, qty: int = UNIT // 10, **changes: Any) -> OrderIntent:
        """Return an order of its own id; a market buy if nothing else is said."""
        self.ids += 1
        values: dict[str, Any] = {
            "ts_event": self.now_ns, "client_order_id": f"{self.ids:032x}", "strategy": "t",
            "symbol": BTC, "side": "buy", "order_type": "market", "qty": qty, "px_exp": 2,
            "qty_exp": 8, "ref_px": MARK,
        }  # fmt: skip
        return OrderIntent(**values | changes)

    def submit(self, qty: int = UNIT // 10, **changes: Any) -> OrderIntent:
        """Bring an order to the venue."""
        order = self.intent(qty, **changes)
        found = self.verdict(order)
        assert found.approved, found
        self.tell(submitted(order, found))
        return order

    def buy(self, qty: int = UNIT // 10, px: int = MARK) -> None:
        """Hold a position that was bought at a price."""
        self.fill(self.submit(qty), qty, px)

    def fill(self, order: OrderIntent, qty: int, px: int = MARK, fee: int = 0) -> None:
        """Let some of an order fill."""
        self.ids += 1
        self.tell(fill(order, qty, px, str(self.ids), fee))

    def command(self, verb: str, *args: str) -> CommandDone:
        """Ask what a person asks."""
        self.tell(Command(request_id="1", verb=verb, args=args, by="me"))
        done = self.answers[-1]
        assert isinstance(done, CommandDone)
        return done

    def state(self) -> str:
        """Return the state of trading that was said last."""
        return [said.state for said in self.said if isinstance(said, RiskState)][-1]

    def of_limits(self) -> list[Message]:
        """Return what was said of limits."""
        return [said for said in self.said if isinstance(said, LimitBreached | LimitReleased)]


def instrument(symbol: str = BTC, **changes: Any) -> Instrument:
    base, _, quote_asset = symbol.partition("/")
    values: dict[str, Any] = {
        "ts_event": NOON_NS, "symbol": symbol, "venue_symbol": base + quote_asset, "base": base,
        "quote": quote_asset, "px_exp": 2, "qty_exp": 8, "quote_exp": 8, "tick": 1, "lot": 1000,
        "min_qty": 1000, "min_notional": 10 * UNIT,
    }  # fmt: skip
    return Instrument(**values | changes)


def quote(symbol: str, px: int, at_ns: int) -> Quote:
    return Quote(
        ts_event=at_ns,
        symbol=symbol,
        bid_px=px - 1,
        bid_qty=1,
        ask_px=px + 1,
        ask_qty=1,
        px_exp=2,
        qty_exp=8,
    )


def deposit(amount: int, asset: str = "USDT") -> Deposit:
    return Deposit(ts_event=NOON_NS, asset=asset, amount=amount, exp=0, venue_id="opening")


def submitted(order: OrderIntent, verdict: Verdict) -> OrderSubmitted:
    return OrderSubmitted(
        ts_event=verdict.ts_event,
        client_order_id=order.client_order_id,
        intent=order,
        verdict=verdict,
        signed_ms=1,
        symbol=order.symbol,
    )


def fill(order: OrderIntent, qty: int, px: int, trade_id: str, fee: int = 0) -> Fill:
    return Fill(
        ts_event=NOON_NS,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        venue_order_id="1",
        venue_trade_id=trade_id,
        px=px,
        qty=qty,
        quote_qty=px * qty // 100,
        fee=fee,
        fee_asset=order.symbol.partition("/")[0] if order.side == "buy" else "USDT",
        maker=False,
        px_exp=2,
        qty_exp=8,
        quote_exp=8,
        fee_exp=8,
    )
