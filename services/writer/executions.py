"""The fold of one order's way: when each step was said, from the bar behind it to its end.

All times are this machine's wall clock as the frames carry it. Whoever speaks of an order first
makes its row; each step is written once, and the first of its kind stands. Streams are read side
by side, so each column is one stream's alone, or the least or the most of what all say, or a wish:
what was submitted stands above what was intended.
"""

from collections.abc import Mapping
from typing import Any

from bus.shard import Connection
from schema import orders, trading
from schema.head import Message
from schema.streams import STREAMS
from services.writer.bars_said import LINKED_NS, said_of
from services.writer.effects import Keep
from services.writer.orders import INTENDED as BY_INTENT
from services.writer.orders import SUBMITTED as BY_SUBMITTED
from services.writer.orders import added, require_sound

BAR, FORECAST = (STREAMS[name].number for name in ("ingest.bar", "predictor.forecast"))

STUB = (
    "INSERT INTO trade_execution_log (client_order_id, trace, symbol, ts_ns) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (client_order_id) DO UPDATE SET ts_ns = min(ts_ns, excluded.ts_ns), "
    "symbol = iif(wanted_by = 2, symbol, max(symbol, excluded.symbol)), "
    "trace = CASE WHEN wanted_by > 0 OR excluded.trace = 0 THEN trace "
    "WHEN trace = 0 THEN excluded.trace ELSE min(trace, excluded.trace) END"
)
WISH = (
    "UPDATE trade_execution_log SET trace = ?1, strategy = ?2, side = ?3, leg = ?4, qty = ?5, "
    "qty_exp = ?6, symbol = iif(?10 = 2, ?7, symbol), forecast_pos = ?8, bar_pos = ?9, "
    "forecast_said_ns = NULL, bar_said_ns = NULL, wanted_by = ?10 "
    "WHERE client_order_id = ?11 AND (wanted_by = 0 OR ?10 = 2)"
)
INTENT = (
    "UPDATE trade_execution_log SET intent_pos = ?, intent_said_ns = ? "
    "WHERE client_order_id = ? AND intent_pos IS NULL"
)
VERDICT = (
    "UPDATE trade_execution_log SET verdict_pos = ?, verdict_said_ns = ? "
    "WHERE client_order_id = ? AND verdict_pos IS NULL"
)
SUBMITTED = (
    "UPDATE trade_execution_log SET submitted_pos = ?, submitted_said_ns = ? "
    "WHERE client_order_id = ? AND submitted_pos IS NULL"
)
ANSWER = (
    "UPDATE trade_execution_log SET answer = ?, answered_said_ns = ? "
    "WHERE client_order_id = ? AND answer IS NULL"
)
END = (
    "UPDATE trade_execution_log SET ended = ?, ended_said_ns = ? "
    "WHERE client_order_id = ? AND ended IS NULL"
)
FILLED = (
    "UPDATE trade_execution_log SET filled_qty = ?, filled_exp = ?, "
    "first_fill_said_ns = coalesce(first_fill_said_ns, ?) WHERE client_order_id = ?"
)
SAID_FORECAST = (
    "UPDATE trade_execution_log SET (forecast_said_ns, bar_pos, bar_said_ns) = "
    "(SELECT said_ns, bar_pos, bar_said_ns FROM ml_predictions WHERE pos = ?1) "
    "WHERE forecast_pos = ?1 AND EXISTS (SELECT 1 FROM ml_predictions WHERE pos = ?1)"
)
SAID_BAR = (
    "UPDATE trade_execution_log SET bar_said_ns = iif(forecast_pos IS NULL, "
    "iif(coalesce(submitted_said_ns, intent_said_ns) - ?1 < ?3, ?1, NULL), "
    "(SELECT p.bar_said_ns FROM ml_predictions AS p WHERE p.pos = forecast_pos)) "
    "WHERE bar_pos = ?2 AND bar_said_ns IS NULL"
)
DIRECT = (
    "SELECT bar_pos, coalesce(submitted_said_ns, intent_said_ns) FROM trade_execution_log "
    "WHERE client_order_id = ? AND forecast_pos IS NULL AND bar_pos IS NOT NULL"
)
WANTED = (
    "SELECT wanted_by, qty, qty_exp, filled_qty, filled_exp FROM trade_execution_log "
    "WHERE client_order_id = ?"
)
ANSWERS: Mapping[type[Message], str] = {
    orders.OrderAccepted: "accepted",
    orders.OrderRejected: "rejected",
    orders.OrderUnconfirmed: "unconfirmed",
}


def write_wish(db: Connection, kept: Keep) -> None:
    """Write what was wanted and what led to it, of an intent or of what was submitted for it."""
    m = kept.message
    submitted = isinstance(m, orders.OrderSubmitted)
    wish = m.intent if isinstance(m, orders.OrderSubmitted) else m
    assert isinstance(wish, trading.OrderIntent)
    require_sound(wish)
    order_id = _stub(db, wish)
    db.execute(SUBMITTED if submitted else INTENT, (kept.pos, kept.said_ns, order_id))
    stream, pos = wish.cause
    led_by = (pos if stream == FORECAST else None, pos if stream == BAR else None)
    order = (wish.trace, wish.strategy, wish.side, wish.leg, wish.qty, wish.qty_exp)
    by = BY_SUBMITTED if submitted else BY_INTENT
    db.execute(WISH, (*order, wish.symbol, *led_by, by, order_id))
    if stream == FORECAST:
        link_forecast(db, pos)
    direct: list[Any] = db.execute(DIRECT, (order_id,)).fetchall()
    for bar_pos, said_ns in direct:
        bar_said_ns = said_of(db, bar_pos, said_ns)
        if bar_said_ns is not None:
            db.execute(SAID_BAR, (bar_said_ns, bar_pos, LINKED_NS))


def write_verdict(db: Connection, kept: Keep) -> None:
    """Write when risk had decided."""
    order_id = _stub(db, kept.message)
    db.execute(VERDICT, (kept.pos, kept.said_ns, order_id))


def write_answer(db: Connection, kept: Keep) -> None:
    """Write the venue's first answer, or that there was none; a refusal is the end too."""
    order_id = _stub(db, kept.message)
    db.execute(ANSWER, (ANSWERS[type(kept.message)], kept.said_ns, order_id))
    if isinstance(kept.message, orders.OrderRejected):
        write_end(db, kept)


def write_end(db: Connection, kept: Keep) -> None:
    """Write what ended the order."""
    order_id = _stub(db, kept.message)
    db.execute(END, (type(kept.message).__name__, kept.said_ns, order_id))


def write_fill(db: Connection, kept: Keep) -> None:
    """Write the first fill, and the end when nothing is left open."""
    m = kept.message
    assert isinstance(m, orders.Fill)
    _stub(db, m)
    rows: list[Any] = db.execute(WANTED, (m.client_order_id,)).fetchall()
    ((wanted_by, qty, qty_exp, filled_qty, filled_exp),) = rows
    filled_qty, filled_exp = added(filled_qty, filled_exp, m.qty, m.qty_exp)
    db.execute(FILLED, (filled_qty, filled_exp, kept.said_ns, m.client_order_id))
    if wanted_by == BY_SUBMITTED and filled_qty * 10**qty_exp >= qty * 10**filled_exp:
        write_end(db, kept)


def link_forecast(db: Connection, forecast_pos: int) -> None:
    """Fill in when a forecast and its bar were said, once both it and the order are known."""
    db.execute(SAID_FORECAST, (forecast_pos,))


def link_bar(db: Connection, kept: Keep) -> None:
    """Fill in when a bar was said, where the order that it led to came first."""
    db.execute(SAID_BAR, (kept.said_ns, kept.pos, LINKED_NS))


def _stub(db: Connection, message: Any) -> str:
    order_id: str = message.client_order_id
    db.execute(STUB, (order_id, message.trace, message.symbol, message.ts_event))
    return order_id
