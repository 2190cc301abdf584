"""An engine that is killed at any append comes back with the same books, and says nothing twice."""

from pathlib import Path

import msgspec
import pytest

from bus.clock import SystemClock
from schema.house import Started
from schema.streams import STREAMS
from schema.trading import Decision, OrderIntent, StrategyFailed
from services.engine.boundary import Overran
from tests.bus.toy import records, said, settle
from tests.services.engine.engine_made import (
    BROKEN,
    COUNTS,
    MINUTE_NS,
    PX,
    SECOND_NS,
    START_NS,
    SYMBOL,
    Nervous,
    bar,
    forecast,
    instrument,
    money,
    told,
    written,
)
from tests.services.engine.engine_world import (
    OWN,
    World,
    closes,
    grade,
    legs,
    recoveries,
    same_books,
)


def test_the_story_is_a_round_trip_and_a_second_entry(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.story()
    assert legs(world) == ["entry", "stop", "exit", "entry", "stop"]
    assert world.runner.pulse.state == "READY"


def test_an_exact_recovery_is_equal_to_the_last_byte(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.story()
    world.runner._flush_silent()
    before, spoken = world.core.state, [said(world.journals, name) for name in OWN]
    world.kill()
    assert world.core.state == before
    assert [said(world.journals, name) for name in OWN] == spoken
    settle(world.runner)
    assert recoveries(world) == []


@pytest.mark.parametrize("snapshot", [False, True])
def test_a_folded_recovery_keeps_positions_orders_and_targets(
    tmp_path: Path, *, snapshot: bool
) -> None:
    world = World(tmp_path)
    world.story()
    if snapshot:
        world.runner.snapshot()
    world.runner._flush_silent()
    before = world.core.state
    world.code = "two"
    world.kill()
    assert same_books(world.core.state, before)
    windows = world.core.state.windows
    assert closes(windows) == closes(before.windows)
    assert windows.instruments == before.windows.instruments
    assert windows.tops == before.windows.tops
    assert grade(world) == "folded"
    for _ in range(20):
        world.work()
    assert legs(world) == ["entry", "stop", "exit", "entry", "stop"]
    world.say(forecast(world.clock.market_ns(), 0.4))
    world.work()
    assert legs(world)[-1] == "exit"


def test_killed_at_every_append_it_trades_the_same_and_nothing_twice(tmp_path: Path) -> None:
    whole = World(tmp_path)
    whole.story()
    wanted = [(o.leg, o.side, o.qty) for o in whole.orders()]
    kills = 0
    for n in range(200):
        world = World(tmp_path)
        world.journals.left = n
        world.story()
        if not world.kills:
            break
        kills += world.kills
        ids = [order.client_order_id for order in world.orders()]
        assert len(ids) == len(set(ids))
        assert [(o.leg, o.side, o.qty) for o in world.orders()] == wanted, n
        assert world.core.state.books.ledger == whole.core.state.books.ledger
    assert kills > 20


def test_after_a_start_the_first_input_is_the_start_itself(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.story()
    world.core.handle(Started(epoch=3, grade="exact"), world.clock.market_ns())
    assert world.core.state.windows.peers == {}
    assert STREAMS["risk.event"].name in world.core.folds


def test_a_first_start_hears_a_week_of_history_and_trades_on_none_of_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    week = range(7 * 1440, 3, -1)
    world.say(instrument(), money(START_NS, 100_000))
    world.outlets["ingest"].say([bar(START_NS - n * MINUTE_NS) for n in week])
    world.outlets["predictor"].say([forecast(START_NS - n * MINUTE_NS, 0.9) for n in week])
    started_ns = SystemClock().mono_ns()
    world.work()
    assert SystemClock().mono_ns() - started_ns < 2 * SECOND_NS
    kinds = {type(message) for message in records(world.journals, OWN[0])}
    assert not kinds & {Decision, OrderIntent}
    series = world.core.state.windows.series[f"{SYMBOL} 1m"]
    assert series.open_ns == START_NS - 4 * MINUTE_NS
    assert series.end <= 2 * series.size


def trail(world: World, dies_at: int = -1) -> None:
    """Hold behind a stop that follows the market up, and not down again."""
    world.story()
    world.say(instrument(cancel_replace=True))
    world.work(MINUTE_NS)
    world.say(forecast(world.clock.market_ns(), 0.5, source="told:qty 0.02 trail=500"))
    world.work(12 * SECOND_NS)
    world.journals.left = dies_at
    for px in (
        PX,
        PX + 20_000,
        PX + 60_000,
        PX + 30_000,
        PX + 90_000,
        *(PX + 90_000,) * 3,
        PX + 50_000,
    ):
        world.work(12 * SECOND_NS, px)


@pytest.mark.parametrize("code", ["one", "two"])
def test_killed_at_any_append_a_trailing_stop_comes_to_the_same_place(
    tmp_path: Path, code: str
) -> None:
    whole = World(tmp_path, told())
    trail(whole)
    wanted = [(o.leg, o.stop_px, o.replaces) for o in whole.orders()]
    assert [stop_px for _, stop_px, replaces in wanted if replaces] == [
        PX + 19_999 - 50_000, PX + 59_999 - 50_000, PX + 89_999 - 50_000,
    ]  # fmt: skip
    kills = 0
    for n in range(60):
        world = World(tmp_path, told())
        world.code = code
        trail(world, n)
        if not world.kills:
            break
        kills += world.kills
        found = [(o.leg, o.stop_px, o.replaces) for o in world.orders()]
        stops = [stop_px for leg, stop_px, _ in found if leg == "stop"]
        # A step that it was dead for is one with the next; where it ends is the same.
        assert stops == sorted(set(stops)), n
        assert found[-1][:2] == wanted[-1][:2], n
        assert [bool(replaces) for _, _, replaces in found[2:]] == [True] * (len(found) - 2)
    assert kills > 5


THREE = (told(), written("broken", BROKEN.format(fault="pass")), written("last", COUNTS))


def trade(world: World, minutes: int = 4) -> None:
    """Let bars come, and tell `told` what to want."""
    world.story()
    for n in range(minutes):
        world.work(MINUTE_NS)
        now_ns = world.clock.market_ns()
        wish = f"told:qty 0.0{1 + n} stop={58_000 + n}"
        world.say(bar(now_ns // MINUTE_NS * MINUTE_NS - MINUTE_NS))
        world.say(forecast(now_ns, 0.5, source=wish))
        world.work()


@pytest.mark.parametrize("error", [Overran("a call may use 50 ms"), MemoryError("no room")])
def test_a_call_that_fell_is_not_made_again_and_all_is_said_alike(
    tmp_path: Path, error: BaseException
) -> None:
    world = World(tmp_path, *THREE, guard=Nervous(error, 3))
    trade(world)
    failed = [m for m in records(world.journals, OWN[0]) if isinstance(m, StrategyFailed)]
    assert [m.strategy for m in failed] == ["broken"]
    world.runner._flush_silent()
    before, spoken = world.core.state, [said(world.journals, name) for name in OWN]
    world.guard = None  # Called again, it would answer.
    world.kill()
    assert [said(world.journals, name) for name in OWN] == spoken
    assert world.core.state == before
    settle(world.runner)
    assert recoveries(world) == []


@pytest.mark.parametrize("code", ["one", "two"])
def test_what_strategies_remember_survives_a_restart(tmp_path: Path, code: str) -> None:
    world, whole = World(tmp_path, *THREE), World(tmp_path, *THREE)
    trade(world)
    trade(whole)
    world.runner._flush_silent()
    world.code = code
    world.kill()
    for one in (world, whole):
        one.work(12 * SECOND_NS)
        trade(one, 3)
    memory = world.core.state.books.memory
    assert memory == whole.core.state.books.memory
    assert msgspec.msgpack.decode(memory[f"last {SYMBOL}"])["bars"] >= 7
    assert [o.qty for o in world.orders()] == [o.qty for o in whole.orders()]


def test_killed_at_any_append_strategies_remember_the_same(tmp_path: Path) -> None:
    whole = World(tmp_path, *THREE)
    trade(whole, 3)
    for n in range(5, 200, 7):
        world = World(tmp_path, *THREE)
        world.journals.left = n
        trade(world, 3)
        if not world.kills:
            break
        ids = [order.client_order_id for order in world.orders()]
        assert len(ids) == len(set(ids))
        assert world.core.state.books.memory == whole.core.state.books.memory
