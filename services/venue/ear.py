"""One symbol of the market as it is heard: its rules, whether it can be trusted, and its prices.

While its feed is not OK nothing is matched, and what is printed meanwhile is held: once the feed is
whole again the exchange has traded there all the same. The tape has the times at which this house
heard, so that nothing on it is ever told late.
"""

from array import array
from typing import NamedTuple

import numpy as np

from schema.market import FeedStatus, Instrument, Quote, Trade
from services.venue.book import Book, Levels, Top
from services.venue.columns import Facts, Tape
from services.venue.ladder import Ladder
from services.venue.rules import eight, facts_of

KEPT = 50_000
"""Trades of a symbol that are shown; an average over minutes needs them."""

HELD_MAX = 200_000
"""Trades that wait for the feed to be OK; beyond that the oldest are no longer matched."""

TOPS_KEPT = 256
FRESH_MS = 5_000
"""A quote that is heard later than this tells of the past."""

LIVE = frozenset({"OK", "BACKFILLING", "STALE"})
"""States of a feed in which the exchange's book is followed, whatever its trades do."""

TRADING = "TRADING"


class Print(NamedTuple):
    """One trade of the exchange's tape, and when ingest said it."""

    symbol: str  # as the exchange writes it
    trade_id: int
    said_ms: int
    px: int
    qty: int


class Ear:
    """What is known of one symbol; numbers have eight decimals."""

    def __init__(self, symbol: str, last_id: int = -1) -> None:
        self.symbol = symbol
        self.listed: Facts | None = None
        self.last_id = last_id
        self.held: list[Print] = []
        self.tops: list[tuple[int, Top]] = []
        self._state, self._reason = "", "ingest said nothing of it yet"
        self._quoted = False
        self._ladder = Ladder()
        self._first_id = 0
        self._columns = [array("q") for _ in range(4)]

    def why_closed(self, ingest: str) -> str:
        """Return why nothing is matched; empty when something may be.

        `ingest` is what is wrong with who tells of the market.
        """
        if self.listed is None:
            return f"the exchange's listing was not heard yet: {self._reason}"
        if self.listed.status != TRADING:
            return f"the exchange says {self.listed.status}"
        if ingest:
            return ingest
        if self._state != "OK":
            return f"its feed is {self._state or 'not there'}: {self._reason}"
        return "" if self._quoted else "no quote was heard since its feed stands"

    def hear_status(self, said: FeedStatus) -> None:
        """Take how far the feed can be trusted."""
        self._state, self._reason = said.state, said.reason
        if said.state not in LIVE:
            self.forget_book()

    def hear_listing(self, said: Instrument) -> None:
        """Take the rules that hold from now on."""
        self.symbol, self.listed = said.symbol, facts_of(said)

    def forget_book(self) -> None:
        """Trust the book no longer, until it is heard anew."""
        self._quoted = False
        self._ladder.clear()

    def hear_quote(self, said: Quote, said_ms: int, now_ms: int) -> None:
        """Take the top of the book, unless it tells of the past."""
        if now_ms - said_ms > FRESH_MS:
            return
        self._quoted = True
        bid = (eight(said.bid_px, said.px_exp), eight(said.bid_qty, said.qty_exp))
        ask = (eight(said.ask_px, said.px_exp), eight(said.ask_qty, said.qty_exp))
        self.tops = [*self.tops[-TOPS_KEPT:], (now_ms, Top(said.update_id, bid, ask))]

    @property
    def ladder(self) -> Ladder:
        """The depth, where it is said."""
        return self._ladder

    def hear_trade(self, said: Trade, said_ms: int, at_ms: int) -> Print:
        """Put a trade on the tape; behind a hole in the ids the tape begins anew."""
        if said.trade_id != self.last_id + 1 or not self._columns[0]:
            self._columns = [array("q") for _ in range(4)]
            self._first_id = said.trade_id
        self.last_id = said.trade_id
        times = self._columns[0]
        at_ms = max(at_ms, times[-1] if times else at_ms)
        px, qty = eight(said.px, said.px_exp), eight(said.qty, said.qty_exp)
        for column, value in zip(self._columns, (at_ms, px, qty, said.buyer_maker), strict=True):
            column.append(value)
        self._trim(times)
        return Print(id_of(said.symbol), said.trade_id, said_ms, px, qty)

    def _trim(self, times: "array[int]") -> None:
        if len(times) > 2 * KEPT:
            self._first_id += KEPT
            for column in self._columns:
                del column[:KEPT]

    def hold(self, one: Print) -> None:
        """Keep a print until the feed is OK."""
        self.held.append(one)
        if len(self.held) > HELD_MAX:
            del self.held[: HELD_MAX // 2]

    def tape(self) -> Tape:
        """Return what is kept of the tape."""
        # A copy: while an array is looked into, nothing can be appended to it.
        at_ms, px, qty, maker = (np.frombuffer(one, np.int64).copy() for one in self._columns)
        return Tape(self._first_id, at_ms, px, qty, maker.astype(np.bool_))

    def book(self, at_ms: int) -> Book:
        """Return the book that is displayed: its depth where that is heard, else its top."""
        top = self.tops[-1][1] if self.tops else Top(at_ms, (0, 0), (0, 0))
        bids, asks = self._ladder.sides()
        if bids and asks and self._ladder.update_id >= top.update_id:
            return Book(self._ladder.update_id, bids, asks)
        return Book(top.update_id, _level(top.bid), _level(top.ask))


def id_of(symbol: str) -> str:
    """Return a symbol as the exchange writes it."""
    return symbol.replace("/", "")


def _level(side: tuple[int, int]) -> Levels:
    return (side,) if side[0] and side[1] else ()
