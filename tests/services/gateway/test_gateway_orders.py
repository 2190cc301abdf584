"""The way of an order: joined, sent once, and every word of the exchange booked once."""

from collections.abc import Iterator

import msgspec
import pytest

from schema.exchange import (
    OrderFound,
    OrderNotSent,
    OrderPlaced,
    OrderRefused,
    SendOrder,
    VenueTrade,
)
from schema.lifecycle import State
from schema.orders import (
    Fill,
    InstrumentHalted,
    OrderAccepted,
    OrderRejected,
    OrderSubmitted,
    OrderTriggered,
)
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_desk import Desk, opened
from tests.services.gateway.gateway_words import MS, SCALE


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from opened()


def test_a_market_order_goes_the_whole_way_and_a_repeat_adds_nothing(desk: Desk) -> None:
    intent = desk.intent()
    desk.approve(intent)
    send = desk.take(SendOrder)
    assert send.effect_id == f"send {intent.client_order_id}"
    assert send.deadline_wall_ms == send.signed_ms + 3_000
    assert send.signed_ms == desk.wall_ms == desk.of(OrderSubmitted)[0].signed_ms
    held = desk.account.take(intent)
    trade = desk.account.fill(intent.client_order_id, "0.01000")
    placed = OrderPlaced(effect_id=send.effect_id, report=held.report(), trades=(trade,))
    desk.put(placed)
    assert desk.story(intent) == ["OrderSubmitted", "OrderAccepted", "Fill"]
    assert desk.standing(intent) is State.FILLED
    before = len(desk.said)
    desk.push(held.report(), trade)
    desk.put(placed)
    desk.live_ms(6_000)
    assert not [m for m in desk.said[before:] if getattr(m, "client_order_id", "")]
    (fill,) = desk.of(Fill)
    assert (fill.px, fill.qty, fill.quote_qty, fill.fee) == (5_000_000, 1000, 5_000_000_000, 5)
    assert (fill.px_exp, fill.qty_exp, fill.quote_exp, fill.fee_exp) == (2, 5, 7, 1)
    assert (fill.trace, fill.cum_qty, fill.late) == (intent.trace, 1000, False)
    assert fill.ts_event == trade.at_ms * MS


def test_a_verdict_may_come_before_its_intent(desk: Desk) -> None:
    intent = desk.intent()
    assert desk.put(desk.verdict(intent)) == []
    (said,) = desk.put(intent)
    assert isinstance(said, OrderSubmitted)
    assert said.intent == intent


def test_the_signature_carries_the_clock_of_the_exchange(desk: Desk) -> None:
    desk.tell_clock(offset_ms=120)
    desk.pass_ms(250)
    desk.approve(desk.intent())
    assert desk.take(SendOrder).signed_ms == desk.wall_ms + 120


def test_executions_are_booked_in_any_order_and_with_all_their_decimals(desk: Desk) -> None:
    intent = desk.place(desk.limit(qty=3000))
    first = desk.account.fill(intent.client_order_id, "0.01000")
    second = desk.account.fill(intent.client_order_id, "0.01000", fee_asset="BTC")
    desk.push(desk.account.orders[intent.client_order_id].report(), second)
    desk.push(desk.account.orders[intent.client_order_id].report(), first)
    exact = msgspec.structs.replace(
        desk.account.fill(intent.client_order_id, "0.01000", fee_asset="BNB"),
        fee="0.000012345678",
        quote_qty="499.999999999",
    )
    desk.push(desk.account.orders[intent.client_order_id].report(), exact)
    fills = desk.of(Fill)
    assert [fill.cum_qty for fill in fills] == [1000, 2000, 3000]
    assert (fills[2].fee, fills[2].fee_exp) == (12345678, 12)
    assert (fills[2].quote_qty, fills[2].quote_exp) == (499999999999, 9)
    assert desk.standing(intent) is State.FILLED
    position = desk.books.positions[SYMBOL]
    assert (position.n, position.exp) == (3_000 - 1, 5)


def test_what_the_exchange_refuses_is_rejected_with_its_code(desk: Desk) -> None:
    refused, unsent = desk.intent(), desk.intent()
    desk.approve(refused)
    name = desk.take(SendOrder).effect_id
    order_id = refused.client_order_id
    desk.put(
        OrderRefused(
            effect_id=name, client_order_id=order_id, symbol=SYMBOL, code=-2010, text="funds"
        )
    )
    desk.approve(unsent)
    name = desk.take(SendOrder).effect_id
    order_id = unsent.client_order_id
    desk.put(
        OrderNotSent(effect_id=name, client_order_id=order_id, symbol=SYMBOL, reason="too late")
    )
    assert [(m.code, m.detail) for m in desk.of(OrderRejected)] == [
        ("-2010", "funds"),
        ("NOT_SENT", "too late"),
    ]


def test_a_duplicate_at_the_exchange_is_no_proof_that_it_has_no_order(desk: Desk) -> None:
    intent = desk.intent()
    desk.approve(intent)
    name = desk.take(SendOrder).effect_id
    desk.put(
        OrderRefused(
            effect_id=name,
            client_order_id=intent.client_order_id,
            symbol=SYMBOL,
            code=-2010,
            text="Duplicate order sent.",
        )
    )
    assert desk.standing(intent) is State.UNCONFIRMED


def test_an_execution_that_the_list_does_not_show_yet_is_asked_for_again(desk: Desk) -> None:
    intent = desk.place(desk.limit())
    trade = desk.account.fill(intent.client_order_id, "0.01000")
    desk.account.hidden.add(trade.trade_id)
    desk.push(desk.account.orders[intent.client_order_id].report())
    desk.settle()
    assert desk.of(Fill) == []
    desk.account.hidden.clear()
    desk.live_ms(1_500)
    assert desk.standing(intent) is State.FILLED


def test_a_fill_after_the_end_is_booked_and_halts(desk: Desk) -> None:
    intent = desk.place(desk.limit())
    desk.push(desk.account.end(intent.client_order_id).report())
    assert desk.standing(intent) is State.CANCELED
    desk.fill(intent, "0.00100")
    (fill,) = desk.of(Fill)
    assert fill.late
    assert desk.standing(intent) is State.CANCELED
    (halt,) = desk.of(InstrumentHalted)
    assert "late fill" in halt.reason
    assert desk.books.positions[SYMBOL].n == 100
    assert dict(desk.core.counters())["late_fills"] == 1


def test_a_step_that_no_table_has_halts_the_instrument_once(desk: Desk) -> None:
    intent = desk.bought()
    report = desk.account.orders[intent.client_order_id].report()
    for _ in range(2):
        desk.push(msgspec.structs.replace(report, status="EXPIRED"))
    (halt,) = desk.of(InstrumentHalted)
    assert "OrderExpired" in halt.reason
    assert desk.standing(intent) is State.FILLED


def test_an_order_of_somebody_else_halts_its_symbol_once(desk: Desk) -> None:
    held = desk.account.add("by-hand", "buy", desk.account.free["USDT"])
    desk.push(held.report())
    trade = desk.account.fill("by-hand", "0.5")
    desk.push(held.report(), trade)
    desk.live_ms(40_000)
    (halt,) = desk.of(InstrumentHalted)
    assert halt.reason.startswith(f"unknown order {held.venue_id}")
    assert dict(desk.core.counters())["foreign_orders"] == 1
    assert desk.of(Fill) == []
    assert not desk.command("resume-symbol", SYMBOL, "it was me").ok  # Money moved, too.
    for asset, delta in (("BTC", "0.5"), ("USDT", "-25025")):
        desk.command("adopt", "balance", asset, delta, "trading", "it was me")
    desk.command("resume-symbol", SYMBOL, "it was me")
    desk.live_ms(40_000)
    assert desk.books.halted == {}


def test_a_trade_that_cannot_be_read_halts_and_is_not_booked(desk: Desk) -> None:
    intent = desk.place(desk.limit())
    trade = desk.account.fill(intent.client_order_id, "0.01000")
    bad: list[VenueTrade] = [
        msgspec.structs.replace(trade, **change)
        for change in ({"px": "NaN"}, {"qty": "0"}, {"side": "sell"})
    ]
    for one in bad:
        desk.push(desk.account.orders[intent.client_order_id].report(), one)
    assert desk.of(Fill) == []
    assert desk.books.halted
    desk.settle()
    assert desk.standing(intent) is State.FILLED


def test_a_stop_is_triggered_when_the_exchange_works_on_it(desk: Desk) -> None:
    desk.bought()
    stop = desk.intent("sell", order_type="stop", stop_px=4_800_000, leg="stop", reduce_only=True)
    desk.approve(stop)
    send = desk.take(SendOrder)
    held = desk.account.take(stop)
    desk.put(OrderPlaced(effect_id=send.effect_id, report=held.report()))
    assert desk.of(OrderTriggered) == []
    held.working = True
    desk.push(held.report())
    desk.push(held.report())
    assert len(desk.of(OrderTriggered)) == 1
    assert desk.standing(stop) is State.TRIGGERED
    desk.fill(stop, "0.01000")
    assert desk.books.positions[SYMBOL].n == 0


def test_an_answer_to_an_older_question_is_evidence_all_the_same(desk: Desk) -> None:
    intent = desk.place(desk.limit())
    desk.account.fill(intent.client_order_id, "0.01000")
    report = desk.account.orders[intent.client_order_id].report()
    desk.put(OrderFound(effect_id=f"ask {intent.client_order_id} 1", report=report))
    desk.settle()
    assert desk.standing(intent) is State.FILLED
    assert desk.of(OrderAccepted)[0].evidence == "answer"


def test_the_remaining_validity_bounds_the_deadline(desk: Desk) -> None:
    intent = desk.intent(valid_until_ns=desk.now_ns + int(700 * MS * SCALE))
    desk.approve(intent)
    send = desk.take(SendOrder)
    assert send.deadline_wall_ms - send.signed_ms == 700
