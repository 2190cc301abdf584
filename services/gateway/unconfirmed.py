"""Orders whose fate is not known: asked for again and again, never sent again.

An order is found by any word of the exchange about it. It is proven dead when the exchange could
no longer take the request, by its own clock, and then twice said that it has no such order: once
asked for the order itself, once by the whole list of trades, a second or more apart.
"""

from schema.exchange import OrderAbsent, TradesSeen
from schema.lifecycle import State
from schema.units import MS_NS
from services.gateway.questions import ask_order
from services.gateway.state import Doubt, Order, Pace
from services.gateway.steps import awaited, reject
from services.gateway.times import exchange_ms
from services.gateway.turn import Turn

READ_LAG_MS = 2_000
"""So long after the last moment that it could take a request, an exchange may not show it yet."""

APART_MS = 1_000


def take_absence(turn: Turn, absent: OrderAbsent) -> None:
    """Take in that the exchange does not know an order."""
    order = turn.books.open.get(absent.client_order_id)
    if order is not None and _counts(turn, order, absent.wall_ms):
        doubt = turn.windows.doubts.setdefault(order.id, Doubt())
        doubt.absent_ms = _seen(doubt.absent_ms, absent.wall_ms)


def take_whole_list(turn: Turn, seen: TradesSeen) -> None:
    """Take in that a list of all our trades has none of the orders in doubt."""
    for order in turn.books.open.values():
        if order.symbol != seen.symbol or not _counts(turn, order, seen.wall_ms):
            continue
        doubt = turn.windows.doubts.setdefault(order.id, Doubt())
        doubt.untraded_ms = _seen(doubt.untraded_ms, seen.wall_ms)


def _counts(turn: Turn, order: Order, wall_ms: int) -> bool:
    return order.place.state is State.UNCONFIRMED and wall_ms > last_ms(turn, order)


def last_ms(turn: Turn, order: Order) -> int:
    """Return the last moment, by the exchange's clock, at which an order may still show up."""
    return order.signed_ms + turn.rules.own.recv_window_ms + READ_LAG_MS


def _seen(before_ms: tuple[int, int], wall_ms: int) -> tuple[int, int]:
    first_ms, last_ms = before_ms
    return (min(first_ms or wall_ms, wall_ms), max(last_ms, wall_ms))


def _suspect(turn: Turn, order: Order) -> str | None:
    """Return a trade of nobody's that may be this order's, which keeps it from being dead."""
    since_ns = order.submitted_ns - turn.span_ns(APART_MS)
    for trade in turn.windows.unclaimed.values():
        alike = (trade.symbol, trade.side) == (order.symbol, order.intent.side)
        if alike and trade.at_ms * MS_NS >= since_ns:
            return trade.trade_id
    return None


def _disowned(turn: Turn, order: Order) -> bool:
    """Return whether the exchange knows none of the orders that such a trade may be of."""
    alike = (order.symbol, order.intent.side)
    return all(
        turn.windows.doubts.get(other.id, Doubt()).absent_ms != (0, 0)
        for other in turn.books.open.values()
        if awaited(other) and (other.symbol, other.intent.side) == alike
    )


def settle(turn: Turn) -> None:
    """Ask for every order in doubt, and bury what is proven dead."""
    windows = turn.windows
    unsure = [o for o in turn.books.open.values() if o.place.state is State.UNCONFIRMED]
    if not unsure and not windows.doubts:
        return
    names = {order.id for order in unsure}
    for order_id in [key for key in windows.doubts if key not in names]:
        del windows.doubts[order_id]
    for order in unsure:
        doubt = windows.doubts.setdefault(order.id, Doubt())
        suspect = _suspect(turn, order)
        if suspect is None and is_proven(doubt):
            detail = f"unknown to the exchange, and no trade of its, at {doubt.absent_ms[1]}"
            reject(turn, order, "NEVER_ARRIVED", detail)
            del windows.doubts[order.id]
        else:
            _ask(turn, order, doubt)
        if suspect is not None and _disowned(turn, order):
            why = f"trade {suspect} is of an unknown order, and may be of {order.id}"
            turn.halt(order.symbol, why, order.id)


def is_proven(doubt: Doubt) -> bool:
    """Return whether two answers far enough apart say that an order never arrived."""
    (first_ms, last_ms), (untraded_ms, list_ms) = doubt.absent_ms, doubt.untraded_ms
    if not first_ms or not untraded_ms:
        return False
    return list_ms - first_ms >= APART_MS or last_ms - untraded_ms >= APART_MS


def _ask(turn: Turn, order: Order, doubt: Doubt) -> None:
    if not doubt.over and is_over(turn, order):
        doubt.over, doubt.pace = True, Pace()  # From here on answers count: they are sought fast.
    if turn.due(doubt.pace.next_ns) and ask_order(turn, order):
        turn.windows.wanted.setdefault(order.symbol, turn.now_ns)
        turn.later(doubt.pace)


def is_over(turn: Turn, order: Order) -> bool:
    """Return whether the exchange can no longer take the request of an order."""
    now_ms = exchange_ms(turn.windows, turn.now_ns)
    if now_ms is None:
        return False
    left_ms = last_ms(turn, order) + 1 - now_ms
    return turn.due(turn.now_ns + turn.span_ns(max(0, left_ms)))
