"""Power goes while risk holds positions, orders and limits: the account is what it was."""

import random
from pathlib import Path

import pytest

from schema.orders import KillLevel
from schema.trading import Verdict
from services.risk.state import Books
from tests.bus.toy import records
from tests.services.risk.risk_desk import BTC, MARK, UNIT, fill, instrument, quote, submitted
from tests.services.risk.test_risk_recovery import World

ONE = UNIT // 10
LOW = MARK * 8 // 10


def lose_power(world: World, seed: int) -> Books:
    """Cut every journal back to where it is synced, or somewhere behind it, and start anew."""
    chance = random.Random(seed)
    for tape in world.journals.tapes.values():
        tape.cut_power(chance.randint(0, len(tape.frames) - tape.synced))
    world.journals.boot_id += "'"
    books = world.kill()
    for name in world.outlets:
        world.outlets[name] = world._outlet(name)
    world.start()
    world.say("ingest", instrument(), quote(BTC, MARK, world.clock.now_ns))
    return books


@pytest.mark.parametrize("seed", range(6))
def test_what_the_account_holds_is_the_same_to_the_last_unit(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path)
    world.story()
    world.say("gateway", KillLevel(ts_event=1, level="REDUCING", by="me", reason="why"))
    if seed % 2:
        world.runner.snapshot()
    before = lose_power(world, seed)
    after: Books = world.risk.state.books
    assert world.folded()
    assert (after.ledger, after.kill, after.anchor) == (before.ledger, before.kill, before.anchor)
    assert (after.latched, after.standing) == (before.latched, before.standing)
    sent = {key for key, answered in before.known.items() if answered}
    assert sent <= set(after.known), "what went to the exchange is never judged again"
    assert {key: after.orders.get(key) for key in sent & set(before.orders)} == {
        key: order for key, order in before.orders.items() if key in sent
    }


@pytest.mark.parametrize("seed", range(3))
def test_a_loss_goes_on_counting(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path)
    order, found = world.ask(qty=3 * ONE)
    world.say("gateway", submitted(order, found), fill(order, 3 * ONE, MARK, "1"))
    world.price(LOW)
    before = lose_power(world, seed)
    assert before.latched
    assert world.ask()[1].code == "DAILY_LOSS_LIMIT"


@pytest.mark.parametrize("seed", range(3))
def test_an_intent_that_survived_is_judged_once(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path)
    for _ in range(6):
        world.ask()
    lose_power(world, seed)
    world.ask()
    said = [m for m in records(world.journals, "risk.verdict") if isinstance(m, Verdict)]
    assert len({verdict.client_order_id for verdict in said}) == len(said)
