"""Two orders that left as one request: what its answer says of both, and the half that is left.

Each half is an order of its own, found or proven dead by evidence of its own. When one trades or is
cancelled the exchange ends the other; what it does not push is asked for soon.
"""

from schema.joined import PairPlaced
from schema.lifecycle import State
from services.gateway.questions import ask_order
from services.gateway.state import Order, Pace
from services.gateway.steps import doubt
from services.gateway.turn import Turn

GRACE_MS = 500
"""So long the stream may take to say that the other half has ended."""


def halves(turn: Turn, stop_id: str) -> list[Order]:
    """Return the open orders of the pair that a stop stands in; for a single order itself."""
    stop = turn.books.open.get(stop_id)
    other = turn.books.open.get(stop.intent.oco) if stop is not None else None
    return [order for order in (stop, other) if order is not None]


def is_unanswered(order: Order) -> bool:
    """Return whether the answer to the request that an order left with is still awaited."""
    return State.SUBMITTED in (order.place.state, order.place.under)


def doubt_unnamed(turn: Turn, placed: PairPlaced) -> None:
    """Doubt the half that an answer to the request for both does not speak of."""
    for order in halves(turn, placed.effect_id.partition(" ")[2]):
        if is_unanswered(order):
            doubt(turn, order, "the answer for its pair does not speak of it")


def settle(turn: Turn) -> None:
    """Ask for every order whose other half has ended, until it has ended too."""
    books, paces = turn.books, turn.windows.partners
    for order_id in [one for one in paces if one not in books.open]:
        del paces[order_id]
    for order in list(books.open.values()):
        if order.intent.oco in books.ended and order.place.state is not State.UNCONFIRMED:
            _ask(turn, order)


def _ask(turn: Turn, order: Order) -> None:
    soon_ns = turn.now_ns + turn.span_ns(GRACE_MS)
    pace = turn.windows.partners.setdefault(order.id, Pace(soon_ns))
    if turn.due(pace.next_ns) and ask_order(turn, order):
        turn.later(pace)
