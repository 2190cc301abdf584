"""An exchange that fills at known prices of the bars, as published backtests assume it.

A market order fills whole, at once at the close of the newest bar (`close`), or at the open of the
next one (`next_open`), which is then the price that stands at the close: sizes are of it. A stop
fills inside a bar at its trigger, or at the open where that is worse; a limit at its price, or at
the open where that is better; both are told at the bar's close, one after the other, stops first,
and the next bar that opens after they were placed is the first that can reach them. The fee is a
share of what is paid, in the quote asset, rounded to 1e-8.
"""

from typing import Literal

from schema import exchange, joined
from schema.exchange import OrderReport, ReportPushed, SendCancel, SendOrder, VenueTrade
from schema.head import Effect, Local
from schema.joined import SendPair, SendReplace
from schema.market import Bar, Instrument
from schema.units import MS_NS, to_text
from services.backtest.exchange import (
    GONE,
    Balances,
    Look,
    answered,
    new_of,
    pair_refused,
    refused,
    replace_refused,
    replaced,
    unknown,
)
from services.backtest.history import History
from services.backtest.lane import Lane, Order, charge, worth
from services.venue.account import EXP, Terms

MARKET = "market"
RESTS = frozenset({"market", "limit", "limit_maker", "stop", "stop_limit", "take_profit"})
ONCE = frozenset({"IOC", "FOK"})
CROSSES = (-2010, "The relationship of the prices for the orders is not correct.")
TAKES = (-2010, "Order would immediately match and take.")
POOR = (-2010, "Account has insufficient balance for requested action.")
NOTHING: tuple[ReportPushed, ...] = ()


class IdealExchange:
    """One account; an order is taken at the moment at which it is sent."""

    way_ns = 0

    def __init__(self, history: History, terms: Terms, start_ns: int, *, at_open: bool) -> None:
        self.at_ns = start_ns
        self._at_open = at_open
        self._terms = terms
        self._lanes = {name: Lane(history.facts[name], history.base[name]) for name in history.base}
        self._busy: list[Lane] = []
        self._orders: dict[str, Order] = {}
        self._trades: list[VenueTrade] = []
        self._funds: dict[str, int] = dict(terms.opening)
        self._pushed: list[ReportPushed] = []

    @property
    def idle(self) -> bool:
        return not self._busy and not self._pushed

    def pass_time(self, until_ns: int) -> tuple[ReportPushed, ...]:
        """Go on to a time, or to the first moment of which there is something to tell."""
        if pushed := tuple(self._pushed):
            self._pushed.clear()
            return pushed
        while self._busy:
            lane = min(self._busy, key=Lane.next_event)
            at_ns, opens = lane.next_event()
            if (at_ns, opens) > (until_ns, False):
                break
            self.at_ns = at_ns
            if reports := self._open(lane) if opens else self._range(lane):
                return reports
        self.at_ns = max(self.at_ns, until_ns)
        return NOTHING

    def answer(self, effect: Effect) -> Local:
        """Do what is asked, and return the answer."""
        match effect:
            case SendOrder():
                return self._place(effect)
            case SendPair():
                return self._place_pair(effect)
            case SendReplace():
                return self._replace(effect)
            case SendCancel():
                return self._cancel(effect)
        return answered(effect, self, self.at_ns // MS_NS)

    def balances(self) -> Balances:
        """Return asset, free and locked."""
        locked = self._locked()
        return tuple(
            (asset, to_text(funds - locked.get(asset, 0), EXP), to_text(locked.get(asset, 0), EXP))
            for asset, funds in self._funds.items()
        )

    def look(self, symbol: str, now_ns: int) -> Look:
        """Return both sides at the newest price that is known; None before the first bar.

        The market never rests: its last price always stands.
        """
        lane = self._lanes[symbol]
        px = lane.px_at(now_ns)
        return (lane.quote(px, now_ns) if px else None), 0

    def look_at(self, bar: Bar) -> Look:
        """Return both sides at a bar's close, or as the next one opens: where an order fills."""
        lane = self._lanes[bar.symbol]
        px = lane.open_after(bar.ts_event) if self._at_open else 0
        return lane.quote(px or bar.close, bar.ts_event), 0

    def follow(self, instrument: Instrument) -> None:
        """Do nothing: it takes whatever its owner can pay."""

    def ring_again(self) -> None:
        """Fill what is still open at the end once more at the last bar's open."""
        for lane in self._busy:
            lane.ring_again(self.at_ns)

    def shown(self) -> tuple[OrderReport, ...]:
        """Return all open orders."""
        return tuple(order.report() for order in self._orders.values() if order.open)

    def named(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Return an order by its name."""
        order = self._orders.get(client_order_id)
        return None if order is None else order.report()

    def trades(self, symbol: str, from_id: int) -> tuple[VenueTrade, ...]:
        """Return the executions from an id on."""
        found = self._trades[max(0, from_id - 1) :]
        return tuple(trade for trade in found if trade.symbol == symbol)

    def top(self, symbol: str) -> tuple[str, str]:
        """Return the best bid and ask."""
        lane = self._lanes[symbol]
        px = to_text(lane.px_at(self.at_ns), lane.facts.px_exp)
        return px, px

    def _place(self, effect: SendOrder) -> Local:
        intent = effect.intent
        if intent.order_type not in RESTS:
            return refused(effect, -1116, f"Ideal fills know no {intent.order_type} orders.")
        lane = self._lanes[intent.symbol]
        order = Order(len(self._orders) + 1, intent, lane.facts, self.at_ns)
        px = lane.px_at(self.at_ns)
        if order.kind == "limit_maker" and self._taken_at_once(order, px):
            return refused(effect, *TAKES)
        if not self._affords(order, max(px, order.px, order.stop_px)):
            return refused(effect, *POOR)
        self._orders[intent.client_order_id] = order
        taken = self._taken_at_once(order, px)
        trades = (self._fill(order, taken, maker=False),) if taken else ()
        if not taken and intent.time_in_force in ONCE:
            order.end("EXPIRED", self.at_ns)
        elif not taken:
            self._keep(lane, order)
        report = order.report()
        return exchange.OrderPlaced(effect_id=effect.effect_id, report=report, trades=trades)

    def _place_pair(self, effect: SendPair) -> Local:
        lane, number = self._lanes[effect.stop.symbol], len(self._orders) + 1
        stop = Order(number, effect.stop, lane.facts, self.at_ns)
        target = Order(number + 1, effect.target, lane.facts, self.at_ns)
        px = lane.px_at(self.at_ns)
        lower, upper = (target.px, stop.stop_px) if stop.buys else (stop.stop_px, target.px)
        if px and not lower < px < upper:
            return pair_refused(effect, *CROSSES)
        if not self._affords(stop, max(px, stop.stop_px, target.px)):
            return pair_refused(effect, *POOR)
        stop.other, target.other = target, stop
        for leg in (stop, target):
            self._orders[leg.intent.client_order_id] = leg
            self._keep(lane, leg)
        reports = (stop.report(), target.report())
        return joined.PairPlaced(effect_id=effect.effect_id, reports=reports)

    def _taken_at_once(self, order: Order, px: int) -> int:
        if order.kind == MARKET:
            return 0 if self._at_open else px
        if order.stop_px or not px:
            return 0
        return px if (px <= order.px if order.buys else px >= order.px) else 0

    def _keep(self, lane: Lane, order: Order) -> None:
        if not lane.orders:
            self._busy.append(lane)
        lane.take(order, self.at_ns)

    def _cancel(self, effect: SendCancel) -> Local:
        order = self._orders.get(effect.client_order_id)
        if order is None or not order.open:
            return unknown(effect)
        return exchange.CancelDone(effect_id=effect.effect_id, report=self._canceled(order))

    def _replace(self, effect: SendReplace) -> Local:
        order = self._orders.get(effect.replaced)
        if order is None or not order.open:
            return replace_refused(effect, *GONE)
        return replaced(self._canceled(order), self._place(new_of(effect)))

    def _canceled(self, order: Order) -> OrderReport:
        order.end("CANCELED", self.at_ns)
        self._drop(order)
        self._pushed += self._freed(order, "CANCELED")
        return order.report()

    def _drop(self, order: Order) -> None:
        lane = self._lanes[order.symbol]
        lane.orders.remove(order)
        if not lane.orders:
            self._busy.remove(lane)

    def _open(self, lane: Lane) -> tuple[ReportPushed, ...]:
        px = lane.open_bar()
        return self._told(lane, [(order, px) for order in lane.orders if order.kind == MARKET])

    def _range(self, lane: Lane) -> tuple[ReportPushed, ...]:
        hit = lane.first_hit()
        if hit is None:
            lane.close_bar()
            return self._triggered(lane)
        return self._told(lane, [hit])

    def _triggered(self, lane: Lane) -> tuple[ReportPushed, ...]:
        pushed: list[ReportPushed] = []
        for order in lane.newly_triggered():
            pushed += self._freed(order, "EXPIRED")
            pushed.append(ReportPushed(report=order.report(), execution="NEW"))
        return tuple(pushed)

    def _freed(self, order: Order, status: Literal["CANCELED", "EXPIRED"]) -> list[ReportPushed]:
        """End the other of a pair, and return what is told of it."""
        other = order.other
        if other is None:
            return []
        order.other = other.other = None
        other.end(status, self.at_ns)
        self._drop(other)
        return [ReportPushed(report=other.report(), execution=status)]

    def _told(self, lane: Lane, hits: list[tuple[Order, int]]) -> tuple[ReportPushed, ...]:
        pushed: list[ReportPushed] = []
        for order, px in hits:
            trades: tuple[VenueTrade, ...] = ()
            kind = "TRADE"
            if self._affords(order, px, alone=True):
                trades = (self._fill(order, px, maker=order.rests),)
            else:
                order.end(kind := "EXPIRED", self.at_ns)
            self._drop(order)
            pushed += self._freed(order, "EXPIRED")
            pushed.append(ReportPushed(report=order.report(), execution=kind, trades=trades))
        return tuple(pushed)

    def _fill(self, order: Order, px: int, *, maker: bool) -> VenueTrade:
        facts, paid = order.facts, worth(order.facts, px, order.qty)
        fee = charge(facts, px, order.qty, self._bps(maker=maker))
        sign = 1 if order.buys else -1
        self._move(facts.base, sign * order.units)
        self._move(facts.quote, -sign * paid - fee)
        order.fill(paid, self.at_ns)
        number = len(self._trades) + 1
        self._trades.append(order.trade(number, (px, paid, fee), self.at_ns, maker=maker))
        return self._trades[-1]

    def _bps(self, *, maker: bool) -> int:
        return self._terms.maker_bps if maker else self._terms.taker_bps

    def _move(self, asset: str, amount: int) -> None:
        self._funds[asset] = self._funds.get(asset, 0) + amount

    def _affords(self, order: Order, px: int, *, alone: bool = False) -> bool:
        asset, needed = order.need(px, self._terms.taker_bps)
        locked = 0 if alone else self._locked().get(asset, 0)
        return self._funds.get(asset, 0) - locked >= needed

    def _locked(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for lane in self._busy:
            for order in (one for one in lane.orders if one.counts):
                asset, needed = order.need(order.px or order.stop_px, self._terms.taker_bps)
                found[asset] = found.get(asset, 0) + needed
        return found
