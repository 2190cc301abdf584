"""The fold of one order: its events, its current state, its fills and what they cost.

Streams are read side by side, so a verdict or an answer may come before the intent, and the row
must come out the same. So each column is one stream's alone, as the status is the gateway's; or it
is the least or the most of what all say; or a wish, and what was submitted stands above the intent.
"""

from typing import Any

import msgspec

from bus.shard import Connection
from schema import orders, trading
from schema.head import Message
from schema.lifecycle import EVENTS, Place, State, Step, step
from schema.units import EXP_MAX, fits, rescale
from services.writer.entries import of_fill
from services.writer.trading import detail

STUB = (
    "INSERT INTO orders (client_order_id, symbol, status, under, created_ns, updated_ns, trace) "
    "VALUES (?, ?, 'INITIALIZED', 'INITIALIZED', ?, ?, ?) ON CONFLICT (client_order_id) DO UPDATE "
    "SET symbol = iif(wanted_by = 2, symbol, max(symbol, excluded.symbol)), "
    "created_ns = min(created_ns, excluded.created_ns), "
    "updated_ns = max(updated_ns, excluded.updated_ns), "
    "trace = CASE WHEN wanted_by > 0 OR excluded.trace = 0 THEN trace "
    "WHEN trace = 0 THEN excluded.trace ELSE min(trace, excluded.trace) END"
)
WANTED = (
    "UPDATE orders SET symbol = iif(?16 = 2, ?1, symbol), strategy = ?2, side = ?3, "
    "order_type = ?4, time_in_force = ?5, leg = ?6, parent = ?7, reason = ?8, qty = ?9, "
    "limit_px = ?10, stop_px = ?11, px_exp = ?12, qty_exp = ?13, "
    "created_ns = min(created_ns, ?14), trace = ?15, wanted_by = ?16 "
    "WHERE client_order_id = ?17 AND (wanted_by = 0 OR ?16 = 2)"
)
INTENDED, SUBMITTED = 1, 2
"""Whose wish an order's row holds: what was submitted stands above what was intended."""

STEPPED = "UPDATE orders SET status = ?, under = ? WHERE client_order_id = ?"
EVENT = "INSERT INTO order_events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
FILL = (
    "INSERT INTO trades VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (symbol, venue_trade_id) DO UPDATE SET px = excluded.px "
    "WHERE (client_order_id, side, px, qty, quote_qty, fee, fee_asset) IS NOT "
    "(excluded.client_order_id, excluded.side, excluded.px, excluded.qty, excluded.quote_qty, "
    "excluded.fee, excluded.fee_asset)"  # the same id with another content: the trigger refuses
)


class Order(msgspec.Struct, frozen=True):
    """What the gateway has said of an order before an event."""

    status: str
    under: str
    wanted_by: int
    qty: int | None
    qty_exp: int | None
    filled_qty: int
    filled_exp: int | None
    filled_quote: int
    quote_exp: int | None

    @property
    def complete(self) -> bool:
        """Whether all that was submitted is filled; what was intended alone does not count."""
        if self.wanted_by < SUBMITTED or self.qty is None or self.qty_exp is None:
            return False
        wanted = self.qty * 10 ** (self.filled_exp or 0)
        return bool(self.filled_qty * 10**self.qty_exp >= wanted)


def fold(db: Connection, message: Any) -> bool:
    """Fold an order event within the caller's transaction; False for a fill seen before."""
    order_id: str = message.client_order_id
    if isinstance(message, orders.Fill) and not _book(db, message):
        return False
    symbol = message.symbol or _symbol_of(message)
    db.execute(STUB, (order_id, symbol, message.ts_event, message.ts_event, message.trace))
    _fill_in(db, message)
    status, outcome = "", "ok"
    if type(message) in EVENTS:  # Others speak about an order, and change nothing of what it is.
        stepped = _stepped(db, message)
        status, outcome = stepped.place.state.value, stepped.outcome
        under = stepped.place.under.value
        db.execute(STEPPED, (status, under, order_id))
    name = type(message).__name__
    said = (message.trace, *message.cause, detail(message))
    db.execute(EVENT, (order_id, message.ts_event, name, status, outcome, *said))
    return True


def _stepped(db: Connection, message: Any) -> Step:
    order = _read(db, message.client_order_id)
    if isinstance(message, orders.Fill):
        order = _filled(db, order, message)
    place = Place(State(order.status), State(order.under))
    event: type[Message] = type(message)
    return step(place, event, complete=order.complete)


def _symbol_of(message: Message) -> str:
    return message.intent.symbol if isinstance(message, orders.OrderSubmitted) else ""


def _fill_in(db: Connection, message: Message) -> None:
    match message:
        case trading.OrderIntent():
            m = message
        case orders.OrderSubmitted():
            m = message.intent
        case orders.OrderAccepted():
            db.execute(
                "UPDATE orders SET venue_order_id = ? WHERE client_order_id = ?",
                (message.venue_order_id, message.client_order_id),
            )
            return
        case _:
            return
    require_sound(m)
    wish = (m.strategy, m.side, m.order_type, m.time_in_force, m.leg, m.parent, m.reason)
    numbers = (m.qty, m.limit_px, m.stop_px, m.px_exp, m.qty_exp)
    # What left is the order, should an intent of the same id have said something else.
    by = SUBMITTED if isinstance(message, orders.OrderSubmitted) else INTENDED
    db.execute(
        WANTED, (m.symbol, *wish, *numbers, m.ts_event, m.trace, by, message.client_order_id)
    )


def require_sound(wish: trading.OrderIntent) -> None:
    """Refuse a wish that no row can hold, whether or not one would be written; ValueError."""
    if wish.qty <= 0 or wish.limit_px < 0 or wish.stop_px < 0:
        numbers = f"{wish.qty} at {wish.limit_px}, stop {wish.stop_px}"
        raise ValueError(f"expected a quantity above 0 and no price below it, found {numbers}")
    for exp in (wish.px_exp, wish.qty_exp):
        if not 0 <= exp <= EXP_MAX:
            raise ValueError(f"expected 0 to {EXP_MAX} decimals, found {exp}")


def _read(db: Connection, order_id: str) -> Order:
    rows: list[Any] = db.execute(
        "SELECT status, under, wanted_by, qty, qty_exp, filled_qty, filled_exp, filled_quote, "
        "quote_exp FROM orders WHERE client_order_id = ?",
        (order_id,),
    ).fetchall()
    return Order(*rows[0])


def _book(db: Connection, m: orders.Fill) -> bool:
    names = (m.symbol, m.venue_trade_id, m.client_order_id, m.venue_order_id)
    numbers = (m.px, m.qty, m.quote_qty, m.fee, m.fee_asset, m.maker, m.late)
    exponents = (m.px_exp, m.qty_exp, m.quote_exp, m.fee_exp)
    db.execute(FILL, (*names, m.ts_event, m.side, *numbers, *exponents, m.trace))
    if not db.changes():
        return False
    for sql, row in of_fill(m):
        db.execute(sql, row)
    return True


def _filled(db: Connection, order: Order, m: orders.Fill) -> Order:
    qty, qty_exp = added(order.filled_qty, order.filled_exp, m.qty, m.qty_exp)
    quote, quote_exp = added(order.filled_quote, order.quote_exp, m.quote_qty, m.quote_exp)
    db.execute(
        "UPDATE orders SET filled_qty = ?, filled_quote = ?, filled_exp = ?, quote_exp = ?, "
        "side = coalesce(side, ?) WHERE client_order_id = ?",
        (qty, quote, qty_exp, quote_exp, m.side, m.client_order_id),
    )
    return _read(db, m.client_order_id)


def added(sum_: int, sum_exp: int | None, n: int, exp: int) -> tuple[int, int]:
    """Return a sum with a number added, and its decimals, which are the most of any number."""
    if not 0 <= exp <= EXP_MAX:
        raise ValueError(f"expected 0 to {EXP_MAX} decimals, found {exp}")
    most = exp if sum_exp is None else max(sum_exp, exp)
    before = exp if sum_exp is None else sum_exp
    return fits(rescale(sum_, before, most) + rescale(n, exp, most)), most
