"""What was lost since a peak, in a week, and by one strategy: from marks that a restart keeps."""

from typing import Any

import msgspec
import pytest

from schema.identity import client_order_id
from schema.trading import EquityMarked, LimitBreached
from schema.units import DAY_NS, SECOND_NS
from services.risk.core import Risk
from services.risk.protecting import Guards
from services.risk.state import State
from tests.services.risk.risk_desk import (
    BTC,
    MARK,
    NOON_NS,
    ONE,
    SELL,
    UNIT,
    Desk,
    deposit,
    settings,
)

OFF: dict[str, Any] = {"daily_loss": 1_000_000, "weekly_loss": 0, "max_drawdown_pct": 0.0}


def holding(cash: int = 10_000, **changes: Any) -> Desk:
    """Return a desk that holds half of its money in BTC."""
    desk = Desk(**OFF | changes)
    desk.risk.guards = Guards(msgspec.structs.replace(settings(), protection={}))
    desk.open(cash).buy(ONE)
    return desk


def moves(desk: Desk, px: int, seconds: float = 1) -> None:
    desk.wait(seconds)
    desk.quote(px)


def of_kind(desk: Desk, kind: str) -> list[EquityMarked]:
    return [one for one in desk.said if isinstance(one, EquityMarked) and one.kind == kind]


def reached(desk: Desk) -> list[str]:
    return [one.limit_name for one in desk.said if isinstance(one, LimitBreached)]


def test_a_drawdown_is_counted_from_the_peak_and_stays_until_released() -> None:
    desk = holding(max_drawdown_pct=10.0)
    moves(desk, MARK * 2)
    assert of_kind(desk, "peak")[-1].equity == 10_000 * UNIT  # a new one is marked once a minute
    moves(desk, MARK * 170 // 100)
    assert desk.state() == "REDUCING"
    assert reached(desk) == ["max_drawdown_pct"]
    found = desk.ask(ONE // 10, ref_px=MARK * 170 // 100)
    assert (found.code, found.detail) == (
        "MAX_DRAWDOWN", "loss=10 max_drawdown_pct=10 latched=yes",
    )  # fmt: skip
    moves(desk, MARK * 2, DAY_NS // SECOND_NS)
    assert desk.state() == "REDUCING"
    assert desk.ask(ONE // 10, **SELL, ref_px=MARK * 2).approved
    assert desk.command("release", "max_drawdown_pct", "I", "have", "looked").ok
    assert desk.state() == "ACTIVE"
    assert desk.ask(ONE // 10, ref_px=MARK * 2).approved


def test_a_hard_limit_halts_all_trading() -> None:
    desk = holding(max_drawdown_pct=10.0, hard=True)
    moves(desk, MARK * 7 // 10)
    assert desk.state() == "HALTED"
    weekly = holding(weekly_loss=500, hard=True)
    moves(weekly, MARK * 7 // 10)
    assert weekly.state() == "REDUCING"


def test_a_new_peak_is_marked_once_a_minute_at_most() -> None:
    desk = holding()
    for step in range(1, 120):
        moves(desk, MARK + step * 100)
    assert len(of_kind(desk, "peak")) == 2
    moves(desk, MARK, 1)
    moves(desk, MARK, 60)
    assert of_kind(desk, "peak")[-1].equity == desk.risk.state.windows.high


def test_an_hour_is_marked_once() -> None:
    desk = holding()
    for _ in range(12):
        moves(desk, MARK, 600)
    assert [one.ts_event // SECOND_NS % 3_600 for one in of_kind(desk, "hour")] == [0, 0]


@pytest.mark.parametrize("moved", [-4_000, 90_000])
def test_money_that_is_moved_changes_no_drawdown(moved: int) -> None:
    desk = holding(max_drawdown_pct=10.0)
    moves(desk, MARK * 82 // 100)
    assert desk.risk.state.windows.drawdown_bps == 900
    desk.tell(deposit(moved))
    moves(desk, MARK * 82 // 100)
    assert desk.risk.state.windows.drawdown_bps == 900
    assert of_kind(desk, "peak")[-1].reason == "money was moved"
    assert reached(desk) == []


def test_an_account_that_was_all_but_empty_begins_anew() -> None:
    desk = holding(cash=5_200, max_drawdown_pct=10.0)
    moves(desk, MARK // 100)
    assert desk.state() == "REDUCING"
    assert desk.command("release", "max_drawdown_pct", "seen").ok
    moves(desk, MARK // 200)
    desk.tell(deposit(100_000))
    moves(desk, MARK // 200)
    assert desk.risk.state.windows.drawdown_bps == 0


def test_a_weeks_loss_goes_on_over_its_days() -> None:
    desk = holding(weekly_loss=400)
    for day in range(1, 5):
        moves(desk, MARK - day * MARK // 50, DAY_NS // SECOND_NS)
    assert reached(desk) == ["weekly_loss"]
    assert desk.ask(ONE // 10, ref_px=MARK * 92 // 100).code == "WEEKLY_LOSS_LIMIT"
    for _ in range(8):
        moves(desk, MARK * 92 // 100, DAY_NS // SECOND_NS)
    assert desk.state() == "ACTIVE"


def test_marks_of_more_than_a_week_are_dropped() -> None:
    desk = holding()
    for _ in range(24 * 9):
        moves(desk, MARK, 3_600)
    hours = desk.risk.state.books.marks.hours
    assert 7 * 24 <= len(hours) <= 7 * 24 + 10
    assert hours[0].at_ns <= desk.now_ns - 7 * DAY_NS


def own(strategy: str, moment: str, **changes: Any) -> dict[str, Any]:
    return {
        "strategy": strategy,
        "client_order_id": client_order_id("local", strategy, BTC, moment, 0),
        **changes,
    }


def test_a_strategy_that_has_lost_enough_stops_alone_until_the_next_day() -> None:
    desk = Desk(**OFF | {"strategy_loss": 300}).open()
    moves(desk, MARK)
    desk.fill(desk.submit(ONE, **own("mine", "1")), ONE)
    moves(desk, MARK)
    moves(desk, MARK * 94 // 100)
    moves(desk, MARK * 94 // 100)
    low = {"ref_px": MARK * 94 // 100}
    (breach,) = [one for one in desk.said if isinstance(one, LimitBreached)]
    assert (breach.limit_name, breach.scope, breach.observed) == ("strategy_loss", "mine", "300")
    assert desk.state() == "ACTIVE"
    assert desk.ask(ONE // 10, **own("mine", "2", **low)).code == "STRATEGY_LOSS_LIMIT"
    assert desk.ask(ONE // 10, **own("other", "1", **low)).approved
    stops = msgspec.json.decode(desk.command("stops").body)
    assert [(one["scope"], one["release"]) for one in stops] == [
        ("mine", "rrr resume --limit 'strategy_loss mine' \"why\"")
    ]
    moves(desk, MARK * 94 // 100, DAY_NS // SECOND_NS)
    moves(desk, MARK * 94 // 100)
    assert desk.ask(ONE // 10, **own("mine", "3", **low)).approved


def test_a_strategys_loss_is_released_by_its_name() -> None:
    desk = Desk(**OFF | {"strategy_loss": 300}).open()
    moves(desk, MARK)
    desk.fill(desk.submit(ONE, **own("mine", "1")), ONE)
    for _ in range(2):
        moves(desk, MARK * 9 // 10)
    assert desk.command("release", "strategy_loss mine", "seen").ok
    assert desk.ask(ONE // 10, **own("mine", "2", ref_px=MARK * 9 // 10)).approved
    moves(desk, MARK * 9 // 10)
    assert not desk.risk.state.books.latched


def test_a_gain_in_no_price_is_told_as_no_loss() -> None:
    desk = Desk(**OFF).open()
    desk.tell(deposit(5, "BTC"))
    moves(desk, MARK)
    assert desk.risk.state.windows.loss == 0


def test_a_snapshot_and_a_fold_keep_the_peak() -> None:
    desk = holding(max_drawdown_pct=10.0)
    moves(desk, MARK * 2)
    moves(desk, MARK * 2, 60)
    folded = Risk(settings(**OFF))
    for message in desk.said:
        folded.apply(message)
    marks = desk.risk.state.books.marks
    assert folded.state.books.marks == marks
    assert marks.peak is not None
    assert marks.peak.equity == 15_000 * UNIT
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(desk.risk.state), type=State)
    assert kept == desk.risk.state


def test_nothing_is_marked_before_a_balance_is_known() -> None:
    desk = Desk(now_ns=NOON_NS)
    desk.quote(MARK)
    assert not any(isinstance(one, EquityMarked) for one in desk.said)
