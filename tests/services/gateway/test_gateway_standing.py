"""What the gateway counts as standing at the exchange, and the gate that counts with it."""

from typing import Any

from msgspec.structs import replace

from schema.instruments import Standing, check
from schema.lifecycle import Place, State
from services.gateway.standing import standing_of
from services.gateway.state import Amount, Books, Order
from tests.schema.test_instruments import BTC, intent

STOP: dict[str, Any] = {"order_type": "stop", "limit_px": 0, "side": "sell", "stop_px": 5_900_000}


def books_of(*orders: Order) -> Books:
    return Books(open={order.id: order for order in orders})


def order(name: str, state: State = State.ACCEPTED, filled: int = 0, **fields: Any) -> Order:
    wanted = intent(client_order_id=name, **fields)
    return Order(wanted, 1, 1, exp=5, qty=wanted.qty, filled=filled, place=Place(state))


def test_orders_stops_pairs_and_buys_of_one_symbol_are_counted() -> None:
    books = books_of(
        order("a", filled=400),
        order("b", State.UNCONFIRMED),
        order("c", State.TRIGGERED, **STOP),
        order("d", **STOP, oco="e"),
        order("e", order_type="limit_maker", side="sell", oco="d"),
        order("f", symbol="ETH/USDT"),
    )
    books.assets["BTC"] = Amount(1_000_001, 6)
    expected = Standing(orders=5, algo_orders=1, lists=1, position=100_001, buys=1_600)
    assert standing_of(books, BTC) == expected


def test_an_order_too_many_is_refused_before_it_leaves() -> None:
    narrow = replace(BTC, max_algo_orders=1)
    books = books_of(order("a", **STOP))
    denial = check(narrow, intent(**STOP), standing=standing_of(books, narrow))
    assert denial is not None
    assert denial.code == "MAX_OPEN_ORDERS_EXCEEDED"
    assert check(narrow, intent(), standing=standing_of(books, narrow)) is None
