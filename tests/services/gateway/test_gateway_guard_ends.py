"""What ends the guard, or goes on beside it: a kill, a restart, a ban, an engine that is back."""

import pytest

from schema.exchange import BudgetSeen
from schema.lifecycle import State
from tests.services.gateway.gateway_desk import Desk, opened
from tests.services.gateway.guarded import ALL, STOP_PX, die, engine, entered, guards

desk = pytest.fixture(opened)


@pytest.mark.parametrize("level", ["REDUCING", "HALTED"])
def test_the_guard_goes_on_under_a_kill(desk: Desk, level: str) -> None:
    entered(desk)
    desk.command("kill", level, "a test")
    die(desk)
    desk.live_ms(500, also=ALL)
    assert desk.standing(guards(desk)[0]) is State.ACCEPTED


def test_flatten_closes_without_the_guard(desk: Desk) -> None:
    entered(desk)
    die(desk)
    desk.live_ms(500, also=ALL)
    desk.command("kill", "FLATTEN", "a test")
    desk.live_ms(2_000, also=ALL)
    assert desk.standing(guards(desk)[0]) is State.CANCELED
    (closer,) = [o for o in desk.books.open.values() if o.intent.strategy == "gateway"]
    desk.fill(closer.intent, "0.01000")
    desk.live_ms(5_000, also=ALL)
    assert len(guards(desk)) == 1
    assert [stake.held.n for stake in desk.books.stakes.values()] == [0]


def test_a_closed_position_forgets_its_stop(desk: Desk) -> None:
    entered(desk)
    leaving = desk.place(desk.intent("sell", reduce_only=True))
    desk.fill(leaving, "0.01000")
    desk.bought()
    die(desk)
    desk.live_ms(5_000, also=ALL)
    assert not guards(desk)


def test_an_entry_that_still_trades_keeps_its_stop_known(desk: Desk) -> None:
    entry = desk.place(desk.intent(protect_px=STOP_PX))
    desk.fill(entry, "0.00400")
    leaving = desk.place(desk.intent("sell", 400, reduce_only=True))
    desk.fill(leaving, "0.00400")
    desk.fill(entry, "0.00600")
    die(desk)
    desk.live_ms(500, also=ALL)
    assert [made.qty for made in guards(desk)] == [600]


def test_a_ban_is_waited_for_and_then_the_stop_rests(desk: Desk) -> None:
    entered(desk)
    desk.put(BudgetSeen(used=1, limit=6_000, retry_wall_ms=desk.wall_ms + 8_000))
    die(desk)
    desk.live_ms(4_000, also=ALL)
    assert not guards(desk)
    desk.live_ms(2_000, also=ALL)
    assert len(guards(desk)) == 1


@pytest.mark.parametrize("grade", ["exact", "folded"])
def test_stop_and_count_stand_after_a_restart(desk: Desk, grade: str) -> None:
    entered(desk)
    die(desk)
    desk.live_ms(500, also=ALL)
    desk.restart(grade)
    desk.settle()
    made = guards(desk)[0]
    desk.push(desk.account.end(made.client_order_id).report())
    die(desk)
    desk.live_ms(1_500, also=ALL)
    assert len(guards(desk)) == 2


def test_an_engine_that_comes_back_ends_the_guard(desk: Desk) -> None:
    entered(desk)
    die(desk)
    desk.live_ms(500, also=ALL)
    engine(desk, "READY")
    made = guards(desk)[0]
    desk.push(desk.account.end(made.client_order_id).report())
    desk.live_ms(5_000, also=ALL)
    assert len(guards(desk)) == 1


def test_a_position_too_small_for_the_exchange_is_left(desk: Desk) -> None:
    entered(desk)
    leaving = desk.place(desk.intent("sell", 999, reduce_only=True))
    desk.fill(leaving, "0.00999")
    die(desk)
    desk.live_ms(5_000, also=ALL)
    assert not guards(desk)
