"""Rare corners: what cannot be read, what is too old to be known, and books that stay bounded."""

from collections.abc import Iterator

import msgspec
import pytest

from schema.exchange import (
    AskTop,
    BudgetSeen,
    OrderNotSent,
    OrderPlaced,
    OrderRefused,
    SendOrder,
    SetLevel,
    TopSeen,
)
from schema.house import EdgeFailed, PeerSeen, Started, Unanswered
from schema.lifecycle import State
from schema.market import FeedStatus
from schema.orders import Fill, InstrumentHalted, OrderCanceled, OrderDenied, OrderSubmitted
from schema.trading import Decision
from services.gateway.books import apply
from services.gateway.core import Gateway
from services.gateway.state import ENDED_MAX, SENT_MAX, Books
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_desk import Desk, opened
from tests.services.gateway.gateway_words import LISTED, WORLD


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from opened()


def test_a_report_that_cannot_be_read_halts_and_changes_nothing(desk: Desk) -> None:
    intent = desk.place(desk.limit())
    report = desk.account.orders[intent.client_order_id].report()
    desk.push(msgspec.structs.replace(report, executed_qty="1e9", status="CANCELED"))
    assert desk.standing(intent) is State.ACCEPTED
    assert "cannot be read" in desk.of(InstrumentHalted)[0].reason


def test_an_execution_finer_than_the_lot_is_booked_exactly(desk: Desk) -> None:
    intent = desk.place(desk.limit())
    desk.fill(intent, "0.0033333333")
    desk.fill(intent, "0.0066666667")
    assert desk.standing(intent) is State.FILLED
    assert [fill.cum_qty for fill in desk.of(Fill)] == [33333333, 100000000]
    assert desk.books.positions[SYMBOL].n == 10**8


def test_a_trade_whose_order_is_named_and_unknown_is_foreign_at_once(desk: Desk) -> None:
    desk.approve(desk.intent())
    desk.account.add("by-hand", "buy", desk.account.free["USDT"])
    trade = desk.account.fill("by-hand", "0.1")
    named = msgspec.structs.replace(trade, client_order_id="by-hand")
    desk.push(desk.account.orders["by-hand"].report(), named)
    assert SYMBOL in desk.books.halted


def test_ended_orders_are_kept_in_a_bounded_number_and_ids_for_ever(desk: Desk) -> None:
    desk.place(desk.limit())
    (submitted,) = desk.of(OrderSubmitted)
    books = Books()
    for number in range(ENDED_MAX + 5):
        order_id = f"{number:032x}"
        intent = msgspec.structs.replace(submitted.intent, client_order_id=order_id)
        apply(books, msgspec.structs.replace(submitted, intent=intent))
        apply(books, OrderCanceled(ts_event=1, client_order_id=order_id, symbol=SYMBOL))
    assert (len(books.ended), len(books.ids), books.open) == (ENDED_MAX, ENDED_MAX + 5, {})
    assert len(books.sent) <= SENT_MAX


def test_a_waiting_verdict_is_known_again_after_a_folded_recovery(desk: Desk) -> None:
    intent = desk.intent()
    desk.put(desk.verdict(intent))
    desk.restart("folded")
    desk.put(LISTED)
    desk.settle()
    desk.put(intent)
    assert desk.waits(SendOrder) == 1


def test_an_order_that_comes_after_its_verdict_and_its_time_is_denied(desk: Desk) -> None:
    intent = desk.intent(valid_until_ns=desk.now_ns - 1)
    desk.put(desk.verdict(intent))
    desk.put(intent)
    assert desk.of(OrderDenied)[-1].code == "COMMAND_EXPIRED"


def test_an_instrument_without_minimum_still_needs_a_price_to_be_judged(desk: Desk) -> None:
    desk.put(msgspec.structs.replace(LISTED, min_notional=0))
    desk.approve(desk.intent(ref_px=0))
    assert desk.of(OrderDenied)[-1].detail.startswith("ref_px=0")


def test_what_is_for_others_passes_by(desk: Desk) -> None:
    calm = Decision(ts_event=1, strategy="toy", symbol=SYMBOL, action="hold", reason="calm")
    assert desk.put(calm) == []
    assert desk.put(FeedStatus(ts_event=1, symbol=SYMBOL, state="OK", reason="")) == []
    assert desk.put(PeerSeen(service="writer", state="SILENT")) == []
    assert desk.put(EdgeFailed(task="run", error="it ended")) == []
    assert desk.put(Unanswered(effect_id="level 1", reason="slow")) == []
    assert desk.put(_unsent(desk.intent().client_order_id)) == []


def _unsent(order_id: str) -> OrderNotSent:
    name = f"send {order_id}"
    return OrderNotSent(effect_id=name, client_order_id=order_id, symbol=SYMBOL, reason="late")


def test_a_message_that_no_gateway_hears_is_a_defect(desk: Desk) -> None:
    with pytest.raises(AssertionError, match="does not listen to SetLevel"):
        desk.core.handle(SetLevel(effect_id="level 1", level="ACTIVE"), desk.now_ns)


def test_a_price_that_comes_too_late_or_is_none_closes_nothing(desk: Desk) -> None:
    desk.bought()
    desk.command("kill", "FLATTEN", "out")
    desk.account.bid = "0.00"
    desk.settle(also=(AskTop,))
    assert desk.waits(SendOrder) == 0
    desk.account.bid = "49990.00"
    desk.pass_ms(1_100)
    ask = desk.take(AskTop)
    desk.put(BudgetSeen(used=1, limit=1, retry_wall_ms=desk.wall_ms + 5_000))
    desk.put(desk.account.answer(ask))
    assert desk.waits(SendOrder) == 0
    desk.live_ms(9_000, also=(AskTop,))
    assert desk.waits(SendOrder) == 1
    late = TopSeen(effect_id="top 0", symbol=SYMBOL, bid="1.00", ask="2.00")
    desk.put(late)
    assert desk.waits(SendOrder) == 1


def test_an_order_taken_in_doubt_twice_is_doubted_once(desk: Desk) -> None:
    intent = desk.intent()
    desk.approve(intent)
    send = desk.take(SendOrder)
    desk.silence(send)
    desk.silence(send)
    refused = "Duplicate order sent."
    order_id = intent.client_order_id
    desk.put(
        OrderRefused(
            effect_id=send.effect_id, client_order_id=order_id, symbol=SYMBOL, code=1, text=refused
        )
    )
    assert desk.story(intent) == ["OrderSubmitted", "OrderUnconfirmed"]


def test_the_silence_of_risk_is_borne_as_long_as_the_settings_say(desk: Desk) -> None:
    core = Gateway(desk.settings, WORLD)
    own = desk.settings.gateway
    assert core.needs == {"risk": own.risk_silence_ms, "engine": own.engine_silence_ms}


def test_stops_of_a_house_that_has_just_started_are_conditions() -> None:
    desk = Desk()
    desk.put(Started(epoch=1, grade="fresh"))
    found = msgspec.json.decode(desk.command("stops").body, type=list[dict[str, str]])
    assert [stop["what"] for stop in found] == [
        *("no instrument", "reconciling", "risk silent", "clock")
    ]
    assert {stop["release"] for stop in found} == {"clears itself"}


def test_an_answer_that_repeats_what_a_push_told_is_nothing_new(desk: Desk) -> None:
    intent = desk.limit()
    desk.approve(intent)
    send = desk.take(SendOrder)
    held = desk.account.take(intent)
    desk.push(held.report())
    desk.put(OrderPlaced(effect_id=send.effect_id, report=held.report()))
    assert desk.story(intent) == ["OrderSubmitted", "OrderAccepted"]
