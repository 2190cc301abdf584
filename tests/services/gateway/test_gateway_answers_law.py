"""Every approved verdict gets one answer, whatever comes first, twice, late, or never."""

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.exchange import SendOrder
from schema.house import PeerSeen
from schema.joined import SendPair
from schema.orders import OrderDenied, OrderSubmitted
from schema.trading import OrderIntent, Verdict
from services.risk.core import Risk
from tests.services.gateway.gateway_desk import Desk
from tests.services.gateway.pair_desk import TAKING_PAIRS, halves, holding
from tests.services.risk.risk_desk import settings as risk_settings

DEEDS = (
    *("want", "want", "pair", "intent", "intent", "verdict", "verdict", "verdict", "no"),
    *("cancel", "wait", "silent", "ready", "kill", "die", "fold", "settle"),
)
SILENT = PeerSeen(service="risk", state="SILENT", reason="it gives no sign of life")
READY = PeerSeen(service="risk", state="READY")


class Story:
    """A gateway whose engine and risk speak in any order, and stop speaking."""

    def __init__(self) -> None:
        self.desk = holding()
        self.intents: list[OrderIntent] = []  # wanted, and perhaps not heard yet
        self.unheard: list[OrderIntent] = []
        self.unjudged: list[OrderIntent] = []
        self.verdicts: list[Verdict] = []

    def want(self, *intents: OrderIntent) -> None:
        for group in (self.intents, self.unheard, self.unjudged):
            group.extend(intents)

    def do(self, deed: str, pick: int) -> None:
        desk = self.desk
        match deed:
            case "want":
                side: Any = "sell" if pick % 3 == 0 else "buy"
                self.want(desk.intent(side, 100 * (1 + pick)))
            case "pair":
                self.want(*halves(desk, 100 * (1 + pick)))
            case "intent" if self.unheard:
                desk.put(self.unheard.pop(pick % len(self.unheard)))
            case "verdict" | "no" if self.unjudged:
                intent = self.unjudged.pop(pick % len(self.unjudged))
                self.judge(intent, approved=deed == "verdict", pick=pick)
            case "cancel" if self.intents:
                desk.cancel(self.intents[pick % len(self.intents)])
            case _:
                self.happen(deed, pick)

    def judge(self, intent: OrderIntent, *, approved: bool, pick: int) -> None:
        code = "OK" if approved else "STALE_DATA"
        expires_ns = self.desk.now_ns + (pick - 2) * 2_000_000_000
        verdict = self.desk.verdict(intent, approved=approved, code=code, expires_ns=expires_ns)
        self.verdicts.append(verdict)
        self.desk.put(verdict, *([verdict] if pick == 5 else []))

    def happen(self, deed: str, pick: int) -> None:
        desk = self.desk
        match deed:
            case "wait":
                desk.pass_ms(60 * (pick + 1))
            case "silent":
                desk.put(SILENT)
            case "ready":
                desk.put(READY)
            case "kill":
                desk.command("kill", ("REDUCING", "HALTED")[pick % 2], "enough")
            case "die" | "fold":
                desk.restart("exact" if deed == "die" else "folded")
                desk.put(TAKING_PAIRS)
            case "settle":
                desk.settle()

    def end(self) -> None:
        """Let all time pass in which anything could still be waited for."""
        self.desk.pass_ms(5_000)


def answers(desk: Desk) -> Counter[str]:
    """Count the answers to each id; that it came again is said to whoever says it again."""
    kinds = (OrderSubmitted, OrderDenied)
    found = [said for said in desk.said if isinstance(said, kinds)]
    again = [said for said in found if getattr(said, "code", "") == "DUPLICATE_ORDER"]
    first = Counter(said.client_order_id for said in found if said not in again)
    assert {said.client_order_id for said in again} <= set(first)
    return first


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 5)), min_size=10, max_size=50))
def test_every_verdict_is_answered_once_and_no_half_of_a_pair_leaves_alone(
    deeds: list[tuple[str, int]],
) -> None:
    story = Story()
    for deed, pick in deeds:
        story.do(deed, pick)
    story.end()
    found = answers(story.desk)
    assert [found[verdict.client_order_id] for verdict in story.verdicts] == [1] * len(
        story.verdicts
    )
    assert max(found.values()) == 1
    sent = {said.client_order_id: said.intent for said in story.desk.of(OrderSubmitted)}
    for intent in sent.values():
        assert not intent.oco or intent.oco in sent
    assert story.desk.core.state.windows.intents == {}
    assert story.desk.core.state.windows.verdicts == {}
    story.desk.prove()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 5)), min_size=10, max_size=50))
def test_what_is_answered_ends_its_reservation_or_is_an_open_order(
    deeds: list[tuple[str, int]],
) -> None:
    story = Story()
    for deed, pick in deeds:
        story.do(deed, pick)
    story.end()
    risk = Risk(risk_settings())
    for message in [*story.intents, *story.verdicts, *story.desk.said]:
        risk.apply(message)
    reserved = [key for key, order in risk.state.books.orders.items() if not order.submitted]
    assert reserved == []
    assert set(risk.state.books.orders) == set(story.desk.books.open)


def test_an_approval_that_comes_after_its_expiry_is_denied_and_ends_its_reservation() -> None:
    desk = holding()
    intent = desk.intent()
    verdict = desk.verdict(intent)
    risk = Risk(risk_settings())
    risk.apply(intent)
    risk.apply(verdict)
    assert set(risk.state.books.orders) == {intent.client_order_id}
    desk.put(intent)
    desk.pass_ms(1_001)
    (denied,) = desk.put(verdict)
    assert isinstance(denied, OrderDenied)
    assert denied.code == "COMMAND_EXPIRED"
    risk.apply(denied)
    assert risk.state.books.orders == {}
    assert (desk.waits(SendOrder), desk.waits(SendPair)) == (0, 0)
