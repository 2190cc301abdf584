"""Deaths of the gateway under the real loop: nothing is sent twice, nothing is forgotten."""

from pathlib import Path

import msgspec
import pytest

from schema.exchange import OrderPlaced, SendOrder, SetLevel
from schema.house import Command, Recovered
from schema.lifecycle import State
from schema.orders import Fill, OrderDenied, OrderSubmitted
from tests.bus.toy import records, settle
from tests.services.gateway.gateway_rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path)
    rig.list_instrument()
    rig.connect()
    return rig


def books(rig: Rig) -> bytes:
    return msgspec.json.encode(rig.core.state.books, order="sorted")


def fills(rig: Rig) -> list[str]:
    found = [m for m in records(rig.journals, "gateway.order") if isinstance(m, Fill)]
    return [fill.venue_trade_id for fill in found]


def submissions(rig: Rig) -> int:
    said = records(rig.journals, "gateway.order")
    return sum(1 for message in said if isinstance(message, OrderSubmitted))


def sends(rig: Rig) -> list[SendOrder]:
    return [effect for effect in rig.edge.effects if isinstance(effect, SendOrder)]


@pytest.mark.parametrize("code", ["one", "two"])
@pytest.mark.parametrize("at", ["ready", "submitted", "taken", "filled", "answered"])
def test_a_death_at_any_step_neither_loses_nor_repeats_an_order(
    rig: Rig, at: str, code: str
) -> None:
    if at == "ready":
        rig.kill(code)
        settle(rig.runner)
        rig.connect()
    intent = rig.want()
    (send,) = sends(rig)
    if at in {"taken", "filled", "answered"}:
        held = rig.account.take(intent)
    if at in {"filled", "answered"}:
        rig.account.fill(intent.client_order_id, "0.01000")
    if at == "answered":
        rig.edge.effects.remove(send)
        rig.tell(OrderPlaced(effect_id=send.effect_id, report=held.report()))
    if at != "ready":
        before = books(rig)
        rig.kill(code)
        assert books(rig) == before
        assert rig.edge.effects == []
        rig.beat()
        rig.connect()
        rig.live(4 * 12)
        assert sends(rig) == []
    states = {"submitted": State.REJECTED, "ready": State.SUBMITTED}
    states |= {"taken": State.ACCEPTED, "filled": State.FILLED, "answered": State.FILLED}
    assert rig.standing(intent) is states[at]
    assert submissions(rig) == 1
    assert len(fills(rig)) == (at in {"filled", "answered"})
    noted = [m for m in records(rig.journals, "gateway.order") if isinstance(m, Recovered)]
    assert [note.grade for note in noted] == (["folded"] if code == "two" else [])


def test_a_snapshot_in_the_middle_changes_nothing(rig: Rig) -> None:
    intent = rig.want()
    rig.runner.snapshot()
    rig.account.take(intent)
    rig.account.fill(intent.client_order_id, "0.01000")
    rig.live(30)
    before = books(rig)
    rig.kill()
    assert books(rig) == before
    rig.kill("two")
    assert books(rig) == before


def test_an_intent_that_waits_is_answered_after_a_death_of_either_kind(rig: Rig) -> None:
    for code in ("one", "two"):
        rig.words.now_ns = rig.clock.now_ns
        intent = rig.words.intent()
        rig.say(intent)
        rig.kill(code)
        rig.connect()
        rig.live(4 * 40)
        found = [m for m in records(rig.journals, "gateway.order") if isinstance(m, OrderDenied)]
        assert [m.code for m in found if m.client_order_id == intent.client_order_id] == [
            "RISK_SILENT"
        ]


def test_the_silence_of_risk_is_noticed_by_the_loop(rig: Rig) -> None:
    rig.clock.advance(600_000_000)
    settle(rig.runner)
    rig.want()
    found = [m for m in records(rig.journals, "gateway.order") if isinstance(m, OrderDenied)]
    assert found[-1].code == "RISK_SILENT"


def test_a_kill_in_the_turn_of_an_approval_reaches_the_edge_before_the_order(rig: Rig) -> None:
    rig.words.now_ns = rig.clock.now_ns
    intent = rig.words.intent()
    rig.say(intent)
    rig.edge.effects.clear()
    kill = Command(request_id="1", verb="kill", args=("HALTED", "now"), by="me")
    rig.hub.places[-1].asked.append(kill)
    rig.say(rig.words.verdict(intent))
    assert submissions(rig) == 1
    told = [type(e) for e in rig.edge.effects if isinstance(e, SendOrder | SetLevel)]
    assert told == [SetLevel, SendOrder]
