"""What is kept up as it changes equals a walk through everything, and no cap is ever exceeded."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schema.house import TimeGap
from schema.ledger import positions
from schema.units import floor_scale, notional
from services.risk.core import Risk
from services.risk.exposure import is_flat, mid_px
from services.risk.money import MONEY_EXP, worth
from services.risk.stakes import Worth
from services.risk.state import State
from tests.services.risk.risk_desk import BTC, ETH, MARK, UNIT, Desk, worst_qty
from tests.services.risk.test_risk_law import Step, Story, steps

CAPS: dict[str, Any] = {"max_net_exposure": 18_000, "max_open_orders": 3, "max_open_positions": 1}
prices = st.lists(st.integers(MARK * 8 // 10, MARK * 12 // 10), max_size=40)


def walked(desk: Desk) -> tuple[int, str, int]:
    """Return gross exposure, a symbol without a price, and how many may be held, by a walk."""
    books, quotes = desk.risk.state.books, desk.risk.state.windows.quotes
    held = sorted(symbol for symbol in books.lines if not is_flat(books, symbol))
    gross, unpriced = 0, [symbol for symbol in held if symbol not in quotes]
    for symbol in held:
        if (quote := quotes.get(symbol)) is not None:
            qty = worst_qty(books, symbol, quote.qty_exp)
            gross += worth(mid_px(quote), qty, quote.px_exp + quote.qty_exp)
    return gross, (unpriced or [""])[0], len(held)


def kept(desk: Desk) -> tuple[int, str, int]:
    """Return the same as it was kept up."""
    sums = desk.risk._sums
    sums.refresh()
    return sums.gross, sums.unpriced(""), sums.active


def equity_walked(desk: Desk) -> Worth:
    """Return what the account is worth by a walk through all positions."""
    ledger, quotes = desk.risk.state.books.ledger, desk.risk.state.windows.quotes
    cash, put = ledger.balance("USDT"), ledger.deposited("USDT")
    total = floor_scale(cash.amount, cash.exp, MONEY_EXP)
    for symbol, held in positions(ledger, "USDT"):
        quote = quotes[symbol]
        total += notional(mid_px(quote), held.qty, quote.px_exp + held.qty_exp, MONEY_EXP)
    return Worth(total, floor_scale(put.amount, put.exp, MONEY_EXP))


def priced(desk: Desk, px: int, symbol: str) -> None:
    desk.wait(1)
    desk.quote(px, symbol)


@given(steps, prices)
def test_what_is_kept_up_equals_a_walk_through_all(story: list[Step], px: list[int]) -> None:
    house = Story()
    stakes = house.desk.risk._stakes
    for at, step in enumerate(story):
        house.take(step)
        if at < len(px):
            priced(house.desk, px[at], (BTC, ETH)[at % 2])
        assert kept(house.desk) == walked(house.desk)
        worth = stakes.account(house.desk.risk.limits, house.desk.now_ns)
        assert worth in {None, equity_walked(house.desk)}
    house.desk.tell(TimeGap(jump_ms=900))
    assert kept(house.desk) == walked(house.desk)


@given(steps, st.integers(0, 40))
def test_a_restart_anywhere_goes_on_with_the_same_sums(story: list[Step], at: int) -> None:
    house, other = Story(), Story()
    for number, step in enumerate(story):
        if number == at:
            state = msgspec.msgpack.encode(other.desk.risk.state)
            other.desk.risk = Risk(other.desk.settings)
            other.desk.risk.state = msgspec.msgpack.decode(state, type=State)
        for one in (house, other):
            one.take(step)
            one.desk.quote()
    assert house.desk.said == other.desk.said
    assert house.desk.risk.state == other.desk.risk.state
    assert kept(house.desk) == kept(other.desk)


class Capped(Story):
    """A story in which counts and the net are bounded too."""

    def __init__(self) -> None:
        super().__init__()
        desk = Desk(
            max_position_notional=20_000, max_gross_exposure=30_000, order_rate=1_000, **CAPS
        )
        self.desk = desk.open(40_000)


@given(steps)
def test_whatever_happens_no_cap_is_exceeded(story: list[Step]) -> None:
    house = Capped()
    for step in story:
        house.take(step)
        held = sum(house.position.values()) * MARK // 100
        buys = sum(
            qty
            for symbol in (BTC, ETH)
            for order, qty in house.leaves(symbol)
            if order.side == "buy"
        )
        assert held + buys * MARK // 100 <= CAPS["max_net_exposure"] * UNIT
        assert _added(house) <= CAPS["max_open_orders"]
        assert kept(house.desk)[2] <= CAPS["max_open_positions"]


def _added(house: Story) -> int:
    """Return how many orders may fill that add risk: a reduction is never counted against one."""
    return sum(order.side == "buy" for symbol in (BTC, ETH) for order, _ in house.leaves(symbol))
