"""What closes for the house reduces whoever holds the symbol, and looks at no other symbol."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bus.clock import SystemClock
from schema.identity import client_order_id
from schema.orders import Fill
from services.gateway.books import CLOSER, apply
from services.gateway.state import Books

SYMBOLS = ("A/USDT", "B/USDT", "C/USDT")
MANY = 10_000
BOUND_S = 4.0
"""Closing ten thousand takes a fraction of a second; walking over all for each, a minute."""


def fill(number: int, strategy: str, symbol: str, qty: int) -> Fill:
    """Return a purchase, or a sale of a quantity below zero."""
    return Fill(
        ts_event=number, client_order_id=client_order_id("w", strategy, symbol, "m", number),
        symbol=symbol, side="buy" if qty > 0 else "sell", venue_order_id="v",
        venue_trade_id=str(number), px=100, qty=abs(qty), quote_qty=100 * abs(qty), fee=0,
        fee_asset="USDT", maker=False, px_exp=2, qty_exp=2, quote_exp=4, fee_exp=4,
    )  # fmt: skip


deeds = st.lists(
    st.tuples(
        st.sampled_from(("one", "two", CLOSER)), st.sampled_from(SYMBOLS), st.integers(-9, 9)
    ),
    max_size=30,
)


def close(held: dict[tuple[str, str], int], symbol: str, left: int) -> None:
    """Reduce the holders of a symbol, in the order in which they first traded it."""
    for key, n in held.items():
        if key[1] == symbol and n * left < 0:
            taken = max(-abs(left), min(abs(left), -n))
            held[key], left = n + taken, left - taken


@given(deeds)
def test_what_the_house_closes_is_taken_from_the_oldest_holders_first(
    done: list[tuple[str, str, int]],
) -> None:
    books, held = Books(), dict[tuple[str, str], int]()
    for number, (strategy, symbol, qty) in enumerate(done):
        if not qty:
            continue
        apply(books, fill(number, strategy, symbol, qty))
        if strategy == CLOSER:
            close(held, symbol, qty)
        else:
            held[strategy, symbol] = held.get((strategy, symbol), 0) + qty
    found: dict[Any, int] = {(stake.symbol, stake.held.n): 0 for stake in books.stakes.values()}
    assert found.keys() == {(symbol, n) for (_, symbol), n in held.items()}
    assert all(
        books.stakes[key].symbol == name for name in books.staked for key in books.staked[name]
    )
    assert sum(map(len, books.staked.values())) == len(books.stakes)


def test_closing_ten_thousand_positions_looks_at_each_but_once() -> None:
    books, clock = Books(), SystemClock()
    for number in range(MANY):
        apply(books, fill(number, "one", f"S{number}/USDT", 5))
    begun_ns = clock.mono_ns()
    for number in range(MANY):
        apply(books, fill(MANY + number, CLOSER, f"S{number}/USDT", -5))
    assert (clock.mono_ns() - begun_ns) / 1e9 < BOUND_S
    assert not any(stake.held.n for stake in books.stakes.values())
