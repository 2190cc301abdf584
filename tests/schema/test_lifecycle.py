"""The life of an order: every pair of a state and an event, legal or not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema import orders
from schema.lifecycle import (
    EVENTS,
    FIX_STATUS,
    STEPS,
    TERMINAL,
    Event,
    Place,
    State,
    step,
)

LEGAL = """
INITIALIZED      OrderDenied DENIED, OrderSubmitted SUBMITTED, OrderAccepted ACCEPTED
INITIALIZED      OrderRejected REJECTED, OrderCanceled CANCELED, OrderExpired EXPIRED
INITIALIZED      OrderTriggered TRIGGERED
SUBMITTED        OrderAccepted ACCEPTED, OrderRejected REJECTED, Fill FILLED
SUBMITTED        OrderCanceled CANCELED, OrderExpired EXPIRED
SUBMITTED        OrderPendingCancel PENDING_CANCEL, OrderUnconfirmed UNCONFIRMED
UNCONFIRMED      OrderAccepted ACCEPTED, OrderRejected REJECTED, Fill FILLED
UNCONFIRMED      OrderCanceled CANCELED, OrderExpired EXPIRED
ACCEPTED         OrderRejected REJECTED, Fill FILLED, OrderCanceled CANCELED
ACCEPTED         OrderExpired EXPIRED, OrderTriggered TRIGGERED
ACCEPTED         OrderPendingCancel PENDING_CANCEL, OrderCancelRejected ACCEPTED
TRIGGERED        OrderRejected REJECTED, Fill FILLED, OrderCanceled CANCELED
TRIGGERED        OrderExpired EXPIRED, OrderPendingCancel PENDING_CANCEL
TRIGGERED        OrderCancelRejected TRIGGERED, OrderAccepted TRIGGERED
PARTIALLY_FILLED Fill FILLED, OrderCanceled CANCELED, OrderExpired EXPIRED
PARTIALLY_FILLED OrderPendingCancel PENDING_CANCEL, OrderCancelRejected PARTIALLY_FILLED
PARTIALLY_FILLED OrderAccepted PARTIALLY_FILLED
FILLED           OrderAccepted FILLED, OrderCancelRejected FILLED
CANCELED         OrderAccepted CANCELED, OrderCancelRejected CANCELED
EXPIRED          OrderAccepted EXPIRED, OrderCancelRejected EXPIRED
REJECTED         OrderCancelRejected REJECTED
"""
"""What may happen, written a second time: a change of the table is a change here."""

PLAIN = [state for state in State if state is not State.PENDING_CANCEL]
UNDER = [State.SUBMITTED, State.ACCEPTED, State.TRIGGERED, State.PARTIALLY_FILLED]


def legal() -> dict[tuple[State, Event], State]:
    found: dict[tuple[State, Event], State] = {}
    for line in LEGAL.strip().splitlines():
        state, _, steps = line.partition(" ")
        for pair in steps.split(","):
            event, to = pair.split()
            found[State(state), getattr(orders, event)] = State(to)
    return found


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", PLAIN)
def test_every_pair_is_legal_or_named_otherwise(state: State, event: Event) -> None:
    stepped = step(Place(state, state), event, complete=True)
    to = legal().get((state, event))
    if to is not None:
        assert (stepped.place.state, stepped.outcome) == (to, "ok")
        return
    late = event is orders.Fill and state in TERMINAL
    assert stepped.place == Place(state, state)
    assert stepped.outcome == ("late_fill" if late else "illegal")


@pytest.mark.parametrize("state", [s for s in PLAIN if (s, orders.Fill) in legal()])
def test_a_fill_that_leaves_something_open_is_partial(state: State) -> None:
    assert step(Place(state, state), orders.Fill).place.state is State.PARTIALLY_FILLED


@pytest.mark.parametrize("state", sorted(TERMINAL))
@pytest.mark.parametrize("complete", [False, True])
def test_a_terminal_state_stays_when_a_fill_comes_late(state: State, *, complete: bool) -> None:
    stepped = step(Place(state, state), orders.Fill, complete=complete)
    assert stepped.place.state is state
    assert stepped.outcome == "late_fill"


@pytest.mark.parametrize("under", UNDER)
def test_a_refused_cancel_gives_back_what_the_order_was(under: State) -> None:
    pending = step(Place(under, under), orders.OrderPendingCancel).place
    assert pending == Place(State.PENDING_CANCEL, under)
    assert step(pending, orders.OrderPendingCancel).place == pending
    assert step(pending, orders.OrderCancelRejected).place == Place(under, under)


UNDER_CANCEL = [
    (State.SUBMITTED, orders.OrderAccepted, State.PENDING_CANCEL, State.ACCEPTED),
    (State.SUBMITTED, orders.OrderUnconfirmed, State.UNCONFIRMED, State.UNCONFIRMED),
    (State.SUBMITTED, orders.Fill, State.PENDING_CANCEL, State.PARTIALLY_FILLED),
    (State.ACCEPTED, orders.OrderAccepted, State.ACCEPTED, State.ACCEPTED),
    (State.ACCEPTED, orders.OrderTriggered, State.PENDING_CANCEL, State.TRIGGERED),
    (State.ACCEPTED, orders.Fill, State.PENDING_CANCEL, State.PARTIALLY_FILLED),
    (State.ACCEPTED, orders.OrderCanceled, State.CANCELED, State.CANCELED),
    (State.ACCEPTED, orders.OrderExpired, State.EXPIRED, State.EXPIRED),
    (State.ACCEPTED, orders.OrderRejected, State.REJECTED, State.REJECTED),
    (State.PARTIALLY_FILLED, orders.OrderCanceled, State.CANCELED, State.CANCELED),
    (State.PARTIALLY_FILLED, orders.OrderAccepted, State.PARTIALLY_FILLED, State.PARTIALLY_FILLED),
]


@pytest.mark.parametrize(("under", "event", "state", "then"), UNDER_CANCEL)
def test_an_order_lives_on_under_its_cancel(
    under: State, event: Event, state: State, then: State
) -> None:
    stepped = step(Place(State.PENDING_CANCEL, under), event)
    assert (stepped.place, stepped.outcome) == (Place(state, then), "ok")


@pytest.mark.parametrize("under", UNDER)
def test_a_fill_of_the_rest_ends_an_order_under_its_cancel(under: State) -> None:
    stepped = step(Place(State.PENDING_CANCEL, under), orders.Fill, complete=True)
    assert stepped.place == Place(State.FILLED, State.FILLED)


@pytest.mark.parametrize("event", [orders.OrderSubmitted, orders.OrderDenied])
@pytest.mark.parametrize("under", UNDER)
def test_an_order_under_its_cancel_is_not_begun_again(under: State, event: Event) -> None:
    pending = Place(State.PENDING_CANCEL, under)
    assert step(pending, event).place == pending
    assert step(pending, event).outcome == "illegal"


@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.booleans()), max_size=30))
def test_no_order_comes_back_to_life(events: list[tuple[Event, bool]]) -> None:
    place, ended = Place(), None
    for event, complete in events:
        place = step(place, event, complete=complete).place
        ended = ended or (place.state if place.terminal else None)
        assert ended is None or place.state is ended
        assert (place.state is State.PENDING_CANCEL) or place.under is place.state


def test_every_state_has_its_row_and_its_fix_status() -> None:
    assert set(STEPS) == set(FIX_STATUS) == set(State)
    assert FIX_STATUS[State.PARTIALLY_FILLED] == "1"
    assert State.UNCONFIRMED not in TERMINAL


PUBLISHED = """
INITIALIZED      DENIED SUBMITTED ACCEPTED REJECTED CANCELED EXPIRED TRIGGERED
SUBMITTED        ACCEPTED REJECTED PARTIALLY_FILLED FILLED CANCELED PENDING_CANCEL UNCONFIRMED
UNCONFIRMED      ACCEPTED PARTIALLY_FILLED FILLED CANCELED EXPIRED REJECTED
ACCEPTED         REJECTED PENDING_CANCEL CANCELED EXPIRED TRIGGERED PARTIALLY_FILLED FILLED
TRIGGERED        REJECTED PENDING_CANCEL CANCELED EXPIRED PARTIALLY_FILLED FILLED
PARTIALLY_FILLED PARTIALLY_FILLED FILLED CANCELED EXPIRED PENDING_CANCEL
"""
"""The published table without its amendments: from where an order may come where."""


def reached(place: Place) -> set[State]:
    steps = [step(place, event, complete=done) for event in EVENTS for done in (False, True)]
    return {stepped.place.state for stepped in steps if stepped.outcome == "ok"}


@pytest.mark.parametrize("row", PUBLISHED.strip().splitlines())
def test_every_way_of_the_published_table_can_be_gone(row: str) -> None:
    state, *wanted = map(State, row.split())
    assert set(wanted) <= reached(Place(state, state))


@pytest.mark.parametrize("under", UNDER)
def test_every_way_out_of_a_cancel_can_be_gone(under: State) -> None:
    wanted = {State.CANCELED, State.EXPIRED, State.FILLED, State.PENDING_CANCEL, under}
    if under is not State.PARTIALLY_FILLED:
        wanted.add(State.REJECTED)
    assert wanted <= reached(Place(State.PENDING_CANCEL, under))
