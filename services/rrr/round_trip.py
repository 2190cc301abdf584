"""The way of a position from flat to flat that one order was a part of, and what it earned."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Decimal, localcontext
from typing import Any

import msgspec

from bus.errors import HouseError
from bus.house import House
from schema.identity import tag_of
from schema.ledger import Holding, Ledger, book, hand_over
from schema.orders import Fill
from schema.units import iso
from services.rrr.moment import Moment, exact, plain
from services.rrr.report_fold import ZERO, closed_by, holders, sign_of

EVER_NS = 1 << 62
DIGITS = 80

Row = dict[str, Any]


class Trip(msgspec.Struct):
    """One way from flat to flat in one strategy's book."""

    opened_ns: int = 0
    closed_ns: int = 0  # 0: it is open
    orders: dict[str, None] = {}
    fills: int = 0
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    elsewhere: dict[str, Decimal] = {}  # fees in third assets
    left: Decimal = ZERO


def round_trip(house: House, order_id: str, symbol: str) -> Row | None:
    """Return the round trip that an order's fills belong to; None where it has none."""
    with suppress(HouseError), localcontext() as context, Moment(house) as moment:
        context.prec = DIGITS
        lot, tags = moment.lots().get(symbol, ZERO), holders(moment.strategies())
        trip = trip_of(moment.fills(EVER_NS, symbol), order_id, lot, tags)
        return _row(trip, symbol) if trip is not None else None
    return None


def trip_of(fills: Iterable[Fill], order_id: str, lot: Decimal, tags: Sequence[str]) -> Trip | None:
    """Return the trip of an order, from all fills in its symbol, oldest first.

    `tags` are those of all who hold positions: what the gateway closes is closed for them.
    """
    ledger, tag, trip, before = Ledger(), tag_of(order_id), Trip(), (ZERO, ZERO)
    for fill in fills:
        sign = sign_of(ledger.holding(fill.symbol, tag))
        held = _moved(ledger, fill, tag, tags)
        if held is None:
            continue
        _count(trip, fill)
        earned = exact(held.realized, held.quote_exp), exact(held.fees, held.quote_exp)
        trip.realized, trip.fees = earned[0] - before[0], earned[1] - before[1]
        trip.left = exact(held.qty, held.qty_exp)
        if sign and (sign_of(held) != sign or abs(trip.left) < lot):
            trip.closed_ns = fill.ts_event
            if order_id in trip.orders:
                return trip
            trip, before = Trip(), earned
    return trip if order_id in trip.orders else None


def _moved(ledger: Ledger, fill: Fill, tag: str, tags: Sequence[str]) -> Holding | None:
    """Book a fill, and return a strategy's position where it was moved by it."""
    held = ledger.holding(fill.symbol, tag)
    qty = exact(held.qty, held.qty_exp) if held is not None else ZERO
    book(ledger, fill)
    for name in closed_by(fill, tags):
        hand_over(ledger, fill, name)
    held = ledger.holding(fill.symbol, tag)
    is_own = tag_of(fill.client_order_id) == tag
    return held if held is not None and (is_own or exact(held.qty, held.qty_exp) != qty) else None


def _count(trip: Trip, fill: Fill) -> None:
    trip.opened_ns = trip.opened_ns or fill.ts_event
    trip.fills += 1
    trip.orders[fill.client_order_id] = None
    if fill.fee and fill.fee_asset not in fill.symbol.split("/"):
        paid = trip.elsewhere.get(fill.fee_asset, ZERO)
        trip.elsewhere[fill.fee_asset] = paid + exact(fill.fee, fill.fee_exp)


def _row(trip: Trip, symbol: str) -> Row:
    return {
        "opened": iso(trip.opened_ns),
        "closed": iso(trip.closed_ns) if trip.closed_ns else None,
        "left": plain(trip.left),
        "fills": trip.fills,
        "orders": list(trip.orders),
        "realized": plain(trip.realized),
        "fees": plain(trip.fees),
        "net": plain(trip.realized - trip.fees),
        "quote": symbol.partition("/")[2],
        "fees_elsewhere": {asset: plain(paid) for asset, paid in trip.elsewhere.items()},
    }
