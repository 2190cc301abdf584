"""A day of the recorded tape as plain numbers, and how the book stood at its whole minutes."""

from typing import NamedTuple

import msgspec
import numpy as np

from schema.market import Quote
from schema.units import MS_NS
from services.backtest.exchange import Look
from services.venue.book import Last, tops_behind
from services.venue.columns import DAY_MS, MINUTE_MS, Facts, Tape


class Minute(msgspec.Struct, frozen=True, gc=False):
    """The top of the book at the beginning of a minute, and when the last trade was."""

    traded_ms: int
    bid_px: int
    bid_qty: int
    ask_px: int
    ask_qty: int


class Day(NamedTuple):
    """A day's trades as plain numbers, and the tops at its whole minutes, where bars close."""

    day: int
    first_id: int
    times_ms: list[int]
    prices: list[int]
    sold: list[bool]
    minutes: list[Minute]

    def at(self, place: int) -> Last:
        """Return one of them."""
        at_ms, px, sold = self.times_ms[place], self.prices[place], self.sold[place]
        return Last(self.first_id + place, at_ms, px, sold)


def day_of(facts: Facts, day: int, tape: Tape) -> Day:
    """Return a day's tape as plain numbers."""
    minutes: list[Minute] = []
    if len(tape):
        at_ms = day * DAY_MS + np.arange(0, DAY_MS, MINUTE_MS, dtype=np.int64)
        columns = [column.tolist() for column in tops_behind(facts, tape, at_ms)]
        minutes = [Minute(*row) for row in zip(*columns, strict=True)]
    trades = tape.at_ms.tolist(), tape.px.tolist(), tape.maker.tolist()
    return Day(day, tape.first_id, *trades, minutes)


def quoted(facts: Facts, top: Minute, now_ns: int) -> Look:
    """Return the top of a book as it is said, and for how long nothing was traded."""
    silent_ns = now_ns - top.traded_ms * MS_NS
    if top.bid_px <= 0:
        return None, silent_ns
    quote = Quote(
        ts_event=now_ns,
        symbol=facts.symbol,
        bid_px=top.bid_px,
        bid_qty=top.bid_qty,
        ask_px=top.ask_px,
        ask_qty=top.ask_qty,
        px_exp=facts.px_exp,
        qty_exp=facts.qty_exp,
    )
    return quote, silent_ns
