"""The exchange of a run with `fills = "book"`: the venue's own desk on the recorded tape."""

from array import array
from bisect import bisect_right
from typing import Any, NamedTuple

import numpy as np

from bus.errors import HouseError, SettingsError
from schema import exchange
from schema.exchange import OrderReport, ReportPushed, SendCancel, SendOrder, VenueTrade
from schema.head import Effect, Local
from schema.market import Bar, Quote
from schema.units import MS_NS, to_text
from services.backtest.columns import EXP, Columns, rescaled
from services.backtest.exchange import Balances, answered, refused, unknown
from services.backtest.history import History
from services.backtest.words import push_of, report_of, ticket_of, trade_of
from services.venue.account import EXP as MONEY_EXP
from services.venue.account import Terms
from services.venue.barfile import BarFile
from services.venue.book import Last, Top, last_of, top_behind
from services.venue.columns import DAY_MS, Facts, Tape
from services.venue.desk import Desk
from services.venue.market import Market
from services.venue.matching import Lane
from services.venue.orders import Report
from services.venue.params import Refusal
from services.venue.replay import BarReplay

MINUTE = "1m"
ONE_WAY_MS = 25
"""Half of the 50 ms between sending and the answer."""

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


class Day(NamedTuple):
    """A day's trades as plain numbers."""

    day: int
    first_id: int
    times_ms: list[int]
    prices: list[int]
    sold: list[bool]

    def at(self, place: int) -> Last:
        """Return one of them."""
        at_ms, px, sold = self.times_ms[place], self.prices[place], self.sold[place]
        return Last(self.first_id + place, at_ms, px, sold)


class DeskExchange:
    """One account at the desk; orders and answers take half of the latency each."""

    way_ns = ONE_WAY_MS * MS_NS

    def __init__(self, market: Market, terms: Terms, start_ns: int) -> None:
        self.market = market
        self.desk = Desk(market, terms, start_ns // MS_NS)
        self._facts = {facts.symbol: facts for facts in market.facts.values()}
        self._days: dict[str, Day] = {}

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

    def quote(self, symbol: str, now_ns: int) -> Quote | None:
        """Return the top of the displayed book; None before the first trade."""
        facts, at_ms = self._facts[symbol], now_ns // MS_NS
        top = top_behind(facts, self._last(symbol, at_ms), at_ms)
        return _quote(facts, top, now_ns) if top.bid[0] else None

    def quote_at(self, bar: Bar) -> Quote | None:
        """Return the top of the book at a bar's close."""
        return self.quote(bar.symbol, bar.ts_event)

    def silent_ns(self, symbol: str, now_ns: int) -> int:
        """Return how long ago the last trade was."""
        last = self._last(symbol, now_ns // MS_NS)
        return now_ns if last is None else now_ns - last.at_ms * MS_NS

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

    def _last(self, symbol: str, at_ms: int) -> Last | None:
        """Return the last trade until a time; None before the first one."""
        day = self._days.get(symbol)
        if day is None or day.day != at_ms // DAY_MS:
            tape = self.market.day_tape(self._facts[symbol].id, at_ms // DAY_MS)
            day = self._days[symbol] = day_of(at_ms // DAY_MS, tape)
        place = bisect_right(day.times_ms, at_ms)
        if place:
            return day.at(place - 1)
        tape = self.market.tape_until(self._facts[symbol].id, 1, at_ms + 1)  # Of another day.
        return last_of(tape) if len(tape) else None

    def _named(self, venue_symbol: str) -> Facts:
        return self.market.facts[venue_symbol]

    def _drained(self) -> list[Report]:
        changes = self.desk.drain()
        return changes.reports if changes is not None else []

    def _hit_ms(self, until_ms: int) -> int | None:
        """Return when the next trade is that means something to an order; None without one."""
        found: list[int] = []
        for name, facts in self.market.facts.items():
            orders = self.desk.records.waiting(name)
            if orders:
                lane = Lane(facts, self.market.tape(name, self.desk.at_ms + 1, until_ms + 1))
                lane.seek(orders)
                found += [lane.next[0]] if lane.next is not None else []
        return min(found, default=None)

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

    def _cancel(self, effect: SendCancel) -> Local:
        facts = self._facts[effect.symbol]
        order = self.desk.records.open_named(facts.id, effect.client_order_id)
        if order is None:
            return unknown(effect)
        (ended,), _ = self.desk.cancel(order)
        return exchange.CancelDone(effect_id=effect.effect_id, report=report_of(facts, ended))


def day_of(day: int, tape: Tape) -> Day:
    """Return a day's tape as plain numbers."""
    return Day(day, tape.first_id, tape.at_ms.tolist(), tape.px.tolist(), tape.maker.tolist())


def _quote(facts: Facts, top: Top, now_ns: int) -> Quote:
    return Quote(
        ts_event=now_ns,
        symbol=facts.symbol,
        bid_px=top.bid[0],
        bid_qty=top.bid[1],
        ask_px=top.ask[0],
        ask_qty=top.ask[1],
        px_exp=facts.px_exp,
        qty_exp=facts.qty_exp,
    )
