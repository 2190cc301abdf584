"""Laws of the worst case, for any story of intents, approvals, fills and ends."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schema.orders import (
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderRejected,
    OrderUnconfirmed,
)
from schema.trading import OrderIntent, Verdict
from services.risk.state import Line, State
from tests.services.risk.risk_desk import BTC, ETH, MARK, UNIT, Desk, submitted

LOT = 1000
LIMITS = {"max_position_notional": 20_000, "max_gross_exposure": 30_000, "order_rate": 1_000}

KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"order_type": "limit", "limit_px": MARK * 102 // 100},
    {"order_type": "limit", "limit_px": MARK * 98 // 100},
    {"order_type": "stop", "stop_px": MARK * 11 // 10},
    {"side": "sell"},
    {"side": "sell", "reduce_only": True},
    {"side": "sell", "order_type": "stop", "stop_px": MARK * 9 // 10},
)

Step = tuple[str, int, int, str]

steps = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "submit", "fill", "fill", "deny", "end", "doubt"]),
        st.integers(0, 50),
        st.integers(1, 40),
        st.sampled_from([BTC, ETH]),
    ),
    max_size=40,
)


class Story:
    """A desk, and books of its own that are too simple to be wrong."""

    def __init__(self, cash: int = 40_000) -> None:
        self.desk = Desk(**LIMITS).open(cash)
        self.reserved: dict[str, tuple[OrderIntent, Verdict]] = {}
        self.open: dict[str, tuple[OrderIntent, int]] = {}
        self.position = {BTC: 0, ETH: 0}
        self.cash = cash * UNIT

    def take(self, step: Step) -> None:
        """Go one step, where there is an order for it."""
        verb, pick, size, symbol = step
        if verb == "ask":
            order = self.desk.intent(size * 100 * LOT * 10, symbol=symbol, **KINDS[pick % 7])
            found = self.desk.verdict(order)
            if found.approved:
                self.reserved[order.client_order_id] = (order, found)
        elif verb in {"submit", "deny"} and self.reserved:
            self.answer(list(self.reserved)[pick % len(self.reserved)], verb)
        elif verb in {"fill", "end", "doubt"} and self.open:
            self.happen(list(self.open)[pick % len(self.open)], verb, size)

    def answer(self, key: str, verb: str) -> None:
        order, found = self.reserved.pop(key)
        if verb == "submit":
            self.desk.tell(submitted(order, found))
            self.open[key] = (order, order.qty)
        else:
            denial = OrderDenied(
                ts_event=1, client_order_id=key, symbol=order.symbol, code="X", detail="", by="g"
            )
            self.desk.tell(denial)

    def happen(self, key: str, verb: str, size: int) -> None:
        order, leaves = self.open[key]
        of: dict[str, Any] = {"ts_event": 1, "client_order_id": key, "symbol": order.symbol}
        if verb == "fill":
            self.fill(order, leaves, max(LOT, leaves * size // 40))
        elif verb == "doubt":
            self.desk.tell(OrderUnconfirmed(**of, reason="timeout"))
        else:
            ends = (
                OrderCanceled(**of),
                OrderExpired(**of),
                OrderRejected(**of, code="X", detail=""),
            )
            self.desk.tell(ends[size % 3])
            del self.open[key]

    def fill(self, order: OrderIntent, leaves: int, qty: int) -> None:
        if order.side == "sell":
            qty = min(qty, self.position[order.symbol])  # The exchange sells what there is.
        if qty <= 0:
            return
        sign = 1 if order.side == "buy" else -1
        self.desk.fill(order, qty)
        self.position[order.symbol] += sign * qty
        self.cash -= sign * MARK * qty // 100
        if leaves > qty:
            self.open[order.client_order_id] = (order, leaves - qty)
        else:
            del self.open[order.client_order_id]

    def leaves(self, symbol: str) -> list[tuple[OrderIntent, int]]:
        """Return what may still fill in a symbol."""
        reserved = [(order, order.qty) for order, _ in self.reserved.values()]
        return [
            (order, qty)
            for order, qty in [*reserved, *self.open.values()]
            if order.symbol == symbol
        ]

    def worst(self, symbol: str) -> int:
        """Return what the position and all open buys are worth at the mark."""
        buys = sum(qty for order, qty in self.leaves(symbol) if order.side == "buy")
        return (self.position[symbol] + buys) * MARK // 100


@given(steps)
def test_whatever_happens_no_limit_is_exceeded(story: list[Step]) -> None:
    house = Story()
    for step in story:
        house.take(step)
        assert max(house.worst(BTC), house.worst(ETH)) <= LIMITS["max_position_notional"] * UNIT
        assert house.worst(BTC) + house.worst(ETH) <= LIMITS["max_gross_exposure"] * UNIT


@given(steps)
def test_what_is_open_can_always_be_paid(story: list[Step]) -> None:
    house = Story(cash=12_000)
    for step in story:
        house.take(step)
        buys = [*house.leaves(BTC), *house.leaves(ETH)]
        open_qty = sum(qty for order, qty in buys if order.side == "buy")
        assert house.cash >= open_qty * (MARK * 98 // 100) // 100


@given(steps)
def test_the_sums_are_those_of_the_orders(story: list[Step]) -> None:
    house = Story()
    for step in story:
        house.take(step)
    books = house.desk.risk.state.books
    assert set(books.orders) == set(house.reserved) | set(house.open)
    assert books.held == sum(order.cost for order in books.orders.values())
    for symbol in (BTC, ETH):
        sums = {"buys": 0, "sells": 0, "stops": 0}
        for order, qty in house.leaves(symbol):
            waits = order.order_type == "stop"
            sums["buys" if order.side == "buy" else "stops" if waits else "sells"] += qty
        line = books.lines.get(symbol, Line())
        assert {name: getattr(line, name).amount for name in sums} == sums


@given(steps)
def test_a_snapshot_keeps_all_of_it(story: list[Step]) -> None:
    house = Story()
    for step in story:
        house.take(step)
    state = house.desk.risk.state
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=State) == state
