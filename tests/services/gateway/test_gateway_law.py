"""The law: whatever is lost, repeated or out of order, books and exchange agree in the end."""

from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.exchange import AskTop, OrderPlaced, ReportPushed, SendCancel, SendOrder
from schema.head import Local
from schema.lifecycle import State
from schema.orders import Fill, OrderSubmitted
from schema.trading import OrderIntent
from services.gateway.amounts import parse, same
from tests.services.gateway.gateway_account import OPEN, SYMBOL
from tests.services.gateway.gateway_desk import Desk
from tests.services.gateway.gateway_words import LISTED

DEEDS = (
    *("send", "limit", "fill", "cancel", "expire", "push", "again", "answer", "lose", "drop"),
    *("wait", "die", "fold", "read", "mute"),
)
ENDS = {
    "FILLED": State.FILLED,
    "CANCELED": State.CANCELED,
    "EXPIRED": State.EXPIRED,
    "NEW": State.ACCEPTED,
    "PARTIALLY_FILLED": State.PARTIALLY_FILLED,
}


class Story:
    """One desk whose exchange does what it likes, and tells of it as it likes."""

    def __init__(self) -> None:
        self.desk = Desk().boot()
        self.intents: list[OrderIntent] = []
        self.news: list[Local] = []
        self.told: list[Local] = []

    def do(self, deed: str, pick: int) -> None:
        match deed:
            case "send" | "limit" if len(self.intents) < 6:
                desk = self.desk
                self.intents.append(desk.intent() if deed == "send" else desk.limit())
                desk.approve(self.intents[-1])
            case "fill" | "expire":
                self.trade(deed, pick)
            case "cancel" if self.intents:
                self.desk.cancel(self.intents[pick % len(self.intents)])
            case "push" | "again":
                self.tell(deed, pick)
            case "answer" | "lose" | "drop" | "mute":
                self.perform(deed, pick)
            case "wait":
                self.desk.pass_ms(50 * (pick + 1))
            case "die" | "fold":
                self.desk.restart("exact" if deed == "die" else "folded")
                self.desk.put(LISTED)
            case "read":
                self.desk.settle()

    def trade(self, deed: str, pick: int) -> None:
        """Have something happen to an order at the exchange; the news of it waits to be told."""
        account = self.desk.account
        open_ones = [held for held in account.orders.values() if held.status in OPEN]
        if not open_ones:
            return
        held = open_ones[pick % len(open_ones)]
        account.market_ms = self.desk.now_ns // 1_000_000
        if deed == "expire":
            account.end(held.id, "EXPIRED")
            self.news.append(ReportPushed(report=held.report(), execution="EXPIRED"))
            return
        left = held.qty - held.done
        part = left if pick % 2 else max(Decimal("0.00001"), (left / 3).quantize(held.qty))
        trade = account.fill(held.id, f"{min(part, left):f}")
        self.news.append(ReportPushed(report=held.report(), execution="TRADE", trades=(trade,)))

    def tell(self, deed: str, pick: int) -> None:
        """Tell some news, in any order, or some that were told before."""
        source = self.news if deed == "push" else self.told
        if source:
            message = source[pick % len(source)]
            if deed == "push":
                self.news.remove(message)
                self.told.append(message)
            self.desk.put(message)

    def perform(self, deed: str, pick: int) -> None:
        """Answer an effect, do it without an answer, or lose it before it arrives."""
        desk, account = self.desk, self.desk.account
        if not desk.effects:
            return
        effect = desk.effects.pop(pick % len(desk.effects))
        if isinstance(effect, SendOrder):
            assert effect.intent.client_order_id not in account.orders, "an order was sent twice"
        if deed in {"answer", "lose"}:
            answer = account.answer(effect)
            if deed == "answer":
                desk.put(answer)
                return
            if isinstance(answer, OrderPlaced):
                self.news.append(ReportPushed(report=answer.report, execution="NEW"))
        if deed != "mute":
            desk.silence(effect)
        else:
            desk.effects.append(effect)

    def heal(self) -> None:
        """From here on the exchange answers everything."""
        desk = self.desk
        for effect in [e for e in desk.effects if isinstance(e, SendOrder)]:
            desk.effects.remove(effect)
            desk.silence(effect)
        desk.tell_clock()
        desk.live_ms(45_000, also=(SendCancel, AskTop))

    def judge(self) -> None:
        """Assert that the books are the exchange's, to the last execution."""
        desk, account = self.desk, self.desk.account
        fills = [fill.venue_trade_id for fill in desk.of(Fill)]
        assert sorted(fills) == sorted(trade.trade_id for trade in account.trades)
        assert desk.waits(SendOrder) == 0
        for submitted in desk.of(OrderSubmitted):
            held = account.orders.get(submitted.client_order_id)
            found = desk.standing(submitted.intent)
            assert found is (ENDS[held.status] if held else State.REJECTED)
        position = desk.books.positions.get(SYMBOL)
        bought = parse(*[trade.qty for trade in account.trades])
        assert position is None or same(position, bought)
        assert desk.books.halted == {}
        assert desk.core.trouble(desk.now_ns) is None
        desk.prove()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 11)), max_size=60))
def test_no_order_of_events_loses_or_doubles_a_fill(deeds: list[tuple[str, int]]) -> None:
    story = Story()
    for deed, pick in deeds:
        story.do(deed, pick)
    story.heal()
    story.judge()
