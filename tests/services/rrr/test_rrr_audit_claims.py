"""What the running services say of their books, held against the journals at the same place."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.house import House
from schema import orders
from schema.house import Heartbeat
from schema.streams import STREAMS
from services.rrr.audit_fold import Fold
from services.rrr.audit_read import read_all
from services.rrr.audit_services import Claim, Told, claim_of, cut_of
from tests.services.rrr.answering import Answers, Done, Services
from tests.services.rrr.audit_world import NAMES, STEP_MS, World, kept, lived, standing
from tests.sim.stand import Stand

NUMBER = STREAMS["gateway.order"].number
STEPS_MORE = 400


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Stand:
    made = lived(tmp_path_factory.mktemp("claims"))
    for _ in range(STEPS_MORE):
        if folded(made).open_orders():
            return made
        made.step(STEP_MS)
    pytest.fail(f"no order was open at the end of a day, nor {STEPS_MORE} steps behind it")


@pytest.fixture(scope="module")
def day(stand: Stand) -> tuple[World, dict[str, dict[str, Any]]]:
    """The day, and what each core says of its books behind it."""
    bodies = {}
    for name in NAMES:
        stand.ask(name, "audit")
        stand.work()
        bodies[name] = json.loads(stand.lives[name].place.answers[-1].body)
    return kept(World(stand)), bodies


def folded(stand: Stand) -> Fold:
    fold = Fold()
    read_all(stand.journals.reader, fold, {}, lambda _size: None)
    return fold


@pytest.mark.parametrize("name", NAMES)
def test_each_cores_books_are_the_fold(stand: Stand, day: Any, name: str) -> None:
    told = msgspec.convert(day[1][name], Told)
    claim = Claim(name, 0, told.balances, told.positions, told.orders, told.level)
    cut_of(claim)(folded(stand))
    assert claim.differences == []
    assert told.balances


@pytest.mark.parametrize("name", NAMES)
def test_an_order_that_a_core_forgot_is_named(stand: Stand, day: Any, name: str) -> None:
    told = msgspec.convert(day[1][name], Told)
    fold = folded(stand)
    assert fold.open_orders()
    claim = Claim(name, 0, told.balances, told.positions, {}, told.level)
    cut_of(claim)(fold)
    assert any("not in its books" in text for text in claim.differences)
    claim = Claim(name, 0, told.balances, told.positions, told.orders | {"ghost": {"left": "1"}})
    cut_of(claim)(fold)
    assert any("ghost: open in its books, not here" in text for text in claim.differences)


def test_books_of_strategies_that_are_not_the_accounts_are_named(stand: Stand, day: Any) -> None:
    told = msgspec.convert(day[1]["engine"], Told)
    assert told.flaws == []
    flawed = msgspec.structs.replace(told, flaws=["BTC/USDT: the strategies' books are others"])
    claim = claim_of("engine", 0, flawed)
    cut_of(claim)(folded(stand))
    assert [text.partition(", behind")[0] for text in claim.differences] == [
        "books do not add up: BTC/USDT: the strategies' books are others"
    ]
    for name in ("engine", "risk"):
        core: Any = stand.lives[name].core
        ledger = core.state.books.ledger
        book = next(one for key, one in ledger.holdings.items() if " " in key)
        book.qty += 1
        stand.ask(name, "audit")
        stand.work()
        body = json.loads(stand.lives[name].place.answers[-1].body)
        book.qty -= 1
        assert any("the strategies' books are not" in text for text in body["flaws"])


def heartbeat(name: str, pos: int) -> bytes:
    places = ((NUMBER, pos),)
    own = places if name == "gateway" else ()
    return msgspec.msgpack.encode(
        Heartbeat(
            ts_event=0, service=name, state="READY", reason="", world="w", pid=1, started_ns=0,
            turn=1, last=own, synced=own, cursors=() if own else places,
        )
    )  # fmt: skip


@contextmanager
def answering(world: World, answers: Answers) -> Iterator[tuple[House, Services]]:
    with standing(world) as house:
        services = Services(house, NAMES, answers)
        try:
            yield house, services
        finally:
            services.close()


def answers_of(world: World, bodies: dict[str, dict[str, Any]]) -> dict[tuple[str, str], Any]:
    last = world.frames["gateway.order"][-1].last
    told: dict[tuple[str, str], Any] = {}
    for name in NAMES:
        told[name, "audit"] = (True, "", bodies[name])
        told[name, "status"] = (True, "", heartbeat(name, last))
        told[name, "hello"] = (True, "", None)
    return told


def audit(world: World, answers: Answers, *words: str) -> Done:
    with answering(world, answers) as (_, services):
        return services.rrr("audit", *words)


def test_services_that_agree_are_clean_when_asked_over_their_sockets(day: Any) -> None:
    world, bodies = day
    done = audit(world, answers_of(world, bodies), "--json", "--running")
    assert done.code == 0, done.out + done.err
    checks = {one["name"]: one["detail"] for one in json.loads(done.out)["checks"]}
    assert checks["engine"] == checks["risk"] == checks["gateway"]
    assert "fold" in checks["risk"]


def test_a_service_that_is_off_by_one_is_told_with_both_figures(day: Any) -> None:
    world, bodies = day
    off = bodies["risk"]["balances"] | {"USDT": "7"}
    answers = answers_of(world, bodies | {"risk": bodies["risk"] | {"balances": off}})
    done = audit(world, answers)
    assert done.code == 5
    assert "balance of USDT: 7 in its books, " in done.out
    assert "rrr: risk: not as it has to be" in done.err


@pytest.mark.slow
def test_an_answer_of_other_code_is_a_difference(day: Any) -> None:
    world, bodies = day
    answers = answers_of(world, bodies)
    answers["engine", "audit"] = (False, "engine knows no command 'audit'", None)
    answers["risk", "audit"] = (True, "", ["what?"])
    done = audit(world, answers, "--json")
    assert done.code == 5
    checks = {one["name"]: one for one in json.loads(done.out)["checks"]}
    assert "knows no command" in checks["engine"]["detail"]
    assert "other code" in checks["risk"]["detail"]
    assert not checks["engine"]["ok"]


@pytest.mark.slow
def test_a_service_that_does_not_run_differs_only_when_it_should(day: Any, tmp_path: Path) -> None:
    del tmp_path
    world, bodies = day
    with standing(world) as house:
        services = Services(house, ("gateway",), answers_of(world, bodies))
        try:
            assert services.rrr("audit", "--json").code == 0
            done = services.rrr("audit", "--json", "--running")
        finally:
            services.close()
    assert done.code == 5
    found = {one["name"] for one in json.loads(done.out)["checks"] if not one["ok"]}
    assert found == {"engine", "risk"}


@pytest.mark.slow
def test_a_fill_between_a_claim_and_the_end_is_no_difference(day: Any) -> None:
    world, bodies = day[0].copy(), day[1]
    answers = answers_of(world, bodies)
    world.add("gateway.order", orders.KillLevel(ts_event=1, level="HALTED", by="me", reason="x"))
    assert audit(world, answers, "--json").code == 0
