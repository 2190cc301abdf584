"""The last gate by itself: what it counts and forgets, and that nobody else's code is in it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from schema.exchange import OrderRefused, SendOrder
from schema.lifecycle import State
from schema.orders import OrderDenied
from services.gateway.obstacles import obstacle
from services.gateway.position import worth_of
from services.gateway.turn import Turn
from tests.services.gateway.gateway_desk import Desk, opened
from tests.services.gateway.gateway_words import LISTED, Words

ROOT = Path(__file__).parents[3]
LAWS = {
    *("approval", "head", "identity", "instruments", "market", "messages", "orders", "settings"),
    *("streams", "trading", "units", "exchange", "house", "lifecycle", "frame", "strategy"),
    *("joined", "setting_types", "settings_risk", "settings_protection"),
}
"""What is said, and the exchange's own filters: both sides have to speak the same language."""


@pytest.fixture
def desk() -> Iterator[Desk]:
    yield from opened()


def code_of(desk: Desk) -> str:
    assert desk.waits(SendOrder) == 0
    return desk.of(OrderDenied)[-1].code


def test_so_much_may_be_ordered_within_a_window_across_restarts() -> None:
    desk = Desk(RRR_GATEWAY__MAX_NOTIONAL_RATE="1200").boot()
    desk.bought()  # 500 of 1200
    desk.bought()
    desk.approve(desk.intent())
    assert code_of(desk) == "RATE_LIMIT_EXCEEDED"
    assert "notional=1000 more=500 max=1200" in desk.of(OrderDenied)[-1].detail
    desk.restart("folded")
    desk.settle()
    desk.put(LISTED)
    desk.approve(desk.intent())
    assert code_of(desk) == "RATE_LIMIT_EXCEEDED"
    desk.place(desk.intent(qty=400))  # 200 still fit.
    desk.place(desk.intent("sell", 2000, reduce_only=True))  # What reduces is never held back.
    desk.live_ms(10_000)
    desk.approve(desk.intent())
    assert desk.waits(SendOrder) == 1
    desk.prove()


def test_what_only_reduces_takes_nothing_from_what_may_be_ordered(desk: Desk) -> None:
    desk.bought()
    before = list(desk.books.spent)
    desk.place(desk.intent("sell", 500, reduce_only=True))
    assert desk.books.spent == before
    assert [worth for _, worth in before] == [500]


def test_orders_in_doubt_count_as_open() -> None:
    desk = Desk(RRR_GATEWAY__MAX_OPEN_ORDERS="2").boot()
    for intent in (desk.intent(), desk.intent()):
        desk.approve(intent)
        desk.silence(desk.take(SendOrder))
        assert desk.standing(intent) is State.UNCONFIRMED
    desk.approve(desk.intent())
    assert code_of(desk) == "MAX_OPEN_ORDERS_EXCEEDED"


def test_an_order_is_weighed_at_the_dearest_price_that_it_names() -> None:
    words = Words()
    assert worth_of(words.intent(qty=1000, ref_px=5_000_000)) == 500
    assert worth_of(words.limit(qty=1001, ref_px=5_000_000)) == 501
    assert worth_of(words.limit(qty=1000, limit_px=6_000_000)) == 600
    assert worth_of(words.intent(order_type="stop", stop_px=7_000_000, qty=1)) == 1
    assert worth_of(words.intent(ref_px=0)) == 0


def test_more_than_was_ordered_is_booked_and_halts_its_symbol(desk: Desk) -> None:
    order = desk.place(desk.limit())
    desk.fill(order, "0.01200")
    assert desk.standing(order) is State.FILLED
    assert desk.books.ended[order.client_order_id].filled == 1200
    assert desk.books.late_fills == 0
    (halt,) = desk.books.halted.values()
    assert halt.why.startswith("overfill 1000 of ")
    desk.approve(desk.intent())
    assert code_of(desk) == "TRADING_HALTED"


def test_one_intent_is_one_order_whatever_is_said_of_its_id_again(desk: Desk) -> None:
    order = desk.place(desk.intent())
    larger = msgspec.structs.replace(order, qty=2000)
    desk.approve(larger)
    assert code_of(desk) == "DUPLICATE_ORDER"
    assert desk.books.open[order.client_order_id].qty == 1000


def test_an_id_that_was_answered_meanwhile_is_an_obstacle(desk: Desk) -> None:
    turn = Turn(desk.core.state, desk.core.rules, desk.now_ns)
    intent = desk.intent()
    assert obstacle(turn, intent) is None
    desk.books.ids.add(intent.client_order_id)
    found = obstacle(turn, intent)
    desk.books.ids.discard(intent.client_order_id)
    assert found is not None
    assert found.code == "DUPLICATE_ORDER"


def test_a_word_that_is_older_than_a_rejection_halts_only_what_was_never_taken(desk: Desk) -> None:
    taken, refused = desk.place(desk.limit()), desk.intent()
    desk.push(desk.account.end(taken.client_order_id, "REJECTED").report())
    desk.push(desk.account.orders[taken.client_order_id].report())
    desk.account.orders[taken.client_order_id].status = "NEW"
    desk.push(desk.account.orders[taken.client_order_id].report())
    assert (desk.standing(taken), desk.books.halted) == (State.REJECTED, {})
    desk.approve(refused)
    desk.put(
        OrderRefused(
            effect_id=desk.take(SendOrder).effect_id,
            client_order_id=refused.client_order_id,
            symbol=refused.symbol,
            code=-2010,
            text="no",
        )
    )
    desk.push(desk.account.take(refused).report())
    (halt,) = desk.books.halted.values()
    assert "was rejected, and the exchange says NEW" in halt.why


def imports_of(service: str, *names: str) -> set[str]:
    """Return all modules of the house that some modules of a service come to, through any other."""
    todo, found = [f"services.{service}.{name}" for name in names], set()
    while todo:
        name = todo.pop()
        path = ROOT / (name.replace(".", "/") + ".py")
        if name in found or not path.exists():
            continue
        found.add(name)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                todo += [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
    return found


def test_the_last_gate_shares_no_code_with_risk() -> None:
    gate = imports_of("gateway", "gate", "position", "amounts", "obstacles", "join", "books")
    risk = imports_of("risk", "core", "limits", "exposure", "case", "orders")
    assert not [name for name in gate if name.startswith("services.risk")]
    assert not [name for name in risk if name.startswith("services.gateway")]
    assert "schema.ledger" in risk
    shared = {name.partition(".")[2] for name in gate & risk if name.startswith("schema.")}
    assert shared <= LAWS
