"""What a market is made of: a symbol's facts, minutes as bars, and trades, as columns.

Prices and quantities are integers of the symbol's exponents; times are milliseconds, as on Binance.
"""

from dataclasses import dataclass

import numpy as np

from services.venue.limits import Limits, usual
from services.venue.noise import Flags, Ints

DAY_MS = 86_400_000
MINUTE_MS = 60_000


@dataclass(frozen=True)
class Facts:
    """What is known of one symbol before it trades."""

    symbol: str  # BTC/USDT
    px_exp: int
    qty_exp: int
    grid: int  # distance of the book's levels, in ticks
    depth_lots: int  # usual size of a level
    key: int  # of the book's chance
    own: Limits | None = None  # None: the usual ones
    status: str = "TRADING"

    @property
    def limits(self) -> Limits:
        """The numbers of its filters."""
        return self.own or usual(self.quote, self.px_exp, self.qty_exp)

    @property
    def id(self) -> str:
        """The symbol as the exchange writes it."""
        return self.symbol.replace("/", "")

    @property
    def base(self) -> str:
        return self.symbol.partition("/")[0]

    @property
    def quote(self) -> str:
        return self.symbol.partition("/")[2]


@dataclass(frozen=True)
class Bars:
    """Minutes with at least one trade, in order, as columns."""

    open_ms: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    count: Ints  # trades of the minute

    def slice(self, start: int, stop: int) -> "Bars":
        """Return the rows [start, stop)."""
        part = slice(start, stop)
        return Bars(
            self.open_ms[part],
            self.open[part],
            self.high[part],
            self.low[part],
            self.close[part],
            self.volume[part],
            self.count[part],
        )


@dataclass(frozen=True)
class Tape:
    """Trades in the order of their ids, which follow each other without a hole."""

    first_id: int
    at_ms: Ints
    px: Ints
    qty: Ints
    maker: Flags  # the buyer was the maker: somebody sold

    def __len__(self) -> int:
        return len(self.at_ms)

    def slice(self, start: int, stop: int) -> "Tape":
        """Return the trades [start, stop), counted from the first."""
        start, stop = max(0, start), max(0, stop)
        part = slice(start, stop)
        return Tape(
            self.first_id + start, self.at_ms[part], self.px[part], self.qty[part], self.maker[part]
        )

    def between(self, start_ms: int, stop_ms: int) -> "Tape":
        """Return the trades with start <= time < stop."""
        start, stop = np.searchsorted(self.at_ms, [start_ms, stop_ms])
        return self.slice(int(start), int(stop))


def no_trades(next_id: int) -> Tape:
    """Return a stretch without trades, before the trade of that id."""
    nothing: Ints = np.zeros(0, np.int64)
    return Tape(next_id, nothing, nothing, nothing, np.zeros(0, np.bool_))


def joined(tapes: list[Tape]) -> Tape:
    """Return neighbouring tapes as one."""
    full = [tape for tape in tapes if len(tape)]
    if len(full) <= 1:
        return full[0] if full else (tapes[0] if tapes else no_trades(1))
    return Tape(
        full[0].first_id,
        np.concatenate([tape.at_ms for tape in full]),
        np.concatenate([tape.px for tape in full]),
        np.concatenate([tape.qty for tape in full]),
        np.concatenate([tape.maker for tape in full]),
    )
