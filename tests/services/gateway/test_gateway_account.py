"""How the gateway tells its account to late joiners: exact, whole, within a frame, and no news."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.exchange import SendOrder
from schema.frame import FRAME_BYTES_MAX, HEADER_BYTES
from schema.house import SnapshotDue
from schema.lifecycle import Place, State
from schema.messages import encode
from schema.orders import AccountSnapshot, KillLevel
from schema.streams import STREAMS
from services.gateway import account, books
from services.gateway.state import Amount, Books, Order, Stop
from tests.services.gateway.gateway_account import SYMBOL
from tests.services.gateway.gateway_desk import Desk
from tests.services.gateway.gateway_words import MARKET_NS
from tests.sim.joining import restored

DUE = SnapshotDue(stream=STREAMS["gateway.order"].number)


@pytest.fixture
def desk() -> Desk:
    return Desk().boot()


def told(desk: Desk) -> AccountSnapshot:
    (found,) = desk.put(DUE)
    assert isinstance(found, AccountSnapshot)
    return found


def test_it_tells_level_halts_orders_and_sums_as_the_books_have_them(desk: Desk) -> None:
    desk.bought("0.01000")
    resting = desk.place(desk.limit())
    desk.fill(resting, "0.00400")
    desk.command("kill", "REDUCING", "a look first")
    found = told(desk)
    assert (found.level, found.by, found.reason) == ("REDUCING", "me", "a look first")
    assert found.since_ns == desk.of(KillLevel)[-1].ts_event
    assert found.reconciled_ns == desk.books.reconciled_ns > 0
    (order,) = found.orders
    assert (order.intent, order.qty, order.filled, order.exp) == (resting, 1000, 400, 5)
    assert order.venue_order_id == desk.books.open[resting.client_order_id].venue_order_id != ""
    (position,) = found.positions
    assert (position.name, position.n, position.exp) == (SYMBOL, 1400, 5)
    assert {one.name: Amount(one.n, one.exp) for one in found.balances} == desk.books.assets
    desk.prove()


def test_a_cancel_under_way_and_a_doubt_are_told(desk: Desk) -> None:
    resting = desk.place(desk.limit())
    desk.cancel(resting)
    wanted = desk.intent()
    desk.approve(wanted)
    desk.silence(desk.take(SendOrder))
    flags = {
        one.intent.client_order_id: (one.cancel_is_pending, one.is_unconfirmed)
        for one in told(desk).orders
    }
    assert flags == {
        resting.client_order_id: (True, False),
        wanted.client_order_id: (False, True),
    }
    desk.prove()


def test_to_tell_it_changes_nothing_and_asks_for_nothing(desk: Desk) -> None:
    desk.place(desk.limit())
    before, effects = msgspec.msgpack.encode(desk.core.state), len(desk.effects)
    told(desk)
    assert msgspec.msgpack.encode(desk.core.state) == before
    assert len(desk.effects) == effects


def test_who_goes_on_from_it_has_what_the_gateway_has(desk: Desk) -> None:
    desk.bought("0.01000")
    resting = desk.place(desk.limit())
    joined = restored([told(desk)])
    after = len(desk.said)
    desk.fill(resting, "0.00400")
    desk.cancel(resting)
    desk.command("kill", "FLATTEN", "enough")
    for message in desk.said[after:]:
        books.apply(joined, message)
    one, two = account.told(joined, 1), account.told(desk.books, 1)
    assert encode([*one]) == encode([*two])


def many(desk: Desk, orders: int, names: int, text: str) -> Books:
    made = Books(level="HALTED", killed=Stop(1, text, text))
    for n in range(orders):
        intent = msgspec.structs.replace(desk.intent(), client_order_id=f"{n:032x}", reason=text)
        place = Place(State.ACCEPTED, State.ACCEPTED)
        made.open[intent.client_order_id] = Order(intent, n, n, 5, 1000, n, place, str(n))
    for n in range(names):
        made.halted[f"S{n}/USDT"] = Stop(n, "gateway", text)
        made.assets[f"S{n}"] = Amount(-n * 10**15, 18)
        made.positions[f"S{n}/USDT"] = Amount(n, 8)
    return made


@settings(max_examples=25, deadline=None)
@given(
    orders=st.integers(0, 400),
    names=st.integers(0, 400),
    text=st.sampled_from(["", "because", "x" * 3_000]),
)
def test_what_is_long_comes_in_parts_that_fit_and_lack_nothing(
    orders: int, names: int, text: str
) -> None:
    whole = many(Desk(), orders, names, text)
    parts = account.told(whole, MARKET_NS)
    assert [one.part for one in parts] == [*range(1, len(parts) + 1)]
    assert {one.parts for one in parts} == {len(parts)}
    assert all(len(encode([one])) + HEADER_BYTES <= 1 << 16 for one in parts)
    found = restored(parts)
    assert (found.open, found.assets, found.positions) == (
        whole.open,
        whole.assets,
        whole.positions,
    )
    assert [*found.halted] == [*whole.halted]


@pytest.mark.parametrize("length", [50_000, 900_000])
def test_a_reason_of_any_length_leaves_room_in_its_frame(desk: Desk, length: int) -> None:
    desk.command("kill", "HALTED", "x" * length)
    found = told(desk)
    assert len(encode([found])) + HEADER_BYTES <= FRAME_BYTES_MAX
    assert len(found.reason) < 1_000
