"""The account's equity over a while, as the highest it was since each moment: what a fall is from.

Money that was moved in or out is taken off, so that it is neither a rise nor a fall.
"""

import msgspec

from schema.units import MINUTE_NS

POINTS = 1_440
"""A horizon has so many steps at most; in each the highest counts."""


class Curve(msgspec.Struct):
    """Points that fall: each is higher than all behind it, the newest last."""

    points: list[tuple[int, int]] = []  # market time, and what the account was worth

    def add(self, at_ns: int, worth: int, horizon_ns: int) -> None:
        """Add what the account is worth; what is older than the horizon leaves."""
        points = self.points
        while points and points[-1][1] <= worth:
            points.pop()
        step_ns = max(MINUTE_NS, horizon_ns // POINTS)
        if not points or at_ns // step_ns > points[-1][0] // step_ns:
            points.append((at_ns, worth))
        while points and points[0][0] < at_ns - horizon_ns:
            del points[0]

    def highest(self, since_ns: int) -> int | None:
        """Return the most that the account was worth since a time; None: nothing is known."""
        return next((worth for at_ns, worth in self.points if at_ns >= since_ns), None)
