"""The rules of pace: too many orders, cancels and round trips, and the same order twice.

Cancels are counted and never held back: whoever cancels too much buys nothing new for a while, so
that there will be less to cancel.
"""

from schema.identity import tag_of
from schema.instruments import Denial
from schema.trading import LimitBreached
from schema.units import DAY_NS, MS_NS
from services.risk.case import Case
from services.risk.money import Limits
from services.risk.pace import likeness, recent, too_many
from services.risk.standing import ACCOUNT
from services.risk.state import Books, Windows


def is_no_duplicate(case: Case) -> Denial | None:
    """Refuse an order that does the same as one that its strategy was just allowed."""
    if not case.limits.duplicate_ns:
        return None
    found = case.books.pace.alike.get(likeness(case.intent))
    if found is None or found[0] <= case.now_ns - case.limits.duplicate_ns:
        return None
    age_ms, limit_ms = (case.now_ns - found[0]) // MS_NS, case.limits.duplicate_ns // MS_NS
    numbers = f"age_ms={age_ms} duplicate_order_window_ms={limit_ms}"
    return Denial("DUPLICATE_ORDER", f"{numbers} client_order_id={found[1]}")


def pace_is_slow(case: Case) -> Denial | None:
    """Refuse an order when those before it came too quickly."""
    limits, books, now_ns = case.limits, case.books, case.now_ns
    pace, since_ns = books.pace, now_ns - limits.window_ns
    if too_many(books.approvals, limits.order_rate, since_ns):
        return _too_quick("order_rate", limits.order_rate, "window_ms", limits.window_ns)
    if too_many(pace.cancels, limits.cancel_rate, since_ns):
        return _too_quick("max_cancel_rate", limits.cancel_rate, "window_ms", limits.window_ns)
    if now_ns // DAY_NS == pace.day:
        if pace.orders + pace.canceled >= limits.msgs_per_day:
            numbers = f"msgs={pace.orders + pace.canceled} max_msgs_per_day={limits.msgs_per_day}"
            return Denial("RATE_LIMIT_EXCEEDED", numbers)
        if pace.orders >= limits.order_to_fill * max(1, pace.fills):
            numbers = f"orders={pace.orders} fills={pace.fills}"
            most = f"max_order_to_fill_ratio={limits.order_to_fill}"
            return Denial("RATE_LIMIT_EXCEEDED", f"{numbers} {most}")
    return _trips_are_few(case)


def _trips_are_few(case: Case) -> Denial | None:
    limits, intent, trips = case.limits, case.intent, case.books.pace.trips
    times_ns = trips.get(tag_of(intent.client_order_id)) if trips else None
    if not times_ns:
        return None
    most = limits.strategy_trips.get(intent.strategy, limits.round_trips)
    if not too_many(times_ns, most, case.now_ns - limits.trip_ns):
        return None
    return _too_quick("max_round_trips", most, "round_trip_window_ms", limits.trip_ns)


def _too_quick(name: str, most: int, window: str, span_ns: int) -> Denial:
    return Denial("RATE_LIMIT_EXCEEDED", f"{name}={most} {window}={span_ns // MS_NS}")


def cancels_told(
    books: Books, windows: Windows, limits: Limits, now_ns: int
) -> list[LimitBreached]:
    """Return that cancels come too quickly, once in their window."""
    cancels, most = books.pace.cancels, limits.cancel_rate
    if not too_many(cancels, most, now_ns - limits.window_ns):
        return []
    used = recent(cancels, now_ns - limits.window_ns)
    return _told("max_cancel_rate", ACCOUNT, (used, most), windows, limits.window_ns, now_ns)


def trips_told(books: Books, windows: Windows, limits: Limits, now_ns: int) -> list[LimitBreached]:
    """Return that a strategy opens and closes too quickly, once in its window."""
    said: list[LimitBreached] = []
    for tag in dict.fromkeys(trip.tag for trip in books.protections.trips.ended):
        name = books.pace.names.get(tag, tag)
        most = limits.strategy_trips.get(name, limits.round_trips)
        used = recent(books.pace.trips.get(tag, []), now_ns - limits.trip_ns)
        if used >= most:
            counts = used, most
            said += _told("max_round_trips", name, counts, windows, limits.trip_ns, now_ns)
    return said


def _told(
    name: str, scope: str, counts: tuple[int, int], windows: Windows, span_ns: int, now_ns: int
) -> list[LimitBreached]:
    key, (used, most) = f"{name} {scope}", counts
    if windows.told.get(key, -span_ns) > now_ns - span_ns:
        return []
    windows.told[key] = now_ns
    return [
        LimitBreached(
            ts_event=now_ns,
            limit_name=name,
            scope=scope,
            observed=str(used),
            limit=str(most),
            latched=False,
        )
    ]
