"""How quickly is traded: what an approval, a cancel, a fill and a round trip count.

All is a fold of what stands on streams, in market time, so that a restart forgets none of it.
"""

from bisect import bisect_right

from schema.trading import OrderIntent
from schema.units import DAY_NS
from services.risk.money import Limits
from services.risk.state import Pace
from services.risk.trips import Trip

KEPT = 100_000
"""So many times are kept of anything at most: the ceiling of every rate."""


def count_order(pace: Pace, at_ns: int) -> None:
    """Count an order that was approved."""
    _begin_day(pace, at_ns)
    pace.orders += 1


def count_cancel(pace: Pace, at_ns: int, limits: Limits) -> None:
    """Count a cancel."""
    _begin_day(pace, at_ns)
    pace.canceled += 1
    keep(pace.cancels, at_ns, limits.window_ns)


def count_fill(pace: Pace, at_ns: int) -> None:
    """Count a fill."""
    _begin_day(pace, at_ns)
    pace.fills += 1


def count_trips(pace: Pace, trips: list[Trip], limits: Limits) -> None:
    """Count the round trips that a fill has ended."""
    for trip in trips:
        keep(pace.trips.setdefault(trip.tag, []), trip.closed_ns, limits.trip_ns)


def keep(times_ns: list[int], at_ns: int, span_ns: int) -> None:
    """Keep a time, and of those before what is not older than a span."""
    times_ns.append(at_ns)
    if times_ns[0] <= at_ns - span_ns:
        del times_ns[: bisect_right(times_ns, at_ns - span_ns)]
    del times_ns[:-KEPT]


def _begin_day(pace: Pace, at_ns: int) -> None:
    if at_ns // DAY_NS > pace.day:
        pace.day, pace.orders, pace.canceled, pace.fills = at_ns // DAY_NS, 0, 0, 0


def likeness(intent: OrderIntent) -> str:
    """Return what two orders have in common that would do the same."""
    what = f"{intent.strategy} {intent.symbol} {intent.side} {intent.order_type}"
    return f"{what} {intent.qty} {intent.limit_px} {intent.stop_px}"


def remember(pace: Pace, intent: OrderIntent, at_ns: int, limits: Limits) -> None:
    """Remember an order that was approved, for as long as another one like it is refused."""
    if not limits.duplicate_ns:
        return
    alike = pace.alike
    alike.pop(key := likeness(intent), None)
    alike[key] = (at_ns, intent.client_order_id)
    while (oldest := next(iter(alike))) and alike[oldest][0] <= at_ns - limits.duplicate_ns:
        del alike[oldest]


def forget(pace: Pace, client_order_id: str) -> None:
    """Forget an order that has ended: it may be asked for again."""
    for key, (_, known) in pace.alike.items():
        if known == client_order_id:
            del pace.alike[key]
            return


def too_many(times_ns: list[int], most: int, since_ns: int) -> bool:
    """Return whether there are so many times after another one."""
    return len(times_ns) >= most and times_ns[-most] > since_ns


def recent(times_ns: list[int], since_ns: int) -> int:
    """Return how many times there are after another one."""
    return len(times_ns) - bisect_right(times_ns, since_ns)
