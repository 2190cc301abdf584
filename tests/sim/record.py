"""Everything that `gateway.order` says, held against the exchange as it is said: I2, I4, I7 to I19.

It knows the exchange's truth, so that a word that is wrong is found when it is said, and not when
the books no longer balance.
"""

from collections.abc import Callable
from typing import Any

from schema.head import Message
from schema.orders import (
    BalanceSeen,
    Deposit,
    Fill,
    InstrumentHalted,
    InstrumentResumed,
    KillLevel,
    OrderCanceled,
    OrderCancelRejected,
    OrderDenied,
    OrderExpired,
    OrderPendingCancel,
    OrderRejected,
    OrderSubmitted,
    RequestWeight,
)
from schema.settings import Settings
from services.gateway.replaces import NOT_REPLACED
from services.venue.account import EXP
from tests.sim.exchange import RECV_WINDOW_MS
from tests.sim.steps import Counts
from tests.sim.truth import Truth

ME = "me"
"""The person of the simulator."""

DUST = 12 * 10**EXP
"""What is left of a position may be worth so little that the exchange takes no order for it."""


class Record:
    """The fold of one stream, by other rules than its writer's."""

    def __init__(self, truth: Truth, settings: Settings) -> None:
        self.truth = truth
        self.counts: Counts | None = None
        self.dead: dict[str, str] = {}  # orders that are over for the house, and were never taken
        self._own = settings.gateway
        self._window_ns = self._own.order_window_ms * 1_000_000
        self.forget()

    def forget(self) -> None:
        """Begin anew with what the stream holds from its beginning."""
        self.submitted: dict[str, OrderSubmitted] = {}
        self.ended: dict[str, str] = {}
        self.giving_way: set[str] = set()  # orders whose cancel is under way
        self.booked: dict[str, int] = {}
        self.trades: set[tuple[str, str]] = set()
        self.level = "ACTIVE"
        self.halted: set[str] = set()
        self.halts: list[str] = []  # why, each
        self.adopted: dict[str, int] = {}  # by asset: what a person booked as others'
        self.retry_after_ns = 0
        self.before: dict[str, int] = {}  # by asset: what others moved until it was opened
        self.opened = False  # it has told what the account began with

    def hear(self, message: Message) -> None:
        """Assert that what is said is true, and fold it."""
        if self.counts is not None:
            self.counts.hear(message)
        check = CHECKS.get(type(message))
        if check is not None:
            self.truth.look()
            check(self, message)
        self.fold(message)

    def fold(self, message: Message | None) -> None:
        """Take in a message that was checked."""
        match message:
            case OrderSubmitted():
                self.submitted[message.client_order_id] = message
            case OrderPendingCancel():
                self.giving_way.add(message.client_order_id)
            case OrderCancelRejected():
                self.giving_way.discard(message.client_order_id)
            case OrderRejected() | OrderCanceled() | OrderExpired():
                self.ended[message.client_order_id] = type(message).__name__
            case Fill():
                self._book(message)
            case _:
                self._fold_house(message)

    def _fold_house(self, message: Message | None) -> None:
        match message:
            case KillLevel():
                self.level = message.level
            case InstrumentHalted():
                self.halted.add(message.symbol)
                self.halts.append(message.reason)
            case InstrumentResumed():
                self.halted.discard(message.symbol)
            case RequestWeight():
                self.retry_after_ns = message.retry_after_ns
            case Deposit(book="trading", asset=asset):
                self.opened = True
                n = message.amount * 10**EXP // int(10**message.exp)
                self.before[asset] = n - self.truth.exchange.opening.get(asset, 0)
            case Deposit(asset=asset):
                n = message.amount * 10**EXP // int(10**message.exp)
                self.adopted[asset] = self.adopted.get(asset, 0) + n

    def _book(self, fill: Fill) -> None:
        self.trades.add((fill.symbol, fill.venue_trade_id))
        order_id, qty = fill.client_order_id, fill.qty * 10**EXP // int(10**fill.qty_exp)
        self.booked[order_id] = self.booked.get(order_id, 0) + qty
        found = self.submitted.get(order_id)
        whole = found.intent.qty * int(10 ** (EXP - found.intent.qty_exp)) if found else 0
        if found is not None and self.booked[order_id] >= whole:
            self.ended.setdefault(order_id, "Fill")

    def _check_submit(self, message: OrderSubmitted) -> None:
        order_id, intent = message.client_order_id, message.intent
        assert order_id not in self.submitted, f"I2: {order_id} is submitted twice"
        qty = intent.qty * int(10 ** (EXP - intent.qty_exp))
        if qty <= self.truth.closable(intent):
            return
        assert self.level == "ACTIVE", f"I8: the level is {self.level}: {message}"
        assert intent.symbol not in self.halted, f"I19: it is halted: {message}"
        self._check_limits(message)

    def _check_limits(self, message: OrderSubmitted) -> None:
        intent, own = message.intent, self._own
        px = max(intent.limit_px, intent.stop_px, intent.ref_px)
        worth = px * intent.qty // int(10 ** (intent.px_exp + intent.qty_exp))
        assert worth <= own.max_order_notional, f"I7: it is worth {worth}: {message}"
        # Of an order and the one in its place one alone is done.
        standing = len(self.submitted) - len(self.ended) - bool(intent.replaces)
        assert standing < own.max_open_orders, f"I7: {standing} orders are open: {message}"
        since_ns = message.ts_event - self._window_ns
        recent = sum(1 for one in self.submitted.values() if one.ts_event > since_ns)
        assert recent < own.order_rate, f"I7: {recent} orders in {own.order_window_ms} ms"

    def _check_deny(self, message: OrderDenied) -> None:
        order_id = message.client_order_id
        assert order_id not in self.submitted or message.code == "DUPLICATE_ORDER", message

    def _check_reject(self, message: OrderRejected) -> None:
        order_id = message.client_order_id
        self._check_end(message)
        order, lied = self.truth.order(order_id), self.truth.exchange.lied
        if order is None:
            self.dead[order_id] = message.code
        elif order.id not in self.truth.exchange.rejected:
            assert order_id in lied, f"I4: the exchange has it, as {order.status}: {message}"
            lied[order_id] = "it was hidden until it was taken for dead"

    def _check_over(self, message: OrderCanceled | OrderExpired) -> None:
        order_id = message.client_order_id
        self._check_end(message)
        order = self.truth.order(order_id)
        assert order is not None, f"I11: the exchange has no such order: {message}"
        assert not order.open, f"I11: it is {order.status} at the exchange: {message}"
        if not self.truth.exchange.lied.get(order_id):
            booked, filled = self.booked.get(order_id, 0), self.truth.filled(order_id)
            assert booked == filled, f"I13: {booked} of {filled} are booked: {message}"

    def _check_stay(self, message: OrderCancelRejected) -> None:
        order_id = message.client_order_id
        stays = order_id not in self.truth.replaced
        assert stays, f"I11: another order has taken its place: {message}"
        if message.code == NOT_REPLACED:
            signed = (s.signed_ms for s in self.submitted.values() if s.intent.replaces == order_id)
            left_ms = max(signed) + RECV_WINDOW_MS - self.truth.exchange.wall_ms()
            assert left_ms < 0, f"I4: it may be replaced for {left_ms} ms: {message}"

    def _check_end(self, message: OrderRejected | OrderCanceled | OrderExpired) -> None:
        order_id = message.client_order_id
        before = self.ended.get(order_id)
        assert before is None, f"I11: {order_id} has ended, by {before}: {message}"
        assert order_id in self.submitted, f"I11: it was never submitted: {message}"

    def _check_fill(self, fill: Fill) -> None:
        key = (fill.symbol, fill.venue_trade_id)
        assert key not in self.trades, f"I14: booked twice: {fill}"
        assert not fill.late or self.truth.disturbed, f"I11: a late fill: {fill}"
        self.truth.check_fill(fill)

    def _check_level(self, message: KillLevel) -> None:
        if message.level == "ACTIVE":
            assert message.by == ME, f"I8: nobody resumed it: {message}"
        if (self.level, message.level) != ("FLATTEN", "HALTED") or self.truth.disturbed:
            return
        assert not self.truth.open_orders(), f"I8: FLATTEN left {self.truth.open_orders()}"
        for symbol, held in self.truth.positions.items():
            px = self.truth.price(symbol)
            assert abs(held) * px // 100 <= DUST, f"I8: FLATTEN left {held} of {symbol}"

    def _check_halt(self, message: InstrumentHalted) -> None:
        hidden = message.client_order_id in self.truth.exchange.lied
        assert hidden or self.truth.disturbed, f"I19: there is no reason to halt: {message}"

    def _check_balance(self, message: BalanceSeen) -> None:
        strange = message.difference and not self.truth.foreign
        assert not strange, f"I15: the exchange is right, the books are not: {message}"

    def _check_deposit(self, message: Deposit) -> None:
        opening = self.truth.exchange.opening.get(message.asset, 0)
        wanted = opening * 10**message.exp == message.amount * 10**EXP
        assert wanted or self.truth.foreign, f"I15: the account began with {opening}: {message}"


CHECKS: dict[type[Message], Callable[[Record, Any], None]] = {
    OrderSubmitted: Record._check_submit,
    OrderDenied: Record._check_deny,
    OrderRejected: Record._check_reject,
    OrderCanceled: Record._check_over,
    OrderExpired: Record._check_over,
    OrderCancelRejected: Record._check_stay,
    Fill: Record._check_fill,
    KillLevel: Record._check_level,
    InstrumentHalted: Record._check_halt,
    BalanceSeen: Record._check_balance,
    Deposit: Record._check_deposit,
}
