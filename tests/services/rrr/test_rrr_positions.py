"""`rrr positions` and `rrr orders` by strategy, net of fees and funding, and without a price."""

from collections.abc import Iterator
from typing import Any

import pytest

from bus.clock import SystemClock
from schema.trading import Position
from services.rrr.screen import screen
from services.rrr.status import status
from tests.services.bare import entered_house
from tests.services.rrr.money_desk import run
from tests.services.rrr.money_desk import told as shown
from tests.services.rrr.trade_day import NOON_NS, SYMBOL, Day, books, bought


@pytest.fixture
def day() -> Iterator[Day]:
    """A day in a house in which nothing runs, entered."""
    with entered_house() as house:
        yield Day(house)


def test_positions_tell_their_strategies_and_what_was_earned_net(day: Day) -> None:
    books(day)
    of_trend: dict[str, Any] = {"strategy": "trend", "realized": 500, "fees": 30, "funding": -7}
    day.say(held(), held(**of_trend), held(strategy="pulse", qty=0))
    day.keep()
    (row,) = shown("positions")
    assert (row["strategy"], row["strategies"], row["mark_source"]) == ("", ["trend"], "mid")
    (row,) = shown("positions", "--strategy", "trend")
    assert (row["funding"], row["realized_net"]) == ("-0.00000007", "0.00000463")
    assert [row["strategy"] for row in shown("positions", "--strategy", "*")] == ["trend"]
    assert shown("positions", "--strategy", "nobody") == []
    head, line = run("positions").output.splitlines()[1:]
    assert head.split()[:2] == ["SYMBOL", "STRATEGY"]
    assert line.split()[:2] == [SYMBOL, "trend"]


def test_a_position_without_a_price_is_worth_nothing_known(day: Day) -> None:
    day.say(held(mark="none", mark_px=0))
    day.keep()
    (row,) = shown("positions")
    assert (row["mark_price"], row["unrealized"], row["value"]) == (None, None, None)
    assert "no price" in run("positions").output
    report, _ = status(day.house, SystemClock())
    assert "no price" in screen(report)


def held(**changes: Any) -> Position:
    values: dict[str, Any] = {
        "ts_event": NOON_NS, "symbol": SYMBOL, "qty": 300, "cost": 18_000_300_000, "realized": 0,
        "fees": 0, "mark_px": 6_000_200, "px_exp": 2, "qty_exp": 5, "quote_exp": 8,
    }  # fmt: skip
    return Position(**values | changes)


def test_orders_are_chosen_by_their_strategy(day: Day) -> None:
    bought(day)
    day.keep()
    assert len(shown("orders", "--strategy", "threshold")) == 2
    assert shown("orders", "--strategy", "trend") == []
