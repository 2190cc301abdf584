"""Two approvals in flight never breach a limit together, in whatever order the streams are heard.

The worst case is worked out here from nothing but what was said, after every step: what is held,
and all that was approved and may still fill. Orders are approved several at a time, are lost, found
and filled late, and the books are folded anew from streams that are woven together differently.
"""

import random
from collections.abc import Iterable
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from bus.service import Heard
from bus.turn import run_turn
from schema.head import Message
from schema.house import Started
from schema.orders import (
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderRejected,
    OrderUnconfirmed,
    Reconciled,
)
from schema.streams import home
from schema.trading import OrderIntent, Verdict
from services.risk.core import Risk
from services.risk.exposure import position
from tests.services.risk.risk_desk import (
    BTC,
    ETH,
    MARK,
    UNIT,
    Desk,
    deposit,
    fill,
    instrument,
    settings,
    submitted,
)

LOT = 1000
POSITION, GROSS, CASH = 20_000, 30_000, 40_000
LIMITS = {"max_position_notional": POSITION, "max_gross_exposure": GROSS, "order_rate": 1_000}
KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"order_type": "limit", "limit_px": MARK * 102 // 100},
    {"order_type": "limit", "limit_px": MARK * 98 // 100},
    {"order_type": "stop", "stop_px": MARK * 11 // 10},
    {"side": "sell", "reduce_only": True},
)
DEEDS = (
    *("ask", "ask", "ask", "guard", "submit", "submit", "deny", "fill", "fill", "end", "doubt"),
    *("late", "own", "wait", "reconcile", "restart", "twice"),
)

steps = st.lists(
    st.tuples(st.sampled_from(DEEDS), st.integers(0, 60), st.integers(1, 40)),
    min_size=25,
    max_size=60,
)
Reserved = tuple[OrderIntent, Verdict]


class House:
    """A core, the three streams that it folds, and what an honest gateway would do."""

    def __init__(self) -> None:
        self.desk = Desk(**LIMITS).open(CASH)
        self.streams: dict[str, list[Message]] = {"intents": [], "verdicts": [], "orders": []}
        self.reserved: dict[str, Reserved] = {}
        self.open: dict[str, tuple[OrderIntent, int]] = {}
        self.over: list[OrderIntent] = []
        self.held = {BTC: 0, ETH: 0}
        self.slack = {BTC: 0, ETH: 0}
        self.deposits = [deposit(CASH)]
        self.trades = 0

    def do(self, deed: str, pick: int, size: int) -> None:
        """Go one step, where there is something to go it with."""
        if deed in {"submit", "deny"} and self.reserved:
            self.answer(list(self.reserved)[pick % len(self.reserved)], deed)
        elif deed in {"fill", "end", "doubt", "twice"} and self.open:
            self.happen(list(self.open)[pick % len(self.open)], deed, size)
        elif deed == "late" and self.over:
            self.fill_late(self.over[pick % len(self.over)], size * LOT * 100)
        else:
            self.let(deed, pick, size)

    def let(self, deed: str, pick: int, size: int) -> None:
        match deed:
            case "ask":
                self.ask([self.wanted(pick + n, size) for n in range(1 + pick % 3)])
            case "guard":
                self.guard(pick)
            case "own":
                self.send_own(pick, size)
            case "wait":
                self.desk.wait(size / 20)
                for symbol in (BTC, ETH):
                    self.streams["verdicts"] += self.desk.quote(symbol=symbol)
            case "reconcile":
                self.reconcile()
            case "restart":
                self.restart(pick)

    # What engine and risk say.

    def wanted(self, pick: int, size: int) -> OrderIntent:
        symbol = (BTC, ETH)[pick % 2]
        return self.desk.intent(size * 1_000 * LOT, symbol=symbol, **KINDS[pick % len(KINDS)])

    def guard(self, pick: int) -> None:
        symbol = (BTC, ETH)[pick % 2]
        qty = self.held[symbol] - sum(left for one, left in self.leaves(symbol, "sell"))
        qty -= qty % LOT
        if qty < UNIT // 1_000:
            return  # Worth less than the exchange takes.
        common = {"side": "sell", "symbol": symbol, "reduce_only": True}
        stop = self.desk.intent(
            qty, order_type="stop", stop_px=MARK * 9 // 10, leg="stop", **common
        )
        target = self.desk.intent(
            qty, order_type="limit_maker", limit_px=MARK * 12 // 10, leg="target", **common
        )
        name = msgspec.structs.replace
        pair = [name(stop, oco=target.client_order_id), name(target, oco=stop.client_order_id)]
        approved = [verdict.approved for verdict in self.ask(pair)]
        assert approved == [True, True], "a pair that shrinks a position has to be approved whole"

    def ask(self, intents: list[OrderIntent]) -> list[Verdict]:
        """Have risk judge several orders in one turn."""
        heard = [Heard(one, number(one), 1) for one in intents]
        said = run_turn(self.desk.risk, heard, self.desk.now_ns).said
        verdicts = [one for one in said if isinstance(one, Verdict)]
        self.streams["intents"] += intents
        self.streams["verdicts"] += said
        for intent, verdict in zip(intents, verdicts, strict=True):
            if verdict.approved:
                self.reserved[intent.client_order_id] = (intent, verdict)
        return verdicts

    # What the gateway says.

    def hear(self, stream: str, message: Message) -> None:
        self.streams[stream].append(message)
        self.streams["verdicts"] += self.desk.tell(message)

    def answer(self, key: str, deed: str) -> None:
        intent, verdict = self.reserved.pop(key)
        if deed == "submit" and self.desk.now_ns <= verdict.expires_ns:
            self.hear("orders", submitted(intent, verdict))
            self.open[key] = (intent, intent.qty)
        else:
            self.hear("orders", denied(intent, "COMMAND_EXPIRED"))

    def send_own(self, pick: int, size: int) -> None:
        """Send a reduction that risk never judged: it was silent."""
        symbol = (BTC, ETH)[pick % 2]
        free = self.held[symbol] - sum(left for _, left in self.leaves(symbol, "sell"))
        qty = min(free, size * 1_000 * LOT)
        if qty > 0:
            intent = self.desk.intent(qty, symbol=symbol, side="sell", reduce_only=True)
            self.streams["intents"].append(intent)
            verdict = Verdict(
                ts_event=self.desk.now_ns, client_order_id=intent.client_order_id, order_hash=b"",
                approved=True, code="OK", detail="", epoch=1, by="gateway", symbol=symbol,
                expires_ns=self.desk.now_ns,
            )  # fmt: skip
            self.hear("orders", submitted(intent, verdict))
            self.open[intent.client_order_id] = (intent, qty)

    def happen(self, key: str, deed: str, size: int) -> None:
        intent, left = self.open[key]
        if deed == "fill":
            self.fill(intent, left, max(LOT, left * size // 40))
            return
        if deed == "twice":
            self.hear("orders", denied(intent, "DUPLICATE_ORDER"))
            return
        of: dict[str, Any] = {"ts_event": 1, "client_order_id": key, "symbol": intent.symbol}
        if deed == "doubt":
            self.hear("orders", OrderUnconfirmed(**of, reason="timeout"))
            return
        ends = (OrderCanceled(**of), OrderExpired(**of), OrderRejected(**of, code="X", detail=""))
        self.hear("orders", ends[size % 3])
        del self.open[key]
        self.over.append(intent)

    def fill(self, intent: OrderIntent, left: int, qty: int) -> None:
        if intent.side == "sell":
            qty = min(qty, self.held[intent.symbol])
        if qty <= 0:
            return
        qty = min(qty, left)
        self.trade(intent, qty)
        del self.open[intent.client_order_id]
        if left > qty:
            self.open[intent.client_order_id] = (intent, left - qty)

    def fill_late(self, intent: OrderIntent, qty: int) -> None:
        """Let something trade that was believed to be over."""
        if intent.side == "sell":
            qty = min(qty, self.held[intent.symbol])
        else:
            self.slack[intent.symbol] += qty
        if qty > 0:
            self.trade(intent, qty)

    def trade(self, intent: OrderIntent, qty: int) -> None:
        self.trades += 1
        self.hear("orders", fill(intent, qty, MARK, f"t{self.trades}"))
        self.held[intent.symbol] += qty if intent.side == "buy" else -qty

    def reconcile(self) -> None:
        """Compare with the exchange: what was approved and not sent by then is never sent."""
        now_ns = self.desk.now_ns
        for key, (intent, verdict) in list(self.reserved.items()):
            if verdict.expires_ns < now_ns:
                del self.reserved[key]
                self.over.append(intent)
        said = Reconciled(ts_event=now_ns, open_orders=0, fills_found=0, differences=0)
        self.hear("orders", said)

    # Death.

    def restart(self, seed: int) -> None:
        """Fold the streams anew, woven together as a set clock might have it, without windows."""
        risk = Risk(settings(**LIMITS))
        for message in [*self.deposits, *woven(self.streams.values(), seed)]:
            risk.apply(message)
        risk.forget()
        self.desk.risk = risk
        self.streams["verdicts"] += self.desk.tell(Started(epoch=8, grade="folded"))
        for symbol in (BTC, ETH):
            self.desk.tell(instrument(symbol))
            self.streams["verdicts"] += self.desk.quote(symbol=symbol)

    # The worst case, from nothing but what was said.

    def leaves(self, symbol: str, side: str) -> list[tuple[OrderIntent, int]]:
        reserved = [(intent, intent.qty) for intent, _ in self.reserved.values()]
        everything = [*reserved, *self.open.values()]
        return [one for one in everything if (one[0].symbol, one[0].side) == (symbol, side)]

    def worst(self, symbol: str) -> int:
        buys = sum(left for _, left in self.leaves(symbol, "buy"))
        return max(0, self.held[symbol] + buys - self.slack[symbol]) * MARK // 100

    def judge(self) -> None:
        """Assert what has to hold whatever comes next."""
        worst = [self.worst(symbol) for symbol in (BTC, ETH)]
        assert max(worst) <= POSITION * UNIT
        assert sum(worst) <= GROSS * UNIT
        books = self.desk.risk.state.books
        assert set(books.orders) == set(self.reserved) | set(self.open)
        for symbol, held in self.held.items():
            assert position(books, symbol, 8) == (held, held)


def number(message: Message) -> int:
    stream = home(type(message))
    assert stream is not None
    return stream.number


def denied(intent: OrderIntent, code: str) -> OrderDenied:
    return OrderDenied(
        ts_event=1,
        client_order_id=intent.client_order_id,
        symbol=intent.symbol,
        code=code,
        detail="",
        by="gateway",
    )


def woven(streams: Iterable[list[Message]], seed: int) -> list[Message]:
    """Return streams as one, each in its own order, between each other as chance has it."""
    chance = random.Random(seed)
    rest = [list(reversed(stream)) for stream in streams if stream]
    found = []
    while rest:
        stream = chance.choice(rest)
        found.append(stream.pop())
        rest = [one for one in rest if one]
    return found


@given(steps)
def test_no_interleaving_lets_two_approvals_breach_a_limit(story: list[Any]) -> None:
    house = House()
    for deed, pick, size in story:
        house.do(deed, pick, size)
        house.judge()
