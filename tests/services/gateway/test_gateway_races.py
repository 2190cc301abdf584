"""Races of the order path: orders in doubt side by side, clocks that differ, sells together."""

from collections.abc import Iterator

import msgspec
import pytest

from schema.exchange import KillFileSeen, OrderFound, SendOrder
from schema.head import Local
from schema.house import Command
from schema.lifecycle import State
from schema.orders import InstrumentHalted, OrderDenied
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_desk import Desk, opened
from tests.services.gateway.test_gateway_unconfirmed import PROOF_MS, absent, lost


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from opened()


def test_a_trade_of_one_order_in_doubt_halts_nothing_because_of_another(desk: Desk) -> None:
    dead = lost(desk, desk.intent(), arrived=False)
    alive = lost(desk, desk.intent())
    desk.account.fill(alive.client_order_id, "0.01000")
    desk.put(_listed(desk))
    desk.put(absent(desk, dead.client_order_id, PROOF_MS + 4_000))
    assert desk.of(InstrumentHalted) == []
    assert desk.standing(dead) is State.UNCONFIRMED
    report = desk.account.orders[alive.client_order_id].report()
    desk.put(OrderFound(effect_id=f"ask {alive.client_order_id} 0", report=report))
    assert desk.standing(alive) is State.FILLED
    desk.live_ms(PROOF_MS + 8_000)
    assert desk.standing(dead) is State.REJECTED
    assert desk.books.halted == {}


def test_a_trade_that_no_order_in_doubt_owns_up_to_halts_their_symbol(desk: Desk) -> None:
    first, second = (lost(desk, desk.intent()) for _ in range(2))
    desk.account.fill(first.client_order_id, "0.01000")
    desk.put(_listed(desk))
    desk.put(absent(desk, first.client_order_id, PROOF_MS + 4_000))
    assert desk.of(InstrumentHalted) == []
    desk.put(absent(desk, second.client_order_id, PROOF_MS + 4_000))
    assert SYMBOL in desk.books.halted


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_rejection_of_what_traded_in_part_ends_the_rest_of_it(
    desk: Desk, *, cancelled: bool
) -> None:
    order = desk.place(desk.limit())
    trade = desk.account.fill(order.client_order_id, "0.00400")
    if cancelled:
        desk.push(desk.account.orders[order.client_order_id].report(), trade)
        desk.cancel(order)
    desk.push(desk.account.end(order.client_order_id, "REJECTED").report())
    desk.settle()
    assert desk.standing(order) is State.CANCELED
    assert desk.books.halted == {}
    assert order.client_order_id not in desk.books.open


def _listed(desk: Desk) -> Local:
    listed = [effect for effect in desk.effects if type(effect).__name__ == "AskTrades"]
    return desk.account.answer(listed[0])


@pytest.mark.parametrize("offset_ms", [-7_200_000, -400, 400, 7_200_000])
def test_a_deadline_is_told_by_our_clock_and_a_signature_by_the_exchanges(offset_ms: int) -> None:
    desk = Desk().boot()
    desk.bought()
    desk.tell_clock(offset_ms)
    intent = desk.intent("sell", reduce_only=True)
    desk.approve(intent)
    send = desk.take(SendOrder)
    assert send.signed_ms == desk.wall_ms + offset_ms
    assert send.deadline_wall_ms == desk.wall_ms + 3_000
    desk.prove()


def test_two_sells_that_only_reduce_never_sell_more_than_there_is_to_close(desk: Desk) -> None:
    desk.bought("0.01000")
    stop = desk.intent("sell", 800, order_type="stop", stop_px=4_900_000, reduce_only=True)
    desk.place(stop)
    code = "REDUCE_ONLY_WOULD_INCREASE_POSITION"
    desk.approve(desk.intent("sell", 300, reduce_only=True))
    assert desk.of(OrderDenied)[-1].code == code
    desk.approve(desk.intent("sell", 200, reduce_only=True))
    assert desk.waits(SendOrder) == 1
    desk.approve(desk.intent("sell", 20, reduce_only=True))
    assert desk.of(OrderDenied)[-1].code == code


def test_a_repeated_intent_of_a_live_order_is_denied_and_harms_nothing(desk: Desk) -> None:
    resting = desk.place(desk.limit())
    order = desk.books.open[resting.client_order_id]
    before = msgspec.msgpack.encode(order)
    verdict = desk.verdict(resting, approved=False, code="DUPLICATE_ORDER")
    desk.put(resting, verdict)
    desk.put(desk.verdict(resting))
    assert [m.code for m in desk.of(OrderDenied)] == ["DUPLICATE_ORDER"]
    assert msgspec.msgpack.encode(desk.books.open[resting.client_order_id]) == before
    assert desk.waits(SendOrder) == 0
    assert desk.core.state.windows.verdicts == {}
    desk.fill(resting, "0.01000")
    assert desk.standing(resting) is State.FILLED


def test_a_trade_of_an_order_in_doubt_is_found_after_any_number_of_comparisons(
    desk: Desk,
) -> None:
    intent = lost(desk, desk.intent())
    desk.account.fill(intent.client_order_id, "0.01000")
    desk.account.hidden.add(intent.client_order_id)
    desk.bought()
    desk.live_ms(100_000)
    assert SYMBOL in desk.books.halted
    desk.restart("folded")
    desk.live_ms(20_000)
    assert desk.standing(intent) is State.UNCONFIRMED
    desk.account.hidden.clear()
    desk.live_ms(20_000)
    assert desk.standing(intent) is State.FILLED


@pytest.mark.parametrize("by_file", [True, False])
def test_a_kill_that_comes_after_a_resume_is_not_undone_by_it(desk: Desk, *, by_file: bool) -> None:
    desk.put(KillFileSeen(text="stop"))
    desk.put(Command(request_id="r", verb="resume", args=("why",), by="me"))
    if by_file:
        desk.put(KillFileSeen(text="stop again"))
    else:
        desk.put(Command(request_id="k", verb="kill", args=("HALTED", "again"), by="you"))
    desk.put(KillFileSeen(text="", there=False))
    desk.pass_ms(2_000)
    assert desk.books.level == "HALTED"
    (refused,) = [done for done in desk.done if done.request_id == "r"]
    assert not refused.ok
