"""What a run has seen: how often each fault, and each step of an order's life."""

from collections import Counter
from collections.abc import Iterator

from schema.head import Message
from schema.lifecycle import EVENTS, STEPS, TERMINAL, Event, Place, State, step
from schema.orders import (
    Fill,
    OrderAccepted,
    OrderCanceled,
    OrderCancelRejected,
    OrderDenied,
    OrderExpired,
    OrderPendingCancel,
    OrderSubmitted,
)

UNDER = (State.SUBMITTED, State.ACCEPTED, State.TRIGGERED, State.PARTIALLY_FILLED)
"""What an order may be underneath a cancel."""

FINE = 18

REPLACEMENT, DATED = "an order in another's place", "an order that is good until a time"
KINDS = (REPLACEMENT, DATED)
"""Kinds of orders that have to be sent."""

FIRST = frozenset({State.SUBMITTED, State.UNCONFIRMED})
"""What an order is while nothing was heard of it."""


def name_of(place: Place, event: Event, to: Place) -> str:
    """Return what a step is called."""
    return f"{_told(place)} {event.__name__} {_told(to)}"


def _told(place: Place) -> str:
    under = f"({place.under})" if place.state is State.PENDING_CANCEL else ""
    return f"{place.state}{under}"


def why_never(place: Place, event: Event) -> str:
    """Return why a gateway never says a step that the table allows; empty where it does."""
    unheard = place.state in FIRST or place.under is State.SUBMITTED
    if place.state is State.INITIALIZED and event not in {OrderSubmitted, OrderDenied}:
        return "what others made halts its symbol, and is not followed"
    if place.state is State.DENIED or (place.state is State.FILLED and event is Fill):
        return "no exchange trades what was never sent, or more than was ordered"
    if unheard and event in {Fill, OrderCanceled, OrderExpired}:
        return "that the exchange has the order is said before what became of it"
    if event is OrderAccepted and not unheard:
        return "it is said once"
    if event is OrderPendingCancel and place.state is State.PENDING_CANCEL:
        return "it is said once"
    if event is OrderCancelRejected and (unheard or place.state is not State.PENDING_CANCEL):
        return "it is said of a cancel that is under way"
    return ""


def _all() -> Iterator[tuple[str, str]]:
    places = [Place(state, state) for state in STEPS if state is not State.PENDING_CANCEL]
    places += [Place(State.PENDING_CANCEL, under) for under in UNDER]
    for place in places:
        for event in EVENTS:
            for complete in (True, False) if event is Fill else (False,):
                found = step(place, event, complete=complete)
                if found.outcome == "ok":
                    yield name_of(place, event, found.place), why_never(place, event)
                elif found.outcome == "late_fill":
                    yield name_of(place, event, place), why_never(place, event)


NAMED = dict(_all())
STEP_NAMES = tuple(name for name, why in NAMED.items() if not why)
"""Every step that an order's life may take."""

UNREAL = {name: why for name, why in NAMED.items() if why}
"""Steps that the table allows and that no run can take, and why."""


class Counts:
    """Counts of one run."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self._places: dict[str, Place] = {}
        self._left: dict[str, int] = {}

    def fault(self, name: str) -> None:
        """Count a fault."""
        self.seen[name] += 1

    def hear(self, message: Message) -> None:
        """Count the step that a message of `gateway.order` is."""
        kind = type(message)
        if kind not in EVENTS:
            return
        order_id = getattr(message, "client_order_id", "")
        place, complete = self._places.get(order_id, Place()), False
        if isinstance(message, OrderSubmitted):
            self._left[order_id] = message.intent.qty * int(10 ** (FINE - message.intent.qty_exp))
            self.seen[REPLACEMENT] += bool(message.intent.replaces)
            self.seen[DATED] += message.intent.time_in_force == "GTD"
        if isinstance(message, Fill):
            self._left[order_id] = self._left.get(order_id, 0) - _lots(message)
            complete = self._left[order_id] <= 0
        found = step(place, kind, complete=complete)
        self._places[order_id] = found.place
        self.seen[name_of(place, kind, found.place)] += 1
        if kind is OrderPendingCancel and place.state in TERMINAL:
            raise AssertionError(f"{order_id} is {place.state}, and a cancel is said")


def _lots(fill: Fill) -> int:
    return fill.qty * int(10 ** (FINE - fill.qty_exp))
