"""Orders that may still fill: reserved by an approval, open at the venue, and how they end.

Until an order is over, what is left of it counts in the sums of its symbol, and cash is held for a
buy. A reservation ends only by the gateway's answer. Nothing here depends on the market, so that
the books come out the same whenever they are folded.
"""

from collections.abc import Callable
from typing import Any

from schema.head import Message
from schema.identity import tag_of
from schema.instruments import LIMITS
from schema.ledger import Money, book, reserve
from schema.orders import (
    Fill,
    OrderCanceled,
    OrderDenied,
    OrderExpired,
    OrderRejected,
    OrderSubmitted,
    Reconciled,
)
from schema.trading import CancelIntent, OrderIntent, Verdict
from schema.units import floor_scale
from services.risk import pace
from services.risk.exposure import STOPS, closable, giving_way
from services.risk.money import MONEY_EXP, Limits, dearer
from services.risk.state import Books, Line, Order

Ended = OrderRejected | OrderCanceled | OrderExpired


def cost_of(intent: OrderIntent, limits: Limits) -> int:
    """Return the cash that an intent may take, its fee included; 0 for a sell."""
    if intent.side == "sell":
        return 0
    px, exp = _dearest_px(intent, limits), intent.px_exp + intent.qty_exp
    return reserve(px, intent.qty, exp, MONEY_EXP, limits.taker_bps)


def _asked(books: Books, intent: OrderIntent, limits: Limits) -> None:
    books.pace.names.setdefault(tag_of(intent.client_order_id), intent.strategy)
    verdict = books.early.pop(intent.client_order_id, None)
    if verdict is not None:
        _reserve(books, intent, verdict, limits)
    elif intent.client_order_id not in books.known:
        books.asked[intent.client_order_id] = intent


def _judged(books: Books, verdict: Verdict, limits: Limits) -> None:
    """Book a verdict: an approval reserves all that its order may come to."""
    intent = books.asked.pop(verdict.client_order_id, None)
    answered = books.known.setdefault(verdict.client_order_id, False)
    if not verdict.approved:
        books.refused += 1
        return
    books.approved += 1
    if intent is not None and not answered:
        _reserve(books, intent, verdict, limits)
    elif not answered:
        books.early[verdict.client_order_id] = verdict  # A clock was set: the intent comes behind.


def _reserve(books: Books, intent: OrderIntent, verdict: Verdict, limits: Limits) -> None:
    if verdict.expires_ns < books.reconciled_ns:
        return  # The gateway has compared since, and would not send it any more.
    if intent.qty > closable(books, intent):
        pace.keep(books.approvals, verdict.ts_event, limits.window_ns)
        pace.remember(books.pace, intent, verdict.ts_event, limits)
    pace.count_order(books.pace, verdict.ts_event)
    _open(books, intent, verdict.expires_ns, limits)


def _submitted(books: Books, message: OrderSubmitted, limits: Limits) -> None:
    """Turn a reservation into an open order; one that only the gateway approved is new here."""
    intent = message.intent
    _answered(books, intent.client_order_id)
    if intent.client_order_id not in books.orders:
        pace.count_order(books.pace, message.ts_event)
        _open(books, intent, message.verdict.expires_ns, limits)
    books.orders[intent.client_order_id].submitted = True


def _denied(books: Books, message: OrderDenied, _limits: Limits) -> None:
    """End a reservation; what was submitted before under the same id is not touched."""
    _answered(books, message.client_order_id)
    order = books.orders.get(message.client_order_id)
    if order is not None and not order.submitted:
        pace.forget(books.pace, message.client_order_id)
        _over(books, message.client_order_id)


def _filled(books: Books, fill: Fill, limits: Limits) -> None:
    """Book a fill once, and take it off what is left of its order."""
    if not book(books.ledger, fill):
        return
    pace.count_fill(books.pace, fill.ts_event)
    _line(books, fill.symbol)
    order = books.orders.get(fill.client_order_id)
    if order is None:
        return
    left = order.leaves - floor_scale(fill.qty, fill.qty_exp, order.qty_exp)
    _over(books, fill.client_order_id)
    if left > 0:
        order.leaves = left
        order.cost = _cost_left(order, limits)
        _count(books, fill.client_order_id, order)


def _cost_left(order: Order, limits: Limits) -> int:
    if order.side == "sell":
        return 0
    exp = order.px_exp + order.qty_exp
    return reserve(order.px, order.leaves, exp, MONEY_EXP, limits.taker_bps)


def _ended(books: Books, message: Ended, _limits: Limits) -> None:
    pace.forget(books.pace, message.client_order_id)
    _over(books, message.client_order_id)


def _over(books: Books, client_order_id: str) -> None:
    """Free what an order that has ended still held."""
    order = books.orders.pop(client_order_id, None)
    if order is not None:
        _add(books, order, -1)
        _respare(books, order.successor)


def _reconciled(books: Books, message: Reconciled, _limits: Limits) -> None:
    """Drop reservations that had ended before the gateway compared everything with the venue."""
    books.reconciled_ns = message.ts_event
    lost = [
        client_order_id
        for client_order_id, order in books.orders.items()
        if not order.submitted and order.expires_ns < message.ts_event
    ]
    for client_order_id in lost:
        _over(books, client_order_id)
    past = [key for key, one in books.early.items() if one.expires_ns < message.ts_event]
    for client_order_id in past:  # `_reserve` would book none of them.
        del books.early[client_order_id]


def _open(books: Books, intent: OrderIntent, expires_ns: int, limits: Limits) -> None:
    order = Order(
        symbol=intent.symbol,
        side=intent.side,
        leaves=intent.qty,
        px=_dearest_px(intent, limits),
        px_exp=intent.px_exp,
        qty_exp=intent.qty_exp,
        waits=intent.order_type in STOPS,
        expires_ns=expires_ns,
        cost=cost_of(intent, limits),
        replaces=intent.replaces,
    )
    old = giving_way(books, intent)
    if old is not None:
        old.successor = intent.client_order_id
    _count(books, intent.client_order_id, order)


def _dearest_px(intent: OrderIntent, limits: Limits) -> int:
    if intent.order_type in LIMITS:
        return intent.limit_px
    return dearer(max(intent.ref_px, intent.stop_px), limits.collar_bps)


def _count(books: Books, client_order_id: str, order: Order) -> None:
    books.orders[client_order_id] = order
    _spare(books, client_order_id, order)
    _add(books, order, 1)
    _respare(books, order.successor)


def _add(books: Books, order: Order, sign: int) -> None:
    _sum(books, order).add(sign * order.counted, order.qty_exp)
    books.held += sign * (order.cost - order.spared_cost)


def _spare(books: Books, client_order_id: str, order: Order) -> None:
    """Let what an order replaces count for it, as far as that goes and is still open."""
    old = books.orders.get(order.replaces)
    is_next = old is not None and old.successor == client_order_id
    order.spared = min(order.leaves, old.counted) if old is not None and is_next else 0
    cost = old.cost - old.spared_cost if old is not None and is_next else 0
    order.spared_cost = min(order.cost, cost)


def _respare(books: Books, client_order_id: str) -> None:
    """Count an order anew whose predecessor has changed or ended, and those behind it."""
    order = books.orders.get(client_order_id)
    if order is not None:
        _add(books, order, -1)
        _spare(books, client_order_id, order)
        _add(books, order, 1)
        _respare(books, order.successor)


def _sum(books: Books, order: Order) -> Money:
    line = _line(books, order.symbol)
    if order.side == "buy":
        return line.buys
    return line.stops if order.waits else line.sells


def _line(books: Books, symbol: str) -> Line:
    if symbol not in books.lines:
        books.lines[symbol] = Line()
    return books.lines[symbol]


def _canceling(books: Books, message: CancelIntent, limits: Limits) -> None:
    pace.count_cancel(books.pace, message.ts_event, limits)


def _answered(books: Books, client_order_id: str) -> None:
    books.known[client_order_id] = True
    books.asked.pop(client_order_id, None)
    books.early.pop(client_order_id, None)


FOLDS: dict[type[Message], Callable[[Books, Any, Limits], None]] = {
    OrderIntent: _asked,
    CancelIntent: _canceling,
    Verdict: _judged,
    OrderSubmitted: _submitted,
    OrderDenied: _denied,
    Fill: _filled,
    OrderRejected: _ended,
    OrderCanceled: _ended,
    OrderExpired: _ended,
    Reconciled: _reconciled,
}
"""How what is said of an order is booked, from its intent to its end."""
