"""The last gate: limits of its own that hold whatever risk says, and share no code with it."""

from schema.instruments import Denial, check
from schema.trading import OrderIntent
from services.gateway.position import closable, held_against
from services.gateway.state import Books
from services.gateway.turn import Turn


def last_gate(turn: Turn, intent: OrderIntent, *, reducing: bool) -> Denial | None:
    """Return why an order does not leave; one that reduces is bounded by its position alone."""
    instrument = turn.windows.instruments.get(intent.symbol)
    if instrument is None:
        return Denial("INSTRUMENT_NOT_FOUND", f"symbol={intent.symbol}")
    return (
        check(instrument, intent)
        or _reduce_only(turn.books, intent)
        or (None if reducing else _limits(turn, intent))
    )


def _reduce_only(books: Books, intent: OrderIntent) -> Denial | None:
    if not intent.reduce_only:
        return None
    held = held_against(books, intent)
    if held == 0:
        return Denial("POSITION_NOT_FOUND", f"symbol={intent.symbol} side={intent.side}")
    # Beside what rests or is on its way to the same side: together they may not pass through zero.
    most = closable(books, intent.symbol, intent.side, intent.qty_exp)
    if intent.qty > most:
        detail = f"qty={intent.qty} position={held} closable={most}"
        return Denial("REDUCE_ONLY_WOULD_INCREASE_POSITION", detail)
    return None


def _limits(turn: Turn, intent: OrderIntent) -> Denial | None:
    own, books = turn.rules.own, turn.books
    px = max(intent.limit_px, intent.stop_px, intent.ref_px)
    if px <= 0:
        return Denial("VALIDATION_FAILED", "ref_px=0: its worth is unknown")
    scale = 10 ** (intent.px_exp + intent.qty_exp)
    if px * intent.qty > own.max_order_notional * scale:
        worth = px * intent.qty // scale
        detail = f"notional={worth} max={own.max_order_notional}"
        return Denial("NOTIONAL_EXCEEDS_MAX_PER_ORDER", detail)
    if len(books.open) >= own.max_open_orders:
        detail = f"open_orders={len(books.open)} max={own.max_open_orders}"
        return Denial("MAX_OPEN_ORDERS_EXCEEDED", detail)
    recent = _recent(turn) if len(books.sent) >= own.order_rate else 0
    if recent >= own.order_rate:
        return Denial("RATE_LIMIT_EXCEEDED", f"orders={recent} max={own.order_rate}")
    return None


def _recent(turn: Turn) -> int:
    since_ns = turn.now_ns - turn.rules.own.order_window_ms * 1_000_000
    return sum(1 for sent_ns in turn.books.sent if sent_ns > since_ns)
