"""One step in the life of an order: said when the table allows it, and a halt when it does not."""

from collections.abc import Callable

from schema.head import Message
from schema.lifecycle import State, step
from schema.orders import Fill, OrderAccepted, OrderRejected, OrderUnconfirmed
from services.gateway.amounts import scaled
from services.gateway.state import Order
from services.gateway.turn import Turn

AWAITED = (State.SUBMITTED, State.UNCONFIRMED)
"""States of an order that nothing of the exchange's was heard about."""


def awaited(order: Order) -> bool:
    """Return whether the exchange has said nothing of an order yet."""
    place = order.place
    return place.state in AWAITED or (not order.ended and place.under is State.SUBMITTED)


def take_step(turn: Turn, order: Order, message: Message) -> None:
    """Say an event of an order; an illegal one halts its symbol instead, but a fill is booked."""
    kind, before = type(message), order.place
    complete = isinstance(message, Fill) and _completes(order, message)
    found = step(before, kind, complete=complete)
    if found.outcome == "ok" or kind is Fill:
        turn.say(message)
    if found.outcome == "illegal":
        turn.halt(
            order.symbol,
            f"{kind.__name__} of {order.id} is no step from {before.state}",
            order.id,
            order.intent.trace,
        )


def _completes(order: Order, fill: Fill) -> bool:
    # A fill never has fewer decimals than its order has by then.
    return fill.cum_qty >= scaled(order.qty, order.exp, fill.qty_exp)


def tell(turn: Turn, order: Order, event: Callable[..., Message], **fields: str) -> None:
    """Say what became of an order, as a step of its life."""
    named = {"client_order_id": order.id, "symbol": order.symbol, **fields}
    take_step(turn, order, event(ts_event=turn.now_ns, trace=order.intent.trace, **named))


def accept(turn: Turn, order: Order, venue_order_id: str, evidence: str) -> None:
    """Say that the exchange has an order, when it was not known."""
    if awaited(order):
        tell(turn, order, OrderAccepted, venue_order_id=venue_order_id, evidence=evidence)


def reject(turn: Turn, order: Order, code: str, detail: str) -> None:
    """Say that the exchange never had an order, or has no more of it."""
    tell(turn, order, OrderRejected, code=code, detail=detail)


def doubt(turn: Turn, order: Order, reason: str) -> None:
    """Say that the fate of an order is not known; it is asked for until there is evidence."""
    if order.place.state is not State.UNCONFIRMED:
        tell(turn, order, OrderUnconfirmed, reason=reason)
