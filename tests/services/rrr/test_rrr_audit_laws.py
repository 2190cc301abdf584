"""The audit's own arithmetic and relation: written apart, and equal wherever both can be asked."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema import lifecycle, orders
from schema.ledger import Ledger, book, decimals, deposit, holdings
from schema.lifecycle import EVENTS, Place, State, step
from schema.units import to_text
from services.rrr.audit_money import DEPTH, Money, atoms, atoms_of, text_of
from services.rrr.audit_steps import ENDED, OPEN, RELATION, led, shown
from services.rrr.journal_files import IntegrityError

STATES = (*OPEN, *ENDED[:4])
NAMES = [kind.__name__ for kind in EVENTS if kind.__name__ in RELATION] + ["OrderPendingCancel"]


@pytest.mark.parametrize("event", NAMES)
@pytest.mark.parametrize("pending", [False, True])
def test_the_relation_and_the_table_lead_to_the_same_place(event: str, *, pending: bool) -> None:
    for state in OPEN if pending else STATES:
        if pending and state == "UNCONFIRMED":
            continue  # A cancel is under way of no order whose fate nobody knows.
        for whole in (False, True) if event == "Fill" else (False,):
            assert told_by_table(state, event, pending=pending, whole=whole) == told_here(
                state, event, pending=pending, whole=whole
            ), (state, event, pending, whole)


def told_by_table(state: str, event: str, *, pending: bool, whole: bool) -> tuple[str, str] | None:
    under = State(state)
    place = Place(State.PENDING_CANCEL if pending else under, under)
    found = step(place, getattr(orders, event), complete=whole)
    return (found.place.state.value, found.place.under.value) if found.outcome == "ok" else None


def told_here(state: str, event: str, *, pending: bool, whole: bool) -> tuple[str, str] | None:
    found = led(state, event, pending=pending, whole=whole)
    return (shown(found[0], pending=found[1]), found[0]) if found is not None else None


def test_the_relation_ends_where_the_table_ends() -> None:
    assert set(ENDED) == {state.value for state in lifecycle.TERMINAL}


money = st.integers(1, 10**9)
fills = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell"]), money, st.integers(1, 10**6), st.integers(-50, 10**4),
        st.sampled_from(["USDT", "BTC", "BNB"]), st.integers(2, 8), st.integers(3, 8),
    ),
    max_size=12,
)  # fmt: skip


@given(fills)
def test_the_audits_money_is_the_ledgers_to_the_last_unit(rows: list[tuple[Any, ...]]) -> None:
    ours, theirs = Money(), Ledger()
    for number, (side, paid, qty, fee, asset, quote_exp, qty_exp) in enumerate(rows):
        kind = ("transfer", "funding", "rebate", "dividend", "opening")[number % 5]
        moved = orders.Deposit(
            ts_event=number, asset=asset, amount=fee - 20, exp=quote_exp, venue_id=str(number),
            kind=kind, symbol="BTC/USDT", book="external" if number == 7 else "trading",
        )  # fmt: skip
        ours.deposit(moved)
        deposit(theirs, moved)
        fill = orders.Fill(
            ts_event=number, client_order_id="0" * 32, symbol="BTC/USDT", side=side,
            venue_order_id="1", venue_trade_id=str(number), px=1, qty=qty, quote_qty=paid,
            fee=fee, fee_asset=asset, maker=False, px_exp=2, qty_exp=qty_exp,
            quote_exp=quote_exp, fee_exp=8,
        )  # fmt: skip
        ours.fill(fill)
        book(theirs, fill)
    assert ours.unbalanced() == []
    assert {k: atoms_of(v) for k, v in decimals(theirs).items()} == ours.balances
    told = {
        symbol: {name: atoms_of(text) for name, text in row.items()}
        for symbol, row in holdings(theirs).items()
    }
    assert told == ours.held


@given(st.integers(-(10**20), 10**20), st.integers(0, 12))
def test_an_amount_survives_its_text(n: int, exp: int) -> None:
    assert atoms_of(to_text(n, exp)) == atoms(n, exp)
    assert atoms_of(text_of(atoms(n, exp))) == atoms(n, exp)


@pytest.mark.parametrize("text", ["", "-", "one", "1.2.3", "0." + "1" * (DEPTH + 1), "1e5"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no number"):
        atoms_of(text)


def test_decimals_that_nobody_has_are_refused() -> None:
    with pytest.raises(IntegrityError, match="decimals"):
        atoms(1, DEPTH + 1)
