"""Rows out of whole runs of bars and trades, at the cost of one look-up each.

What was looked at once, a series with its decimals, need not be judged again: only the time of a
message is left to check. A batch with anything else in it, a new series or a month to come, is
judged message by message.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import cast

import msgspec

from bus.month_names import IDX_BITS, TRADE_ID_BITS, month_span_ns
from schema.head import Message
from schema.market import Bar, Trade
from schema.setting_types import TIMEFRAMES_NS
from services.writer.coverage import Row
from services.writer.effects import Keep, Told
from services.writer.market import AHEAD_NS, SOURCES, Series, keep, series_exponents

BarKind = tuple[str, str, int, int, int, str]
TickKind = tuple[str, int, int]

TRADE_IDS = 1 << TRADE_ID_BITS


class Placed(msgspec.Struct):
    """Messages and the rows that they became, side by side; and what goes another way."""

    bars: list[Message] = []
    bar_rows: list[Row] = []
    noted: list[Message] = []  # bars with a note beside their rows
    noted_rows: list[Row] = []
    ticks: list[Message] = []
    tick_rows: list[Row] = []
    others: list[Keep] = []

    def count(self) -> int:
        """Return how many messages are here."""
        return len(self.bars) + len(self.ticks) + len(self.others)


class Places:
    """The kinds of bars and trades that one month has a place for."""

    def __init__(self, month: int = 0) -> None:
        self._first_ns, self._end_ns = month_span_ns(month) if month else (0, 0)
        self._month = month
        self._bars: dict[BarKind, tuple[int, int, int]] = {}
        self._ticks: dict[TickKind, int] = {}

    def learn(self, message: Message, series: Series) -> None:
        """Remember the place of a message whose decimals are those of its series."""
        assert isinstance(message, Bar | Trade)
        if series_exponents(message) != series.exponents:
            return
        if isinstance(message, Trade):
            self._ticks[_tick_kind(message)] = series.number << TRADE_ID_BITS
        else:
            place = series.number << IDX_BITS, TIMEFRAMES_NS[message.timeframe]
            self._bars[_bar_kind(message)] = *place, SOURCES[message.source]

    def unknown(self, told: Sequence[Told]) -> list[Told]:
        """Return the first message of each kind that has no place yet."""
        firsts: dict[BarKind | TickKind, tuple[Message, int]] = {}
        for run in told:
            for one in run.messages:
                if isinstance(one, Bar) and (kind := _bar_kind(one)) not in self._bars:
                    firsts.setdefault(kind, (one, run.now_ns))
                elif isinstance(one, Trade) and (mark := _tick_kind(one)) not in self._ticks:
                    firsts.setdefault(mark, (one, run.now_ns))
        return [Told(messages=[one], now_ns=now_ns) for one, now_ns in firsts.values()]

    def place(self, told: Sequence[Told]) -> Placed | None:
        """Return the rows of all messages; None where one must be judged by itself."""
        if not told:
            return Placed()
        now_ns = min(run.now_ns for run in told)
        end_ns = min(self._end_ns, now_ns + AHEAD_NS + 1)
        said = list(chain.from_iterable(run.messages for run in told))
        kinds = set(map(type, said))
        placed = Placed(bars=_only(Bar, said, kinds), ticks=_only(Trade, said, kinds))
        if not kinds <= {Bar, Trade}:
            others = [one for one in said if not isinstance(one, Bar | Trade)]
            placed.others = judged([Told(messages=others, now_ns=now_ns)])
        bars, trades = cast("list[Bar]", placed.bars), cast("list[Trade]", placed.ticks)
        done = (
            self._place_bars(bars, end_ns, placed.bar_rows.append)
            and self._place_ticks(trades, end_ns, placed.tick_rows.append)
            and all(one.month == self._month for one in placed.others)
        )
        return placed if done else None

    def _place_bars(self, bars: Sequence[Bar], end_ns: int, add: Callable[[Row], object]) -> bool:
        # All of it in one function, and no name looked up twice: this is where the time goes.
        # Series after series closes a bar at one moment, which is looked at once.
        find, first_ns = self._bars.get, self._first_ns
        last_ns = step_ns = idx = 0
        for bar in bars:
            place = find(
                (bar.symbol, bar.timeframe, bar.px_exp, bar.qty_exp, bar.quote_exp, bar.source)
            )
            if place is None or bar.revision or not bar.whole:
                return False
            base, tf_ns, source = place
            open_ns = bar.open_ns
            if open_ns != last_ns or tf_ns != step_ns:
                idx, beside_ns = divmod(open_ns, tf_ns)
                if beside_ns or not first_ns <= open_ns < end_ns:
                    return False
                last_ns, step_ns = open_ns, tf_ns
            key, opened, high, low, close = base | idx, bar.open, bar.high, bar.low, bar.close
            add((key, opened, high, low, close, bar.volume, bar.quote_volume, bar.trades, source))
        return True

    def _place_ticks(
        self, trades: Sequence[Trade], end_ns: int, add: Callable[[Row], object]
    ) -> bool:
        find, first_ns = self._ticks.get, self._first_ns
        for trade in trades:
            base = find((trade.symbol, trade.px_exp, trade.qty_exp))
            at_ns, trade_id = trade.ts_event, trade.trade_id
            if base is None or not first_ns <= at_ns < end_ns or not 0 <= trade_id < TRADE_IDS:
                return False
            add((base | trade_id, at_ns, trade.px, trade.qty, int(trade.buyer_maker)))
        return True


def _only(kind: type[Message], said: list[Message], kinds: set[type[Message]]) -> list[Message]:
    if kinds == {kind}:
        return said
    return [one for one in said if type(one) is kind] if kind in kinds else []


def judged(told: Sequence[Told]) -> list[Keep]:
    """Return what is kept of each message by itself."""
    kept = (keep(message, run.now_ns) for run in told for message in run.messages)
    return [one for one in kept if one is not None]


def _bar_kind(bar: Bar) -> BarKind:
    return bar.symbol, bar.timeframe, bar.px_exp, bar.qty_exp, bar.quote_exp, bar.source


def _tick_kind(trade: Trade) -> TickKind:
    return trade.symbol, trade.px_exp, trade.qty_exp
