"""What each position is worth now, and their sums: only what moved since is valued again.

A mark is the middle of a fresh quote, else the last price while it is no older than a few of the
shortest bars that are heard, else there is none: then the position stands at its cost and is named.
Sums are exact, in one unit for all; they are rounded once, against us. Nothing here is remembered
beyond a life: the same positions and prices give the same sums, however they came.
"""

from collections import deque
from heapq import heappop, heappush

import msgspec

from schema.holding import Holding
from schema.ledger import Ledger, halves
from schema.setting_types import TIMEFRAMES_NS
from schema.units import floor_scale, notional
from services.engine.line import Pass
from services.engine.state import Windows

WIDE = 18
"""Decimals of the sums."""

MAX_EXP = 8
LAST_BARS = 5
"""So many of the shortest bars that are heard is a price good for."""

Mark = tuple[int, int, str, int]
"""Price, its decimals, how it was found, and until when it is good."""


class Worth(msgspec.Struct):
    """What a position, or all of them, come to in the account's money; sums have WIDE decimals."""

    worth: int = 0  # in the account's decimals
    gross: int = 0
    realized: int = 0
    cost: int = 0
    fees: int = 0
    funding: int = 0
    until_ns: int = 0  # when the mark is good no longer; 0: nothing is to come

    def add(self, other: "Worth", sign: int) -> None:
        """Add another one, or take it out."""
        self.worth += sign * other.worth
        self.gross += sign * other.gross
        self.realized += sign * other.realized
        self.cost += sign * other.cost
        self.fees += sign * other.fees
        self.funding += sign * other.funding


class Valuation:
    """The sums of all positions in one asset, kept up to date."""

    def __init__(self) -> None:
        self.total = Worth()
        self.unpriced: dict[str, None] = {}
        self.exp = 0
        self._ledger: Ledger | None = None
        self._worths: dict[str, Worth] = {}
        self._ends: list[tuple[int, str]] = []  # when a mark may be good no longer
        self._now_ns = 0

    def look(self, turn: Pass, exp: int) -> None:
        """Value what moved, what was traded, and what has grown old since the last look."""
        ledger, moved = turn.books.ledger, turn.windows.moved
        if self._ledger is not ledger or exp != self.exp or turn.now_ns < self._now_ns:
            self._begin(ledger, exp)
            moved = dict.fromkeys(symbol for symbol in ledger.holdings if " " not in symbol)
        self._now_ns = turn.now_ns
        due = deque(moved)
        while self._ends and self._ends[0][0] < turn.now_ns:
            due.append(heappop(self._ends)[1])
        for symbol in due:
            holding = ledger.holdings.get(symbol)
            if holding is not None and halves(symbol)[1] == turn.terms.quote:
                self._value(turn, symbol, holding)
        turn.windows.moved = {}

    def _begin(self, ledger: Ledger, exp: int) -> None:
        self._ledger, self.exp = ledger, exp
        self.total, self.unpriced = Worth(), {}
        self._worths, self._ends = {}, []

    def _value(self, turn: Pass, symbol: str, holding: Holding) -> None:
        mark = mark_at(turn, symbol) if holding.qty else None
        found = _worth(holding, mark, self.exp)
        before = self._worths.get(symbol)
        if before is not None:
            self.total.add(before, -1)
        self._worths[symbol] = found
        self.total.add(found, 1)
        if holding.qty and mark is None:
            self.unpriced[symbol] = None
        else:
            self.unpriced.pop(symbol, None)
        if found.until_ns and (before is None or before.until_ns != found.until_ns):
            heappush(self._ends, (found.until_ns, symbol))


def mark_at(turn: Pass, symbol: str) -> Mark | None:
    """Return what a position is valued at; None when no price is good enough."""
    windows = turn.windows
    top = windows.tops.get(symbol)
    if top is not None and top.bid > 0 and top.ask > 0:
        until_ns = top.at_ns + turn.terms.stale_ns
        if until_ns >= turn.now_ns:
            return (top.bid + top.ask) // 2, top.px_exp, "mid", until_ns
    last = windows.lasts.get(symbol)
    if last is None or last.px <= 0:
        return None
    until_ns = last.at_ns + LAST_BARS * _shortest_ns(windows, symbol)
    return (last.px, last.px_exp, "last", until_ns) if until_ns >= turn.now_ns else None


def _shortest_ns(windows: Windows, symbol: str) -> int:
    heard = (span for name, span in TIMEFRAMES_NS.items() if f"{symbol} {name}" in windows.series)
    return min(heard, default=0)


def _worth(holding: Holding, mark: Mark | None, exp: int) -> Worth:
    scale = 10 ** (WIDE - holding.quote_exp)
    if not holding.qty:
        worth = 0
    elif mark is None:
        worth = floor_scale(holding.cost, holding.quote_exp, exp)
    else:
        worth = notional(mark[0], holding.qty, mark[1] + holding.qty_exp, exp)
    return Worth(
        worth,
        abs(worth),
        holding.realized * scale,
        holding.cost * scale,
        holding.fees * scale,
        holding.funding * scale,
        mark[3] if mark is not None else 0,
    )
