"""A person's word on an order: taken where it may be, followed at once, and proven wrong safely."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from schema.exchange import OrderAbsent, OrderFound, SendOrder
from schema.house import CommandDone
from schema.lifecycle import State
from schema.orders import (
    Fill,
    InstrumentHalted,
    OrderAccepted,
    OrderCanceled,
    OrderRejected,
    OrderResolved,
)
from schema.trading import OrderIntent
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_desk import Desk, opened

OVER_MS = 7_100
"""After so long the exchange can no longer take a request."""

PAGE: dict[str, Any] = {
    "trade_id": "1000", "qty": "0.01000", "px": "50000.00", "fee": "0.5", "fee_asset": "USDT",
}  # fmt: skip


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from opened()


def lost(desk: Desk, intent: OrderIntent | None = None) -> str:
    """Send an order whose answer never comes, to an exchange that answers nothing more."""
    intent = intent or desk.intent()
    desk.approve(intent)
    desk.silence(desk.take(SendOrder))
    desk.account.hidden.add(intent.client_order_id)
    return intent.client_order_id


def resolve(desk: Desk, order: str, fate: str, *, look: bool = False, **page: Any) -> CommandDone:
    wish = {"order": order, "fate": fate, "evidence": "its page says so", **page}
    verb = "resolve-look" if look else "resolve"
    return desk.command(verb, msgspec.json.encode(wish).decode())


def state(desk: Desk, order_id: str) -> State:
    found = desk.books.open.get(order_id) or desk.books.ended[order_id]
    return found.place.state


def test_an_order_resolved_absent_is_dead_and_frees_what_it_held(desk: Desk) -> None:
    order_id = lost(desk)
    desk.pass_ms(OVER_MS)
    done = resolve(desk, order_id[:8], "absent")
    assert done.ok, done.text
    (word,) = desk.of(OrderResolved)
    assert (word.client_order_id, word.fate, word.by) == (order_id, "absent", "me")
    assert word.evidence == "its page says so"
    (end,) = desk.of(OrderRejected)
    assert (end.code, end.client_order_id) == ("RESOLVED_ABSENT", order_id)
    assert state(desk, order_id) is State.REJECTED


def test_nobody_is_believed_while_the_exchange_may_still_take_the_request(desk: Desk) -> None:
    order_id = lost(desk)
    done = resolve(desk, order_id, "absent")
    assert not done.ok
    assert "may still take" in done.text
    assert state(desk, order_id) is State.UNCONFIRMED


def test_what_shows_up_after_it_was_called_absent_is_booked_and_halts(desk: Desk) -> None:
    order_id = lost(desk)
    desk.pass_ms(OVER_MS)
    assert resolve(desk, order_id, "absent").ok
    desk.account.take(desk.core.state.books.ended[order_id].intent)
    desk.account.fill(order_id, "0.01000")
    desk.account.hidden.clear()
    desk.live_ms(40_000)
    assert desk.of(Fill)[-1].late
    assert SYMBOL in desk.books.halted
    assert desk.books.positions[SYMBOL].n == 1_000


def test_an_order_resolved_present_is_open_until_it_is_found_missing(desk: Desk) -> None:
    order_id = lost(desk, desk.limit())
    assert resolve(desk, order_id, "present").ok
    assert desk.of(OrderAccepted)[-1].evidence == "person"
    assert state(desk, order_id) is State.ACCEPTED
    assert "" not in [name.partition(" ")[2] for name in desk.books.venue_ids]


def test_an_order_resolved_filled_is_booked_once_whatever_comes_later(desk: Desk) -> None:
    order_id = lost(desk)
    desk.account.take(desk.books.open[order_id].intent)
    desk.account.fill(order_id, "0.01000")
    done = resolve(desk, order_id, "filled", **PAGE)
    assert done.ok, done.text
    assert state(desk, order_id) is State.FILLED
    desk.account.hidden.clear()
    desk.live_ms(70_000)
    (fill,) = desk.of(Fill)
    assert (fill.venue_trade_id, fill.qty, fill.px, fill.quote_qty) == (
        "1000", 1_000, 5_000_000, 5_000_000_000,
    )  # fmt: skip
    assert (fill.fee, fill.fee_asset) == (5, "USDT")
    assert desk.of(InstrumentHalted) == []
    assert desk.books.differences == {}


def test_a_part_that_was_filled_leaves_the_rest_open(desk: Desk) -> None:
    order_id = lost(desk, desk.limit())
    assert resolve(desk, order_id, "filled", **PAGE | {"qty": "0.004"}).ok
    assert state(desk, order_id) is State.PARTIALLY_FILLED
    assert desk.books.open[order_id].left == 600


def test_a_typed_trade_id_moves_no_list_of_trades(desk: Desk) -> None:
    order_id = lost(desk)
    assert resolve(desk, order_id, "filled", **PAGE | {"trade_id": "999999999"}).ok
    assert desk.books.newest == {}


def vanished(desk: Desk, intent: OrderIntent) -> str:
    order_id = desk.place(intent).client_order_id
    desk.account.hidden.add(order_id)
    desk.live_ms(40_000)
    assert order_id in desk.core.state.windows.vanished
    return order_id


def test_an_order_that_vanished_is_resolved_too(desk: Desk) -> None:
    order_id = vanished(desk, desk.limit())
    stops = msgspec.json.decode(desk.command("stops").body)
    assert ["order missing" in stop["what"] for stop in stops].count(True) == 1
    assert resolve(desk, order_id[:12], "absent").ok
    assert state(desk, order_id) is State.REJECTED
    assert resolve(desk, order_id[:12], "absent").text.startswith("no open order begins with")


def test_what_is_left_of_a_vanished_order_ends_and_its_fills_stay(desk: Desk) -> None:
    intent = desk.place(desk.limit())
    desk.fill(intent, "0.00400")
    desk.account.hidden.add(intent.client_order_id)
    desk.live_ms(40_000)
    assert resolve(desk, intent.client_order_id, "absent").ok
    assert desk.of(OrderCanceled)[-1].reason == "RESOLVED_ABSENT"
    assert desk.books.positions[SYMBOL].n == 400
    held = desk.account.orders[intent.client_order_id]
    desk.put(OrderFound(effect_id="ask 1 1", report=held.report()))
    assert "was resolved absent by a person" in desk.of(InstrumentHalted)[-1].reason


def test_an_order_that_the_exchange_knows_needs_no_word(desk: Desk) -> None:
    intent = desk.place(desk.limit())
    done = resolve(desk, intent.client_order_id, "absent")
    assert not done.ok
    assert "the exchange knows it" in done.text
    assert desk.of(OrderResolved) == []


def test_a_beginning_that_two_orders_share_names_both(desk: Desk) -> None:
    first, second = lost(desk), lost(desk)
    done = resolve(desk, first[:4], "present")
    assert not done.ok
    assert first in done.text
    assert second in done.text


@pytest.mark.parametrize(
    ("order", "fate", "page", "said"),
    [
        ("", "absent", {}, "too short"),
        ("zzzz", "present", {}, "no open order"),
        (None, "gone", {}, "no fate"),
        (None, "present", {"evidence": "  "}, "what shows it"),
        (None, "filled", {}, "--px is missing"),
        (None, "filled", PAGE | {"px": "1e3"}, "no plain decimal"),
        (None, "filled", PAGE | {"px": "0"}, "no trade of"),
        (None, "filled", PAGE | {"qty": "-1"}, "no trade of"),
        (None, "filled", PAGE | {"qty": "5"}, "more than was left"),
        (None, "filled", PAGE | {"fee_asset": "usd t"}, "no asset"),
        (None, "filled", PAGE | {"trade_id": "../1"}, "no id of a trade"),
        (None, "filled", PAGE | {"quote_qty": "abc"}, "no plain decimal"),
        (None, "filled", PAGE | {"px": "0." + "1" * 18, "qty": "0." + "1" * 18}, "decimals"),
    ],
)
def test_garbage_is_refused_in_words_and_changes_nothing(
    desk: Desk, order: str | None, fate: str, page: dict[str, Any], said: str
) -> None:
    order_id = lost(desk)
    done = resolve(desk, order_id if order is None else order, fate, **page)
    assert not done.ok
    assert said in done.text
    assert desk.of(OrderResolved) == []


@pytest.mark.parametrize("args", [(), ("not json",), ("{}",), ("[]",), ("a", "b")])
def test_a_wish_that_cannot_be_read_is_refused(desk: Desk, args: tuple[str, ...]) -> None:
    for verb in ("resolve", "resolve-look"):
        assert not desk.command(verb, *args).ok


def test_a_trade_that_is_booked_already_is_refused(desk: Desk) -> None:
    desk.bought()
    order_id = lost(desk)
    done = resolve(desk, order_id, "filled", **PAGE)
    assert "is booked already" in done.text


def test_a_look_tells_what_would_follow_and_changes_nothing(desk: Desk) -> None:
    order_id = lost(desk)
    desk.pass_ms(OVER_MS)
    for fate, page, said in (
        ("absent", {}, "is reserved no longer"),
        ("present", {}, "taken for open"),
        ("filled", PAGE, "trade 1000 is booked: 0.01000 at 50000.00 for 500"),
    ):
        done = resolve(desk, order_id, fate, look=True, **page)
        lines = msgspec.json.decode(done.body, type=list[str])
        assert order_id in lines[0]
        assert any(said in line for line in lines), lines
    assert desk.of(OrderResolved) == []
    assert state(desk, order_id) is State.UNCONFIRMED


def test_a_resolved_order_stays_resolved_after_a_death(desk: Desk) -> None:
    order_id = lost(desk)
    desk.pass_ms(OVER_MS)
    assert resolve(desk, order_id, "absent").ok
    desk.restart("folded")
    assert state(desk, order_id) is State.REJECTED
    desk.put(OrderAbsent(effect_id="ask 1 1", client_order_id=order_id, symbol=SYMBOL, wall_ms=1))
    assert desk.of(InstrumentHalted) == []
