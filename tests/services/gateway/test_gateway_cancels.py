"""Cancels and their races: three outcomes of a refusal, and no execution lost on the way."""

from collections.abc import Iterator

import msgspec
import pytest

from schema.exchange import AskOrder, AskTrades, CancelDone, SendCancel, SendOrder
from schema.lifecycle import State
from schema.orders import Fill, OrderCanceled, OrderCancelRejected
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_desk import Desk, opened


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from opened()


def test_a_partial_fill_and_its_cancel_race_and_nothing_is_lost(desk: Desk) -> None:
    intent = desk.place(desk.limit())
    desk.cancel(intent)
    cancel = desk.take(SendCancel)
    trade = desk.account.fill(intent.client_order_id, "0.00400")
    done = desk.account.answer(cancel)
    desk.put(done)  # The ack counts an execution that nobody has told of yet.
    assert desk.standing(intent) is State.PENDING_CANCEL
    assert desk.waits(AskTrades) == 1
    desk.settle()
    assert desk.story(intent)[-3:] == ["OrderPendingCancel", "Fill", "OrderCanceled"]
    desk.push(desk.account.orders[intent.client_order_id].report(), trade)
    assert desk.standing(intent) is State.CANCELED
    assert len(desk.of(Fill)) == 1
    assert desk.books.halted == {}


def test_a_cancel_waits_for_the_answer_to_its_order(desk: Desk) -> None:
    intent = desk.limit()
    desk.approve(intent)
    desk.cancel(intent)
    assert desk.waits(SendCancel) == 0
    desk.put(desk.account.answer(desk.take(SendOrder)))
    desk.settle(also=(SendCancel,))
    assert desk.story(intent) == [
        *("OrderSubmitted", "OrderPendingCancel", "OrderAccepted", "OrderCanceled")
    ]


def test_a_cancel_before_the_order_was_sent_denies_it(desk: Desk) -> None:
    intent = desk.limit()
    desk.put(intent)
    desk.cancel(intent)
    assert desk.story(intent) == ["OrderDenied"]
    desk.put(desk.verdict(intent))
    assert desk.waits(SendOrder) == 0


@pytest.mark.parametrize("after", ["open", "filled", "absent"])
def test_a_refused_cancel_has_three_outcomes(desk: Desk, after: str) -> None:
    intent = desk.place(desk.limit())
    desk.cancel(intent)
    cancel = desk.take(SendCancel)
    held = desk.account.orders[intent.client_order_id]
    refused = desk.account._cancel(
        SendCancel(effect_id=cancel.effect_id, client_order_id="0", symbol=SYMBOL)
    )
    desk.put(msgspec.structs.replace(refused, client_order_id=intent.client_order_id))
    if after == "filled":
        desk.account.fill(intent.client_order_id, "0.01000")
    desk.account.hidden |= {intent.client_order_id} if after == "absent" else set()
    ask = desk.take(AskOrder)
    desk.put(desk.account.answer(ask))
    desk.settle()
    if after == "open":
        assert [m.code for m in desk.of(OrderCancelRejected)] == ["-2011"]
        assert desk.standing(intent) is State.ACCEPTED
    elif after == "filled":
        assert desk.standing(intent) is State.FILLED
    else:
        assert desk.standing(intent) is State.PENDING_CANCEL
        desk.account.hidden.clear()
        held.status = "CANCELED"
        desk.live_ms(5_000)
        assert desk.standing(intent) is State.CANCELED
    assert not desk.books.halted


def test_a_cancel_without_an_answer_is_sent_again_while_the_order_is_open(desk: Desk) -> None:
    intent = desk.place(desk.limit())
    desk.cancel(intent)
    first = desk.take(SendCancel)
    desk.silence(first)
    desk.settle()
    desk.live_ms(3_000)
    again = desk.take(SendCancel)
    assert again.effect_id != first.effect_id
    late = desk.account.answer(again)
    assert isinstance(late, CancelDone)
    desk.put(CancelDone(effect_id=first.effect_id, report=late.report))
    assert desk.standing(intent) is State.CANCELED
    desk.put(late)
    assert len(desk.of(OrderCanceled)) == 1


def test_a_cancel_of_an_order_that_nobody_knows_is_counted(desk: Desk) -> None:
    assert desk.cancel(desk.limit()) == []
    assert dict(desk.core.counters())["strays"] == 1
