"""The fold of one order's way: when each step was said, from the bar behind it to its end.

All times are this machine's wall clock as the frames carry it. Whoever speaks of an order first
makes its row; each step is written once, and the first of its kind stands.
"""

from collections.abc import Mapping
from typing import Any

from bus.shard import Connection
from schema import orders, trading
from schema.head import Message
from schema.streams import STREAMS
from schema.units import rescale
from services.writer.effects import Keep

BAR, FORECAST = (STREAMS[name].number for name in ("ingest.bar", "predictor.forecast"))

STUB = (
    "INSERT INTO trade_execution_log (client_order_id, trace, symbol, ts_ns) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (client_order_id) DO UPDATE SET ts_ns = min(ts_ns, excluded.ts_ns), "
    "trace = iif(trace = 0, excluded.trace, trace), "
    "symbol = iif(symbol = '', excluded.symbol, symbol)"
)
WISH = (
    "UPDATE trade_execution_log SET trace = ?, strategy = ?, side = ?, leg = ?, qty = ?, "
    "qty_exp = ?, forecast_pos = ?, bar_pos = ?, bar_said_ns = ? "
    "WHERE client_order_id = ? AND strategy IS NULL"
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
    "UPDATE trade_execution_log SET filled_qty = ?, qty_exp = ?, "
    "first_fill_said_ns = coalesce(first_fill_said_ns, ?) WHERE client_order_id = ?"
)
SAID_FORECAST = (
    "UPDATE trade_execution_log SET (forecast_said_ns, bar_pos, bar_said_ns) = "
    "(SELECT said_ns, bar_pos, bar_said_ns FROM ml_predictions WHERE pos = ?1) "
    "WHERE forecast_pos = ?1 AND EXISTS (SELECT 1 FROM ml_predictions WHERE pos = ?1)"
)
SAID_BAR = (
    "UPDATE trade_execution_log SET bar_said_ns = ? WHERE bar_pos = ? AND bar_said_ns IS NULL"
)
ANSWERS: Mapping[type[Message], str] = {
    orders.OrderAccepted: "accepted",
    orders.OrderRejected: "rejected",
    orders.OrderUnconfirmed: "unconfirmed",
}


def write_wish(db: Connection, kept: Keep, bars: Mapping[int, int]) -> None:
    """Write what was wanted and what led to it, of an intent or of what was submitted for it."""
    m = kept.message
    submitted = isinstance(m, orders.OrderSubmitted)
    wish = m.intent if isinstance(m, orders.OrderSubmitted) else m
    assert isinstance(wish, trading.OrderIntent)
    _stub(db, wish)
    stream, pos = wish.cause
    forecast_pos = pos if stream == FORECAST else None
    bar_pos = pos if stream == BAR else None
    order = (wish.trace, wish.strategy, wish.side, wish.leg, wish.qty, wish.qty_exp)
    led_by = (forecast_pos, bar_pos, bars.get(pos) if bar_pos is not None else None)
    db.execute(WISH, (*order, *led_by, wish.client_order_id))
    if forecast_pos is not None:
        link_forecast(db, forecast_pos)
    step = SUBMITTED if submitted else INTENT
    db.execute(step, (kept.pos, kept.said_ns, wish.client_order_id))


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
    rows: list[Any] = db.execute(
        "SELECT qty, qty_exp, filled_qty FROM trade_execution_log WHERE client_order_id = ?",
        (m.client_order_id,),
    ).fetchall()
    ((qty, qty_exp, filled_qty),) = rows
    exp = m.qty_exp if qty_exp is None else qty_exp
    filled_qty += rescale(m.qty, m.qty_exp, exp)
    db.execute(FILLED, (filled_qty, exp, kept.said_ns, m.client_order_id))
    if qty is not None and filled_qty >= qty:
        write_end(db, kept)


def link_forecast(db: Connection, forecast_pos: int) -> None:
    """Fill in when a forecast and its bar were said, once both it and the order are known."""
    db.execute(SAID_FORECAST, (forecast_pos,))


def link_bar(db: Connection, kept: Keep) -> None:
    """Fill in when a bar was said, where the order that it led to came first."""
    db.execute(SAID_BAR, (kept.said_ns, kept.pos))


def _stub(db: Connection, message: Any) -> str:
    order_id: str = message.client_order_id
    db.execute(STUB, (order_id, message.trace, message.symbol, message.ts_event))
    return order_id
