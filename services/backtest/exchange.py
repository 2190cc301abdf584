"""The exchange of a run: the venue's own desk, which fills against the recorded tape.

Time moves up to the first moment at which something came of it, so that nobody hears of a fill
when the desk is already further than they are.
"""

from schema import exchange
from schema.exchange import SendCancel, SendOrder
from schema.head import Effect, Local
from schema.units import to_text
from services.backtest.history import History
from services.backtest.words import push_of, report_of, ticket_of, trade_of
from services.venue.account import EXP, Terms
from services.venue.desk import Desk
from services.venue.matching import Lane
from services.venue.orders import Report
from services.venue.params import Refusal


class Exchange:
    """One account on one recorded market."""

    def __init__(self, history: History, terms: Terms, start_ms: int) -> None:
        self.facts = history.facts
        self.desk = Desk(history.market, terms, start_ms)

    def pass_time(self, until_ms: int) -> list[exchange.ReportPushed]:
        """Go on to a time, or to the first moment of which there is something to tell."""
        while not (reports := self._drained()) and self.desk.at_ms < until_ms:
            self.desk.advance(self._next_ms(until_ms))
        return [push_of(self.facts, report) for report in reports]

    def answer(self, effect: Effect) -> Local:
        """Do what is asked, and return the answer."""
        match effect:
            case SendOrder():
                return self._place(effect)
            case SendCancel():
                return self._cancel(effect)
            case exchange.AskOrder(client_order_id=order_id):
                return self._find(effect.effect_id, order_id)
            case _:
                return self._read(effect)

    def _drained(self) -> list[Report]:
        changes = self.desk.drain()
        return changes.reports if changes is not None else []

    def _next_ms(self, until_ms: int) -> int:
        orders = self.desk.records.waiting(self.facts.id)
        if not orders:
            return until_ms
        tape = self.desk.market.tape(self.facts.id, self.desk.at_ms + 1, until_ms + 1)
        lane = Lane(self.facts, tape)
        lane.seek(orders)
        return until_ms if lane.next is None else lane.next[0]

    def _place(self, effect: SendOrder) -> Local:
        name = effect.effect_id
        try:
            order = self.desk.place(ticket_of(self.facts, effect))
        except Refusal as refusal:
            return exchange.OrderRefused(
                effect_id=name,
                client_order_id=effect.intent.client_order_id,
                symbol=self.facts.symbol,
                code=refusal.code,
                text=refusal.msg,
            )
        fills = self.desk.records.fills_of(order.id)
        trades = tuple(trade_of(self.facts, fill, order.client_id) for fill in fills)
        report = report_of(self.facts, order)
        return exchange.OrderPlaced(effect_id=name, report=report, trades=trades)

    def _cancel(self, effect: SendCancel) -> Local:
        order = self.desk.records.open_named(self.facts.id, effect.client_order_id)
        if order is None:
            return exchange.CancelRefused(
                effect_id=effect.effect_id,
                client_order_id=effect.client_order_id,
                symbol=self.facts.symbol,
                code=-2011,
                text="Unknown order sent.",
            )
        (ended,), _ = self.desk.cancel(order)
        report = report_of(self.facts, ended)
        return exchange.CancelDone(effect_id=effect.effect_id, report=report)

    def _find(self, name: str, order_id: str) -> Local:
        order = self.desk.records.named(self.facts.id, order_id)
        if order is not None:
            return exchange.OrderFound(effect_id=name, report=report_of(self.facts, order))
        return exchange.OrderAbsent(
            effect_id=name,
            client_order_id=order_id,
            symbol=self.facts.symbol,
            wall_ms=self.desk.at_ms,
        )

    def _read(self, effect: Effect) -> Local:
        name, at_ms, records = effect.effect_id, self.desk.at_ms, self.desk.records
        match effect:
            case exchange.AskOpenOrders():
                shown = tuple(report_of(self.facts, order) for order in records.all_open())
                return exchange.OpenOrdersSeen(effect_id=name, reports=shown, wall_ms=at_ms)
            case exchange.AskTrades(symbol=symbol, from_id=first):
                fills = records.fills_from(self.facts.id, int(first))
                trades = tuple(trade_of(self.facts, fill, "") for fill in fills)
                return exchange.TradesSeen(
                    effect_id=name, symbol=symbol, trades=trades, whole=True, wall_ms=at_ms
                )
            case exchange.AskAccount():
                return exchange.AccountSeen(
                    effect_id=name,
                    balances=self.balances(),
                    can_trade=True,
                    can_withdraw=False,
                    wall_ms=at_ms,
                )
            case exchange.AskTop(symbol=symbol):
                top = self.desk.market.top(self.facts.id, at_ms)
                bid, ask = (to_text(px, self.facts.px_exp) for px, _ in (top.bid, top.ask))
                return exchange.TopSeen(effect_id=name, symbol=symbol, bid=bid, ask=ask)
        raise AssertionError(f"nobody asks {effect}")

    def balances(self) -> tuple[tuple[str, str, str], ...]:
        """Return asset, free and locked."""
        found = self.desk.records.account.balances.items()
        return tuple((key, to_text(b.free, EXP), to_text(b.locked, EXP)) for key, b in found)
