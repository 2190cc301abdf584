"""What became of two orders that left as one: answers, losses, deaths, the half that is left."""

from collections.abc import Iterator

import pytest

from schema.exchange import AskOrder, OrderReport, SendCancel, SendOrder
from schema.joined import PairNotSent, PairPlaced, PairRefused, SendPair
from schema.lifecycle import State
from schema.orders import OrderRejected
from services.gateway.position import closable
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_desk import Desk
from tests.services.gateway.pair_desk import (
    TAKING_PAIRS,
    Pair,
    approve,
    guarded,
    halves,
    place,
)


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from guarded()


def standing(desk: Desk, pair: Pair) -> list[State]:
    return [desk.standing(half) for half in pair]


def on_its_way(desk: Desk) -> tuple[Pair, SendPair]:
    pair = halves(desk)
    approve(desk, pair)
    return pair, desk.take(SendPair)


def report(desk: Desk, pair: Pair, half: int) -> OrderReport:
    return desk.account.orders[pair[half].client_order_id].report()


def test_a_pair_that_is_placed_rests_whole(desk: Desk) -> None:
    pair = place(desk, halves(desk))
    assert standing(desk, pair) == [State.ACCEPTED, State.ACCEPTED]
    assert desk.story(pair[1]) == ["OrderSubmitted", "OrderAccepted"]


def test_trades_in_the_answer_are_booked_to_their_own_half(desk: Desk) -> None:
    pair, sent = on_its_way(desk)
    _, target = desk.account.take_pair(sent)
    trade = desk.account.fill(target.id, "0.01000")
    reports = (report(desk, pair, 0), report(desk, pair, 1))
    desk.put(PairPlaced(effect_id=sent.effect_id, reports=reports, trades=(trade,)))
    assert standing(desk, pair) == [State.EXPIRED, State.FILLED]


def test_what_refuses_one_half_refuses_both(desk: Desk) -> None:
    pair, sent = on_its_way(desk)
    ids = tuple(half.client_order_id for half in pair)
    desk.put(
        PairRefused(
            effect_id=sent.effect_id, client_order_ids=ids, symbol=SYMBOL, code=-2010, text="no"
        )
    )
    assert standing(desk, pair) == [State.REJECTED, State.REJECTED]
    assert [said.code for said in desk.of(OrderRejected)] == ["-2010", "-2010"]
    assert closable(desk.books, SYMBOL, "sell", 5) == 1000


def test_a_pair_that_was_not_sent_is_over(desk: Desk) -> None:
    pair, sent = on_its_way(desk)
    ids = tuple(half.client_order_id for half in pair)
    desk.put(
        PairNotSent(effect_id=sent.effect_id, client_order_ids=ids, symbol=SYMBOL, reason="late")
    )
    assert [said.code for said in desk.of(OrderRejected)] == ["NOT_SENT", "NOT_SENT"]
    assert standing(desk, pair) == [State.REJECTED, State.REJECTED]


def test_a_duplicate_proves_nothing_and_both_are_asked_for(desk: Desk) -> None:
    pair, sent = on_its_way(desk)
    desk.account.take_pair(sent)
    ids = tuple(half.client_order_id for half in pair)
    text = "Duplicate order sent."
    desk.put(
        PairRefused(
            effect_id=sent.effect_id, client_order_ids=ids, symbol=SYMBOL, code=-2010, text=text
        )
    )
    assert standing(desk, pair) == [State.UNCONFIRMED, State.UNCONFIRMED]
    desk.settle()
    assert standing(desk, pair) == [State.ACCEPTED, State.ACCEPTED]


def test_an_answer_that_is_lost_puts_both_in_doubt_and_each_is_found(desk: Desk) -> None:
    pair, sent = on_its_way(desk)
    desk.account.take_pair(sent)
    desk.silence(sent)
    assert standing(desk, pair) == [State.UNCONFIRMED, State.UNCONFIRMED]
    assert closable(desk.books, SYMBOL, "sell", 5) == 0
    assert {ask.client_order_id for ask in desk.effects if isinstance(ask, AskOrder)} == {
        half.client_order_id for half in pair
    }
    desk.settle()
    assert standing(desk, pair) == [State.ACCEPTED, State.ACCEPTED]
    assert (desk.waits(SendPair), desk.waits(SendOrder)) == (0, 0)


def test_a_request_that_is_lost_is_proven_dead_half_by_half(desk: Desk) -> None:
    pair, sent = on_its_way(desk)
    desk.silence(sent)
    desk.live_ms(6_900)
    assert standing(desk, pair) == [State.UNCONFIRMED, State.UNCONFIRMED]
    desk.live_ms(4_000)
    assert standing(desk, pair) == [State.REJECTED, State.REJECTED]
    assert [said.code for said in desk.of(OrderRejected)] == ["NEVER_ARRIVED", "NEVER_ARRIVED"]
    assert desk.waits(SendPair) == 0
    assert closable(desk.books, SYMBOL, "sell", 5) == 1000


def test_one_half_may_be_found_while_the_other_still_hides(desk: Desk) -> None:
    pair, sent = on_its_way(desk)
    desk.account.take_pair(sent)
    desk.account.hidden.add(pair[1].client_order_id)
    desk.silence(sent)
    desk.settle()
    assert standing(desk, pair) == [State.ACCEPTED, State.UNCONFIRMED]
    desk.account.hidden.clear()
    desk.live_ms(6_000)
    assert standing(desk, pair) == [State.ACCEPTED, State.ACCEPTED]


def test_an_answer_that_comes_late_ends_the_doubt(desk: Desk) -> None:
    pair, sent = on_its_way(desk)
    answer = desk.account.answer(sent)
    desk.silence(sent)
    desk.put(answer)
    assert standing(desk, pair) == [State.ACCEPTED, State.ACCEPTED]
    desk.settle()
    assert desk.books.halted == {}


def test_an_answer_that_speaks_of_one_half_leaves_the_other_in_doubt(desk: Desk) -> None:
    pair, sent = on_its_way(desk)
    desk.account.take_pair(sent)
    desk.put(PairPlaced(effect_id=sent.effect_id, reports=(report(desk, pair, 0),)))
    assert standing(desk, pair) == [State.ACCEPTED, State.UNCONFIRMED]
    desk.settle()
    assert standing(desk, pair) == [State.ACCEPTED, State.ACCEPTED]


@pytest.mark.parametrize("grade", ["exact", "folded"])
def test_after_a_restart_both_halves_are_in_doubt_and_neither_is_sent_again(
    desk: Desk, grade: str
) -> None:
    pair, sent = on_its_way(desk)
    desk.account.take_pair(sent)
    desk.restart(grade)
    desk.put(TAKING_PAIRS)
    assert standing(desk, pair) == [State.UNCONFIRMED, State.UNCONFIRMED]
    desk.settle()
    assert standing(desk, pair) == [State.ACCEPTED, State.ACCEPTED]
    assert (desk.waits(SendPair), desk.waits(SendOrder)) == (0, 0)


@pytest.mark.parametrize("half", [0, 1])
def test_when_one_half_trades_the_other_expires(desk: Desk, half: int) -> None:
    pair = place(desk, halves(desk))
    desk.fill(pair[half], "0.01000")
    desk.push(report(desk, pair, 1 - half))
    assert desk.standing(pair[half]) is State.FILLED
    assert desk.standing(pair[1 - half]) is State.EXPIRED
    assert ("OrderTriggered" in desk.story(pair[0])) is False
    assert desk.books.open == {}


def test_a_stop_that_triggers_and_trades_in_parts_keeps_its_state_in_order(desk: Desk) -> None:
    pair = place(desk, halves(desk))
    held = desk.account.orders[pair[0].client_order_id]
    held.working = True
    desk.push(held.report())
    assert desk.standing(pair[0]) is State.TRIGGERED
    desk.fill(pair[0], "0.00400")
    assert desk.standing(pair[0]) is State.PARTIALLY_FILLED
    desk.fill(pair[0], "0.00600")
    assert desk.standing(pair[0]) is State.FILLED
    assert desk.books.halted == {}


def test_the_half_that_is_left_is_asked_for_when_nobody_tells_of_it(desk: Desk) -> None:
    pair = place(desk, halves(desk))
    desk.fill(pair[1], "0.01000")
    desk.pass_ms(499)
    assert desk.waits(AskOrder) == 0
    desk.live_ms(300)
    assert desk.standing(pair[0]) is State.EXPIRED
    assert desk.books.open == {}
    desk.place(desk.limit())
    assert desk.core.state.windows.partners == {}


def test_a_half_that_outlives_the_other_is_asked_for_at_a_slower_pace(desk: Desk) -> None:
    pair = place(desk, halves(desk))
    desk.account.orders[pair[1].client_order_id].tied = ""
    desk.fill(pair[1], "0.00500")
    desk.account.orders[pair[1].client_order_id].status = "CANCELED"
    desk.push(report(desk, pair, 1))
    asked = 0
    for _ in range(80):
        desk.pass_ms(100)
        asked += desk.waits(AskOrder)
        desk.settle()
    assert desk.standing(pair[0]) is State.ACCEPTED
    assert 3 <= asked <= 6


def test_cancelling_one_half_ends_both(desk: Desk) -> None:
    pair = place(desk, halves(desk))
    desk.cancel(pair[0])
    desk.put(desk.account.answer(desk.take(SendCancel)))
    desk.push(report(desk, pair, 1))
    assert standing(desk, pair) == [State.CANCELED, State.CANCELED]
    assert desk.books.halted == {}


def test_a_cancel_that_meets_the_trade_of_the_other_half_is_an_expiry(desk: Desk) -> None:
    pair = place(desk, halves(desk))
    desk.cancel(pair[1])
    assert desk.standing(pair[1]) is State.PENDING_CANCEL
    desk.fill(pair[0], "0.01000")
    desk.put(desk.account.answer(desk.take(SendCancel)))
    desk.settle()
    assert standing(desk, pair) == [State.FILLED, State.EXPIRED]
    assert desk.books.halted == {}


def test_flatten_ends_a_pair_and_closes_what_it_guarded(desk: Desk) -> None:
    pair = place(desk, halves(desk))
    desk.command("kill", "FLATTEN", "out")
    desk.live_ms(2_000, also=(SendCancel,))
    assert standing(desk, pair) == [State.CANCELED, State.CANCELED]
    desk.live_ms(3_000, also=(SendCancel,))
    assert desk.books.halted == {}
