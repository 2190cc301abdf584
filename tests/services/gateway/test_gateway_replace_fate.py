"""A replacement without an answer: two fates, each by its own evidence, through any restart."""

from collections.abc import Iterator

import pytest

from schema.exchange import AskOrder, AskTop, SendCancel, SendOrder
from schema.joined import ReplaceDone, SendReplace
from schema.lifecycle import State
from schema.orders import OrderCancelRejected, OrderPendingCancel, OrderRejected
from services.gateway.position import closable
from tests.services.gateway.gateway_desk import Desk
from tests.services.gateway.replace_desk import TAKING, placed, sent, stopped

HORIZON_MS = 12_000
"""So long a request may still arrive, and a read may lag behind it."""


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from stopped()


def test_a_lost_answer_of_what_was_done_is_found_by_asking(desk: Desk) -> None:
    old = placed(desk)
    new, effect = sent(desk, old)
    desk.account.replace(effect)
    desk.silence(effect)
    assert desk.standing(new) is State.UNCONFIRMED
    assert desk.standing(old) is State.PENDING_CANCEL
    desk.live_ms(1_000)
    assert desk.standing(old) is State.CANCELED
    assert desk.standing(new) is State.ACCEPTED
    assert desk.waits(SendReplace) == desk.waits(SendOrder) == desk.waits(SendCancel) == 0


def test_a_request_that_never_came_leaves_the_old_one_when_it_cannot_come_any_more(
    desk: Desk,
) -> None:
    old = placed(desk)
    new, effect = sent(desk, old)
    desk.silence(effect)
    desk.live_ms(5_000)
    assert desk.standing(old) is State.PENDING_CANCEL
    assert desk.standing(new) is State.UNCONFIRMED
    assert closable(desk.books, "BTC/USDT", "sell", 5) == 0
    desk.live_ms(HORIZON_MS)
    assert desk.standing(old) is State.ACCEPTED
    assert desk.of(OrderCancelRejected)[0].code == "NOT_REPLACED"
    assert desk.standing(new) is State.REJECTED
    assert desk.of(OrderRejected)[0].code == "NEVER_ARRIVED"
    assert desk.waits(SendReplace) == desk.waits(SendOrder) == desk.waits(SendCancel) == 0
    assert not desk.books.halted


def test_a_request_that_comes_late_is_found_although_it_was_doubted(desk: Desk) -> None:
    old = placed(desk)
    new, effect = sent(desk, old)
    desk.silence(effect)
    desk.live_ms(3_000)
    desk.account.replace(effect)
    desk.live_ms(HORIZON_MS)
    assert desk.standing(old) is State.CANCELED
    assert desk.standing(new) is State.ACCEPTED


def test_the_old_one_trades_in_doubt_and_the_new_one_is_proven_dead(desk: Desk) -> None:
    old = placed(desk)
    new, effect = sent(desk, old)
    desk.silence(effect)
    desk.fill(old, "0.01000")
    desk.live_ms(HORIZON_MS + 3_000)
    assert desk.standing(old) is State.FILLED
    assert desk.standing(new) is State.REJECTED
    assert desk.books.positions["BTC/USDT"].n == 0
    assert not desk.books.halted


def test_only_the_cancel_was_done_and_both_fates_say_so(desk: Desk) -> None:
    old = placed(desk)
    new, effect = sent(desk, old)
    desk.account.end(old.client_order_id)
    desk.silence(effect)
    desk.live_ms(HORIZON_MS + 3_000)
    assert desk.standing(old) is State.CANCELED
    assert desk.standing(new) is State.REJECTED


def test_an_old_one_that_is_open_beside_its_successor_is_cancelled_for_good(desk: Desk) -> None:
    old = placed(desk)
    new, effect = sent(desk, old)
    desk.account.take(effect.intent)  # As no exchange should.
    desk.silence(effect)
    desk.live_ms(2_000, also=(SendCancel,))
    assert desk.standing(new) is State.ACCEPTED
    assert desk.standing(old) is State.CANCELED
    assert desk.account.orders[old.client_order_id].status == "CANCELED"


def test_an_answer_that_says_nothing_of_the_new_one_leaves_it_in_doubt(desk: Desk) -> None:
    old = placed(desk)
    new, effect = sent(desk, old)
    stranger = desk.account.add("f" * 32, "sell", desk.account.orders[old.client_order_id].qty)
    gone = desk.account.end(old.client_order_id).report()
    desk.put(ReplaceDone(effect_id=effect.effect_id, canceled=gone, reports=(stranger.report(),)))
    assert desk.standing(old) is State.CANCELED
    assert desk.standing(new) is State.UNCONFIRMED


@pytest.mark.parametrize("grade", ["exact", "folded"])
@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("answered", [True, False])
def test_a_restart_asks_for_both_and_sends_nothing_again(
    desk: Desk, grade: str, *, done: bool, answered: bool
) -> None:
    old = placed(desk)
    new, effect = sent(desk, old)
    if answered:
        desk.silence(effect)
    if done:
        desk.account.replace(effect)
    desk.restart(grade)
    assert desk.standing(new) is State.UNCONFIRMED
    assert desk.standing(old) is State.PENDING_CANCEL
    if grade == "folded":
        desk.put(TAKING)
    desk.live_ms(HORIZON_MS + 5_000)
    assert desk.standing(old) is (State.CANCELED if done else State.ACCEPTED)
    assert desk.standing(new) is (State.ACCEPTED if done else State.REJECTED)
    assert desk.waits(SendReplace) == desk.waits(SendOrder) == desk.waits(SendCancel) == 0
    assert not desk.books.halted


def test_a_cancel_of_the_old_one_waits_for_the_answer_and_is_then_done(desk: Desk) -> None:
    old = placed(desk)
    _, effect = sent(desk, old)
    desk.cancel(old)
    assert desk.of(OrderPendingCancel)[-1].reason == "toy wants it"
    assert desk.waits(SendCancel) == 0
    desk.silence(effect)
    assert desk.take(SendCancel).client_order_id == old.client_order_id


@pytest.mark.parametrize("grade", ["exact", "folded"])
def test_a_cancel_of_the_old_one_is_wanted_after_a_restart_too(desk: Desk, grade: str) -> None:
    old = placed(desk)
    sent(desk, old)
    desk.cancel(old)
    desk.restart(grade)
    desk.settle(also=(SendCancel,))
    assert desk.standing(old) is State.CANCELED


def test_flatten_takes_both_away_whatever_became_of_them(desk: Desk) -> None:
    old = placed(desk)
    new, effect = sent(desk, old)
    desk.command("kill", "FLATTEN", "why")
    desk.account.replace(effect)
    desk.silence(effect)
    desk.live_ms(2_000, also=(SendCancel,))
    assert desk.standing(old) is State.CANCELED
    assert desk.standing(new) is State.CANCELED
    assert desk.account.orders[new.client_order_id].status == "CANCELED"


def test_halted_cancels_an_entry_that_was_being_moved(desk: Desk) -> None:
    entry = desk.place(desk.limit())
    new = desk.limit(limit_px=4_950_000, replaces=entry.client_order_id)
    desk.approve(new)
    effect = desk.take(SendReplace)
    desk.command("kill", "HALTED", "why")
    assert desk.waits(SendCancel) == 0
    desk.put(desk.account.answer(effect))
    desk.settle(also=(SendCancel,))
    assert desk.standing(entry) is State.CANCELED
    assert desk.standing(new) is State.CANCELED


def test_a_stop_that_moves_is_one_stop_to_the_guard(desk: Desk) -> None:
    old = placed(desk, qty=600)
    _, effect = sent(desk, old, qty=600)
    desk.silence(effect)
    desk.restart(engine="SILENT")
    desk.live_ms(20_000, also=(SendOrder, AskTop))
    guards = [o for o in desk.books.open.values() if o.intent.reason.startswith("guard")]
    assert [order.qty for order in guards] == [400]


def test_the_exchange_is_asked_no_faster_than_it_bears(desk: Desk) -> None:
    old = placed(desk)
    _, effect = sent(desk, old)
    desk.silence(effect)
    asked = 0
    for _ in range(40):
        desk.pass_ms(100)
        asked += sum(
            isinstance(e, AskOrder) and e.client_order_id == old.client_order_id
            for e in desk.effects
        )
        desk.settle()
    assert 2 <= asked <= 4
