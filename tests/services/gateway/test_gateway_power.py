"""Power goes while an order is on its way: nothing of money is lost, nothing is sent again."""

import random
from pathlib import Path

import msgspec
import pytest

from schema.exchange import OrderPlaced, SendOrder
from schema.house import Recovered
from schema.lifecycle import State
from schema.orders import Fill, OrderSubmitted
from tests.bus.toy import records, settle
from tests.services.gateway.gateway_rig import Rig, speakers

STATES = {
    "submitted": State.REJECTED,  # The exchange never heard of it: proven, after a while.
    "taken": State.ACCEPTED,
    "filled": State.FILLED,
    "answered": State.FILLED,
}


def books(rig: Rig) -> bytes:
    return msgspec.json.encode(rig.core.state.books, order="sorted")


def lose_power(rig: Rig, seed: int) -> None:
    """Cut every journal back to where it is synced, or somewhere behind it, and start anew."""
    chance = random.Random(seed)
    for tape in rig.journals.tapes.values():
        tape.cut_power(chance.randint(0, len(tape.frames) - tape.synced))
    rig.journals.boot_id += "'"
    rig.writers = speakers(rig.journals)
    rig.kill()


def said(rig: Rig, kind: type) -> int:
    return sum(isinstance(m, kind) for m in records(rig.journals, "gateway.order"))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("at", STATES)
def test_wherever_power_goes_an_order_is_neither_lost_nor_sent_again(
    tmp_path: Path, at: str, seed: int
) -> None:
    rig = Rig(tmp_path)
    rig.list_instrument()
    rig.connect()
    intent = rig.want()
    (send,) = [effect for effect in rig.edge.effects if isinstance(effect, SendOrder)]
    if at != "submitted":
        held = rig.account.take(intent)
    if at in {"filled", "answered"}:
        rig.account.fill(intent.client_order_id, "0.01000")
    if at == "answered":
        rig.edge.effects.remove(send)
        rig.tell(OrderPlaced(effect_id=send.effect_id, report=held.report()))
    before = books(rig)
    lose_power(rig, seed)
    assert books(rig) == before, "its stream was synced before anything was sent"
    assert rig.edge.effects == []
    rig.beat()
    rig.list_instrument()
    rig.connect()
    rig.live(4 * 12)
    assert [effect for effect in rig.edge.effects if isinstance(effect, SendOrder)] == []
    assert rig.standing(intent) is STATES[at]
    assert said(rig, OrderSubmitted) == 1
    assert said(rig, Fill) == (at in {"filled", "answered"})
    assert said(rig, Recovered) == 1


def test_after_a_power_cut_new_orders_go_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.list_instrument()
    rig.connect()
    rig.want()
    lose_power(rig, 1)
    settle(rig.runner)
    rig.beat()
    rig.list_instrument()
    rig.connect()
    rig.live(4 * 12)
    rig.want()
    assert said(rig, OrderSubmitted) == 2
