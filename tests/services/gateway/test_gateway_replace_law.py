"""Whatever answers come, early, late or never: no id leaves twice, and both fates come out true."""

from collections import Counter
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.exchange import SendCancel, SendOrder
from schema.head import Local
from schema.house import Unanswered
from schema.joined import SendReplace
from schema.lifecycle import State
from schema.trading import OrderIntent
from tests.services.gateway.gateway_account import OPEN
from tests.services.gateway.replace_desk import TAKING, holding, moved, stop

DEEDS = (
    *("stop", "move", "move", "move", "arrive", "arrive", "arrive", "answer", "answer", "lose"),
    *("fill", "push", "cancel", "wait", "wait", "settle", "settle", "die", "fold", "kill"),
)
WINDOW_MS = 5_000
END_MS = 20_000
Sent = SendOrder | SendReplace


class Story:
    """A stop that moves, at an exchange whose requests and answers take their time."""

    def __init__(self) -> None:
        self.desk = holding()
        self.wanted: list[OrderIntent] = []
        self.flying: list[Sent] = []  # left, and not at the exchange yet
        self.asked: list[Sent] = []  # in this life, and without an answer
        self.answers: dict[str, Local] = {}
        self.left: Counter[str] = Counter()

    def do(self, deed: str, pick: int) -> None:
        desk = self.desk
        match deed:
            case "stop":
                self.want(stop(desk, qty=100 * (1 + pick)))
            case "move" if self.wanted:
                old = self.wanted[-1 - pick % min(2, len(self.wanted))]
                self.want(moved(desk, old, 4_810_000 + len(self.wanted), qty=150 * (1 + pick)))
            case "arrive" if self.flying:
                self.arrive(self.flying.pop(pick % len(self.flying)))
            case "answer" | "lose" if self.asked:
                self.close(self.asked.pop(pick % len(self.asked)), lost=deed == "lose")
            case "fill" | "push" | "cancel":
                self.touch(deed, pick)
            case _:
                self.happen(deed, pick)
        self.collect()
        self.check()

    def want(self, intent: OrderIntent) -> None:
        self.wanted.append(intent)
        self.desk.approve(intent)

    def collect(self) -> None:
        for effect in [e for e in self.desk.effects if isinstance(e, SendOrder | SendReplace)]:
            self.desk.effects.remove(effect)
            self.left[effect.intent.client_order_id] += 1
            self.flying.append(effect)
            self.asked.append(effect)

    def arrive(self, effect: Sent) -> None:
        """Let the exchange take a request, if it still does."""
        if self.desk.wall_ms <= effect.signed_ms + WINDOW_MS:
            self.answers[effect.effect_id] = self.desk.account.answer(effect)

    def close(self, effect: Sent, *, lost: bool) -> None:
        answer = self.answers.get(effect.effect_id)
        silence = Unanswered(effect_id=effect.effect_id, reason="nothing came")
        self.desk.put(silence if lost or answer is None else answer)

    def touch(self, deed: str, pick: int) -> None:
        held = [one for one in self.desk.account.orders.values() if one.side == "sell"]
        if not held:
            return
        one = held[pick % len(held)]
        if deed == "cancel":
            self.desk.cancel(self.wanted[pick % len(self.wanted)])
        elif deed == "push":
            self.desk.push(one.report())
        elif one.status in OPEN:
            left = one.qty - one.done
            self.desk.account.fill(one.id, str(left if pick % 2 else min(left, Decimal("0.0005"))))

    def happen(self, deed: str, pick: int) -> None:
        match deed:
            case "wait":
                self.desk.pass_ms(400 * (pick + 1))
            case "settle":
                self.desk.settle(also=(SendCancel,))
            case "die" | "fold":
                self.collect()
                self.asked.clear()
                self.desk.restart("exact" if deed == "die" else "folded")
                self.desk.put(TAKING)
            case "kill":
                self.desk.command("kill", "REDUCING", "enough")

    def check(self) -> None:
        """What rests at the exchange never sells more than is held, in no order of events."""
        rests = [o for o in self.desk.account.orders.values() if o.status in OPEN]
        may_sell = sum(o.qty - o.done for o in rests if o.side == "sell")
        assert may_sell <= self.desk.account.free.get("BTC", Decimal(0))

    def end(self) -> None:
        """Let all that is on its way be lost or told, and all time pass that anything needs."""
        self.flying.clear()
        for effect in self.asked:
            self.close(effect, lost=False)
        self.desk.live_ms(END_MS, also=(SendCancel,))


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 5)), min_size=10, max_size=60))
def test_no_id_leaves_twice_and_both_fates_come_out_true(deeds: list[tuple[str, int]]) -> None:
    story = Story()
    story.do("stop", 4)
    for deed, pick in deeds:
        story.do(deed, pick)
    story.end()
    desk = story.desk
    assert set(story.left.values()) <= {1}
    truth = {key: one for key, one in desk.account.orders.items() if one.status in OPEN}
    assert set(desk.books.open) == set(truth)
    doubtful = {State.UNCONFIRMED, State.PENDING_CANCEL, State.SUBMITTED}
    assert not doubtful & {order.place.state for order in desk.books.open.values()}
    held = desk.account.free["BTC"]
    assert Decimal(desk.books.positions["BTC/USDT"].n).scaleb(-5) == held >= 0
    assert not desk.books.halted
    desk.prove()
