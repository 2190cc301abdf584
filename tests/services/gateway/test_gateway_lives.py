"""The lives of orders under an exchange that says anything: no end is undone, no lot is lost.

Reports and trades come with any status and any quantity, twice, out of order, after the end, and
between deaths. Quantities are added up apart from the books, from what was said on the stream.
"""

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from schema.exchange import (
    CancelRefused,
    OrderAbsent,
    OrderRefused,
    OrderReport,
    ReportPushed,
    SendCancel,
    SendOrder,
    VenueTrade,
)
from schema.head import Message
from schema.house import Unanswered
from schema.lifecycle import EVENTS, TERMINAL, Place, State, step
from schema.orders import Fill, InstrumentHalted
from schema.trading import OrderIntent
from services.gateway.books import find
from services.gateway.state import Order
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_desk import Desk
from tests.services.gateway.gateway_words import LISTED

WORDS = (
    *("NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH"),
    *("REJECTED", "PENDING_NEW", "PENDING_CANCEL"),
)
QTY = 1000  # lots of 0.00001

picks = st.integers(0, 5)
lots = st.integers(1, 700)


class Lives(RuleBasedStateMachine):
    """Up to four orders, and an exchange that is not to be believed."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk().boot()
        self.orders: list[OrderIntent] = []
        self.trades: list[VenueTrade] = []
        self.ends: dict[str, State] = {}
        self.filled: dict[str, int] = {}

    def order(self, pick: int) -> Order:
        found = find(self.desk.books, self.orders[pick % len(self.orders)].client_order_id)
        assert found is not None
        return found

    # What is asked for.

    @precondition(lambda self: len(self.orders) < 4)
    @rule(kind=st.sampled_from(["market", "limit", "stop"]))
    def send(self, kind: str) -> None:
        desk = self.desk
        if SYMBOL in desk.books.halted:
            desk.command("resume-symbol", SYMBOL, "seen")
        fields: dict[str, Any] = {"stop": {"order_type": "stop", "stop_px": 5_100_000}}.get(
            kind, {}
        )
        intent = desk.limit() if kind == "limit" else desk.intent(**fields)
        desk.settle()
        desk.approve(intent)
        if intent.client_order_id in desk.books.open:
            self.orders.append(intent)

    @precondition(lambda self: self.orders)
    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        self.desk.cancel(self.orders[pick % len(self.orders)])

    # What the exchange says.

    @precondition(lambda self: self.orders)
    @rule(pick=picks, word=st.sampled_from(WORDS), done=st.integers(0, QTY), working=st.booleans())
    def report(self, pick: int, word: str, done: int, *, working: bool) -> None:
        told = self.told(self.order(pick), word, done, working=working)
        self.desk.put(ReportPushed(report=told, execution=word))

    def told(self, order: Order, word: str, done: int, *, working: bool) -> OrderReport:
        return OrderReport(
            client_order_id=order.id,
            venue_order_id=f"v{order.id[-3:]}",
            symbol=SYMBOL,
            side="buy",
            status=word,
            order_type="LIMIT",
            qty="0.01000",
            executed_qty=f"{Decimal(done).scaleb(-5):f}",
            executed_quote="0",
            working=working,
        )

    @precondition(lambda self: self.orders)
    @rule(pick=picks, qty=lots, fine=st.booleans())
    def trade(self, pick: int, qty: int, *, fine: bool) -> None:
        order = self.order(pick)
        text = f"{Decimal(qty).scaleb(-5):f}" + ("5" if fine else "")
        trade = VenueTrade(
            trade_id=str(1 + len(self.trades)),
            venue_order_id=f"v{order.id[-3:]}",
            symbol=SYMBOL,
            side="buy",
            px="50000.00",
            qty=text,
            quote_qty=f"{Decimal(text) * 50_000:f}",
            fee="0",
            fee_asset="USDT",
            maker=False,
            at_ms=self.desk.now_ns // 1_000_000,
            client_order_id=order.id,
        )
        self.trades.append(trade)
        self.push(trade)

    @precondition(lambda self: self.trades)
    @rule(pick=picks)
    def trade_again(self, pick: int) -> None:
        self.push(self.trades[pick % len(self.trades)])

    def push(self, trade: VenueTrade) -> None:
        order = find(self.desk.books, trade.client_order_id)
        assert order is not None
        told = self.told(order, "PARTIALLY_FILLED", 0, working=True)
        self.desk.put(ReportPushed(report=told, execution="TRADE", trades=(trade,)))

    @precondition(lambda self: any(isinstance(e, SendOrder) for e in self.desk.effects))
    @rule(
        code=st.sampled_from([None, -2010, -1013]), text=st.sampled_from(["no", "Duplicate order"])
    )
    def answer_send(self, code: int | None, text: str) -> None:
        effect = next(e for e in self.desk.effects if isinstance(e, SendOrder))
        self.desk.effects.remove(effect)
        name, order_id = effect.effect_id, effect.intent.client_order_id
        if code is None:
            self.desk.put(Unanswered(effect_id=name, reason="nothing came"))
        else:
            refused = {"client_order_id": order_id, "symbol": SYMBOL, "code": code, "text": text}
            self.desk.put(OrderRefused(effect_id=name, **refused))  # type: ignore[arg-type]

    @precondition(lambda self: any(isinstance(e, SendCancel) for e in self.desk.effects))
    @rule(silent=st.booleans())
    def answer_cancel(self, *, silent: bool) -> None:
        effect = next(e for e in self.desk.effects if isinstance(e, SendCancel))
        self.desk.effects.remove(effect)
        if silent:
            self.desk.silence(effect)
            return
        self.desk.put(
            CancelRefused(
                effect_id=effect.effect_id,
                client_order_id=effect.client_order_id,
                symbol=SYMBOL,
                code=-2011,
                text="Unknown order sent.",
            )
        )

    @precondition(lambda self: self.orders)
    @rule(pick=picks)
    def deny_knowing(self, pick: int) -> None:
        order_id, now_ms = self.order(pick).id, self.desk.wall_ms
        absent = OrderAbsent(
            effect_id="ask 0", client_order_id=order_id, symbol=SYMBOL, wall_ms=now_ms
        )
        self.desk.put(absent)

    # Time and death.

    @rule(ms=st.sampled_from([100, 2_000, 9_000]))
    def wait(self, ms: int) -> None:
        self.desk.pass_ms(ms)

    @rule(grade=st.sampled_from(["exact", "folded"]))
    def die(self, grade: str) -> None:
        self.desk.restart(grade)
        self.desk.put(LISTED)

    # What always holds.

    @invariant()
    def no_end_is_undone(self) -> None:
        for intent in self.orders:
            order = find(self.desk.books, intent.client_order_id)
            assert order is not None
            before = self.ends.setdefault(order.id, order.place.state)
            assert before not in TERMINAL or order.place.state is before
            self.ends[order.id] = order.place.state
            assert (order.id in self.desk.books.open) is (order.place.state not in TERMINAL)

    @invariant()
    def every_lot_is_accounted_for(self) -> None:
        booked = [fill for fill in self.desk.said if isinstance(fill, Fill)]
        assert len({fill.venue_trade_id for fill in booked}) == len(booked) == len(self.trades)
        for intent in self.orders:
            self.weigh(intent, [f for f in booked if f.client_order_id == intent.client_order_id])

    def weigh(self, intent: OrderIntent, fills: list[Fill]) -> None:
        order = find(self.desk.books, intent.client_order_id)
        assert order is not None
        done = sum(fill.qty * 10 ** (order.exp - fill.qty_exp) for fill in fills)
        assert order.filled == done
        assert self.filled.get(order.id, 0) <= done * 10 ** (9 - order.exp)
        self.filled[order.id] = done * 10 ** (9 - order.exp)
        cumulated = [fill.cum_qty * 10 ** (9 - fill.qty_exp) for fill in fills]
        assert cumulated == sorted(cumulated)
        over = max(0, done - order.qty)
        gone = max(0, order.qty - done) if order.ended else 0
        assert order.filled + order.left + gone == order.qty + over
        assert order.qty == QTY * 10 ** (order.exp - 5)
        if over:
            halts = [halt.reason for halt in self.desk.said if isinstance(halt, InstrumentHalted)]
            assert any(order.id in reason for reason in halts)

    @invariant()
    def all_that_was_said_is_a_step_of_the_table(self) -> None:
        for intent in self.orders:
            self.walk([m for m in self.desk.said if of(m) == intent.client_order_id])

    def walk(self, said: list[Message]) -> None:
        place, done = Place(), 0
        for message in said:
            kind = type(message)
            if isinstance(message, Fill):
                done += message.qty * 10 ** (9 - message.qty_exp)
            if kind in EVENTS:
                found = step(place, kind, complete=done >= QTY * 10**4)
                assert found.outcome == ("late_fill" if getattr(message, "late", False) else "ok")
                place = found.place

    def teardown(self) -> None:
        self.desk.prove()


def of(message: Message) -> str:
    return str(getattr(message, "client_order_id", ""))


def test_whatever_is_said_of_orders_no_end_is_undone_and_no_lot_is_lost() -> None:
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
