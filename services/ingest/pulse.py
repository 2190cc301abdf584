"""How often one symbol trades lately, so that silence is measured by its own habit."""

from collections import deque
from statistics import median

import msgspec

from schema.units import MINUTE_NS, MS_NS

GAPS = 64
LEAST = 16
"""Gaps without which no habit is known."""

EVERY = 8
"""Gaps after which the median is taken anew."""

SILENT_GAPS = 10


def _gaps() -> deque[int]:
    return deque(maxlen=GAPS)


class Pulse(msgspec.Struct):
    """The distances of the newest trades, by the exchange's own time."""

    gaps_ns: deque[int] = msgspec.field(default_factory=_gaps)
    last_ns: int = 0
    median_ns: int = 0
    fresh: int = 0

    @property
    def is_known(self) -> bool:
        """Say whether there were trades enough to know a habit."""
        return len(self.gaps_ns) >= LEAST

    @property
    def median_ms(self) -> int:
        """Return the median gap, at least a millisecond once it is known; 0 before."""
        return max(1, self.median_ns // MS_NS) if self.is_known else 0

    @property
    def per_minute(self) -> float:
        """Return how many trades a minute these gaps are."""
        span_ns = sum(self.gaps_ns)
        return round(len(self.gaps_ns) * MINUTE_NS / span_ns, 1) if span_ns else 0.0

    def note(self, at_ns: int) -> None:
        """Take in a trade's time."""
        before, self.last_ns = self.last_ns, max(self.last_ns, at_ns)
        if not before:
            return
        self.gaps_ns.append(self.last_ns - before)
        self.fresh += 1
        if self.fresh >= EVERY or len(self.gaps_ns) == LEAST:
            self.fresh = 0
            self.median_ns = int(median(self.gaps_ns))

    def silence_ns(self, least_ns: int, most_ns: int) -> int:
        """Return how long no trade is no news: ten of its gaps, within bounds."""
        if not self.is_known:
            return most_ns
        return min(most_ns, max(least_ns, SILENT_GAPS * self.median_ns))
