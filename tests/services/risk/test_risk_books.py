"""The books: what an approval reserves, and what ends it."""

from typing import Any

import pytest

from schema.head import Message
from schema.orders import (
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderRejected,
    OrderTriggered,
    OrderUnconfirmed,
    Reconciled,
)
from schema.trading import OrderIntent, Verdict
from schema.units import SECOND_NS
from tests.services.risk.risk_desk import BTC, MARK, NOON_NS, UNIT, Desk, submitted, worst_qty

ONE = UNIT // 10
LIMIT: dict[str, Any] = {"order_type": "limit", "limit_px": MARK}


@pytest.fixture
def desk() -> Desk:
    return Desk().open()


def worst(desk: Desk) -> int:
    return worst_qty(desk.risk.state.books, BTC, 8)


def counts(desk: Desk) -> tuple[int, int]:
    """Return how many orders are reserved, and how many are open."""
    found = dict(desk.risk.counters())
    return found["reserved"], found["orders_open"]


def of(order: OrderIntent, kind: type[Any], **fields: Any) -> Message:
    """Return what happened to an order."""
    found: Message = kind(
        ts_event=NOON_NS, client_order_id=order.client_order_id, symbol=BTC, **fields
    )
    return found


def denial(order: OrderIntent) -> Message:
    return of(order, OrderDenied, code="COLLAR", detail="", by="gateway")


def test_an_approval_reserves_until_the_gateway_answers(desk: Desk) -> None:
    order = desk.intent(ONE)
    found = desk.verdict(order)
    assert counts(desk) == (1, 0)
    assert worst(desk) == ONE
    desk.wait(3_600)
    assert counts(desk) == (1, 0)
    desk.tell(submitted(order, found))
    assert counts(desk) == (0, 1)
    assert worst(desk) == ONE


def test_a_refusal_reserves_nothing(desk: Desk) -> None:
    desk.ask(100 * ONE)
    assert counts(desk) == (0, 0)
    assert worst(desk) == 0
    assert dict(desk.risk.counters())["refused"] == 1


def test_a_denial_of_the_gateway_ends_a_reservation(desk: Desk) -> None:
    order = desk.intent(ONE)
    desk.verdict(order)
    desk.tell(denial(order))
    assert counts(desk) == (0, 0)
    assert desk.risk.state.books.held == 0


def test_a_denial_of_a_repeated_id_leaves_the_open_order(desk: Desk) -> None:
    order = desk.submit(ONE)
    desk.verdict(order)
    desk.tell(denial(order))
    assert counts(desk) == (0, 1)


def test_an_order_of_unknown_fate_counts_in_full(desk: Desk) -> None:
    order = desk.submit(ONE)
    desk.tell(of(order, OrderUnconfirmed, reason="timeout"))
    assert worst(desk) == ONE
    desk.tell(of(order, OrderRejected, code="NEVER_ARRIVED", detail=""))
    assert worst(desk) == 0


def test_what_is_left_of_an_order_counts(desk: Desk) -> None:
    order = desk.submit(ONE, **LIMIT)
    desk.tell(of(order, OrderAccepted, venue_order_id="1"))
    desk.tell(of(order, OrderTriggered))
    desk.fill(order, ONE // 4)
    books = desk.risk.state.books
    assert books.orders[order.client_order_id].leaves == ONE * 3 // 4
    assert books.held == 5005 * UNIT * 3 // 4
    assert worst(desk) == ONE
    desk.tell(of(order, OrderCanceled))
    assert (books.held, worst(desk)) == (0, ONE // 4)


def test_a_filled_order_is_over(desk: Desk) -> None:
    order = desk.submit(ONE)
    desk.fill(order, ONE)
    assert counts(desk) == (0, 0)
    assert worst(desk) == ONE
    desk.tell(of(order, OrderExpired))
    assert worst(desk) == ONE


def test_a_fill_is_booked_once(desk: Desk) -> None:
    order = desk.submit(ONE)
    desk.ids = 500
    desk.fill(order, ONE // 2)
    desk.ids = 500
    desk.fill(order, ONE // 2)
    assert desk.risk.state.books.orders[order.client_order_id].leaves == ONE // 2
    assert worst(desk) == ONE


def test_a_fee_in_the_asset_makes_the_position_smaller(desk: Desk) -> None:
    desk.fill(desk.submit(ONE), ONE, fee=ONE // 1000)
    assert worst(desk) == ONE - ONE // 1000
    closing = {"side": "sell", "reduce_only": True}
    assert desk.ask(ONE, **closing).code == "REDUCE_ONLY_WOULD_INCREASE_POSITION"
    assert desk.ask(9_990_000, **closing).approved


def test_an_order_that_the_gateway_approved_itself_is_counted(desk: Desk) -> None:
    desk.buy(ONE)
    order = desk.intent(ONE, side="sell")
    own = Verdict(
        ts_event=NOON_NS,
        client_order_id=order.client_order_id,
        order_hash=b"",
        approved=True,
        code="OK",
        detail="",
        epoch=1,
        expires_ns=0,
        by="gateway",
    )
    desk.tell(submitted(order, own))
    assert counts(desk) == (0, 1)
    assert desk.ask(ONE, side="sell", reduce_only=True).code.startswith("REDUCE_ONLY")


def test_a_reservation_that_was_lost_ends_when_the_gateway_has_reconciled(desk: Desk) -> None:
    desk.ask(ONE)
    open_order = desk.submit(ONE)
    expires_ns = desk.now_ns + SECOND_NS

    def reconciled(at_ns: int) -> None:
        desk.tell(Reconciled(ts_event=at_ns, open_orders=0, fills_found=0, differences=0))

    reconciled(expires_ns)
    assert counts(desk) == (1, 1)
    reconciled(expires_ns + 1)
    assert counts(desk) == (0, 1)
    assert open_order.client_order_id in desk.risk.state.books.orders


def test_it_is_not_ready_before_a_balance_is_known() -> None:
    desk = Desk()
    assert desk.risk.trouble(desk.now_ns) is not None
    desk.open()
    assert desk.risk.trouble(desk.now_ns) is None
    empty = Desk()
    empty.tell(Reconciled(ts_event=NOON_NS, open_orders=0, fills_found=0, differences=0))
    assert empty.risk.trouble(empty.now_ns) is None
