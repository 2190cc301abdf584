"""How long a consumer has been behind, from heartbeats alone.

A heartbeat tells positions, not times, and the owner's is always a little newer than the
consumer's. So a mark is set at the owner's position; until the consumer passes it, the consumer is
behind by the age of the mark, and then a new mark is set.
"""

from collections.abc import Mapping

import msgspec

from schema.house import Heartbeat


class Mark(msgspec.Struct):
    """A position to be passed, and when it was seen."""

    pos: int
    at_ns: int


class Lag:
    """The marks of all consumers."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, int], Mark] = {}

    def behind_ns(self, heartbeat: Heartbeat, lasts: Mapping[int, int], now_ns: int) -> int:
        """Return how long a consumer has been behind the worst of its streams."""
        ages = [
            self._age_ns(heartbeat.service, number, cursor, lasts.get(number, 0), now_ns)
            for number, cursor in heartbeat.cursors
        ]
        return max(ages, default=0)

    def _age_ns(self, service: str, number: int, cursor: int, last: int, now_ns: int) -> int:
        mark = self._marks.setdefault((service, number), Mark(last, now_ns))
        if cursor >= mark.pos:
            self._marks[service, number] = Mark(last, now_ns)
            return 0
        return now_ns - mark.at_ns
