"""An order and the one that takes its place count by the larger, until one of them has ended."""

from typing import Any

import pytest

from schema.orders import OrderCanceled, OrderDenied, OrderRejected
from schema.trading import OrderIntent
from services.risk.exposure import closable, selling
from tests.services.risk.risk_desk import BTC, MARK, ONE, SELL, Desk, worst_qty

STOP: dict[str, Any] = {
    **SELL, "order_type": "stop", "stop_px": MARK * 9 // 10, "leg": "stop", "reduce_only": True,
}  # fmt: skip
LIMIT: dict[str, Any] = {"order_type": "limit", "limit_px": MARK * 99 // 100, "leg": "entry"}


@pytest.fixture
def desk() -> Desk:
    desk = Desk().open()
    desk.buy()
    return desk


def move(desk: Desk, old: OrderIntent, qty: int = ONE, **changes: Any) -> OrderIntent:
    """Bring an order to the venue in another's place."""
    own = {"stop_px": old.stop_px + 100} if old.stop_px else {"limit_px": old.limit_px + 100}
    base = STOP if old.stop_px else LIMIT
    return desk.submit(qty, **{**base, **own, "replaces": old.client_order_id} | changes)


def over(kind: Any, order: OrderIntent, **fields: str) -> Any:
    return kind(ts_event=0, client_order_id=order.client_order_id, symbol=order.symbol, **fields)


def test_a_stop_that_covers_all_may_be_replaced_by_one_that_does(desk: Desk) -> None:
    old = desk.submit(ONE, **STOP)
    assert desk.ask(ONE, **STOP).code == "REDUCE_ONLY_WOULD_INCREASE_POSITION"
    new = move(desk, old)
    books = desk.risk.state.books
    assert selling(books, BTC, 8) == ONE
    assert worst_qty(books, BTC, 8) == ONE
    desk.tell(over(OrderCanceled, old))
    assert selling(books, BTC, 8) == ONE
    desk.tell(over(OrderCanceled, new))
    assert selling(books, BTC, 8) == 0


def test_a_second_one_for_the_same_place_counts_in_full(desk: Desk) -> None:
    old = desk.submit(ONE, **STOP)
    move(desk, old)
    second = desk.ask(ONE, **STOP, replaces=old.client_order_id)
    assert second.code == "REDUCE_ONLY_WOULD_INCREASE_POSITION"


@pytest.mark.parametrize("first", ["old", "new"])
@pytest.mark.parametrize(("was", "becomes"), [(ONE, ONE // 2), (ONE // 2, ONE)])
def test_the_larger_counts_and_then_what_is_left(
    desk: Desk, first: str, was: int, becomes: int
) -> None:
    old = desk.submit(was, **STOP)
    new = move(desk, old, becomes)
    books = desk.risk.state.books
    assert selling(books, BTC, 8) == ONE
    ended, left = (old, new) if first == "old" else (new, old)
    desk.tell(over(OrderRejected, ended, code="-1", detail=""))
    assert selling(books, BTC, 8) == left.qty
    assert books.lines[BTC].stops.amount == left.qty


def test_a_fill_of_the_old_one_counts_what_it_leaves(desk: Desk) -> None:
    old = desk.submit(ONE, **STOP)
    move(desk, old)
    desk.fill(old, ONE // 4)
    books = desk.risk.state.books
    assert selling(books, BTC, 8) == ONE
    desk.tell(over(OrderCanceled, old))
    assert selling(books, BTC, 8) == ONE


def test_a_denied_replacement_frees_what_it_added(desk: Desk) -> None:
    old = desk.submit(ONE // 2, **STOP)
    new = desk.intent(ONE, **STOP, replaces=old.client_order_id)
    assert desk.verdict(new).approved
    assert selling(desk.risk.state.books, BTC, 8) == ONE
    desk.tell(over(OrderDenied, new, code="REPLACE_TOO_LATE", detail="", by="gateway"))
    assert selling(desk.risk.state.books, BTC, 8) == ONE // 2
    move(desk, old)


def test_cash_is_held_once_for_an_entry_that_moves(desk: Desk) -> None:
    books = desk.risk.state.books
    old = desk.submit(ONE, **LIMIT)
    before = books.held
    new = move(desk, old)
    assert before < books.held < before * 101 // 100
    desk.tell(over(OrderCanceled, old))
    assert books.held == books.orders[new.client_order_id].cost
    desk.tell(over(OrderCanceled, new))
    assert (books.held, books.lines[BTC].buys.amount) == (0, 0)


def test_an_entry_that_moves_is_held_against_the_limits_by_what_it_adds() -> None:
    desk = Desk(max_position_notional=6_000).open()
    old = desk.submit(ONE, **LIMIT)
    assert desk.ask(ONE, **LIMIT).code == "MAX_POSITION_EXCEEDED"
    move(desk, old)
    larger = desk.ask(ONE * 2, **LIMIT, replaces=old.client_order_id)
    assert not larger.approved


def test_a_chain_of_places_comes_down_to_its_last(desk: Desk) -> None:
    orders = [desk.submit(ONE // 2, **LIMIT)]
    for _ in range(3):
        orders.append(move(desk, orders[-1], ONE // 2))
    books = desk.risk.state.books
    for order in orders[:-1]:
        assert books.lines[BTC].buys.amount >= ONE // 2
        desk.tell(over(OrderCanceled, order))
    assert books.lines[BTC].buys.amount == ONE // 2
    last = books.orders[orders[-1].client_order_id]
    assert (last.spared, last.spared_cost) == (0, 0)


def test_what_replaces_nothing_that_is_open_counts_as_any_other(desk: Desk) -> None:
    desk.submit(ONE, **STOP)
    intent = desk.intent(ONE, **STOP, replaces="f" * 32)
    assert closable(desk.risk.state.books, intent) == 0
    assert desk.verdict(intent).code == "REDUCE_ONLY_WOULD_INCREASE_POSITION"
