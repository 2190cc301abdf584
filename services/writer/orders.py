"""The fold of one order: its events, its current state, its fills and what they cost.

Streams are read side by side, so a verdict or an answer may come before the intent: whoever comes
first makes the row, and the intent fills in what only it knows.
"""

from typing import Any

import msgspec

from bus.shard import Connection
from schema import orders, trading
from schema.head import Message
from schema.lifecycle import EVENTS, Place, State, Step, step
from schema.units import rescale
from services.writer.trading import detail, ledger_leg

STUB = (
    "INSERT INTO orders (client_order_id, symbol, status, under, created_ns, updated_ns, trace) "
    "VALUES (?, ?, 'INITIALIZED', 'INITIALIZED', ?, ?, ?) ON CONFLICT (client_order_id) DO NOTHING"
)
WANTED = (
    "UPDATE orders SET symbol = ?, strategy = ?, side = ?, order_type = ?, time_in_force = ?, "
    "leg = ?, parent = ?, reason = ?, qty = ?, limit_px = ?, stop_px = ?, px_exp = ?, "
    "qty_exp = ?, created_ns = min(created_ns, ?), trace = ? "
    "WHERE client_order_id = ? AND (strategy IS NULL OR ?)"
)
EVENT = "INSERT INTO order_events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
FILL = (
    "INSERT INTO trades VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (symbol, venue_trade_id) DO UPDATE SET px = excluded.px "
    "WHERE (client_order_id, side, px, qty, quote_qty, fee, fee_asset) IS NOT "
    "(excluded.client_order_id, excluded.side, excluded.px, excluded.qty, excluded.quote_qty, "
    "excluded.fee, excluded.fee_asset)"  # the same id with another content: the trigger refuses
)


class Order(msgspec.Struct, frozen=True):
    """What the shard knows of an order before an event."""

    status: str
    under: str
    qty: int | None
    qty_exp: int | None
    filled_qty: int
    filled_quote: int
    quote_exp: int | None


def fold(db: Connection, message: Any) -> bool:
    """Fold an order event within the caller's transaction; False for a fill seen before."""
    order_id: str = message.client_order_id
    if isinstance(message, orders.Fill) and not _book(db, message):
        return False
    symbol = message.symbol or _symbol_of(message)
    db.execute(STUB, (order_id, symbol, message.ts_event, message.ts_event, message.trace))
    _fill_in(db, message)
    order = _read(db, order_id)
    if isinstance(message, orders.Fill):
        order = _filled(db, order, message)
    stepped = _stepped(order, type(message))
    status, under = stepped.place.state.value, stepped.place.under.value
    db.execute(
        "UPDATE orders SET status = ?, under = ?, updated_ns = max(updated_ns, ?) "
        "WHERE client_order_id = ?",
        (status, under, message.ts_event, order_id),
    )
    name = type(message).__name__
    said = (message.trace, *message.cause, detail(message))
    db.execute(EVENT, (order_id, message.ts_event, name, status, stepped.outcome, *said))
    return True


def _stepped(order: Order, event: type[Message]) -> Step:
    place = Place(State(order.status), State(order.under))
    if event not in EVENTS:
        return Step(place, "ok")  # Said about the order, without changing what it is.
    complete = order.qty is not None and order.filled_qty >= order.qty
    return step(place, event, complete=complete)


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
    wish = (m.strategy, m.side, m.order_type, m.time_in_force, m.leg, m.parent, m.reason)
    numbers = (m.qty, m.limit_px, m.stop_px, m.px_exp, m.qty_exp)
    first = (m.ts_event, m.trace)
    # What left is the order, should an intent of the same id have said something else before.
    left = isinstance(message, orders.OrderSubmitted)
    db.execute(WANTED, (m.symbol, *wish, *numbers, *first, m.client_order_id, left))


def _read(db: Connection, order_id: str) -> Order:
    rows: list[Any] = db.execute(
        "SELECT status, under, qty, qty_exp, filled_qty, filled_quote, quote_exp FROM orders "
        "WHERE client_order_id = ?",
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
    for sql, row in _legs(m):
        db.execute(sql, row)
    return True


def _legs(m: orders.Fill) -> list[tuple[str, tuple[Any, ...]]]:
    base, _, quote = m.symbol.partition("/")
    sign = 1 if m.side == "buy" else -1
    legs = [
        ("trade", "trading", base, sign * m.qty, m.qty_exp),
        ("trade", "market", base, -sign * m.qty, m.qty_exp),
        ("trade", "trading", quote, -sign * m.quote_qty, m.quote_exp),
        ("trade", "market", quote, sign * m.quote_qty, m.quote_exp),
    ]
    if m.fee:
        legs.append(("fee", "trading", m.fee_asset, -m.fee, m.fee_exp))
        legs.append(("fee", "fees", m.fee_asset, m.fee, m.fee_exp))
    entry = f"fill:{m.symbol}:{m.venue_trade_id}"
    return [
        ledger_leg(entry, m.ts_event, kind, account, asset, amount, exp, leg)
        for leg, (kind, account, asset, amount, exp) in enumerate(legs)
    ]


def _filled(db: Connection, order: Order, m: orders.Fill) -> Order:
    qty_exp = m.qty_exp if order.qty_exp is None else order.qty_exp
    quote_exp = m.quote_exp if order.quote_exp is None else order.quote_exp
    filled_qty = order.filled_qty + rescale(m.qty, m.qty_exp, qty_exp)
    filled_quote = order.filled_quote + rescale(m.quote_qty, m.quote_exp, quote_exp)
    db.execute(
        "UPDATE orders SET filled_qty = ?, filled_quote = ?, qty_exp = ?, quote_exp = ?, "
        "side = coalesce(side, ?) WHERE client_order_id = ?",
        (filled_qty, filled_quote, qty_exp, quote_exp, m.side, m.client_order_id),
    )
    return _read(db, m.client_order_id)
