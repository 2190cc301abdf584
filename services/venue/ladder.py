"""The depth of a book as it is heard: a snapshot, and the changes that follow it without a hole."""

from schema.market import DepthSnapshot, DepthUpdate
from schema.market import Level as Said
from services.venue.book import Levels
from services.venue.rules import eight

Rungs = dict[int, int]


class Ladder:
    """Both sides of one book; nothing until a snapshot was heard, nor behind a hole."""

    def __init__(self) -> None:
        self.update_id = 0
        self._bids: Rungs = {}
        self._asks: Rungs = {}

    def take(self, said: DepthSnapshot | DepthUpdate) -> None:
        """Take a snapshot, or a change of it."""
        if isinstance(said, DepthSnapshot) or said.anew:
            self.clear()
        elif not self.update_id or said.last_update_id <= self.update_id:
            return
        elif said.first_update_id > self.update_id + 1:
            self.clear()
            return
        _put(self._bids, said.bids, said)
        _put(self._asks, said.asks, said)
        self.update_id = said.update_id if isinstance(said, DepthSnapshot) else said.last_update_id

    def clear(self) -> None:
        """Forget all: what was heard no longer holds."""
        self.update_id, self._bids, self._asks = 0, {}, {}

    def sides(self) -> tuple[Levels, Levels]:
        """Return bids and asks, best first; nothing for a book whose sides cross."""
        bids = tuple(sorted(self._bids.items(), reverse=True))
        asks = tuple(sorted(self._asks.items()))
        crossed = bids and asks and bids[0][0] >= asks[0][0]
        return ((), ()) if crossed else (bids, asks)


def _put(side: Rungs, levels: tuple[Said, ...], said: DepthSnapshot | DepthUpdate) -> None:
    for px, qty in levels:
        rung, shown = eight(px, said.px_exp), eight(qty, said.qty_exp)
        if shown:
            side[rung] = shown
        else:
            side.pop(rung, None)
