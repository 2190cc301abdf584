"""Two approvals of one pair are one reservation: its halves guard the same position."""

from typing import Any

import pytest

from schema.orders import OrderExpired, Reconciled
from schema.trading import OrderIntent, Verdict
from services.risk.core import Risk
from services.risk.exposure import closable, selling
from tests.services.risk.risk_desk import (
    BTC,
    MARK,
    ONE,
    SELL,
    Desk,
    deposit,
    settings,
    submitted,
    worst_qty,
)
from tests.services.risk.test_risk_interleavings import denied

STOP: dict[str, Any] = {
    **SELL, "order_type": "stop", "stop_px": MARK * 9 // 10, "leg": "stop", "reduce_only": True,
}  # fmt: skip
TARGET: dict[str, Any] = {
    **SELL, "order_type": "limit_maker", "limit_px": MARK * 13 // 10, "leg": "target",
    "reduce_only": True,
}  # fmt: skip


@pytest.fixture
def desk() -> Desk:
    desk = Desk().open()
    desk.buy()
    return desk


def pair(desk: Desk, qty: int = ONE, **target: Any) -> tuple[OrderIntent, OrderIntent]:
    first = f"{desk.ids + 1:032x}"
    stop = desk.intent(qty, **STOP, oco=f"{desk.ids + 2:032x}")
    return stop, desk.intent(qty, **{**TARGET, "oco": first} | target)


def test_both_halves_of_a_pair_are_approved_and_count_once(desk: Desk) -> None:
    halves = pair(desk)
    verdicts = [desk.verdict(half) for half in halves]
    assert [verdict.code for verdict in verdicts] == ["OK", "OK"]
    books = desk.risk.state.books
    assert selling(books, BTC, 8) == ONE
    assert worst_qty(books, BTC, 8) == ONE  # what is held; it cannot become short
    for half, verdict in zip(halves, verdicts, strict=True):
        desk.tell(submitted(half, verdict))
        assert selling(books, BTC, 8) == ONE
    assert all(order.submitted for order in books.orders.values())


@pytest.mark.parametrize("taking", ["take_profit", "take_profit_limit"])
def test_a_target_that_waits_for_its_price_is_an_exit_and_no_second_stop(
    desk: Desk, taking: str
) -> None:
    px = MARK * 13 // 10
    limit_px = px if taking == "take_profit_limit" else 0
    halves = pair(desk, order_type=taking, stop_px=px, limit_px=limit_px)
    assert [desk.verdict(half).code for half in halves] == ["OK", "OK"]
    assert selling(desk.risk.state.books, BTC, 8) == ONE


def test_a_second_pair_over_one_position_is_refused(desk: Desk) -> None:
    for half in pair(desk):
        assert desk.verdict(half).approved
    assert {desk.verdict(half).code for half in pair(desk)} == {
        "REDUCE_ONLY_WOULD_INCREASE_POSITION"
    }


def test_when_one_half_trades_and_the_other_expires_nothing_is_reserved(desk: Desk) -> None:
    halves = pair(desk)
    for half in halves:
        desk.tell(submitted(half, desk.verdict(half)))
    desk.fill(halves[1], ONE // 2)
    assert selling(desk.risk.state.books, BTC, 8) == ONE
    desk.fill(halves[1], ONE // 2)
    desk.tell(OrderExpired(ts_event=1, client_order_id=halves[0].client_order_id, symbol=BTC))
    assert desk.risk.state.books.orders == {}
    assert selling(desk.risk.state.books, BTC, 8) == 0


def test_a_target_may_rest_far_above_but_not_below_the_market(desk: Desk) -> None:
    far = pair(desk, limit_px=MARK * 3)[1]
    assert desk.verdict(far).approved
    cheap = desk.intent(ONE, **{**TARGET, "limit_px": MARK // 2})
    assert not desk.verdict(cheap).approved


def test_a_price_that_only_gains_is_no_excuse_for_new_risk(desk: Desk) -> None:
    found = desk.ask(order_type="limit", limit_px=MARK // 2)
    assert found.code == "PRICE_OUTSIDE_COLLAR"


def approved(intent: OrderIntent, expires_ns: int) -> Verdict:
    return Verdict(
        ts_event=1, client_order_id=intent.client_order_id, order_hash=b"", approved=True,
        code="OK", detail="", epoch=1, expires_ns=expires_ns, symbol=intent.symbol,
    )  # fmt: skip


def test_an_approval_that_is_folded_before_its_intent_reserves_all_the_same() -> None:
    desk = Desk()
    risk, intent = Risk(settings()), desk.intent()
    risk.apply(deposit(100_000))
    risk.apply(approved(intent, desk.now_ns))
    assert risk.state.books.orders == {}
    risk.apply(intent)
    assert set(risk.state.books.orders) == {intent.client_order_id}
    assert risk.state.books.early == {}
    assert closable(risk.state.books, desk.intent(**SELL)) == 0


def test_an_approval_whose_intent_never_comes_is_not_kept_beyond_a_comparison() -> None:
    desk = Desk()
    risk, intent = Risk(settings()), desk.intent()
    risk.apply(approved(intent, desk.now_ns))
    for at_ns, kept in ((desk.now_ns, {intent.client_order_id}), (desk.now_ns + 1, set())):
        risk.apply(Reconciled(ts_event=at_ns, open_orders=0, fills_found=0, differences=0))
        assert set(risk.state.books.early) == kept
    risk.apply(intent)
    assert (risk.state.books.orders, risk.state.books.asked) == ({}, {})


def test_an_answer_that_is_folded_between_the_two_leaves_nothing_reserved() -> None:
    desk = Desk()
    risk, intent = Risk(settings()), desk.intent()
    for message in (approved(intent, desk.now_ns), denied(intent, "RISK_SILENT"), intent):
        risk.apply(message)
    assert (risk.state.books.orders, risk.state.books.early) == ({}, {})
