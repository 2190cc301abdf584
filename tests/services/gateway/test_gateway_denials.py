"""What does not leave: every reason has a code, and every intent and verdict one answer."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from schema.approval import order_hash
from schema.exchange import BudgetSeen, OrderPlaced, SendOrder
from schema.house import PeerSeen, Started
from schema.orders import OrderDenied, OrderSubmitted, RequestWeight
from services.gateway.position import reduces
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_desk import Desk, opened
from tests.services.gateway.gateway_words import LISTED, MS, SCALE

SILENT = PeerSeen(service="risk", state="SILENT", reason="it gives no sign of life")


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from opened()


def code_of(desk: Desk) -> str:
    """Return why the last order was denied."""
    assert desk.waits(SendOrder) == 0
    return desk.of(OrderDenied)[-1].code


def denied(desk: Desk, **fields: Any) -> str:
    desk.approve(desk.intent(**fields))
    return code_of(desk)


def test_what_risk_refuses_is_denied_in_its_name(desk: Desk) -> None:
    intent = desk.intent()
    verdict = desk.verdict(intent, approved=False, code="DAILY_LOSS_LIMIT", detail="lost=2000")
    desk.put(intent, verdict)
    (said,) = desk.of(OrderDenied)
    assert (said.code, said.detail, said.by) == ("DAILY_LOSS_LIMIT", "lost=2000", "risk")


def test_an_order_that_was_altered_after_its_approval_is_refused(desk: Desk) -> None:
    intent = desk.limit()
    altered = msgspec.structs.replace(intent, limit_px=intent.limit_px + 1)
    desk.put(altered, desk.verdict(intent))
    assert code_of(desk) == "APPROVAL_INVALID"
    assert order_hash(altered) != order_hash(intent)


def test_a_verdict_approves_one_order_and_only_once(desk: Desk) -> None:
    intent = desk.intent()
    verdict = desk.verdict(intent)
    desk.put(intent, verdict)
    desk.take(SendOrder)
    desk.put(verdict)
    desk.put(intent, verdict)
    assert code_of(desk) == "DUPLICATE_ORDER"
    assert len(desk.of(OrderSubmitted)) == 1
    assert intent.client_order_id in desk.books.open


def test_an_id_is_known_for_ever_even_when_its_order_was_denied(desk: Desk) -> None:
    intent = desk.intent(qty=0)
    desk.approve(intent)
    desk.restart("folded")
    desk.settle()
    desk.approve(msgspec.structs.replace(intent, qty=1000))
    assert code_of(desk) == "DUPLICATE_ORDER"


def test_an_id_of_another_house_is_refused(desk: Desk) -> None:
    assert denied(desk, client_order_id="f" * 32) == "INVALID_CLIENT_ORDER_ID"


def test_an_old_verdict_approves_nothing(desk: Desk) -> None:
    intent = desk.intent()
    desk.put(intent, desk.verdict(intent, expires_ns=desk.now_ns - 1))
    assert code_of(desk) == "COMMAND_EXPIRED"


def test_an_order_is_not_sent_after_its_time(desk: Desk) -> None:
    assert denied(desk, valid_until_ns=desk.now_ns - 1) == "COMMAND_EXPIRED"


def test_an_intent_whose_verdict_never_comes_expires_by_itself(desk: Desk) -> None:
    intent = desk.intent()
    desk.put(intent)
    desk.pass_ms(2_900)
    assert desk.of(OrderDenied) == []
    desk.pass_ms(200)
    assert code_of(desk) == "COMMAND_EXPIRED"
    desk.put(desk.verdict(intent))  # An id is answered once.
    assert [m.code for m in desk.of(OrderDenied)] == ["COMMAND_EXPIRED"]
    assert desk.waits(SendOrder) == 0


def test_a_verdict_whose_intent_never_comes_expires_by_itself(desk: Desk) -> None:
    desk.put(desk.verdict(desk.intent()))
    refused = desk.verdict(desk.intent(), approved=False, code="STALE_DATA")
    desk.put(refused)
    desk.pass_ms(1_100)
    assert [m.code for m in desk.of(OrderDenied)] == ["COMMAND_EXPIRED", "STALE_DATA"]


def test_an_intent_that_is_said_twice_is_answered_once(desk: Desk) -> None:
    intent = desk.intent()
    desk.put(intent, intent, desk.verdict(intent))
    assert desk.story(intent) == ["OrderSubmitted"]


def test_nothing_is_sent_before_everything_is_compared() -> None:
    desk = Desk()
    desk.put(Started(epoch=1, grade="fresh"))
    desk.put(LISTED, PeerSeen(service="risk", state="READY"))
    assert denied(desk) == "STREAM_RECONCILING"
    assert desk.core.trouble(desk.now_ns) == "the exchange's clock is not known yet"
    desk.tell_clock()
    assert desk.core.trouble(desk.now_ns) == "orders and balances are not reconciled yet"
    assert denied(desk) == "STREAM_RECONCILING"
    desk.settle()
    assert desk.core.trouble(desk.now_ns) is None
    desk.approve(desk.intent())
    assert desk.waits(SendOrder) == 1


def test_without_an_instrument_nothing_can_be_judged() -> None:
    desk = Desk()
    desk.put(Started(epoch=1, grade="fresh"), PeerSeen(service="risk", state="READY"))
    desk.tell_clock()
    desk.settle()
    assert desk.core.trouble(desk.now_ns) == "no instrument is known yet"
    assert denied(desk) == "STREAM_RECONCILING"


def test_an_unknown_symbol_is_denied(desk: Desk) -> None:
    desk.core.state.windows.instruments.clear()
    desk.turns.clear()
    assert denied(desk) == "INSTRUMENT_NOT_FOUND"


@pytest.mark.parametrize("offset_ms", [500, -900])
def test_a_clock_that_is_off_lets_only_reductions_through(desk: Desk, offset_ms: int) -> None:
    desk.bought()
    desk.tell_clock(offset_ms)
    assert denied(desk) == "CLOCK_SKEW"
    desk.approve(desk.intent("sell"))
    assert desk.waits(SendOrder) == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"qty": 100_000}, "NOTIONAL_EXCEEDS_MAX_PER_ORDER"),
        ({"qty": 1 << 62}, "NOTIONAL_EXCEEDS_MAXIMUM"),
        ({"qty": 1}, "NOTIONAL_BELOW_MINIMUM"),
        ({"qty": -5}, "QUANTITY_BELOW_MINIMUM"),
        ({"px_exp": 3}, "VALIDATION_FAILED"),
        ({"ref_px": 0}, "VALIDATION_FAILED"),
        ({"side": "sell", "reduce_only": True}, "POSITION_NOT_FOUND"),
        ({"order_type": "take_profit", "stop_px": 1}, "UNSUPPORTED_ORDER_TYPE"),
    ],
)
def test_the_last_gate_has_limits_of_its_own(desk: Desk, fields: dict[str, Any], code: str) -> None:
    assert denied(desk, **fields) == code


def test_a_reduction_is_never_larger_than_the_position(desk: Desk) -> None:
    desk.bought()
    assert denied(desk, side="sell", qty=1001, reduce_only=True) == (
        "REDUCE_ONLY_WOULD_INCREASE_POSITION"
    )
    desk.approve(desk.intent("sell", 1000, reduce_only=True))
    assert desk.waits(SendOrder) == 1


def test_so_many_orders_may_be_open_and_no_more() -> None:
    desk = Desk(RRR_GATEWAY__MAX_OPEN_ORDERS="2").boot()
    desk.place(desk.limit())
    desk.place(desk.limit())
    assert denied(desk) == "MAX_OPEN_ORDERS_EXCEEDED"


def test_so_many_orders_leave_within_a_window_across_restarts() -> None:
    desk = Desk(RRR_GATEWAY__ORDER_RATE="2").boot()
    desk.bought()
    desk.bought()
    assert denied(desk) == "RATE_LIMIT_EXCEEDED"
    desk.restart("folded")
    desk.settle()
    desk.put(LISTED)
    assert denied(desk) == "RATE_LIMIT_EXCEEDED"
    desk.place(desk.intent("sell", reduce_only=True))  # What reduces is never held back by it.
    desk.live_ms(10_000)
    desk.approve(desk.intent())
    assert desk.waits(SendOrder) == 1


def test_while_risk_is_silent_only_reductions_leave_by_the_gateways_own_verdict(
    desk: Desk,
) -> None:
    desk.bought()
    waiting = desk.intent()
    desk.put(waiting)
    desk.put(SILENT)
    assert desk.of(OrderDenied)[-1].code == "RISK_SILENT"
    desk.put(desk.intent())
    assert code_of(desk) == "RISK_SILENT"
    approved = desk.intent()
    desk.put(approved, desk.verdict(approved))
    assert code_of(desk) == "RISK_SILENT"
    too_much = desk.intent("sell", 1001)
    desk.put(too_much)
    assert code_of(desk) == "RISK_SILENT"
    less = desk.intent("sell", 600)
    desk.put(less)
    submitted = desk.of(OrderSubmitted)[-1]
    assert submitted.client_order_id == less.client_order_id
    assert (submitted.verdict.by, submitted.verdict.approved) == ("gateway", True)
    assert submitted.verdict.order_hash == order_hash(less)
    desk.put(desk.verdict(less))  # It comes late, and nothing is sent twice.
    desk.take(SendOrder)
    more = desk.intent("sell", 500)
    desk.put(more)
    assert code_of(desk) == "RISK_SILENT"  # With what is under way it could go short.


def test_an_order_against_the_position_reduces_only_within_it(desk: Desk) -> None:
    desk.bought()
    sell = desk.intent("sell", 400)
    assert reduces(desk.books, sell)
    assert not reduces(desk.books, desk.intent("buy", 400))
    desk.place(desk.limit("sell", 700))
    assert not reduces(desk.books, sell)
    assert reduces(desk.books, desk.intent("sell", 300))


def test_a_ban_is_said_once_obeyed_and_outlives_the_process(desk: Desk) -> None:
    resting = desk.place(desk.limit())
    desk.put(BudgetSeen(used=6001, limit=6000, retry_wall_ms=desk.wall_ms + 20_000))
    (weight,) = desk.of(RequestWeight)
    assert weight.retry_after_ns == (desk.wall_ms + 20_000) * MS
    desk.put(BudgetSeen(used=1, limit=6000))
    assert denied(desk) == "RATE_LIMIT_EXCEEDED"
    desk.restart("folded")
    desk.put(LISTED)
    desk.cancel(resting)
    desk.pass_ms(19_000)
    assert [type(e).__name__ for e in desk.effects] == ["SetLevel"]
    desk.pass_ms(1_100)
    names = {type(e).__name__ for e in desk.effects}
    assert {"SendCancel", "AskAccount", "AskOpenOrders"} <= names
    desk.live_ms(61_000)
    desk.put(BudgetSeen(used=77, limit=6000))
    assert [m.used for m in desk.of(RequestWeight)] == [6001, 77]


def test_without_an_exchange_it_is_never_ready_and_sends_nothing() -> None:
    desk = Desk(armed=False)
    desk.put(Started(epoch=1, grade="fresh"))
    desk.put(LISTED, PeerSeen(service="risk", state="READY"))
    assert desk.core.trouble(desk.now_ns) == ("no exchange is connected in this mode")
    assert denied(desk) == "NO_EXECUTION_CLIENT"
    desk.command("kill", "FLATTEN", "now")
    desk.pass_ms(10_000)
    assert desk.effects == []


def test_an_expiry_of_the_market_is_not_one_of_the_wall(desk: Desk) -> None:
    desk.put(desk.intent(valid_until_ns=desk.now_ns + int(500 * MS * SCALE)))
    desk.pass_ms(499)
    assert desk.of(OrderDenied) == []
    desk.pass_ms(2)
    assert code_of(desk) == "COMMAND_EXPIRED"


def test_an_order_without_an_end_is_wanted_as_long_as_the_engine_wants_any(desk: Desk) -> None:
    desk.put(desk.intent(valid_until_ns=0))
    desk.pass_ms(2_990)
    assert desk.of(OrderDenied) == []
    desk.pass_ms(20)
    assert code_of(desk) == "COMMAND_EXPIRED"
    assert SYMBOL in desk.core.state.windows.instruments


def test_an_answer_to_what_was_never_sent_changes_nothing(desk: Desk) -> None:
    held = desk.account.take(desk.intent())
    held.status = "FILLED"
    desk.put(OrderPlaced(effect_id="send nobody", report=held.report()))
    assert desk.books.halted == {}
