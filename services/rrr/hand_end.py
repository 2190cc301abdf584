"""What became of an order by hand, as soon as the trading shard knows it."""

from decimal import Decimal

from bus.clock import SystemClock
from bus.errors import HouseError
from bus.house import House
from schema.lifecycle import TERMINAL
from schema.units import SECOND_NS
from services.rrr.books import Row, known_rows

WAIT_NS = 4 * SECOND_NS
PAUSE_MS = 100
RESTS = frozenset({"ACCEPTED", "TRIGGERED", "PARTIALLY_FILLED"})
ORDER = """
SELECT status, qty, filled_qty, filled_quote, order_type, limit_price FROM orders
WHERE client_order_id = ?
"""
WHY = """
SELECT type, json_extract(detail, '$.code') AS code, json_extract(detail, '$.detail') AS detail
FROM trading.order_events WHERE client_order_id = ? AND type IN ('OrderDenied', 'OrderRejected')
ORDER BY id DESC LIMIT 1
"""


def told_end(house: House, order_id: str) -> str:
    """Wait a moment for an order's end, or until it rests; HouseError for one that was refused."""
    clock = SystemClock()
    until_ns = clock.mono_ns() + WAIT_NS
    row = _row(house, order_id)
    while not _is_told(row) and clock.mono_ns() < until_ns:
        clock.pause_ms(PAUSE_MS)
        row = _row(house, order_id)
    if row is None:
        return f"nothing was heard of it yet: `rrr why {order_id}`"
    return _line(house, order_id, row)


def _row(house: House, order_id: str) -> Row | None:
    return next(iter(known_rows(house, ORDER, (order_id,))), None)


def _is_told(row: Row | None) -> bool:
    if row is None:
        return False
    rests = row["status"] in RESTS and row["order_type"] != "market"
    return rests or row["status"] in TERMINAL


def _line(house: House, order_id: str, row: Row) -> str:
    status = str(row["status"])
    why = next(iter(known_rows(house, WHY, (order_id,))), None)
    if why is not None:
        raise HouseError(
            f"order {order_id} is {status}: {why['code']} {why['detail']}",
            f"`rrr why {order_id[:12]}`",
        )
    traded = Decimal(str(row["filled_qty"] or 0)) > 0
    return (
        f"{status}, {row['filled_qty']} of {row['qty']} for {row['filled_quote']}"
        if traded
        else status
    )
