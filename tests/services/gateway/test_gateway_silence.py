"""Risk hangs, dies or starts late: within half a second no new order leaves; what reduces does."""

from pathlib import Path

import pytest

from schema.exchange import OrderPlaced, ReportPushed, SendCancel, SendOrder
from schema.house import PeerSeen, Started
from schema.orders import OrderDenied, OrderSubmitted
from schema.trading import CancelIntent, OrderIntent
from tests.bus.toy import records, settle
from tests.services.gateway.gateway_desk import Desk
from tests.services.gateway.gateway_rig import Rig
from tests.services.gateway.gateway_words import LISTED, MS


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path)
    rig.list_instrument()
    rig.connect()
    return rig


def sent(rig: Rig) -> list[str]:
    return [e.intent.client_order_id for e in rig.edge.effects if isinstance(e, SendOrder)]


def denials(rig: Rig) -> list[str]:
    found = records(rig.journals, "gateway.order")
    return [said.code for said in found if isinstance(said, OrderDenied)]


def bought(rig: Rig) -> None:
    """Hold a position."""
    held = rig.account.take(rig.want())
    trade = rig.account.fill(held.id, "0.01000")
    rig.tell(ReportPushed(report=held.report(), execution="TRADE", trades=(trade,)))


def pass_ms(rig: Rig, ms: int) -> None:
    """Let time pass in which risk gives no sign of life."""
    for _ in range(ms // 10):
        rig.clock.advance(10 * MS)
        settle(rig.runner)


def test_an_approval_that_hangs_in_a_hung_risk_is_no_longer_taken_after_half_a_second(
    rig: Rig,
) -> None:
    rig.beat()
    pass_ms(rig, 480)
    in_time = rig.want()
    assert sent(rig) == [in_time.client_order_id]
    pass_ms(rig, 40)
    rig.want()
    assert len(sent(rig)) == 1
    assert denials(rig) == ["RISK_SILENT"]


def test_an_order_that_waits_when_risk_hangs_is_denied_at_half_a_second(rig: Rig) -> None:
    rig.beat()
    rig.words.now_ns = rig.clock.now_ns
    rig.say(rig.words.intent(valid_until_ns=rig.clock.now_ns + 60_000 * MS))
    pass_ms(rig, 480)
    assert denials(rig) == []
    pass_ms(rig, 40)
    assert denials(rig) == ["RISK_SILENT"]
    assert sent(rig) == []


def test_while_risk_hangs_reductions_and_cancels_still_go(rig: Rig) -> None:
    bought(rig)
    resting = rig.words.limit(ts_event=rig.clock.now_ns, valid_until_ns=rig.clock.now_ns + 10**10)
    rig.say(resting, rig.words.verdict(resting, expires_ns=rig.clock.now_ns + 10**10))
    held = rig.account.take(resting)
    rig.tell(OrderPlaced(effect_id=f"send {held.id}", report=held.report()))
    pass_ms(rig, 1_000)
    until_ns = rig.clock.now_ns + 10**10
    less = rig.words.intent("sell", 400, reduce_only=True, valid_until_ns=until_ns)
    rig.say(less)
    assert sent(rig)[-1] == less.client_order_id
    submitted = records(rig.journals, "gateway.order")[-1]
    assert isinstance(submitted, OrderSubmitted)
    assert submitted.verdict.by == "gateway"
    wish = CancelIntent(ts_event=1, client_order_id=held.id, strategy="toy", symbol=resting.symbol)
    rig.say(wish)
    assert any(isinstance(effect, SendCancel) for effect in rig.edge.effects)


def test_a_risk_that_comes_back_is_relied_on_again(rig: Rig) -> None:
    pass_ms(rig, 1_000)
    rig.want()
    rig.beat()
    wanted = rig.want()
    assert denials(rig) == ["RISK_SILENT"]
    assert sent(rig) == [wanted.client_order_id]


def test_before_risk_was_heard_at_all_nothing_new_leaves() -> None:
    desk = Desk()
    desk.put(Started(epoch=1, grade="fresh"))
    desk.put(LISTED)
    desk.tell_clock()
    desk.settle()
    desk.approve(desk.intent())
    assert [said.code for said in desk.of(OrderDenied)] == ["RISK_SILENT"]
    desk.put(PeerSeen(service="risk", state="READY"))
    desk.approve(desk.intent())
    assert desk.waits(SendOrder) == 1


@pytest.mark.parametrize("state", ["RECOVERING", "CATCHING_UP", "DRAINING", "SILENT"])
def test_a_risk_that_is_not_ready_lets_nothing_new_leave(state: str) -> None:
    desk = Desk().boot()
    desk.put(PeerSeen(service="risk", state=state))
    intent: OrderIntent = desk.intent()
    desk.approve(intent)
    assert desk.story(intent) == ["OrderDenied"]
