"""Who may ask the exchange next: cancels before reductions before entries, queries apart.

An order's line is never held by queries, and the last places are kept for what takes risk away.
"""

import asyncio
from collections import deque
from enum import IntEnum

from schema.exchange import SendCancel, SendOrder
from schema.head import Effect
from schema.joined import SendPair, SendReplace


class Lane(IntEnum):
    """In the order of their claims."""

    CANCEL = 0
    REDUCE = 1
    NEW = 2
    QUERY = 3


PLACES = {Lane.CANCEL: 8, Lane.REDUCE: 7, Lane.NEW: 6, Lane.QUERY: 3}
"""A lane may begin while fewer than this are under way; orders count together."""


def lane_of(effect: Effect) -> Lane:
    """Return the lane of an effect."""
    if isinstance(effect, SendCancel):
        return Lane.CANCEL
    if isinstance(effect, SendOrder | SendReplace):
        return Lane.REDUCE if effect.intent.reduce_only else Lane.NEW
    if isinstance(effect, SendPair):
        return Lane.REDUCE  # Nothing else is sent as a pair.
    return Lane.QUERY


class Lanes:
    """The places in front of the exchange; whoever entered has to leave."""

    def __init__(self) -> None:
        self._busy = {True: 0, False: 0}  # queries, and all others
        self._waiting: dict[Lane, deque[asyncio.Future[None]]] = {lane: deque() for lane in Lane}

    async def enter(self, lane: Lane) -> None:
        """Take a place, once there is one and nobody of the same lane came before."""
        if self._has_room(lane) and not self._waiting[lane]:
            self._busy[lane is Lane.QUERY] += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[lane].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(lane)  # The place was given in the moment that it was given up.
            raise

    def leave(self, lane: Lane) -> None:
        """Give a place back, and let in who has the best claim on it."""
        self._busy[lane is Lane.QUERY] -= 1
        for other, waiting in self._waiting.items():
            while waiting and self._has_room(other):
                turn = waiting.popleft()
                if not turn.cancelled():
                    self._busy[other is Lane.QUERY] += 1
                    turn.set_result(None)

    def _has_room(self, lane: Lane) -> bool:
        return self._busy[lane is Lane.QUERY] < PLACES[lane]
