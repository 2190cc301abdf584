"""An order in another's place: what the one answer says of both, and what evidence says without it.

Each of the two has a fate of its own. While the new one's answer is on its way nothing is done to
the old one; without an answer the new one is in doubt, and the old one is asked for until it has
ended, or was seen open when the exchange could no longer take the request.
"""

from schema.joined import ReplaceDone, ReplaceRefused
from schema.lifecycle import State
from schema.orders import OrderCancelRejected
from services.gateway import cancels
from services.gateway.answers import OPEN, take_report
from services.gateway.books import find
from services.gateway.pairs import is_unanswered
from services.gateway.questions import ask_order
from services.gateway.state import Order, Pace
from services.gateway.steps import awaited, doubt, tell
from services.gateway.times import exchange_ms
from services.gateway.turn import Turn
from services.gateway.unconfirmed import last_ms

NOT_REPLACED = "NOT_REPLACED"
"""The code of a cancel that came to nothing, because the new order never was."""


def take_canceled(turn: Turn, done: ReplaceDone) -> None:
    """Take in that the old order is gone."""
    take_report(turn, done.canceled, "answer")


def doubt_unnamed(turn: Turn, done: ReplaceDone) -> None:
    """Doubt the new order when the answer does not speak of it."""
    order = turn.books.open.get(done.effect_id.partition(" ")[2])
    if order is not None and is_unanswered(order):
        doubt(turn, order, "the answer does not speak of the order that was to take its place")


def take_refusal(turn: Turn, refused: ReplaceRefused) -> None:
    """Take in that the old order was not cancelled: it is what it was, or has ended by itself."""
    undo(turn, refused.client_order_id, str(refused.code), refused.text)
    order = turn.books.open.get(refused.replaced)
    if order is not None:
        ask_order(turn, order)


def undo(turn: Turn, new_id: str, code: str, detail: str) -> None:
    """Say that an order's cancel came to nothing, as the one that was to replace it was refused."""
    new = find(turn.books, new_id)
    old = turn.books.open.get(new.intent.replaces) if new is not None else None
    if new is None or old is None or not new.ended:
        return
    if old.successor == new_id and is_followed(old):
        tell(turn, old, OrderCancelRejected, code=code, detail=detail)


def is_followed(order: Order) -> bool:
    """Return whether an order's cancel is under way for its successor's sake alone."""
    pending = order.place.state is State.PENDING_CANCEL
    return pending and bool(order.successor) and not order.canceled


def settle(turn: Turn) -> None:
    """Ask for every order whose successor's answer never came, until its own fate is known."""
    books, paces = turn.books, turn.windows.replaced
    for order_id in [one for one in paces if one not in books.open]:
        del paces[order_id]
    for order in list(books.open.values()):
        if order.successor and is_followed(order) and not cancels.is_replaced_now(turn, order):
            pace = paces.setdefault(order.id, Pace())
            if turn.due(pace.next_ns) and ask_order(turn, order):
                turn.later(pace)


def take_found(turn: Turn, order_id: str, status: str, asked_ns: int) -> None:
    """Take in that an order which was to be replaced is open at the exchange."""
    old = turn.books.open.get(order_id)
    if old is None or not is_followed(old) or status not in OPEN:
        return
    new = find(turn.books, old.successor)
    if new is not None and is_unanswered(new):
        return
    if new is not None and _has_arrived(new):
        cancels.wish(turn, old, f"{new.id} has taken its place")
    elif new is None or _is_late(turn, new, asked_ns):
        detail = f"it is open, and {old.successor} can no longer arrive"
        tell(turn, old, OrderCancelRejected, code=NOT_REPLACED, detail=detail)


def _has_arrived(new: Order) -> bool:
    return not awaited(new) and new.place.state is not State.REJECTED


def _is_late(turn: Turn, new: Order, asked_ns: int) -> bool:
    """Return whether a question was asked when the exchange could no longer take a request."""
    asked_ms = exchange_ms(turn.windows, asked_ns)
    return asked_ms is not None and asked_ms > last_ms(turn, new)
