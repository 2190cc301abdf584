"""Late joiners: who tells how things stand, when, and that nobody else is disturbed by it."""

from pathlib import Path

import pytest

from bus.service import Parts, Said
from bus.snapshots import DUE_MESSAGES, DUE_NS
from schema.house import Command, Inputs, SnapshotDue
from schema.orders import AccountSnapshot
from schema.trading import OrderIntent
from tests.bus.test_runner import Fragile, Killed
from tests.bus.till import ORDER, Follower, House, Joiner, Sums
from tests.bus.toy import launch, records, settle


@pytest.fixture(params=["memory", "disk"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    return House(tmp_path, request.param).start()


def test_it_is_asked_once_a_minute_and_only_when_something_was_said(house: House) -> None:
    house.wait(DUE_NS)
    assert house.asks() == 1  # A life begins with the record of its epoch.
    house.wait(10 * DUE_NS)
    assert house.asks() == 1
    house.say(7)
    assert house.asks() == 2
    assert [m.ts_event for m in house.told()] == [0, 0, 7, 1]
    house.say(8)
    house.wait(DUE_NS - 1)
    assert house.asks() == 2
    house.wait(1)
    assert [m.ts_event for m in house.told()][-2:] == [15, 2]


def test_many_messages_do_not_wait_for_the_minute(house: House) -> None:
    for _ in range(DUE_MESSAGES // 100):
        house.say(*[1] * 100)
    assert house.asks() == 1
    assert [m.ts_event for m in house.told()] == [DUE_MESSAGES, DUE_MESSAGES]


def test_orders_go_first_and_are_not_in_one_turn_with_it(house: House) -> None:
    house.clock.advance(DUE_NS)
    house.say(5)
    turns = [m for m in records(house.journals, "gateway.order") if isinstance(m, Inputs)]
    alone = [turn for turn in turns if len(turn.local) == 1 and not turn.slices]
    assert house.till.heard[-1][0] == _intent_of(house)
    assert alone, "the snapshot was asked for in a turn of its own"


def _intent_of(house: House) -> Said:
    (message,) = [m for m in house.till.heard[-1] if isinstance(m, OrderIntent)]
    return message


def test_under_a_flood_without_a_pause_it_is_asked_last_in_a_turn(house: House) -> None:
    house.clock.advance(2 * DUE_NS)
    house.source.say(1)
    house.till.heard.append([])
    house.runner.turn()
    kinds = [type(one) for one in house.till.heard[-1]]
    assert kinds == [OrderIntent, SnapshotDue]
    assert [m.ts_event for m in house.told()] == [1, 1]


def test_who_joins_late_has_what_everybody_has(house: House) -> None:
    house.say(3, 4)
    assert house.join().state == Sums(7, 2)  # There is no snapshot yet: all from the beginning.
    house.wait(DUE_NS)
    joiner = house.join()
    assert joiner.state == Sums(7, 2)
    assert isinstance(joiner.first, AccountSnapshot)
    house.say(5)
    joiner = house.join()
    assert joiner.state == Sums(12, 3)
    assert isinstance(joiner.first, AccountSnapshot)


def test_who_joins_goes_on_live_and_is_given_no_second_snapshot(house: House) -> None:
    house.say(3)
    house.wait(DUE_NS)
    joiner = Joiner()
    runner = launch(Parts(joiner), house.journals, house.hub, house.clock, house.path)
    settle(runner)
    joiner.state.total += 1000  # What it heard stays as it is: nothing tells it anew.
    house.say(4)
    house.wait(DUE_NS)
    house.say(5)
    settle(runner)
    assert joiner.state == Sums(1012, 3)


def test_a_snapshot_is_said_on_demand(house: House) -> None:
    house.say(3)
    house.hub.places[house.place].asked.append(
        Command(request_id="1", verb="snapshot", args=(), by="me")
    )
    settle(house.runner)
    assert [m.ts_event for m in house.told()] == [3, 1]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("appends", range(1, 22))
def test_killed_at_any_append_what_it_tells_holds(
    tmp_path: Path, appends: int, *, after: bool
) -> None:
    house = House(tmp_path)
    qty = 0
    try:
        house.start(Fragile(house.journals, appends, after=after))
        for qty in range(1, 7):
            house.clock.advance(DUE_NS // 2)
            house.say(qty)
    except Killed:
        house.hub.places[house.place].close()
        house.start()
        for more in range(qty + 1, 7):
            house.clock.advance(DUE_NS // 2)
            house.say(more)
    house.wait(DUE_NS)
    assert house.till.state == Sums(21, 6)
    assert house.join().state == Sums(21, 6)
    told = iter([*house.told()])
    for total, orders in zip(told, told, strict=True):
        assert total.ts_event == orders.ts_event * (orders.ts_event + 1) // 2


@pytest.mark.parametrize("code", ["one", "two"])
def test_a_follower_passes_over_snapshots_and_comes_back_over_them(house: House, code: str) -> None:
    follower = Follower()
    runner = launch(Parts(follower), house.journals, house.hub, house.clock, house.path)
    place = house.hub.places[-1]
    for qty in range(1, 5):
        house.say(qty)
        house.wait(DUE_NS)
        settle(runner)
    runner._flush_silent()
    assert follower.state == Sums(10, 4)
    assert len(house.told()) == 8
    place.close()
    again = Follower()
    runner = launch(Parts(again), house.journals, house.hub, house.clock, house.path, code)
    settle(runner)
    assert again.state == Sums(10, 4)
    cursors = dict(runner._intake.cursors())
    assert cursors[ORDER.number] == house.journals.reader(ORDER).last()


def test_its_owner_folds_over_its_own_snapshots(house: House) -> None:
    for qty in range(1, 5):
        house.say(qty)
        house.wait(DUE_NS)
    house.hub.places[house.place].close()
    house.start(code="two")
    assert house.till.state == Sums(10, 4)
    house.hub.places[house.place].close()
    house.start(code="two")
    assert house.till.state == Sums(10, 4)
