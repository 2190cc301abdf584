"""The line before the call: what may leave, and what may not whoever said yes to it."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bus.clock import ManualClock
from schema.exchange import KillFileSeen, OrderNotSent, OrderPlaced, SetLevel
from schema.trading import OrderIntent
from schema.units import SECOND_NS
from services.gateway.edge_gate import Gate, KillFile
from services.gateway.edge_lanes import PLACES, Lane
from tests.services.gateway.failing import Answer, Failing, failing, wait_for
from tests.services.gateway.published import PLACED
from tests.services.gateway.served import Gateway, at_failing, gateway, intent, order

POST = "POST /api/v3/order"
LONG_S = 10.0


@pytest.fixture
def house(tmp_path: Path) -> Iterator[tuple[Gateway, Failing]]:
    with at_failing(tmp_path) as found:
        yield found


def not_sent(gate: Gateway, exchange: Failing, wanted: OrderIntent, **changes: int) -> str:
    """Return why an order did not leave; not a request was made."""
    before = exchange.count(POST)
    answer = gate.ask(order(wanted, **changes))
    assert isinstance(answer, OrderNotSent), answer
    assert answer.client_order_id == wanted.client_order_id
    assert exchange.count(POST) == before
    return answer.reason


def leaves(gate: Gateway, exchange: Failing, wanted: OrderIntent) -> bool:
    exchange.answers[POST] = Answer(body=PLACED | {"clientOrderId": wanted.client_order_id})
    return isinstance(gate.ask(order(wanted)), OrderPlaced)


def test_below_active_only_reductions_leave(house: tuple[Gateway, Failing]) -> None:
    gate, exchange = house
    assert leaves(gate, exchange, intent())
    for level in ("REDUCING", "HALTED", "FLATTEN"):
        gate.allow(level)
        assert not_sent(gate, exchange, intent()) == f"the level is {level}"
        assert leaves(gate, exchange, intent(reduce_only=True))
    gate.allow()
    assert leaves(gate, exchange, intent())


def test_after_the_end_of_a_permission_only_reductions_leave() -> None:
    with TemporaryDirectory() as place:
        lease = Path(place) / "gateway.lease"
        lease.write_text(f"{os.getpid()}\n")
        clock = SetClock(1_000 * SECOND_NS)
        gate = Gate(Path(place), clock)
        gate.set(SetLevel(effect_id="l", level="ACTIVE", risk_until_wall_ms=1_060_000))

        def leaves_now(**changes: bool) -> bool:
            effect = order(intent(**changes), deadline_wall_ms=9_999_999_999)
            return gate.why_not(effect, 1 << 62) is None

        clock.advance(59 * SECOND_NS)
        assert leaves_now()
        clock.set_back_ns = 30 * SECOND_NS  # It gains no time by that.
        clock.advance(SECOND_NS)
        assert not leaves_now()
        assert leaves_now(reduce_only=True)
        gate.set(SetLevel(effect_id="l", level="ACTIVE", risk_until_wall_ms=1))
        assert not leaves_now()
        gate.set(SetLevel(effect_id="l", level="ACTIVE"))
        assert leaves_now()


class SetClock(ManualClock):
    """A clock whose wall may be set back."""

    set_back_ns = 0

    def wall_ns(self) -> int:
        return self.now_ns - self.set_back_ns


def test_a_halted_symbol_takes_reductions_alone(house: tuple[Gateway, Failing]) -> None:
    gate, exchange = house
    gate.allow(halted=("BTC/USDT",))
    assert not_sent(gate, exchange, intent()) == "BTC/USDT is halted"
    assert leaves(gate, exchange, intent(reduce_only=True))
    assert leaves(gate, exchange, intent(symbol="ETH/USDT"))


def test_before_a_level_was_told_nothing_leaves(tmp_path: Path) -> None:
    with (
        failing() as exchange,
        gateway(exchange.port, tmp_path, level="", ready=False) as gate,
    ):
        for wanted in (intent(), intent(reduce_only=True)):
            assert "not told yet" in not_sent(gate, exchange, wanted)
        assert not exchange.asked


def test_after_its_deadline_an_order_does_not_leave(house: tuple[Gateway, Failing]) -> None:
    gate, exchange = house
    now_ms = gate.clock.wall_ns() // 1_000_000
    for wanted in (intent(), intent(reduce_only=True)):
        assert "deadline" in not_sent(gate, exchange, wanted, deadline_wall_ms=now_ms - 1)


def test_a_process_that_lost_its_place_sends_nothing(house: tuple[Gateway, Failing]) -> None:
    gate, exchange = house
    lease = gate.run / "gateway.lease"
    held = lease.read_text()
    for text in ("1\n", "", "\0\xff"):
        lease.write_text(text)
        assert "does not hold" in not_sent(gate, exchange, intent(reduce_only=True))
    lease.write_text(held)
    assert leaves(gate, exchange, intent())


def test_the_kill_file_stops_what_adds_risk(house: tuple[Gateway, Failing]) -> None:
    gate, exchange = house
    assert not gate.first(KillFileSeen).there
    kill, draft = gate.run / "KILL", gate.run / "draft"
    draft.write_text("the market is broken\n")
    draft.rename(kill)
    assert "KILL is there" in not_sent(gate, exchange, intent())
    assert gate.first(KillFileSeen).text == "the market is broken"
    assert leaves(gate, exchange, intent(reduce_only=True))
    kill.unlink()
    assert not gate.first(KillFileSeen).there
    assert leaves(gate, exchange, intent())


def test_a_kill_file_between_wish_and_call_stops_an_order(house: tuple[Gateway, Failing]) -> None:
    gate, exchange = house
    exchange.answers[POST] = Answer(500, wait_s=LONG_S)
    for _ in range(PLACES[Lane.NEW]):
        gate.begin(order(intent()))
    late = order(intent())
    gate.begin(late)
    wait_for(lambda: exchange.count(POST) == PLACES[Lane.NEW])
    (gate.run / "KILL").touch()
    exchange.release()
    answer = gate.answer(late)
    assert isinstance(answer, OrderNotSent)
    assert "KILL is there" in answer.reason
    assert exchange.count(POST) == PLACES[Lane.NEW]


def test_an_order_that_waits_too_long_for_a_place_does_not_leave(
    house: tuple[Gateway, Failing],
) -> None:
    gate, exchange = house
    exchange.answers[POST] = Answer(500, wait_s=LONG_S)
    for _ in range(PLACES[Lane.NEW]):
        gate.begin(order(intent()))
    wait_for(lambda: exchange.count(POST) == PLACES[Lane.NEW])
    now_ms = gate.clock.wall_ns() // 1_000_000
    reason = not_sent(gate, exchange, intent(), deadline_wall_ms=now_ms + 50)
    assert "busy until its deadline" in reason
    exchange.release()


def test_a_kill_file_is_seen_before_anything_else(tmp_path: Path) -> None:
    (tmp_path / "KILL").write_bytes(b"stop \xff")
    with failing() as exchange, gateway(exchange.port, tmp_path) as gate:
        gate.heard += gate.thread.take()
        assert gate.heard[0] == KillFileSeen(text="stop �")


def test_a_kill_file_is_said_once_for_each_time_that_it_comes_or_goes(tmp_path: Path) -> None:
    file = KillFile(tmp_path)
    assert file.news() == KillFileSeen(text="", there=False)
    assert file.news() is None
    file.path.touch()
    assert file.news() == KillFileSeen(text="")
    assert file.news() is None
    file.path.unlink()
    assert file.news() == KillFileSeen(text="", there=False)
    assert file.news() is None
    file.path.symlink_to("nowhere")
    assert "cannot be read" in str(file.news())
    assert file.lies_there()


def test_what_cannot_be_looked_at_counts_as_a_kill_file(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    assert KillFile(tmp_path / "run").lies_there()


def test_a_wall_clock_set_back_gains_an_order_nothing(tmp_path: Path) -> None:
    class SetBack(ManualClock):
        def wall_ns(self) -> int:
            return super().wall_ns() - back_ns

    back_ns = 0
    clock = SetBack(10**18)
    gate = Gate(tmp_path, clock)
    (tmp_path / "gateway.lease").write_text("0")
    gate.set(SetLevel(effect_id="level", level="ACTIVE"))
    wanted = order(intent(), deadline_wall_ms=10**12 + 500)
    deadline_ns = gate.deadline_mono_ns(wanted)
    assert "does not hold" in str(gate.why_not(wanted, deadline_ns))
    clock.advance(501_000_000)
    back_ns = 3_600 * 10**9
    assert "deadline" in str(gate.why_not(wanted, deadline_ns))
