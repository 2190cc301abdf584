"""What came of an order: its wire times, the double entry of its fills, and what protected it."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

from bus.errors import HouseError
from bus.house import House
from bus.rows import read_rows
from schema.orders import Fill, OrderSubmitted
from schema.units import MS_NS, iso_ms
from services.rrr.books import Row, known_rows
from services.rrr.ears import Seen

TIMES = """
SELECT bar_said_ns, forecast_said_ns, intent_said_ns, verdict_said_ns, submitted_said_ns,
    answered_said_ns, first_fill_said_ns, ended_said_ns, answer, ended
FROM analytics.trade_execution_log WHERE client_order_id = ?
"""
MOMENTS = (
    *("bar", "forecast", "intent", "verdict", "submitted", "answered", "first_fill", "ended"),
)
LINES = """
SELECT time, entry, kind, account, asset, amount FROM ledger
WHERE entry IN ({entries}) ORDER BY time, entry, ts_ns
"""
PROTECTING = frozenset({"stop", "target"})


def ledger_of(house: House, events: Iterable[Seen]) -> list[Row]:
    """Return all legs of the entries of an order's fills; those of an asset come to nothing."""
    fills = (seen.message for seen in events if isinstance(seen.message, Fill))
    entries = tuple(f"fill:{fill.symbol}:{fill.venue_trade_id}" for fill in fills)
    if not entries:
        return []
    return known_rows(house, LINES.format(entries=", ".join("?" for _ in entries)), entries)


def times_of(house: House, order_id: str, events: Iterable[Seen]) -> Row:
    """Return when an order was signed, sent and answered, and what each step took; wall time."""
    found: dict[str, Any] = {}
    with suppress(HouseError):
        for row in read_rows(house.db_dir, "analytics", TIMES, (order_id,)):
            found = row
    said = {name: found.get(f"{name}_said_ns") for name in MOMENTS}
    known = [(name, ns) for name, ns in said.items() if ns is not None]
    steps_ns = {f"{a} to {b}": after - before for (a, before), (b, after) in pairwise(known)}
    signed = [s.message for s in events if isinstance(s.message, OrderSubmitted)]
    signed_ms = signed[0].signed_ms if signed else None
    return {
        "signed_ms": signed_ms,
        "said_ns": said,
        "steps_ns": steps_ns,
        "answer": found.get("answer"),
        "ended": found.get("ended"),
    }


def protection_of(order_id: str, legs: Sequence[Row]) -> list[Row]:
    """Return the legs that protect what an order opened."""
    return [leg for leg in legs if leg["leg"] in PROTECTING and leg["parent"] == order_id]


def times_text(times: Row) -> list[str]:
    """Return wire times as lines."""
    lines = []
    if times["signed_ms"] is not None:
        lines.append(f"  signed for {iso_ms(times['signed_ms'] * MS_NS)}")
    if times["steps_ns"]:
        parts = (f"{name} {ns / MS_NS:.3f} ms" for name, ns in times["steps_ns"].items())
        lines.append(f"  {', '.join(parts)}")
    return ["", "On the wire (wall time):", *lines] if lines else []


def protection_text(legs: Sequence[Row]) -> list[str]:
    """Return what protected an order's position, as lines."""
    rows = (
        f"  {leg['leg']} at {leg['stop_price'] or leg['limit_price'] or '-'} for {leg['qty']}, "
        f"{leg['status']} since {leg['updated']}: order {leg['client_order_id']}"
        for leg in legs
    )
    return ["", "Protected by:", *rows] if legs else []


def ledger_text(rows: Sequence[Row]) -> list[str]:
    """Return ledger lines as lines to read."""
    told = (
        f"  {row['amount']} {row['asset']} {row['account']} ({row['kind']}, {row['entry']})"
        for row in rows
    )
    return ["", "Ledger:", *told] if rows else []


def trip_text(trip: Row | None) -> list[str]:
    """Return a round trip as lines."""
    if trip is None:
        return []
    aside = "".join(f", and {paid} {asset}" for asset, paid in trip["fees_elsewhere"].items())
    until = f"to {trip['closed']}" if trip["closed"] else f"still open with {trip['left']}"
    return [
        "",
        (
            f"Round trip from {trip['opened']} {until}: {trip['net']} {trip['quote']} = "
            f"{trip['realized']} realized - {trip['fees']} fees{aside}, in {trip['fills']} fills"
        ),
    ]
