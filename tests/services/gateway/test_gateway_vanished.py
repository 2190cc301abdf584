"""What the exchange no longer has, and what cannot rest: asked for soon, told, never dropped."""

import msgspec
import pytest

from schema.exchange import SendOrder
from schema.lifecycle import State
from schema.orders import InstrumentHalted, Reconciled
from schema.trading import OrderIntent
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_desk import Desk, opened
from tests.services.gateway.gateway_words import LISTED

COMPARED_MS = 31_000
OTHER = "ETH/USDT"

desk = pytest.fixture(opened)


def stale(desk: Desk) -> OrderIntent:
    """Hold an order whose answer was lost and whose first word was old."""
    intent = desk.intent()
    desk.approve(intent)
    desk.account.take(intent)
    desk.account.fill(intent.client_order_id, "0.00400")
    desk.silence(desk.take(SendOrder))
    desk.settle()
    assert desk.standing(intent) is State.PARTIALLY_FILLED
    return intent


def test_a_fill_that_is_missing_is_asked_for_soon(desk: Desk) -> None:
    intent = stale(desk)
    desk.account.fill(intent.client_order_id, "0.00600")
    desk.live_ms(1_500)
    assert desk.standing(intent) is State.FILLED


def test_an_end_that_is_missing_is_asked_for_soon(desk: Desk) -> None:
    intent = stale(desk)
    desk.account.end(intent.client_order_id, "EXPIRED")
    desk.live_ms(1_500)
    assert desk.standing(intent) is State.EXPIRED


def test_an_order_that_may_rest_is_left_in_peace(desk: Desk) -> None:
    resting = desk.place(desk.limit())
    desk.live_ms(3_000)
    assert not desk.core.state.windows.restless
    assert desk.standing(resting) is State.ACCEPTED


def halts(desk: Desk) -> list[InstrumentHalted]:
    return desk.of(InstrumentHalted)


def test_an_order_that_vanished_halts_its_symbol(desk: Desk) -> None:
    desk.tell_clock()
    desk.settle()  # The comparison that a new stream asks for is over.
    resting = desk.place(desk.limit())
    desk.account.hidden.add(resting.client_order_id)
    desk.live_ms(COMPARED_MS)
    assert not halts(desk)
    desk.live_ms(COMPARED_MS)
    (halt,) = halts(desk)
    assert halt.client_order_id == resting.client_order_id
    assert f"rrr resolve {resting.client_order_id}" in halt.reason
    assert desk.standing(resting) is State.ACCEPTED
    desk.live_ms(2 * COMPARED_MS)
    assert len(halts(desk)) == 1


def test_an_order_that_reappears_is_what_it_was(desk: Desk) -> None:
    desk.tell_clock()
    desk.settle()  # The comparison that a new stream asks for is over.
    resting = desk.place(desk.limit())
    desk.account.hidden.add(resting.client_order_id)
    desk.live_ms(COMPARED_MS)
    desk.account.hidden.clear()
    desk.live_ms(3 * COMPARED_MS)
    assert not halts(desk)
    assert not desk.core.state.windows.vanished
    desk.fill(resting, "0.01000")
    assert desk.standing(resting) is State.FILLED


def test_a_vanished_order_that_traded_is_booked(desk: Desk) -> None:
    resting = desk.place(desk.limit())
    desk.account.hidden.add(resting.client_order_id)
    desk.account.fill(resting.client_order_id, "0.01000")
    desk.live_ms(3 * COMPARED_MS)
    assert desk.standing(resting) is State.FILLED
    assert not halts(desk)


def test_a_delisted_instrument_halts_once(desk: Desk) -> None:
    gone = msgspec.structs.replace(LISTED, status="BREAK")
    desk.put(gone)
    desk.put(gone)
    (halt,) = halts(desk)
    assert halt.symbol == SYMBOL
    assert "BREAK" in halt.reason


def test_a_comparison_waits_for_no_delisted_instrument(desk: Desk) -> None:
    other = msgspec.structs.replace(LISTED, symbol=OTHER, venue_symbol="ETHUSDT", base="ETH")
    desk.put(other)
    desk.live_ms(1_000)
    assert desk.of(Reconciled)[-1].detail == f"{SYMBOL} {OTHER}"
    desk.put(msgspec.structs.replace(other, status="END_OF_DAY"))
    desk.live_ms(COMPARED_MS)
    assert desk.of(Reconciled)[-1].detail == SYMBOL
