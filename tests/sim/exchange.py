"""The exchange of the simulator: the venue's own desk, and what a gateway sees of it.

It outlives every service. It refuses what it must refuse, and what it tells may lag behind.
"""

from collections.abc import Callable
from typing import Literal

from msgspec.structs import replace

from bus.clock import NS_PER_MS, Clock
from schema.exchange import (
    CancelDone,
    CancelRefused,
    OrderPlaced,
    OrderRefused,
    OrderReport,
    ReportPushed,
    SendCancel,
    SendOrder,
    VenueTrade,
)
from schema.head import Local
from schema.joined import PairPlaced, PairRefused, SendPair, SendReplace
from schema.trading import OrderIntent
from services.backtest.exchange import GONE, TRADED, new_of, refused, replace_refused, replaced
from services.backtest.words import push_of, report_of, ticket_of, trade_of
from services.venue.account import EXP, Terms
from services.venue.desk import Desk
from services.venue.orders import STOPPED, Fill, Order, PairTicket, Ticket
from services.venue.params import Refusal
from tests.sim.odds import Dice
from tests.sim.walk import FACTS_OF, Walk

Act = SendOrder | SendPair | SendReplace | SendCancel

UNIT = 10**EXP
OPENING = {"USDT": 100_000 * UNIT, "BTC": 2 * UNIT, "ETH": 20 * UNIT}
RECV_WINDOW_MS = 5_000
ONE_IN_TWO, ONE_IN_THREE = 0.5, 1 / 3
LAG_MS = 1_500
"""So long an order may be missing from what is told after it was taken."""


class Exchange:
    """One account at one exchange."""

    def __init__(self, seed: int, clock: Clock, dice: Dice, symbols: tuple[str, ...]) -> None:
        self.clock = clock
        self.dice = dice
        self.offset_ms = 0
        self.hidden: dict[str, int] = {}  # client order id → not shown until, in wall ms
        self.rejected: set[int] = set()  # orders that it took, and rejected afterwards
        self.lied: dict[str, str] = {}  # client order id → what was told of it and is not true
        self.took: Callable[[OrderIntent], None] = lambda _intent: None
        opening = {asset: n for asset, n in OPENING.items() if asset != "ETH" or len(symbols) > 1}
        now_ms = clock.market_ns() // NS_PER_MS
        self.walk = Walk(seed, now_ms, symbols)
        self.desk = Desk(self.walk, Terms(10, 10, opening), now_ms)
        self.opening = opening

    def wall_ms(self) -> int:
        """Return what the exchange's clock shows."""
        return self.clock.wall_ns() // NS_PER_MS + self.offset_ms

    def pass_time(self) -> list[ReportPushed]:
        """Let the market move; return what the user stream would say of it."""
        self.desk.advance(self.clock.market_ns() // NS_PER_MS)
        return self.drain()

    def drain(self) -> list[ReportPushed]:
        """Return what happened to orders since the last time."""
        changes = self.desk.drain()
        return [self._pushed(report) for report in changes.reports] if changes else []

    def act(self, effect: Act) -> Local:
        """Do what is wanted, and return the true answer."""
        match effect:
            case SendOrder():
                return self._place(effect)
            case SendPair():
                return self._place_pair(effect)
            case SendReplace():
                return self._replace(effect)
            case SendCancel():
                return self._cancel(effect)

    def report(self, order: Order) -> OrderReport:
        """Return how an order stands."""
        report = report_of(self.walk.facts[order.symbol], order)
        return replace(report, status="REJECTED") if order.id in self.rejected else report

    def trade(self, fill: Fill, order_id: str) -> VenueTrade:
        """Return one execution."""
        return trade_of(self.walk.facts[fill.symbol], fill, order_id)

    def order(self, client_order_id: str) -> Order | None:
        """Return the order of a client order id, in whatever symbol."""
        named = (self.desk.records.named(name, client_order_id) for name in self.walk.facts)
        return next(filter(None, named), None)

    def is_hidden(self, order: Order) -> bool:
        """Return whether an order is not shown now."""
        return self.wall_ms() < self.hidden.get(order.client_id, 0)

    def _pushed(self, report: object) -> ReportPushed:
        order = report.order  # type: ignore[attr-defined]
        pushed = push_of(self.walk.facts[order.symbol], report)  # type: ignore[arg-type]
        if order.id not in self.rejected or order.open:
            return pushed
        return replace(
            pushed, report=replace(pushed.report, status="REJECTED"), execution="REJECTED"
        )

    def _stale(self, signed_ms: int) -> bool:
        return self.wall_ms() > signed_ms + RECV_WINDOW_MS or signed_ms > self.wall_ms() + 1_000

    def _place(self, effect: SendOrder) -> Local:
        intent, name = effect.intent, effect.effect_id
        names = {
            "effect_id": name,
            "client_order_id": intent.client_order_id,
            "symbol": intent.symbol,
        }
        if self._stale(effect.signed_ms):
            return OrderRefused(**names, code=-1021, text="Timestamp is outside the recvWindow.")
        try:
            order = self.desk.place(ticket_of(FACTS_OF[intent.symbol], effect))
        except Refusal as refusal:
            return OrderRefused(**names, code=refusal.code, text=refusal.msg)
        self._take(intent)
        return OrderPlaced(effect_id=name, report=self.report(order), trades=self._trades(order))

    def _place_pair(self, effect: SendPair) -> Local:
        legs, name = (effect.target, effect.stop), effect.effect_id

        def no(code: int, text: str) -> PairRefused:
            ids = (effect.stop.client_order_id, effect.target.client_order_id)
            symbol = effect.stop.symbol
            return PairRefused(
                effect_id=name, client_order_ids=ids, symbol=symbol, code=code, text=text
            )

        if self._stale(effect.signed_ms):
            return no(-1021, "Timestamp is outside the recvWindow.")
        above, below = (_ticket(leg, effect.signed_ms) for leg in legs)
        try:
            pair = self.desk.place_pair(PairTicket(above=above, below=below))
        except Refusal as refusal:
            return no(refusal.code, refusal.msg)
        for leg in legs:
            self._take(leg)
        orders = [self.desk.records.orders[order_id] for order_id in pair.legs]
        return PairPlaced(effect_id=name, reports=tuple(self.report(order) for order in orders))

    def _replace(self, effect: SendReplace) -> Local:
        """Cancel an order that has not traded, and take the one in its place."""
        new = new_of(effect)
        facts = FACTS_OF[effect.intent.symbol]
        if self._stale(effect.signed_ms):
            return replace_refused(effect, -1021, "Timestamp is outside the recvWindow.")
        try:
            self.desk.check_filters(ticket_of(facts, new))
        except Refusal as refusal:
            return replace_refused(effect, refusal.code, refusal.msg)
        old = self._before_replace(effect.replaced)
        if isinstance(old, str):
            return replace_refused(effect, GONE[0], old)
        canceled = self.report(self.desk.cancel(old)[0][0])
        return replaced(canceled, self._refused_behind(effect) or self._place(new))

    def _before_replace(self, client_order_id: str) -> Order | str:
        """Return the order that is to give way, after its races; or why it does not."""
        order = self.order(client_order_id)
        if order is not None and order.open and not order.tied:
            order = self._trade_before(order) if order.working else order
            order = self._end_before(order)
        if order is None or not order.open or self.dice.hits("refused_cancel"):
            return GONE[1]
        return TRADED[1] if order.filled else order

    def _refused_behind(self, effect: SendReplace) -> OrderRefused | None:
        """Refuse the new one though the old one is gone: the market has moved between them."""
        if not self.dice.hits("replace_halfway"):
            return None
        return refused(new_of(effect), -2010, "Order would immediately match and take.")

    def _take(self, intent: OrderIntent) -> None:
        self.took(intent)
        if self.dice.hits("lag"):
            self.hidden[intent.client_order_id] = self.wall_ms() + LAG_MS

    def _trades(self, order: Order) -> tuple[VenueTrade, ...]:
        found = self.desk.records.fills_of(order.id)
        return tuple(self.trade(fill, order.client_id) for fill in found)

    def _cancel(self, effect: SendCancel) -> Local:
        order_id, order = effect.client_order_id, self.order(effect.client_order_id)
        told = order
        declined = self.dice.hits("refused_cancel")
        if order is not None and order.open and not order.tied:
            if is_triggered(order) and self.dice.hits("stop_race"):
                declined = self.dice.of("races").random() < ONE_IN_THREE
                order = order if declined else self._end(order)
            else:
                order = self._trade_before(order) if order.working else order
                order = self._end_before(order)
        if order is None or not order.open or declined:
            return CancelRefused(
                effect_id=effect.effect_id, client_order_id=order_id,
                symbol=effect.symbol, code=-2011, text="Unknown order sent.",
            )  # fmt: skip
        ended = self.desk.cancel(order)[0]
        shown = next(one for one in ended if one.client_id == order_id)
        if (
            told is not None
            and told.filled != shown.filled
            and self.dice.hits("hasty_cancel_answer")
        ):
            self.drain()  # Nobody is told otherwise.
            self.lied[order_id] = "it was cancelled with less than it had traded"
            shown = replace(shown, filled=told.filled, money=told.money)
        return CancelDone(effect_id=effect.effect_id, report=self.report(shown))

    def _trade_before(self, order: Order) -> Order:
        """Let an order trade in part, or whole, in the moment before its cancel arrives."""
        if not self.dice.hits("trade_before_cancel"):
            return order
        part = self.dice.of("parts").choice((1, order.left // 2, order.left))
        return self.trade_some(order, max(1, part))

    def _end_before(self, order: Order) -> Order:
        """Let an order end by itself in the moment before its cancel arrives."""
        ends = order.open and self.dice.hits("end_before_cancel")
        return self._end(order) if ends else order

    def _end(self, order: Order) -> Order:
        if order.filled or self.dice.of("ends").random() < ONE_IN_TWO:
            return self.expire(order)
        return self.reject(order)

    def reject(self, order: Order) -> Order:
        """Let an order be rejected that was taken."""
        self.rejected.add(order.id)
        self.lied.setdefault(order.client_id, "")  # Word that it was taken may come after this.
        return self.end(order, "CANCELED")

    def expire(self, order: Order) -> Order:
        """Let an order expire."""
        return self.end(order, "EXPIRED")

    def end(self, order: Order, word: Literal["EXPIRED", "CANCELED"]) -> Order:
        """Let an order end for reasons of the exchange's own; its desk has none."""
        return self.desk._clerk.end(order, word)

    def trade_some(self, order: Order, qty: int) -> Order:
        """Let an order that rests in the book trade at its own price."""
        # The desk trades by the tape alone; a race needs a trade at this very moment.
        return self.desk._clerk.fill(order, order.px, qty, maker=True)

    def balances(self) -> dict[str, int]:
        """Return what the account has of each asset, free or locked."""
        found = self.desk.records.account.balances.items()
        return {asset: balance.free + balance.locked for asset, balance in found}


def is_triggered(order: Order) -> bool:
    """Return whether an order is a stop that was triggered and rests."""
    return order.open and order.working and order.type in STOPPED


def _ticket(intent: OrderIntent, signed_ms: int) -> Ticket:
    order = SendOrder(effect_id="", intent=intent, signed_ms=signed_ms, deadline_wall_ms=0)
    ticket = ticket_of(FACTS_OF[intent.symbol], order)
    return replace(ticket, type="LIMIT_MAKER") if ticket.type == "LIMIT" else ticket
