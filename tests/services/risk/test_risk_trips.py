"""Round trips: when they begin and end, what ended them, and what they earned to the last unit."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.identity import strategy_tag
from schema.ledger import Ledger, book
from schema.orders import Fill, OrderCanceled
from schema.trading import STOPPED, TRAILED
from schema.units import MINUTE_NS
from services.risk.trips import KEPT, Trips, fold_trips
from tests.services.risk.risk_desk import BTC, ETH, MARK, UNIT
from tests.services.risk.trip_book import DAY_NS, FEE, ONE, TripBook

WORTH = MARK * ONE // 100


@pytest.fixture
def book_of_trips() -> TripBook:
    return TripBook()


def test_a_trip_is_told_with_its_times_and_its_gain_after_fees(book_of_trips: TripBook) -> None:
    book_of_trips.trip(MARK - 1000_00, "stop")
    (trip,) = book_of_trips.done()
    assert (trip.symbol, trip.side, trip.ended) == (BTC, "long", "stop")
    assert trip.tag == strategy_tag("t")
    assert trip.closed_ns - trip.opened_ns == MINUTE_NS
    assert trip.gain == -100 * UNIT - 2 * FEE
    assert trip.paid == WORTH
    assert trip.stopped


@pytest.mark.parametrize(
    ("order", "ended"),
    [
        ({"leg": "stop"}, "stop"),
        ({"leg": "stop", "replaces": "0" * 32}, "stop"),
        ({"leg": "stop", "reason": TRAILED}, "trailing"),
        ({"leg": "exit", "reason": TRAILED}, "trailing"),
        ({"leg": "exit", "reason": STOPPED}, "stop"),
        ({"leg": "target"}, "target"),
        ({"leg": "exit"}, "exit"),
        ({"leg": "exit", "strategy": "gateway"}, "flatten"),
        ({"leg": "exit", "strategy": "manual"}, "exit"),
    ],
)
def test_what_ended_a_trip_is_told_by_the_leg_and_the_reason_of_its_order(
    book_of_trips: TripBook, order: dict[str, Any], ended: str
) -> None:
    book_of_trips.trade("buy", ONE)
    book_of_trips.trade("sell", ONE, reduce_only=True, **order)
    assert [trip.ended for trip in book_of_trips.done()] == [ended]


def test_a_position_grows_and_shrinks_within_one_trip(book_of_trips: TripBook) -> None:
    for side, qty in (("buy", ONE), ("buy", ONE), ("sell", ONE), ("buy", ONE), ("sell", 2 * ONE)):
        assert book_of_trips.done() == []
        book_of_trips.trade(side, qty)  # type: ignore[arg-type]
    (trip,) = book_of_trips.done()
    assert (trip.gain, trip.paid) == (-5 * FEE, 3 * WORTH)


def test_what_goes_through_nothing_ends_one_trip_and_begins_another(
    book_of_trips: TripBook,
) -> None:
    book_of_trips.trade("buy", ONE)
    book_of_trips.trade("sell", 4 * ONE)
    book_of_trips.trade("buy", 3 * ONE, MARK - 1000_00)
    long, short = book_of_trips.done()
    assert (long.side, short.side) == ("long", "short")
    assert long.gain == -FEE - FEE // 4
    assert short.gain == 300 * UNIT - FEE * 3 // 4 - FEE
    assert long.closed_ns == short.opened_ns
    assert (long.paid, short.paid) == (WORTH, 3 * WORTH)


def test_dust_ends_a_trip_and_its_sale_belongs_to_it(book_of_trips: TripBook) -> None:
    book_of_trips.trade("buy", ONE)
    book_of_trips.trade("sell", ONE * 99 // 100, leg="stop")
    (trip,) = book_of_trips.done()
    book_of_trips.trade("sell", ONE // 100, MARK * 2, fee=0)
    (whole,) = book_of_trips.done()
    assert whole.gain == trip.gain + WORTH // 100
    assert book_of_trips.trips.stopped == [whole]
    assert book_of_trips.trips.ended == []


def test_a_fill_that_is_heard_twice_is_one(book_of_trips: TripBook) -> None:
    order = book_of_trips.order("buy", ONE)
    fill = book_of_trips.fill(order, ONE // 2)
    book_of_trips.hear(fill)
    book_of_trips.trade("sell", ONE // 2)
    assert len(book_of_trips.done()) == 1
    book_of_trips.hear(fill)
    assert book_of_trips.trips.ended == []


def test_what_a_person_or_the_gateway_closes_ends_the_trips_of_strategies(
    book_of_trips: TripBook,
) -> None:
    book_of_trips.trade("buy", ONE, strategy="a")
    book_of_trips.trade("buy", 3 * ONE, strategy="b")
    book_of_trips.trade("sell", 4 * ONE, strategy="gateway", leg="exit", reduce_only=True)
    one, three = book_of_trips.done()
    assert (one.tag, three.tag) == (strategy_tag("a"), strategy_tag("b"))
    assert (one.ended, three.ended) == ("flatten", "flatten")
    assert one.gain == -FEE - FEE // 4
    assert three.gain == -FEE - FEE * 3 // 4
    book_of_trips.trade("buy", ONE, strategy="gateway")
    assert len(book_of_trips.done()) == 2


def test_an_order_that_has_ended_is_forgotten(book_of_trips: TripBook) -> None:
    order = book_of_trips.order("buy", ONE)
    gone = OrderCanceled(ts_event=1, client_order_id=order.client_order_id, symbol=BTC)
    fold_trips(book_of_trips.trips, book_of_trips.ledger, gone, DAY_NS)
    book_of_trips.trade("buy", ONE)
    assert book_of_trips.trips.sent == {}


def test_trips_older_than_the_horizon_leave() -> None:
    book_of_trips = TripBook(horizon_ns=10 * MINUTE_NS)
    for _ in range(20):
        book_of_trips.trip(MARK, "stop")
    assert len(book_of_trips.done()) == len(book_of_trips.trips.stopped) == 5


def test_no_more_trips_are_kept_than_a_bound() -> None:
    book_of_trips = TripBook(horizon_ns=10**6 * MINUTE_NS)
    for _ in range(KEPT + 5):
        book_of_trips.trip(MARK, "stop")
    assert len(book_of_trips.done()) == len(book_of_trips.trips.stopped) == KEPT


steps = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell"]),
        st.integers(1, 60).map(lambda n: n * 1_000_003),
        st.integers(1, 90_000_00),
        st.integers(-3, 10**7),
        st.sampled_from(["a", "b", "gateway"]),
        st.sampled_from([BTC, ETH]),
    ),
    max_size=40,
)


def told(story: list[Any]) -> TripBook:
    book_of_trips = TripBook(horizon_ns=10**6 * MINUTE_NS)
    for side, qty, px, fee, strategy, symbol in story:
        closes = {"reduce_only": True} if strategy == "gateway" else {}
        book_of_trips.trade(side, qty, px, fee, strategy=strategy, symbol=symbol, **closes)
    return book_of_trips


@given(steps)
def test_what_all_trips_earned_is_what_the_books_earned(story: list[Any]) -> None:
    book_of_trips = told(story)
    trips, ledger = book_of_trips.trips, book_of_trips.ledger
    for symbol, lanes in trips.lanes.items():
        gains = sum(trip.gain for trip in trips.recent.get(symbol, []))
        holdings = {tag: ledger.holding(symbol, tag) for tag in lanes}
        assert all(one is not None and lanes[tag].qty == one.qty for tag, one in holdings.items())
        left = sum(
            one.realized_net - lanes[tag].earned for tag, one in holdings.items() if one is not None
        )
        earned = sum(one.realized_net for one in holdings.values() if one is not None)
        assert gains + left == earned
        # Of a fee that several share, what cannot be divided stays with who traded.
        if "gateway" not in {strategy for *_, strategy, _ in story}:
            assert left == 0 or any(lane.qty for lane in lanes.values())


@given(steps, st.integers(0, 40))
def test_trips_from_a_snapshot_go_on_as_if_there_was_none(story: list[Any], at: int) -> None:
    whole, half = told(story), told(story[:at])
    half.trips = msgspec.msgpack.decode(msgspec.msgpack.encode(half.trips), type=Trips)
    half.ledger = msgspec.msgpack.decode(msgspec.msgpack.encode(half.ledger), type=Ledger)
    for side, qty, px, fee, strategy, symbol in story[at:]:
        closes = {"reduce_only": True} if strategy == "gateway" else {}
        half.trade(side, qty, px, fee, strategy=strategy, symbol=symbol, **closes)
    assert half.trips == whole.trips


def test_a_fee_in_another_asset_is_no_part_of_a_gain(book_of_trips: TripBook) -> None:
    order = book_of_trips.order("buy", ONE)
    fill = book_of_trips.fill(order, ONE // 2, fee=0)
    in_bnb = msgspec.structs.replace(fill, fee=UNIT, fee_asset="BNB", venue_trade_id="other")
    assert isinstance(in_bnb, Fill)
    assert book(book_of_trips.ledger, in_bnb)
    fold_trips(book_of_trips.trips, book_of_trips.ledger, in_bnb, DAY_NS)
    book_of_trips.trade("sell", ONE, fee=0)
    assert [trip.gain for trip in book_of_trips.done()] == [0]
