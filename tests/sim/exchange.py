"""The exchange of the simulator: the venue's own desk, and what a gateway sees of it.

It outlives every service. It refuses what it must refuse, and remembers who sent what, so that an
order that nobody approved, or that came twice, is an assertion here.
"""

from collections.abc import Callable
from random import Random

from bus.clock import NS_PER_MS, Clock
from schema.exchange import (
    AccountSeen,
    AskAccount,
    AskOpenOrders,
    AskOrder,
    AskTop,
    AskTrades,
    CancelDone,
    CancelRefused,
    OpenOrdersSeen,
    OrderAbsent,
    OrderFound,
    OrderPlaced,
    OrderRefused,
    ReportPushed,
    SendCancel,
    SendOrder,
    TopSeen,
    TradesSeen,
)
from schema.head import Effect, Local
from schema.units import to_text
from services.backtest.words import push_of, report_of, ticket_of, trade_of
from services.venue.account import EXP, Terms
from services.venue.desk import Desk
from services.venue.orders import Order
from services.venue.params import Refusal
from tests.sim.walk import FACTS, SYMBOL, Walk

UNIT = 10**EXP
OPENING = {"USDT": 100_000 * UNIT, "BTC": 2 * UNIT}
RECV_WINDOW_MS = 5_000
LAG_MS = 1_500


class Exchange:
    """One account at one exchange."""

    def __init__(self, seed: int, clock: Clock, witness: Callable[[SendOrder], None]) -> None:
        self.clock = clock
        self.chance = Random(f"exchange {seed}")
        self.offset_ms = 0
        self.lags = False  # what is new is not shown at once
        self.walk = Walk(seed, clock.market_ns() // NS_PER_MS)
        self.desk = Desk(self.walk, Terms(10, 10, OPENING), clock.market_ns() // NS_PER_MS)
        self.sent: set[str] = set()
        self._witness = witness
        self._placed_ms: dict[int, int] = {}

    def wall_ms(self) -> int:
        """Return what the exchange's clock shows."""
        return self.clock.wall_ns() // NS_PER_MS + self.offset_ms

    def pass_time(self) -> list[ReportPushed]:
        """Let the market move; return what the user stream would say of it."""
        self.desk.advance(self.clock.market_ns() // NS_PER_MS)
        changes = self.desk.drain()
        return [push_of(FACTS, report) for report in changes.reports] if changes else []

    def answer(self, effect: Effect) -> Local:
        """Do what is asked, and return the true answer."""
        match effect:
            case SendOrder():
                return self._place(effect)
            case SendCancel():
                return self._cancel(effect)
            case _:
                return self._read(effect)

    def _place(self, effect: SendOrder) -> Local:
        intent, name = effect.intent, effect.effect_id
        names = {"effect_id": name, "client_order_id": intent.client_order_id, "symbol": SYMBOL}
        if self.wall_ms() > effect.signed_ms + RECV_WINDOW_MS:
            return OrderRefused(**names, code=-1021, text="Timestamp is outside the recvWindow.")
        assert intent.client_order_id not in self.sent, f"{intent.client_order_id} was sent twice"
        self.sent.add(intent.client_order_id)
        self._witness(effect)
        try:
            order = self.desk.place(ticket_of(FACTS, effect))
        except Refusal as refusal:
            return OrderRefused(**names, code=refusal.code, text=refusal.msg)
        self._placed_ms[order.id] = self.wall_ms()
        trades = tuple(
            trade_of(FACTS, fill, order.client_id) for fill in self.desk.records.fills_of(order.id)
        )
        return OrderPlaced(effect_id=name, report=report_of(FACTS, order), trades=trades)

    def _cancel(self, effect: SendCancel) -> Local:
        order = self.desk.records.open_named(FACTS.id, effect.client_order_id)
        if order is None:
            return CancelRefused(
                effect_id=effect.effect_id, client_order_id=effect.client_order_id,
                symbol=SYMBOL, code=-2011, text="Unknown order sent.",
            )  # fmt: skip
        (ended,), _ = self.desk.cancel(order)
        return CancelDone(effect_id=effect.effect_id, report=report_of(FACTS, ended))

    def _read(self, effect: Effect) -> Local:
        name, wall_ms, records = effect.effect_id, self.wall_ms(), self.desk.records
        match effect:
            case AskOrder(client_order_id=order_id):
                order = records.named(FACTS.id, order_id)
                if order is None or self._hidden(order):
                    return OrderAbsent(
                        effect_id=name, client_order_id=order_id, symbol=SYMBOL, wall_ms=wall_ms
                    )
                return OrderFound(effect_id=name, report=report_of(FACTS, order))
            case AskOpenOrders():
                shown = [report_of(FACTS, o) for o in records.all_open() if not self._hidden(o)]
                return OpenOrdersSeen(effect_id=name, reports=tuple(shown), wall_ms=wall_ms)
            case AskTrades(from_id=first):
                found = tuple(
                    trade_of(FACTS, fill, "")
                    for fill in records.fills_from(FACTS.id, int(first))
                    if not self._hidden(records.orders[fill.order_id])
                )
                return TradesSeen(
                    effect_id=name, symbol=SYMBOL, trades=found, whole=True, wall_ms=wall_ms
                )
            case AskAccount():
                return AccountSeen(
                    effect_id=name, balances=self.balances(), can_trade=True,
                    can_withdraw=False, wall_ms=wall_ms,
                )  # fmt: skip
            case AskTop():
                top = self.walk.top(FACTS.id, self.desk.at_ms)
                bid, ask = to_text(top.bid[0], 2), to_text(top.ask[0], 2)
                return TopSeen(effect_id=name, symbol=SYMBOL, bid=bid, ask=ask)
        raise AssertionError(f"nobody asks {effect}")

    def balances(self) -> tuple[tuple[str, str, str], ...]:
        """Return asset, free and locked, as REST tells them."""
        found = self.desk.records.account.balances.items()
        return tuple((key, to_text(b.free, EXP), to_text(b.locked, EXP)) for key, b in found)

    def _hidden(self, order: Order) -> bool:
        return self.lags and self.wall_ms() < self._placed_ms.get(order.id, 0) + LAG_MS
