"""The life of an order: FIX's states, UNCONFIRMED, and a table of what leads where.

A late fill, after a terminal state, is booked and halts the instrument, and the state stays. Every
other step that is not in the table is `illegal`: a result that the gateway answers with a halt.

PENDING_UPDATE and its steps are left out: an order is never amended. What takes its place, be it by
one request for both, is an order of its own with an id of its own, so that each has one fate, found
by its own evidence: the old one is PENDING_CANCEL meanwhile, the new one SUBMITTED. Every other
pair of a state and an event of the published table is decided below.

Beyond the published table four races are legal, because exchanges really run them: a venue may
expire an order before it was seen as accepted (IOC, FOK); the answer that accepts an order may come
after its fill; a cancel may be refused after the order ended by itself; and what happens to an
order while its cancel is under way happens to the order underneath, while PENDING_CANCEL shows, as
FIX's precedence of states says.
"""

from enum import StrEnum
from functools import lru_cache
from typing import Literal

import msgspec

from schema import orders
from schema.head import Message

Event = type[Message]
Outcome = Literal["ok", "late_fill", "illegal"]


class State(StrEnum):
    """FIX OrdStatus <39>, with UNCONFIRMED for an order whose fate is not known."""

    __hash__ = str.__hash__  # The same number as an Enum's own, and not worked out in Python.

    INITIALIZED = "INITIALIZED"
    DENIED = "DENIED"
    SUBMITTED = "SUBMITTED"
    UNCONFIRMED = "UNCONFIRMED"
    ACCEPTED = "ACCEPTED"
    TRIGGERED = "TRIGGERED"
    PENDING_CANCEL = "PENDING_CANCEL"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


FIX_STATUS = {
    State.INITIALIZED: "",
    State.DENIED: "8",
    State.SUBMITTED: "A",
    State.UNCONFIRMED: "A",
    State.ACCEPTED: "0",
    State.TRIGGERED: "0",
    State.PENDING_CANCEL: "6",
    State.PARTIALLY_FILLED: "1",
    State.FILLED: "2",
    State.CANCELED: "4",
    State.EXPIRED: "C",
    State.REJECTED: "8",
}

TERMINAL = frozenset({State.DENIED, State.FILLED, State.CANCELED, State.EXPIRED, State.REJECTED})

EVENTS: tuple[Event, ...] = (
    orders.OrderSubmitted,
    orders.OrderDenied,
    orders.OrderUnconfirmed,
    orders.OrderAccepted,
    orders.OrderRejected,
    orders.OrderTriggered,
    orders.OrderPendingCancel,
    orders.OrderCancelRejected,
    orders.OrderCanceled,
    orders.OrderExpired,
    orders.Fill,
)

_ENDS: dict[Event, State] = {
    orders.OrderRejected: State.REJECTED,
    orders.OrderCanceled: State.CANCELED,
    orders.OrderExpired: State.EXPIRED,
    orders.Fill: State.FILLED,
}
_CANCEL: dict[Event, State] = {orders.OrderPendingCancel: State.PENDING_CANCEL}


def _late_answers(state: State) -> dict[Event, State]:
    return {orders.OrderAccepted: state, orders.OrderCancelRejected: state}


STEPS: dict[State, dict[Event, State]] = {
    State.INITIALIZED: {
        orders.OrderDenied: State.DENIED,
        orders.OrderSubmitted: State.SUBMITTED,
        # An order that somebody else made: it is first heard of as it is.
        orders.OrderAccepted: State.ACCEPTED,
        orders.OrderRejected: State.REJECTED,
        orders.OrderCanceled: State.CANCELED,
        orders.OrderExpired: State.EXPIRED,
        orders.OrderTriggered: State.TRIGGERED,
    },
    State.SUBMITTED: {
        **_ENDS,
        **_CANCEL,
        orders.OrderAccepted: State.ACCEPTED,
        orders.OrderUnconfirmed: State.UNCONFIRMED,
    },
    State.UNCONFIRMED: {**_ENDS, orders.OrderAccepted: State.ACCEPTED},
    State.ACCEPTED: {
        **_ENDS,
        **_CANCEL,
        orders.OrderTriggered: State.TRIGGERED,
        orders.OrderCancelRejected: State.ACCEPTED,
    },
    State.TRIGGERED: {**_ENDS, **_CANCEL, **_late_answers(State.TRIGGERED)},
    State.PARTIALLY_FILLED: {
        orders.Fill: State.FILLED,
        orders.OrderCanceled: State.CANCELED,
        orders.OrderExpired: State.EXPIRED,
        **_CANCEL,
        **_late_answers(State.PARTIALLY_FILLED),
    },
    State.PENDING_CANCEL: {},  # Steps as the state underneath does: see `step`.
    State.DENIED: {},
    State.FILLED: _late_answers(State.FILLED),
    State.CANCELED: _late_answers(State.CANCELED),
    State.EXPIRED: _late_answers(State.EXPIRED),
    State.REJECTED: {orders.OrderCancelRejected: State.REJECTED},
}
"""A `Fill` here completes the order; one that does not leads to PARTIALLY_FILLED instead."""


class Place(msgspec.Struct, frozen=True):
    """Where an order stands; `under` is what it is while a cancel is under way."""

    state: State = State.INITIALIZED
    under: State = State.INITIALIZED

    @property
    def terminal(self) -> bool:
        return self.state in TERMINAL


class Step(msgspec.Struct, frozen=True):
    """Where an event led, and whether it was one to be expected."""

    place: Place
    outcome: Outcome


@lru_cache(1024)  # There are few places, and each order passes several.
def step(place: Place, event: Event, *, complete: bool = False) -> Step:
    """Return where an event leads an order; `complete`: a fill left nothing open."""
    if place.state is State.PENDING_CANCEL:
        return _step_under_cancel(place, event, complete=complete)
    to = _table(place.state, event, complete=complete)
    if to is not None:
        return Step(Place(to, place.state if to is State.PENDING_CANCEL else to), "ok")
    if event is orders.Fill and place.terminal:
        return Step(place, "late_fill")
    return Step(place, "illegal")


def _table(state: State, event: Event, *, complete: bool) -> State | None:
    to = STEPS[state].get(event)
    if to is State.FILLED and event is orders.Fill and not complete:
        return State.PARTIALLY_FILLED
    return to


def _step_under_cancel(place: Place, event: Event, *, complete: bool) -> Step:
    under = place.under
    if event is orders.OrderPendingCancel:
        return Step(place, "ok")
    if event is orders.OrderCancelRejected:
        return Step(Place(under, under), "ok")
    if event is orders.OrderAccepted and under is not State.SUBMITTED:
        return Step(Place(under, under), "ok")  # It was found alive: the cancel came to nothing.
    to = _table(under, event, complete=complete)
    if to is None:
        return Step(place, "illegal")
    if to in TERMINAL or to is State.UNCONFIRMED:
        return Step(Place(to, to), "ok")
    return Step(Place(State.PENDING_CANCEL, to), "ok")
