"""Laws of steering: whatever the gateway says in whatever order, and however time passes."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.ledger import Holding
from schema.lifecycle import TERMINAL, Place
from schema.market import Instrument
from schema.orders import (
    OrderAccepted,
    OrderCanceled,
    OrderCancelRejected,
    OrderDenied,
    OrderExpired,
    OrderPendingCancel,
    OrderRejected,
    OrderTriggered,
    OrderUnconfirmed,
)
from schema.trading import CancelIntent, OrderIntent
from schema.units import floor_scale
from services.engine.sizing import lots_for, sellable, trigger
from services.engine.state import Order, State
from services.engine.steer import LAPSE_TTLS
from tests.services.engine.engine_desk import (
    PX,
    SECOND_NS,
    SYMBOL,
    TTL_NS,
    Desk,
    engine,
    instrument,
    submitted,
)

QUIET = (
    OrderAccepted,
    OrderDenied,
    OrderRejected,
    OrderUnconfirmed,
    OrderTriggered,
    OrderPendingCancel,
    OrderCancelRejected,
    OrderCanceled,
    OrderExpired,
)

doings = st.lists(
    st.tuples(
        st.sampled_from(
            ["event", "fill", "serve", "serve", "submit", "forecast", "forecast", "time", "restart"]
        ),
        st.sampled_from([0, 0, 0, 1, 2]),  # which order, counted from the newest
        st.sampled_from(QUIET),
        st.integers(1, 4),  # quarters of what is filled
        st.sampled_from([0.3, 0.5, 0.7]),
    ),
    min_size=15,
    max_size=40,
)


def live(desk: Desk, leg: str) -> list[Order]:
    """Return the orders that may fill; one that was never answered lapses in the end."""
    books: Any = desk.core.state.books
    return [
        order
        for order in books.orders.values()
        if order.intent.leg == leg and order.place.state not in TERMINAL and not lapsed(desk, order)
    ]


def lapsed(desk: Desk, order: Order) -> bool:
    late_ns = desk.now_ns - order.intent.valid_until_ns
    return order.place == Place() and late_ns >= LAPSE_TTLS * TTL_NS


def position(desk: Desk) -> int:
    holding = desk.core.state.books.ledger.holding(SYMBOL)
    return 0 if holding is None else floor_scale(holding.qty, holding.qty_exp, 5)


def do(desk: Desk, doing: tuple[str, int, Any, int, float]) -> None:
    what, back, kind, quarters, probability = doing
    orders = desk.orders()
    chosen = orders[-1 - back] if back < len(orders) else None
    if what == "forecast":
        desk.forecast(probability)
    elif what == "time":
        desk.pass_time(quarters * 10 * SECOND_NS, PX)
    elif what == "restart":
        data = msgspec.msgpack.encode(desk.core.state)
        desk.core.state = msgspec.msgpack.decode(data, type=State)
    elif chosen is not None:
        _tell(desk, chosen, what, kind, quarters)


def _tell(desk: Desk, intent: OrderIntent, what: str, kind: Any, quarters: int) -> None:
    order = desk.core.state.books.orders.get(intent.client_order_id)
    if what == "serve":
        desk.accept(intent)
        if intent.leg == "entry":
            desk.fill(intent, fee=intent.qty)
    elif what == "submit":
        desk.hear(submitted(intent, desk.now_ns))
    elif what == "fill":
        left = intent.qty - order.filled if order is not None else 0
        # A sale of more than there is would be refused by every exchange.
        most = left if intent.side == "buy" else min(left, position(desk))
        if most > 0:
            desk.fill(intent, qty=max(1, most * quarters // 4))
    else:
        named = {field.name for field in msgspec.structs.fields(kind)}
        desk.tell(
            kind,
            intent.client_order_id,
            **({"venue_order_id": "1"} if "venue_order_id" in named else {}),
        )


@settings(max_examples=60, deadline=None)
@given(doings)
def test_no_entry_is_said_beside_another_and_no_sale_exceeds_the_position(
    found: list[tuple[str, int, Any, int, float]],
) -> None:
    desk = Desk(engine()).open()
    for doing in found:
        before = len(desk.said)
        do(desk, doing)
        for message in desk.said[before:]:
            if isinstance(message, OrderIntent) and message.side == "sell":
                assert message.qty <= position(desk)
                assert len(live(desk, "stop")) + len(live(desk, "exit")) <= 1
            elif isinstance(message, OrderIntent):
                assert len(live(desk, "entry")) == 1
        ids = [order.client_order_id for order in desk.orders()]
        assert len(ids) == len(set(ids))
    cancels = [m.client_order_id for m in desk.said if isinstance(m, CancelIntent)]
    assert set(cancels) <= {order.client_order_id for order in desk.orders()}


money = st.floats(0, 1e9, allow_nan=False)
prices = st.integers(1, 10**9)


@given(money, prices, st.integers(1, 1000))
def test_lots_never_cost_more_than_the_money(amount: float, px: int, lot: int) -> None:
    listed: Instrument = instrument(lot=lot, max_qty=0)
    qty = lots_for(amount, px, listed)
    assert qty % lot == 0
    assert qty * px <= amount * 10**7 * (1 + 1e-12)


@given(st.floats(0.01, 1e6), st.integers(1, 500))
def test_a_stop_is_on_a_tick_and_never_nearer(price: float, tick: int) -> None:
    px = trigger(price, instrument(tick=tick))
    assert px % tick == 0
    assert px <= price * 100


@given(st.integers(-(10**12), 10**12), st.integers(5, 9), prices)
def test_what_is_sold_is_whole_lots_of_what_is_held(qty: int, exp: int, px: int) -> None:
    held = sellable(Holding(2, exp, 8, qty=qty), instrument(lot=10), px)
    assert held % 10 == 0
    assert held * 10 ** (exp - 5) <= max(0, qty)
