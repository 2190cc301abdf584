"""An engine that is killed at any append keeps the bracket of its position, and one alone."""

from pathlib import Path

import pytest

from schema.lifecycle import TERMINAL
from schema.market import FeedStatus
from services.engine.state import Order
from tests.services.engine.engine_made import (
    MINUTE_NS,
    PX,
    SECOND_NS,
    SYMBOL,
    bar,
    forecast,
    instrument,
    money,
    told,
)
from tests.services.engine.engine_world import World, legs

WISHES = (
    "qty 0.1 stop=58000 take=62000",
    "qty 0.1 stop=58500 take=62000",
    "qty 0.05 stop=58500 take=62500 stop_limit=58400",
)
TOLD = [
    "entry", "stop", "target", "stop", "target", "exit", "stop", "target"
]  # fmt: skip
UNHEARD = [*TOLD[:3], *TOLD[5:]]
"""Dead when it was asked: the wish after it is the first that it can follow."""


def play(world: World) -> None:
    """Enter behind a bracket, move it, and make the position smaller."""
    now_ns = world.clock.market_ns()
    world.say(instrument(oco=True), money(now_ns, 100_000))
    world.say(FeedStatus(ts_event=now_ns, symbol=SYMBOL, state="OK", reason=""))
    world.say(*(bar(now_ns - n * MINUTE_NS, PX) for n in range(20, 0, -1)))
    world.work()
    world.work(30 * SECOND_NS)
    for wish in WISHES:
        world.work(MINUTE_NS)
        world.say(forecast(world.clock.market_ns(), 0.5, source=f"told:{wish}"))
        for _ in range(3):  # Long enough for one that has to hear what it missed.
            world.work(10 * SECOND_NS)
    for _ in range(5):
        world.work(30 * SECOND_NS)


def standing(world: World) -> dict[str, Order]:
    orders = world.core.state.books.orders
    return {key: order for key, order in orders.items() if order.place.state not in TERMINAL}


def check_bracket(world: World) -> None:
    stop, target = standing(world).values()
    assert (stop.intent.leg, stop.left, stop.intent.stop_px) == ("stop", 5_000, 5_850_000)
    assert (target.intent.leg, target.left, target.intent.limit_px) == ("target", 5_000, 6_250_000)
    assert stop.intent.limit_px == 5_840_000
    assert stop.intent.oco == target.intent.client_order_id
    assert target.intent.oco == stop.intent.client_order_id


def test_the_story_moves_a_bracket_and_makes_it_smaller(tmp_path: Path) -> None:
    world = World(tmp_path, told())
    play(world)
    assert legs(world) == TOLD
    check_bracket(world)


@pytest.mark.parametrize("code", ["one", "two"])
def test_a_bracket_survives_a_restart_and_nothing_is_said_again(tmp_path: Path, code: str) -> None:
    world = World(tmp_path, told())
    play(world)
    world.code = code
    world.kill()
    for _ in range(5):
        world.work(30 * SECOND_NS)
    assert legs(world) == TOLD
    check_bracket(world)


def test_killed_at_every_append_it_keeps_the_bracket(tmp_path: Path) -> None:
    kills = 0
    for n in range(200):
        world = World(tmp_path, told())
        world.journals.left = n
        play(world)
        if not world.kills:
            break
        kills += world.kills
        ids = [order.client_order_id for order in world.orders()]
        assert len(ids) == len(set(ids))
        assert legs(world) in (TOLD, UNHEARD), n
        check_bracket(world)
    assert kills > 10
