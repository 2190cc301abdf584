"""The exchange of a run with `fills = "book"`: the venue's own desk on the recorded tape."""

from array import array
from bisect import bisect_right
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from bus.errors import HouseError, SettingsError
from schema import exchange, joined
from schema.exchange import OrderReport, ReportPushed, SendCancel, SendOrder, VenueTrade
from schema.head import Effect, Local
from schema.joined import SendPair, SendReplace
from schema.market import Bar, Instrument
from schema.units import MS_NS, to_text
from services.backtest.columns import EXP, Columns, rescaled
from services.backtest.days import Day, Minute, day_of, quoted
from services.backtest.exchange import (
    GONE,
    TRADED,
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
from services.backtest.filters import limits_of
from services.backtest.history import History
from services.backtest.words import pair_of, push_of, report_of, ticket_of, trade_of
from services.venue.account import EXP as MONEY_EXP
from services.venue.account import Terms
from services.venue.barfile import BarFile
from services.venue.book import Last, last_of, top_behind
from services.venue.columns import DAY_MS, MINUTE_MS, Facts
from services.venue.desk import Desk
from services.venue.market import Market
from services.venue.matching import Lane, bounds
from services.venue.orders import Order, Report
from services.venue.params import Refusal
from services.venue.replay import BarReplay

MINUTE = "1m"
ONE_WAY_MS = 25
"""Half of the 50 ms between sending and the answer."""

SIGHT_MS = 60 * MINUTE_MS
"""So far ahead the tape is searched at once."""

NEVER_MS = 1 << 62
NO_PATH: Any = "the bars"


def replayed(history: History, seed: int) -> BarReplay:
    """Return the market that prints a tape of the minutes of a history."""
    for symbol, columns in history.base.items():
        if columns.timeframe != MINUTE:
            raise HouseError(
                f"{symbol}: fills of the book need bars of 1m, and these are of "
                f"{columns.timeframe}",
                "Set fills to close or next_open in the [strategy.NAME.backtest] of the strategy",
            )
    files = {symbol: [_file_of(columns)] for symbol, columns in history.base.items()}
    try:
        return BarReplay(seed, files)
    except SettingsError as error:
        hint = "Correct the file, or name another one with --file"
        raise HouseError(error.what, hint) from error


def _file_of(columns: Columns) -> BarFile:
    sides = (columns.open, columns.high, columns.low, columns.close)
    rows = [columns.open_ns // MS_NS, *(rescaled(side, columns.px_exp, EXP) for side in sides)]
    rows.append(rescaled(columns.volume, columns.qty_exp, EXP))
    return BarFile(
        NO_PATH,
        columns.px_exp,
        0,
        *(array("q", np.ascontiguousarray(row, np.int64).tobytes()) for row in rows),
    )


class Sight(NamedTuple):
    """How far one symbol's tape was searched for a trade that means something to its orders."""

    reach: tuple[int, int]  # of the orders
    end_ms: int
    hit_ms: int

    def is_over(self, at_ms: int, until_ms: int) -> bool:
        """Say whether that trade has passed, or the next one may be farther off."""
        return self.hit_ms <= at_ms or (self.hit_ms == NEVER_MS and self.end_ms < until_ms)


class DeskExchange:
    """One account at the desk; orders and answers take half of the latency each."""

    way_ns = ONE_WAY_MS * MS_NS

    def __init__(self, market: Market, terms: Terms, start_ns: int) -> None:
        self.market = market
        self.desk = Desk(market, terms, start_ns // MS_NS)
        self._facts = {facts.symbol: facts for facts in market.facts.values()}
        self._days: dict[str, Day] = {}
        self._sights: dict[str, Sight] = {}

    @property
    def at_ns(self) -> int:
        return self.desk.at_ms * MS_NS

    @property
    def idle(self) -> bool:
        return not any(self.desk.records.open.values())

    def pass_time(self, until_ns: int) -> list[ReportPushed]:
        """Go on to a time, or to the first moment of which there is something to tell."""
        until_ms = until_ns // MS_NS
        while not (reports := self._drained()) and self.desk.at_ms < until_ms:
            hit_ms = self._hit_ms(until_ms)
            if hit_ms is None:
                self.desk.rest(until_ms)
            else:
                self.desk.advance(hit_ms)
        return [push_of(self._named(report.order.symbol), report) for report in reports]

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
        return answered(effect, self, self.desk.at_ms)

    def balances(self) -> Balances:
        """Return asset, free and locked."""
        found = self.desk.records.account.balances.items()
        shown = [(key, b.free, b.locked) for key, b in found]
        return tuple(
            (key, to_text(free, MONEY_EXP), to_text(locked, MONEY_EXP))
            for key, free, locked in shown
        )

    def look(self, symbol: str, now_ns: int) -> Look:
        """Return the top of the displayed book; None before the first trade."""
        facts, at_ms = self._facts[symbol], now_ns // MS_NS
        last = self._last(facts, at_ms)
        if last is None:
            return None, now_ns
        top = top_behind(facts, last, at_ms)
        return quoted(facts, Minute(last.at_ms, *top.bid, *top.ask), now_ns)

    def look_at(self, bar: Bar) -> Look:
        """Return the top of the book at a bar's close."""
        now_ns, facts = bar.ts_event, self._facts[bar.symbol]
        minute, rest_ms = divmod(now_ns // MS_NS % DAY_MS, MINUTE_MS)
        minutes = self._day(facts, now_ns // MS_NS).minutes
        if rest_ms or not minutes or minutes[minute].traded_ms * MS_NS > now_ns:
            return self.look(bar.symbol, now_ns)
        return quoted(facts, minutes[minute], now_ns)

    def follow(self, instrument: Instrument) -> None:
        """Hold orders against an instrument's filters from now on; open ones stay as they are."""
        facts = self._facts[instrument.symbol]
        facts = replace(facts, own=limits_of(instrument), status=instrument.status)
        self._facts[facts.symbol] = self.market.facts[facts.id] = facts

    def ring_again(self) -> None:
        """Do nothing: the book stays as it was, and fills go on."""

    def shown(self) -> tuple[OrderReport, ...]:
        """Return all open orders."""
        found = self.desk.records.all_open()
        return tuple(report_of(self._named(order.symbol), order) for order in found)

    def named(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Return an order by its name."""
        facts = self._facts[symbol]
        order = self.desk.records.named(facts.id, client_order_id)
        return None if order is None else report_of(facts, order)

    def trades(self, symbol: str, from_id: int) -> tuple[VenueTrade, ...]:
        """Return the executions from an id on."""
        facts = self._facts[symbol]
        fills = self.desk.records.fills_from(facts.id, from_id)
        return tuple(trade_of(facts, fill, "") for fill in fills)

    def top(self, symbol: str) -> tuple[str, str]:
        """Return the best bid and ask."""
        facts = self._facts[symbol]
        top = self.market.top(facts.id, self.desk.at_ms)
        return to_text(top.bid[0], facts.px_exp), to_text(top.ask[0], facts.px_exp)

    def _day(self, facts: Facts, at_ms: int) -> Day:
        number, day = at_ms // DAY_MS, self._days.get(facts.symbol)
        if day is None or day.day != number:
            tape = self.market.day_tape(facts.id, number)
            day = self._days[facts.symbol] = day_of(facts, number, tape)
        return day

    def _last(self, facts: Facts, at_ms: int) -> Last | None:
        """Return the last trade until a time; None before the first one."""
        day = self._day(facts, at_ms)
        place = bisect_right(day.times_ms, at_ms)
        if place:
            return day.at(place - 1)
        tape = self.market.tape_until(facts.id, 1, at_ms + 1)  # Of another day.
        return last_of(tape) if len(tape) else None

    def _named(self, venue_symbol: str) -> Facts:
        return self.market.facts[venue_symbol]

    def _drained(self) -> list[Report]:
        changes = self.desk.drain()
        return changes.reports if changes is not None else []

    def _hit_ms(self, until_ms: int) -> int | None:
        """Return when the next trade is that means something to an order; None without one."""
        waiting = [(name, self.desk.records.waiting(name)) for name in self.market.facts]
        found = [self._seek(name, orders, until_ms) for name, orders in waiting if orders]
        hit_ms = min(found, default=NEVER_MS)
        return hit_ms if hit_ms <= until_ms else None

    def _seek(self, name: str, orders: list[Order], until_ms: int) -> int:
        at_ms, reach = self.desk.at_ms, bounds(orders)
        sight = self._sights.get(name)
        if sight is None or sight.reach != reach or sight.is_over(at_ms, until_ms):
            end_ms = max(until_ms, at_ms + SIGHT_MS)
            lane = Lane(self._named(name), self.market.tape(name, at_ms + 1, end_ms + 1))
            lane.seek(orders)
            hit_ms = lane.next[0] if lane.next is not None else NEVER_MS
            sight = self._sights[name] = Sight(reach, end_ms, hit_ms)
        return sight.hit_ms

    def _place(self, effect: SendOrder) -> Local:
        facts = self._facts[effect.intent.symbol]
        try:
            order = self.desk.place(ticket_of(facts, effect))
        except Refusal as refusal:
            return refused(effect, refusal.code, refusal.msg)
        fills = self.desk.records.fills_of(order.id)
        trades = tuple(trade_of(facts, fill, order.client_id) for fill in fills)
        report = report_of(facts, order)
        return exchange.OrderPlaced(effect_id=effect.effect_id, report=report, trades=trades)

    def _place_pair(self, effect: SendPair) -> Local:
        facts = self._facts[effect.stop.symbol]
        try:
            pair = self.desk.place_pair(pair_of(facts, effect))
        except Refusal as refusal:
            return pair_refused(effect, refusal.code, refusal.msg)
        reports = tuple(report_of(facts, self.desk.records.orders[leg]) for leg in pair.legs)
        return joined.PairPlaced(effect_id=effect.effect_id, reports=reports)

    def _cancel(self, effect: SendCancel) -> Local:
        facts = self._facts[effect.symbol]
        order = self.desk.records.open_named(facts.id, effect.client_order_id)
        if order is None:
            return unknown(effect)
        return exchange.CancelDone(effect_id=effect.effect_id, report=self._canceled(facts, order))

    def _canceled(self, facts: Facts, order: Order) -> OrderReport:
        legs, _ = self.desk.cancel(order)  # Of a pair, both.
        return report_of(facts, next(leg for leg in legs if leg.id == order.id))

    def _replace(self, effect: SendReplace) -> Local:
        facts, new = self._facts[effect.intent.symbol], new_of(effect)
        order = self.desk.records.open_named(facts.id, effect.replaced)
        try:
            self.desk.check_filters(ticket_of(facts, new))
        except Refusal as refusal:
            return replace_refused(effect, refusal.code, refusal.msg)
        if order is None or order.filled:
            return replace_refused(effect, *(TRADED if order else GONE))
        return replaced(self._canceled(facts, order), self._place(new))
