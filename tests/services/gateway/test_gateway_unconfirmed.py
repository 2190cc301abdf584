"""Orders without an answer: found, or proven dead by two answers, and never sent again."""

from collections.abc import Iterator
from itertools import pairwise

import msgspec
import pytest

from schema.exchange import (
    AskOrder,
    OrderAbsent,
    SendOrder,
    TradesSeen,
    VenueTrade,
)
from schema.lifecycle import State
from schema.orders import Fill, InstrumentHalted, OrderAccepted, OrderRejected, OrderUnconfirmed
from schema.trading import OrderIntent
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_desk import Desk, opened
from tests.services.gateway.gateway_words import LISTED

PROOF_MS = 7_000
"""recv_window_ms and the time after which an exchange shows what it took."""


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from opened()


def lost(desk: Desk, intent: OrderIntent, *, arrived: bool = True) -> OrderIntent:
    """Send an order whose answer never comes."""
    desk.approve(intent)
    send = desk.take(SendOrder)
    if arrived:
        desk.account.take(intent)
    desk.silence(send)
    assert desk.standing(intent) is State.UNCONFIRMED
    return intent


def test_an_order_without_an_answer_is_found_filled(desk: Desk) -> None:
    intent = lost(desk, desk.intent())
    desk.account.fill(intent.client_order_id, "0.01000")
    desk.settle()
    assert desk.story(intent) == ["OrderSubmitted", "OrderUnconfirmed", "OrderAccepted", "Fill"]
    assert desk.of(OrderAccepted)[0].evidence == "query"
    assert desk.standing(intent) is State.FILLED
    desk.live_ms(20_000)
    assert desk.waits(SendOrder) == 0


def test_an_order_that_never_arrived_is_proven_dead_and_no_earlier(desk: Desk) -> None:
    intent = lost(desk, desk.intent(), arrived=False)
    desk.live_ms(PROOF_MS)
    assert desk.standing(intent) is State.UNCONFIRMED
    assert dict(desk.core.counters())["unconfirmed"] == 1
    desk.live_ms(2_500)
    (said,) = desk.of(OrderRejected)
    assert said.code == "NEVER_ARRIVED"
    assert desk.waits(SendOrder) == 0
    assert desk.core.state.windows.doubts == {}


def test_two_absences_without_a_list_of_trades_prove_nothing(desk: Desk) -> None:
    intent = lost(desk, desk.limit(), arrived=False)
    order_id = intent.client_order_id
    desk.effects.clear()
    for after_ms in (PROOF_MS + 1_000, PROOF_MS + 5_000):
        desk.put(absent(desk, order_id, after_ms))
    assert desk.standing(intent) is State.UNCONFIRMED
    desk.put(listed(desk, PROOF_MS + 4_500))
    assert desk.standing(intent) is State.REJECTED


@pytest.mark.parametrize(
    ("absent_ms", "listed_ms", "proven"),
    [
        (PROOF_MS, PROOF_MS + 2_000, False),
        (PROOF_MS + 1, PROOF_MS + 1_000, False),
        (PROOF_MS + 1, PROOF_MS + 1_001, True),
        (PROOF_MS + 2_000, PROOF_MS + 1_000, True),
        (PROOF_MS + 2_000, PROOF_MS, False),
    ],
)
def test_what_proves_an_order_dead_is_exact_to_the_millisecond(
    desk: Desk, absent_ms: int, listed_ms: int, *, proven: bool
) -> None:
    intent = lost(desk, desk.intent(), arrived=False)
    desk.put(absent(desk, intent.client_order_id, absent_ms))
    desk.put(listed(desk, listed_ms))
    assert (desk.standing(intent) is State.REJECTED) == proven


def absent(desk: Desk, order_id: str, after_ms: int) -> OrderAbsent:
    """Return that the exchange knew no such order so long after it was signed."""
    signed_ms = desk.books.open[order_id].signed_ms
    name = f"ask {order_id} 1"
    return OrderAbsent(
        effect_id=name, client_order_id=order_id, symbol=SYMBOL, wall_ms=signed_ms + after_ms
    )


def listed(desk: Desk, after_ms: int, *trades: VenueTrade) -> TradesSeen:
    """Return a whole list of trades, as the answer to a question that is out."""
    (order,) = [o for o in desk.books.open.values() if o.place.state is State.UNCONFIRMED]
    key = f"trades {SYMBOL}"
    ask = desk.core.state.windows.asked[key]
    return TradesSeen(
        effect_id=ask.effect_id,
        symbol=SYMBOL,
        trades=trades,
        whole=True,
        wall_ms=order.signed_ms + after_ms,
    )


def test_a_trade_of_an_unknown_order_keeps_the_doubt_and_halts(desk: Desk) -> None:
    intent = lost(desk, desk.intent())
    trade = desk.account.fill(intent.client_order_id, "0.01000")
    desk.put(listed(desk, PROOF_MS + 2_000, trade))
    desk.put(absent(desk, intent.client_order_id, PROOF_MS + 4_000))
    desk.put(absent(desk, intent.client_order_id, PROOF_MS + 9_000))
    assert desk.standing(intent) is State.UNCONFIRMED
    (halt,) = desk.of(InstrumentHalted)
    assert trade.trade_id in halt.reason
    desk.live_ms(3_000)
    assert desk.standing(intent) is State.FILLED
    assert len(desk.of(Fill)) == 1


def test_a_trade_that_comes_before_its_order_is_known_waits_for_it(desk: Desk) -> None:
    intent = lost(desk, desk.intent())
    trade = desk.account.fill(intent.client_order_id, "0.01000")
    desk.put(listed(desk, 500, trade))
    assert desk.of(Fill) == []
    assert desk.books.halted == {}
    desk.put(desk.account.answer(desk.take(AskOrder)))
    assert desk.standing(intent) is State.FILLED
    assert desk.books.halted == {}


def test_an_order_that_was_dead_and_lives_halts_and_loses_no_fill(desk: Desk) -> None:
    intent = lost(desk, desk.intent(), arrived=False)
    desk.live_ms(PROOF_MS + 8_000)
    assert desk.standing(intent) is State.REJECTED
    desk.account.take(intent)
    desk.account.fill(intent.client_order_id, "0.01000")
    desk.push(desk.account.orders[intent.client_order_id].report())
    desk.settle()
    assert desk.standing(intent) is State.REJECTED
    assert desk.of(Fill)[0].late
    assert SYMBOL in desk.books.halted


@pytest.mark.parametrize("grade", ["exact", "folded"])
@pytest.mark.parametrize("arrived", [True, False])
def test_a_death_between_send_and_answer_sends_nothing_again(
    desk: Desk, grade: str, *, arrived: bool
) -> None:
    intent = desk.intent()
    desk.approve(intent)
    desk.take(SendOrder)
    if arrived:
        desk.account.take(intent)
        desk.account.fill(intent.client_order_id, "0.01000")
    desk.restart(grade)
    desk.put(LISTED)
    assert desk.standing(intent) is State.UNCONFIRMED
    desk.live_ms(PROOF_MS + 8_000)
    assert desk.standing(intent) is (State.FILLED if arrived else State.REJECTED)
    assert desk.waits(SendOrder) == 0
    assert len(desk.of(OrderUnconfirmed)) == 1


def test_a_cancel_whose_order_is_in_doubt_goes_and_comes_again_when_it_is_found(
    desk: Desk,
) -> None:
    intent = lost(desk, desk.limit())
    desk.account.hidden.add(intent.client_order_id)
    desk.cancel(intent)
    (cancel,) = [e for e in desk.effects if type(e).__name__ == "SendCancel"]
    desk.silence(cancel)
    desk.effects.remove(cancel)
    desk.settle()
    assert desk.standing(intent) is State.UNCONFIRMED
    desk.account.hidden.clear()
    desk.live_ms(8_000)
    assert desk.standing(intent) is State.PENDING_CANCEL
    desk.live_ms(8_000, also=(type(cancel),))
    assert desk.standing(intent) is State.CANCELED


def test_questions_without_an_answer_are_asked_less_and_less_often(desk: Desk) -> None:
    intent = lost(desk, desk.intent())
    times = []
    for _ in range(200):
        for effect in [e for e in desk.effects if isinstance(e, AskOrder)]:
            desk.effects.remove(effect)
            times.append(desk.wall_ms)
            desk.silence(effect)
        desk.pass_ms(100)
    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert gaps[0] <= 1_100
    assert gaps == sorted(gaps)
    assert max(gaps) <= 5_100
    assert desk.standing(intent) is State.UNCONFIRMED


def test_an_exchange_that_answers_late_about_an_order_is_believed(desk: Desk) -> None:
    intent = desk.limit()
    desk.approve(intent)
    send = desk.take(SendOrder)
    desk.silence(send)
    placed = desk.account.answer(send)
    desk.put(placed)
    assert desk.standing(intent) is State.ACCEPTED
    report = desk.account.orders[intent.client_order_id].report()
    desk.push(msgspec.structs.replace(report, status="REJECTED"), reason="funds")
    assert desk.standing(intent) is State.REJECTED
