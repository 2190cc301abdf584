"""A book of price levels: as far as it is known, and as it was said last.

What is known reaches further than what is said, so that a level that moves up from behind is known
when it is needed. Behind the last level of a fetched book the exchange may have more, of which
nothing is known: there is the edge, and nothing is kept behind it.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable

import msgspec

from schema.market import DepthSnapshot, DepthUpdate, Level
from schema.units import rescale

Levels = tuple[Level, ...]

BID = -1
ASK = 1


class Shown(msgspec.Struct, frozen=True, gc=False):
    """A book as it was said, best levels first."""

    update_id: int
    bids: Levels
    asks: Levels
    px_exp: int
    qty_exp: int


class Side:
    """One side of a book; a rank is a price whose sign puts the best level first."""

    def __init__(self, sign: int, levels: Iterable[Level], limit: int) -> None:
        self._sign = sign
        self._keep = 2 * limit
        self._sizes = {sign * px: qty for px, qty in levels}
        self._ranks = sorted(self._sizes)
        self._edge = self._ranks[-1] if len(self._ranks) >= limit else None

    def put(self, levels: Iterable[Level]) -> None:
        """Change some levels; a quantity of 0 takes one away."""
        for px, qty in levels:
            rank = self._sign * px
            if self._edge is not None and rank > self._edge:
                continue
            if not qty:
                self._drop(rank)
                continue
            if rank not in self._sizes:
                insort(self._ranks, rank)
            self._sizes[rank] = qty
        if len(self._ranks) > self._keep:
            self._trim()

    def best(self, count: int) -> Levels:
        """Return the best levels, the best first."""
        return tuple([(self._sign * rank, self._sizes[rank]) for rank in self._ranks[:count]])

    def is_short_of(self, count: int) -> bool:
        """Return whether levels among the best ones may lie behind the edge."""
        return self._edge is not None and len(self._ranks) < count

    def scaled(self, px_up: int, qty_up: int) -> None:
        """Give the levels more decimals."""
        sizes = self._sizes.items()
        self._sizes = {rescale(r, 0, px_up): rescale(qty, 0, qty_up) for r, qty in sizes}
        self._ranks = sorted(self._sizes)
        self._edge = None if self._edge is None else self._edge * 10**px_up

    def _drop(self, rank: int) -> None:
        if self._sizes.pop(rank, None) is not None:
            del self._ranks[bisect_left(self._ranks, rank)]

    def _trim(self) -> None:
        for rank in self._ranks[self._keep :]:
            del self._sizes[rank]
        del self._ranks[self._keep :]
        self._edge = self._ranks[-1]


class Ladder:
    """Both sides of one book as far as they are known, as of an update id."""

    def __init__(self, whole: Shown, limit: int) -> None:
        self.update_id = whole.update_id
        self.px_exp, self.qty_exp = whole.px_exp, whole.qty_exp
        self.bridged = False  # a change has followed the fetched book without a hole
        self.bids = Side(BID, whole.bids, limit)
        self.asks = Side(ASK, whole.asks, limit)

    def grow(self, px_exp: int, qty_exp: int) -> None:
        """Give the book more decimals; ValueError when its numbers no longer fit."""
        px_up, qty_up = px_exp - self.px_exp, qty_exp - self.qty_exp
        if px_up or qty_up:
            self.bids.scaled(px_up, qty_up)
            self.asks.scaled(px_up, qty_up)
            self.px_exp, self.qty_exp = px_exp, qty_exp

    def is_crossed(self) -> bool:
        """Return whether somebody would buy for more than somebody sells for."""
        bids, asks = self.bids.best(1), self.asks.best(1)
        return bool(bids and asks) and bids[0][0] >= asks[0][0]

    def is_short_of(self, count: int) -> bool:
        """Return whether so many levels of a side are not all known."""
        return self.bids.is_short_of(count) or self.asks.is_short_of(count)

    def shown(self, count: int) -> Shown:
        """Return so many levels of each side."""
        bids, asks = self.bids.best(count), self.asks.best(count)
        return Shown(self.update_id, bids, asks, self.px_exp, self.qty_exp)


def shown_after(before: Shown | None, said: DepthUpdate | DepthSnapshot) -> Shown | None:
    """Return the book after a word about it; None behind a hole, until it is told whole."""
    if isinstance(said, DepthSnapshot):
        return Shown(said.update_id, said.bids, said.asks, said.px_exp, said.qty_exp)
    if said.anew:
        before = Shown(0, (), (), said.px_exp, said.qty_exp)
    elif before is None or said.last_update_id <= before.update_id:
        return before
    elif said.first_update_id != before.update_id + 1:
        return None
    base = rescaled(before, said.px_exp, said.qty_exp)
    return Shown(
        said.last_update_id,
        _merged(BID, base.bids, said.bids),
        _merged(ASK, base.asks, said.asks),
        said.px_exp,
        said.qty_exp,
    )


def rescaled(shown: Shown, px_exp: int, qty_exp: int) -> Shown:
    """Return the same book with other decimals."""
    if (shown.px_exp, shown.qty_exp) == (px_exp, qty_exp):
        return shown
    bids, asks = (
        tuple(
            (rescale(px, shown.px_exp, px_exp), rescale(qty, shown.qty_exp, qty_exp))
            for px, qty in side
        )
        for side in (shown.bids, shown.asks)
    )
    return Shown(shown.update_id, bids, asks, px_exp, qty_exp)


def changes(before: Levels, after: Levels) -> Levels:
    """Return what turns one side into a later one."""
    old, new = dict(before), dict(after)
    gone = tuple((px, 0) for px in old if px not in new)
    return gone + tuple(level for level in after if old.get(level[0]) != level[1])


def _merged(sign: int, before: Levels, changed: Levels) -> Levels:
    if not changed:
        return before
    sizes = dict(before)
    for px, qty in changed:
        if qty:
            sizes[px] = qty
        else:
            sizes.pop(px, None)
    return tuple(sorted(sizes.items(), reverse=sign == BID))
