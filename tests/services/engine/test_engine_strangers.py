"""What others do to the engine's orders and positions: ids that come again, strategies gone."""

import msgspec

from schema.house import PeerSeen, Started
from schema.identity import client_order_id, strategy_tag
from schema.lifecycle import State
from schema.orders import Fill, KillLevel
from schema.strategy import StrategiesOffered
from schema.trading import CancelIntent, OrderIntent
from tests.services.engine.engine_desk import Desk, none_ordered, only, restarted
from tests.services.engine.engine_made import PX, SYMBOL, WORLD, engine, submitted


def test_an_order_that_left_otherwise_than_it_is_remembered_is_what_left() -> None:
    desk = Desk(engine()).open()
    entry = desk.enter()
    left = msgspec.structs.replace(entry, qty=entry.qty - 100)
    desk.hear(submitted(left, desk.now_ns))
    desk.fill(left)
    order = desk.core.state.books.orders[entry.client_order_id]
    assert order.place.state is State.FILLED


def test_a_repeated_intent_that_is_denied_leaves_its_live_order_alone() -> None:
    desk = Desk(engine()).open()
    _, stop = desk.hold()
    before = msgspec.msgpack.encode(desk.core.state.books)
    said = desk.deny(stop.client_order_id, "DUPLICATE_ORDER")
    assert none_ordered(said)
    assert msgspec.msgpack.encode(desk.core.state.books) == before


def test_what_a_strategy_that_is_gone_held_is_closed_by_flatten_too() -> None:
    desk = Desk(engine("threshold", "pulse")).open()
    desk.hold()
    alone = engine("pulse")
    desk.core = restarted(desk.core, alone)
    desk.hear(Started(epoch=2, grade="exact"), StrategiesOffered(offers=alone.offers))
    desk.peers()
    desk.hear(KillLevel(ts_event=desk.now_ns, level="FLATTEN", by="me", reason="enough"))
    ledger = desk.core.state.books.ledger
    holding = ledger.holding(SYMBOL)
    assert holding is not None
    desk.hear(_closing(desk, holding.qty))
    gone = ledger.holding(SYMBOL, strategy_tag("threshold"))
    assert gone is not None
    assert gone.flat


def _closing(desk: Desk, qty: int) -> Fill:
    made = client_order_id(WORLD, "gateway", SYMBOL, "flatten 1", 1)
    blank = OrderIntent(
        ts_event=desk.now_ns, client_order_id=made, strategy="gateway", symbol=SYMBOL,
        side="sell", order_type="market", qty=qty, px_exp=2, qty_exp=5,
    )  # fmt: skip
    return desk.filling(blank, qty, PX, 0)


def test_a_gateway_that_is_degraded_is_still_asked_for_stops_and_exits() -> None:
    desk = Desk(engine()).open()
    entry = desk.enter()
    desk.accept(entry)
    desk.peers("DEGRADED", "gateway")
    stop = only(desk.fill(entry), OrderIntent)
    assert stop.leg == "stop"
    desk.accept(stop)
    cancel = only(desk.forecast(0.4), CancelIntent)
    assert cancel.client_order_id == stop.client_order_id
    assert only(desk.cancel(stop.client_order_id), OrderIntent).leg == "exit"


def test_what_waited_for_the_gateway_is_done_when_it_is_no_more_than_degraded() -> None:
    desk = Desk(engine()).open()
    entry = desk.enter()
    desk.accept(entry)
    desk.peers("SILENT", "gateway")
    assert none_ordered(desk.fill(entry))
    desk.hear(PeerSeen(service="gateway", state="DEGRADED", reason="the user stream is down"))
    assert desk.orders()[-1].leg == "stop"
    desk.accept(desk.orders()[-1])


def test_a_gateway_that_is_degraded_gets_no_entry() -> None:
    desk = Desk(engine()).open()
    desk.peers("DEGRADED", "gateway")
    assert none_ordered(desk.forecast(0.6))
