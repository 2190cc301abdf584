"""The displayed book of a market of which only the trades are known.

The last trade fixes one side of the top, a hash the spread. Below and above stand levels on a fixed
grid whose sizes are hashes of (cell, time), so that a level stays while the price moves past it.
The update id of a book is its time in milliseconds: ids follow each other across a restart.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from services.venue.columns import Facts, Tape
from services.venue.noise import Ints, below, share, uniform

Levels = tuple[tuple[int, int], ...]

LEVELS = 100
LIFE_MS = 4_000
SPREAD_MAX = 3


@dataclass(frozen=True)
class Book:
    """Bids and asks, best first, as of an update id."""

    update_id: int
    bids: Levels
    asks: Levels


@dataclass(frozen=True)
class Top:
    """The best bid and ask; quantity and price 0 where a side is empty."""

    update_id: int
    bid: tuple[int, int]
    ask: tuple[int, int]

    def same(self, other: "Top") -> bool:
        """Say whether both show the same, whenever that was."""
        return (self.bid, self.ask) == (other.bid, other.ask)


class Last(NamedTuple):
    """The last trade, which fixes one side."""

    trade_id: int
    at_ms: int
    px: int
    sold: bool  # the buyer was the maker


@dataclass(frozen=True)
class Depth:
    """What changed from `first_id` to `last_id`; quantity 0 takes a level away."""

    at_ms: int
    first_id: int
    last_id: int
    bids: Levels
    asks: Levels


def top_of(book: Book) -> Top:
    """Return the best level of each side."""
    nothing = (0, 0)
    return Top(
        book.update_id,
        book.bids[0] if book.bids else nothing,
        book.asks[0] if book.asks else nothing,
    )


def book_after(facts: Facts, last: Tape, at_ms: int) -> Book:
    """Return the book after the last trade; empty before the first one."""
    if not len(last):
        return Book(at_ms, (), ())
    bid, ask = _best(facts, last_of(last))
    bids = _levels(facts, bid, -1, at_ms)
    return Book(at_ms, bids if bid > 0 else (), _levels(facts, ask, 1, at_ms))


def last_of(tape: Tape) -> Last:
    """Return the last trade of a tape that has one."""
    trade_id = tape.first_id + len(tape) - 1
    return Last(trade_id, int(tape.at_ms[-1]), int(tape.px[-1]), bool(tape.maker[-1]))


def _best(facts: Facts, last: Last) -> tuple[int, int]:
    spread = 1 + _below(facts.key, last.trade_id, SPREAD_MAX)
    bid = last.px if last.sold else last.px - spread
    return bid, bid + spread


def top_after(facts: Facts, last: Tape, at_ms: int) -> Top:
    """Return the top of that book, without the levels behind it."""
    return top_behind(facts, last_of(last) if len(last) else None, at_ms)


def top_behind(facts: Facts, last: Last | None, at_ms: int) -> Top:
    """Return the top of the book after a trade; None before the first one."""
    if last is None:
        return Top(at_ms, (0, 0), (0, 0))
    bid, ask = _best(facts, last)
    shown = (bid, _size(facts, bid, at_ms)) if bid > 0 else (0, 0)
    return Top(at_ms, shown, (ask, _size(facts, ask, at_ms)))


def tops_behind(facts: Facts, tape: Tape, at_ms: Ints) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Return what `top_behind` shows at many times: the times of the last trades, bids, asks.

    Behind both prices stand their sizes, even behind a bid that is not above zero. Where no trade
    of the tape came before, its first one stands for the last.
    """
    place = np.maximum(np.searchsorted(tape.at_ms, at_ms, side="right") - 1, 0)
    spread = 1 + below(facts.key, tape.first_id + place, SPREAD_MAX)
    bid = np.where(tape.maker[place], tape.px[place], tape.px[place] - spread)
    ask = bid + spread
    sizes = _sizes(facts, bid, at_ms), _sizes(facts, ask, at_ms)
    return tape.at_ms[place], bid, sizes[0], ask, sizes[1]


def changes(before: Book, after: Book) -> Depth:
    """Return what turns one book into a later one."""
    return Depth(
        after.update_id,
        before.update_id + 1,
        after.update_id,
        _changed(before.bids, after.bids),
        _changed(before.asks, after.asks),
    )


def _changed(before: Levels, after: Levels) -> Levels:
    old, new = dict(before), dict(after)
    gone = tuple((px, 0) for px in old if px not in new)
    return tuple((px, qty) for px, qty in after if old.get(px) != qty) + gone


def _levels(facts: Facts, best: int, way: int, at_ms: int) -> Levels:
    cells = best // facts.grid + way * np.arange(LEVELS + 2, dtype=np.int64)
    px = cells * facts.grid + below(facts.key + 1, cells, facts.grid)
    px = px[(px - best) * way > 0][: LEVELS - 1]
    px = np.concatenate([np.array([best], np.int64), px[px > 0]])
    sizes = _sizes(facts, px, at_ms)
    return tuple(zip(px.tolist(), sizes.tolist(), strict=True))


def _sizes(facts: Facts, px: Ints, at_ms: Ints | int) -> Ints:
    phase = below(facts.key + 2, px, LIFE_MS)
    age = (at_ms + phase) // LIFE_MS
    chance = uniform(facts.key + 3, px * 1_000_003 + age)
    return 1 + (chance * chance * chance * 8.0 * facts.depth_lots).astype(np.int64)


def _size(facts: Facts, px: int, at_ms: int) -> int:
    """Return what `_sizes` returns, of one price."""
    age = (at_ms + _below(facts.key + 2, px, LIFE_MS)) // LIFE_MS
    chance = share(facts.key + 3, px * 1_000_003 + age)
    return 1 + int(chance * chance * chance * 8.0 * facts.depth_lots)


def _below(of: int, index: int, bound: int) -> int:
    return min(int(share(of, index) * bound), bound - 1)
