"""Orders that cannot rest, and of which the exchange has not said how they ended.

A market order or one that trades now or never has ended by the time that it is answered; where its
answer was lost and an older word of it came, a fill is missing: it is asked for soon, not at the
next comparison.
"""

from services.gateway.questions import ask_order
from services.gateway.state import Order, Pace
from services.gateway.steps import awaited
from services.gateway.turn import Turn

AT_ONCE = frozenset({"IOC", "FOK"})
SOON_MS = 500
"""So long after it was sent, the end of such an order is told, or missing."""


def settle(turn: Turn) -> None:
    """Ask for every order that has to have ended."""
    open_orders, found = turn.books.open, turn.windows.restless
    for order_id in [key for key in found if key not in open_orders]:
        del found[order_id]
    for order in list(open_orders.values()):
        if cannot_rest(order) and not awaited(order) and order.id not in turn.windows.wishes:
            _look(turn, order)


def cannot_rest(order: Order) -> bool:
    """Return whether an order has ended once the exchange has taken it."""
    intent = order.intent
    return intent.order_type == "market" or intent.time_in_force in AT_ONCE


def _look(turn: Turn, order: Order) -> None:
    soon_ns = order.submitted_ns + turn.span_ns(SOON_MS)
    pace = turn.windows.restless.setdefault(order.id, Pace(next_ns=soon_ns))
    if turn.due(pace.next_ns) and ask_order(turn, order):
        turn.later(pace)
        turn.windows.wanted.setdefault(order.symbol, turn.now_ns)
