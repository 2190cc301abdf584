"""Risk dies with a lock, or a stop short of one: what it comes back with is what it had."""

from pathlib import Path

import pytest

from schema.orders import Fill
from schema.trading import OrderIntent, PairLocked, Protection, Verdict
from schema.units import MINUTE_NS
from tests.bus.toy import records
from tests.services.risk.risk_desk import BTC, MARK, NOON_NS, UNIT, fill, submitted
from tests.services.risk.test_risk_recovery import World

LITTLE = UNIT // 100
STOP_PX = MARK * 99 // 100
STOPS = 4
CODES = pytest.mark.parametrize("code", ["one", "two"])
"""Of a start: the same code runs turns again, other code folds."""


def stop_out(world: World) -> None:
    """Buy a little and give it up at a stop."""
    world.price(MARK, seconds=20)
    trade(world, world.intent(qty=LITTLE), MARK)
    stop = world.intent(
        qty=LITTLE, side="sell", leg="stop", order_type="stop", stop_px=STOP_PX, reduce_only=True
    )
    trade(world, stop, STOP_PX)


def trade(world: World, order: OrderIntent, px: int) -> None:
    world.say("engine", order)
    verdicts = [m for m in records(world.journals, "risk.verdict") if isinstance(m, Verdict)]
    found = verdicts[-1]
    assert found.approved, found
    world.say("gateway", submitted(order, found), done(order, px, f"t{world.n}"))


def done(order: OrderIntent, px: int, trade_id: str) -> Fill:
    return fill(order, order.qty, px, trade_id)


def protections(world: World) -> list[Protection]:
    return [m for m in records(world.journals, "risk.event") if isinstance(m, Protection)]


def asked(world: World) -> str:
    world.price(MARK, seconds=20)
    return world.ask(qty=LITTLE)[1].code


@CODES
@pytest.mark.parametrize("died", range(STOPS + 1))
def test_the_last_stop_locks_wherever_risk_died_before(
    tmp_path: Path, died: int, code: str
) -> None:
    world = World(tmp_path)
    for number in range(STOPS + 1):
        if number == died:
            world.kill()
            world.start(code)
        if number < STOPS:
            stop_out(world)
    (said,) = protections(world)
    assert (said.name, said.symbol) == ("stoploss_guard", BTC)
    assert said.since_ns == NOON_NS
    assert asked(world) == "PAIR_LOCKED"


@CODES
def test_a_restart_keeps_books_of_trips_and_locks_to_the_byte(tmp_path: Path, code: str) -> None:
    world = World(tmp_path)
    for _ in range(STOPS):
        stop_out(world)
    before = world.kill().protections
    world.start(code)
    assert world.risk.state.books.protections == before
    assert len(protections(world)) == 1


@CODES
def test_what_a_person_cleared_while_risk_was_away_is_cleared(tmp_path: Path, code: str) -> None:
    world = World(tmp_path)
    for _ in range(STOPS):
        stop_out(world)
    world.kill()
    now_ns = world.clock.now_ns
    world.outlets["engine"].say(
        [PairLocked(ts_event=now_ns, symbol=BTC, until_ns=now_ns, reason="seen", by="ann")]
    )
    world.start(code)
    assert asked(world) == "OK"


@CODES
def test_what_a_person_locked_while_risk_was_away_is_locked(tmp_path: Path, code: str) -> None:
    world = World(tmp_path)
    world.kill()
    until_ns = world.clock.now_ns + 5 * MINUTE_NS
    world.outlets["engine"].say(
        [PairLocked(ts_event=1, symbol="*", until_ns=until_ns, reason="news", by="ann")]
    )
    world.start(code)
    assert asked(world) == "PAIR_LOCKED"
    world.price(MARK, seconds=300)
    assert asked(world) == "OK"
