"""The books of an account: laws that hold after any fills, and the arithmetic of single ones."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.identity import client_order_id, strategy_tag
from schema.ledger import Holding, Ledger, Money, book, deposit, hand_over, reserve
from schema.orders import Deposit, Fill
from schema.units import floor_scale, rescale

SYMBOL = "BTC/USDT"
WIDE = 12
"""Decimals that every figure of these tests fits in exactly."""

NAMES = ("threshold", "pulse")


def fill(n: int = 0, **changes: Any) -> Fill:
    values: dict[str, Any] = {
        "ts_event": 0, "client_order_id": order_id("threshold"), "symbol": SYMBOL, "side": "buy",
        "venue_order_id": "1", "venue_trade_id": str(n), "px": 100, "qty": 10, "quote_qty": 1000,
        "fee": 0, "fee_asset": "USDT", "maker": False, "px_exp": 0, "qty_exp": 0, "quote_exp": 0,
        "fee_exp": 0,
    }  # fmt: skip
    return Fill(**values | changes)


def order_id(strategy: str) -> str:
    return client_order_id("test", strategy, SYMBOL, "moment", 0)


def put(amount: int, exp: int = 0, asset: str = "USDT", **changes: Any) -> Deposit:
    return Deposit(ts_event=0, asset=asset, amount=amount, exp=exp, venue_id="1", **changes)


def booked(*fills: Fill, money: int = 1_000_000) -> Ledger:
    ledger = Ledger()
    deposit(ledger, put(money))
    for one in fills:
        assert book(ledger, one)
    return ledger


def held(ledger: Ledger, tag: str = "") -> Holding:
    found = ledger.holding(SYMBOL, tag)
    assert found is not None
    return found


@st.composite
def fills(draw: st.DrawFn) -> Fill:
    qty_exp, px_exp = draw(st.integers(0, 3)), draw(st.integers(0, 2))
    qty, px = draw(st.integers(1, 10_000)), draw(st.integers(1, 100_000))
    quote_exp = draw(st.integers(0, qty_exp + px_exp))
    return fill(
        client_order_id=order_id(draw(st.sampled_from(NAMES))),
        side=draw(st.sampled_from(["buy", "sell"])),
        px=px, px_exp=px_exp, qty=qty, qty_exp=qty_exp,
        quote_qty=floor_scale(px * qty, px_exp + qty_exp, quote_exp), quote_exp=quote_exp,
        fee=draw(st.integers(-1000, 10_000)), fee_exp=draw(st.integers(0, 5)),
        fee_asset=draw(st.sampled_from(["USDT", "BTC", "BNB"])),
    )  # fmt: skip


stories = st.lists(fills(), max_size=25).map(
    lambda found: [
        msgspec.structs.replace(one, venue_trade_id=str(n)) for n, one in enumerate(found)
    ]
)


def wide(amount: int, exp: int) -> int:
    factor: int = 10 ** (WIDE - exp)
    return amount * factor


def money(found: Money) -> int:
    return wide(found.amount, found.exp)


def net(holding: Holding) -> int:
    """What a position has cost or brought in cash."""
    return wide(holding.realized - holding.cost - holding.fees, holding.quote_exp)


@given(stories, st.integers(1, 10**6))
def test_cash_and_position_are_what_was_put_in_and_earned(story: list[Fill], mark: int) -> None:
    ledger = booked(*story)
    if not story:
        return
    holding = held(ledger)
    worth = wide(holding.qty, holding.qty_exp) * mark
    unrealized = worth - wide(holding.cost, holding.quote_exp)
    earned = wide(holding.realized, holding.quote_exp) + unrealized
    fees = wide(holding.fees, holding.quote_exp)
    left = money(ledger.balance("USDT")) + worth
    assert left == money(ledger.deposited("USDT")) + earned - fees


@given(stories)
def test_a_position_is_what_was_bought_less_what_was_sold_and_paid(story: list[Fill]) -> None:
    ledger = booked(*story)
    qty = 0
    for one in story:
        sign = 1 if one.side == "buy" else -1
        qty += sign * wide(one.qty, one.qty_exp)
        qty -= wide(one.fee, one.fee_exp) if one.fee_asset == "BTC" else 0
    assert money(ledger.balance("BTC")) == qty
    if story:
        assert wide(held(ledger).qty, held(ledger).qty_exp) == qty


@given(stories)
def test_the_books_of_the_strategies_add_up_to_the_accounts(story: list[Fill]) -> None:
    ledger = booked(*story)
    if not story:
        return
    parts = [h for name in NAMES if (h := ledger.holding(SYMBOL, strategy_tag(name)))]
    assert sum(wide(h.qty, h.qty_exp) for h in parts) == wide(
        held(ledger).qty, held(ledger).qty_exp
    )
    assert sum(map(net, parts)) == net(held(ledger))


@given(stories)
def test_a_cost_has_the_sign_of_its_position_and_is_nothing_when_flat(story: list[Fill]) -> None:
    ledger = booked()
    for one in story:
        book(ledger, one)
        for holding in ledger.holdings.values():
            assert holding.qty * holding.cost >= 0
            assert holding.qty or not holding.cost


@given(stories)
def test_a_repeat_changes_nothing_and_is_counted(story: list[Fill]) -> None:
    ledger = booked(*story)
    before = msgspec.msgpack.encode(msgspec.to_builtins(ledger.holdings | ledger.balances))
    for one in story:
        assert not book(ledger, one)
    after = msgspec.msgpack.encode(msgspec.to_builtins(ledger.holdings | ledger.balances))
    assert after == before
    assert (ledger.fills, ledger.repeats) == (len(story), len(story))


@given(stories)
def test_books_come_back_from_a_snapshot_as_they_were(story: list[Fill]) -> None:
    ledger = booked(*story)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(ledger), type=Ledger) == ledger


def test_selling_some_takes_its_share_of_the_cost() -> None:
    ledger = booked(fill(1, qty=3, quote_qty=100), fill(2, side="sell", qty=1, quote_qty=50))
    assert (held(ledger).qty, held(ledger).cost, held(ledger).realized) == (2, 67, 17)


def test_selling_more_than_there_is_opens_the_other_way() -> None:
    ledger = booked(fill(1), fill(2, side="sell", qty=15, quote_qty=1800))
    assert (held(ledger).qty, held(ledger).cost, held(ledger).realized) == (-5, -600, 200)


def test_a_fee_in_base_makes_the_position_smaller_and_costs_what_it_cost() -> None:
    ledger = booked(fill(1, fee=1, fee_asset="BTC", fee_exp=2))
    holding = held(ledger)
    assert (holding.qty, holding.qty_exp) == (999, 2)
    assert (holding.cost, holding.fees) == (999, 1)


def test_a_rebate_in_base_that_ends_a_short_leaves_no_cost() -> None:
    ledger = booked(fill(1, side="sell", fee=-10, fee_asset="BTC"))
    holding = held(ledger)
    assert (holding.qty, holding.cost, holding.realized) == (0, 0, 1000)


def test_a_fee_in_a_third_asset_stands_in_its_balance_alone() -> None:
    ledger = booked(fill(1, fee=5, fee_asset="BNB", fee_exp=3))
    assert ledger.balance("BNB") == Money(-5, 3)
    assert (held(ledger).qty, held(ledger).fees) == (10, 0)
    assert ledger.charged("BNB") == Money(5, 3)


def test_what_lies_outside_of_the_trading_book_is_no_money_of_it() -> None:
    ledger = booked()
    deposit(ledger, put(5, book="external"))
    assert ledger.balance("USDT") == Money(1_000_000, 0)


@pytest.mark.parametrize(("qty", "cost"), [(10, 1001), (1, 101)])
def test_a_reserve_is_never_too_small(qty: int, cost: int) -> None:
    assert reserve(100, qty, 0, 0, 10) == cost


def test_decimals_are_gained_and_never_lost() -> None:
    amount = Money(5, 0)
    amount.add(25, 2)
    amount.add(1, 0)
    assert amount == Money(625, 2)
    assert rescale(amount.amount, amount.exp, 3) == 6250


@given(stories, st.integers(1, 30_000))
def test_what_nobody_sold_is_handed_to_those_who_held_it(story: list[Fill], qty: int) -> None:
    ledger = booked(*story)
    closing = fill(99, client_order_id=order_id("nobody"), side="sell", qty=qty, quote_qty=qty * 9)
    assert book(ledger, closing)
    whole = net(held(ledger))
    for name in NAMES:
        hand_over(ledger, closing, strategy_tag(name))
    tags = [strategy_tag(name) for name in (*NAMES, "nobody")]
    parts = [h for tag in tags if (h := ledger.holding(SYMBOL, tag))]
    assert sum(wide(h.qty, h.qty_exp) for h in parts) == wide(
        held(ledger).qty, held(ledger).qty_exp
    )
    assert sum(map(net, parts)) == whole == net(held(ledger))
    nobody = held(ledger, strategy_tag("nobody"))
    assert nobody.qty == 0 or all(h.qty <= 0 for h in parts)
    assert all(h.qty * h.cost >= 0 and (h.qty or not h.cost) for h in parts)
