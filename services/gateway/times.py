"""From the market's time, which the core knows, to the wall's, which the exchange asks for.

A `ClockSeen` of the edge ties the two together; nothing is sent before there was one.
"""

from schema.units import MS_NS
from services.gateway.state import Windows

SKEW_MAX_MS = 500
"""From here on our clock and the exchange's are too far apart for new risk."""


def wall_ms(windows: Windows, now_ns: int) -> int | None:
    """Return our wall time at a market time, None while it is not known."""
    clock = windows.clock
    if clock is None:
        return None
    return clock.wall_ms + int((now_ns - clock.market_ns) / (MS_NS * clock.scale))


def exchange_ms(windows: Windows, now_ns: int) -> int | None:
    """Return the exchange's wall time at a market time, None while it is not known."""
    ours_ms = wall_ms(windows, now_ns)
    if ours_ms is None or windows.clock is None:
        return None
    return ours_ms + windows.clock.offset_ms


def span_ns(windows: Windows, span_ms: int) -> int:
    """Return how much market time passes in a stretch of wall time."""
    scale = windows.clock.scale if windows.clock is not None else 1.0
    return int(span_ms * MS_NS * scale)


def span_ms(windows: Windows, span_ns: int) -> int:
    """Return how much wall time passes in a stretch of market time, rounded down."""
    scale = windows.clock.scale if windows.clock is not None else 1.0
    return int(span_ns / (MS_NS * scale))


def skewed(windows: Windows) -> str | None:
    """Return why the clock is too uncertain for new risk, or None."""
    if windows.clock is None:
        return "the exchange's clock is not known yet"
    if windows.clock_doubt:
        return "the clock was set or the machine slept, and it was not compared since"
    if abs(windows.clock.offset_ms) >= SKEW_MAX_MS:
        return f"offset_ms={windows.clock.offset_ms} max={SKEW_MAX_MS}"
    return None
