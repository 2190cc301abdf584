"""Pairs at an exchange that fails: one request, and no refusal of either without a proof."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.errors import EdgeError
from schema.exchange import AskTop, SetLevel
from schema.joined import PairNotSent, PairPlaced, PairRefused
from schema.trading import OrderIntent
from services.gateway.edge_lanes import Lane, lane_of
from tests.ports import free_port
from tests.services.gateway.failing import NO_PROOF, Answer, Failing
from tests.services.gateway.paired import bracket, pair
from tests.services.gateway.published import PLACED, error
from tests.services.gateway.served import ANSWER_MS, Gateway, at_failing, gateway, intent, order

POST = "POST /api/v3/orderList/oco"
LONG_S = 10.0
Pair = tuple[OrderIntent, OrderIntent]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Failing]]:
    with at_failing(tmp_path_factory.mktemp("failing")) as found:
        yield found


@pytest.fixture
def exchange(house: tuple[Gateway, Failing]) -> Failing:
    house[1].forget()
    return house[1]


@pytest.fixture
def gate(house: tuple[Gateway, Failing]) -> Gateway:
    gate = house[0]
    gate.allow()
    return gate


def halves() -> Pair:
    return bracket(4_500_000, 5_500_000)


def rows(*ids: str) -> dict[str, Any]:
    """Return the answer to a pair of these ids."""
    return {
        "orderListId": 1,
        "contingencyType": "OCO",
        "listStatusType": "EXEC_STARTED",
        "listOrderStatus": "EXECUTING",
        "orderReports": [PLACED | {"clientOrderId": name, "fills": []} for name in ids],
    }


def whole(wanted: Pair) -> Answer:
    return Answer(body=rows(*(half.client_order_id for half in wanted)))


OPEN_FATES = [
    *NO_PROOF,
    Answer(200, '{"orderListId":1,"orderReports":[{"symbol":"BTCUSDT","ord'),
    Answer(200, rows("a" * 32, "b" * 32)),  # another pair's
    Answer(200, rows()),
]


@pytest.mark.parametrize("answer", OPEN_FATES, ids=lambda answer: str(answer)[7:60])
def test_an_answer_that_proves_nothing_leaves_both_fates_open_after_one_request(
    gate: Gateway, exchange: Failing, answer: Answer
) -> None:
    exchange.answers[POST] = answer
    assert gate.unanswered(pair(halves(), timeout_ms=5 * ANSWER_MS))
    assert exchange.count(POST) == 1


@pytest.mark.parametrize("known", [0, 1])
def test_an_answer_about_one_half_alone_leaves_both_fates_open(
    gate: Gateway, exchange: Failing, known: int
) -> None:
    wanted = halves()
    exchange.answers[POST] = Answer(body=rows(wanted[known].client_order_id))
    assert "asked was" in gate.unanswered(pair(wanted))
    exchange.answers[POST] = Answer(body=rows(*[wanted[known].client_order_id] * 2))
    assert "asked was" in gate.unanswered(pair(wanted))


def test_a_pair_that_hangs_ends_by_itself(gate: Gateway, exchange: Failing) -> None:
    exchange.answers[POST] = Answer(wait_s=LONG_S)
    assert "RequestTimeout" in gate.unanswered(pair(halves(), timeout_ms=5 * ANSWER_MS))
    assert exchange.count(POST) == 1


@pytest.mark.parametrize(
    "code", [-1013, -1015, -1021, -1022, -1100, -1158, -1165, -2010, -2014, -2015]
)
def test_a_refusal_is_one_request_and_names_its_code_and_both_halves(
    gate: Gateway, exchange: Failing, code: int
) -> None:
    exchange.answers[POST] = Answer(400, error(code, "because"))
    wanted = halves()
    refused = gate.ask(pair(wanted))
    assert isinstance(refused, PairRefused)
    assert (refused.code, refused.text, refused.symbol) == (code, "because", "BTC/USDT")
    assert refused.client_order_ids == tuple(half.client_order_id for half in wanted)
    assert exchange.count(POST) == 1


def test_a_pair_is_sent_as_it_was_journaled(gate: Gateway, exchange: Failing) -> None:
    stop, target = wanted = bracket(4_500_000, 5_500_000, stopping="stop_limit")
    exchange.answers[POST] = whole(wanted)
    signed_ms = gate.clock.wall_ns() // 1_000_000 - 777
    assert isinstance(gate.ask(pair(wanted, signed_ms=signed_ms)), PairPlaced)
    ((_, sent),) = [asked for asked in exchange.asked if asked[0] == POST]
    assert len(sent.pop("signature")) == 64
    assert sent == {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "quantity": "0.01000",
        "listClientOrderId": f"{stop.client_order_id}-oco",
        "aboveType": "LIMIT_MAKER",
        "abovePrice": "55000.00",
        "aboveClientOrderId": target.client_order_id,
        "belowType": "STOP_LOSS_LIMIT",
        "belowPrice": "45000.00",
        "belowStopPrice": "45000.00",
        "belowTimeInForce": "GTC",
        "belowClientOrderId": stop.client_order_id,
        "newOrderRespType": "FULL",
        "timestamp": str(signed_ms),
        "recvWindow": "5000",
    }


def test_a_pair_that_buys_back_has_its_stop_above(gate: Gateway, exchange: Failing) -> None:
    stop, target = wanted = bracket(5_500_000, 4_500_000, side="buy")
    exchange.answers[POST] = whole(wanted)
    gate.ask(pair(wanted))
    ((_, sent),) = [asked for asked in exchange.asked if asked[0] == POST]
    assert (sent["aboveType"], sent["aboveClientOrderId"]) == ("STOP_LOSS", stop.client_order_id)
    assert (sent["belowType"], sent["belowClientOrderId"]) == (
        "LIMIT_MAKER",
        target.client_order_id,
    )


@pytest.mark.parametrize("level", ["REDUCING", "HALTED", "FLATTEN"])
def test_a_pair_leaves_at_every_level_for_it_only_reduces(
    gate: Gateway, exchange: Failing, level: str
) -> None:
    gate.allow(level, halted=("BTC/USDT",))
    wanted = halves()
    exchange.answers[POST] = whole(wanted)
    assert isinstance(gate.ask(pair(wanted)), PairPlaced)
    stop, target = halves()
    loose = (stop, msgspec.structs.replace(target, reduce_only=False))
    refused = gate.ask(pair(loose))
    assert isinstance(refused, PairNotSent)
    assert refused.reason == f"the level is {level}"
    assert exchange.count(POST) == 1


def test_after_its_deadline_or_without_its_place_a_pair_does_not_leave(
    gate: Gateway, exchange: Failing
) -> None:
    now_ms = gate.clock.wall_ns() // 1_000_000
    wanted = halves()
    late = gate.ask(pair(wanted, deadline_wall_ms=now_ms - 1))
    assert isinstance(late, PairNotSent)
    assert "deadline" in late.reason
    assert late.client_order_ids == tuple(half.client_order_id for half in wanted)
    lease = gate.run / "gateway.lease"
    held = lease.read_text()
    lease.write_text("1\n")
    lost = gate.ask(pair(halves()))
    lease.write_text(held)
    assert isinstance(lost, PairNotSent)
    assert "does not hold" in lost.reason
    assert exchange.count(POST) == 0


def test_a_pair_has_the_claim_of_a_reduction(gate: Gateway) -> None:
    assert gate.clock.mono_ns() > 0
    assert lane_of(pair(halves())) is Lane.REDUCE
    assert lane_of(order(intent(reduce_only=True))) is Lane.REDUCE


def test_where_nothing_listens_no_pair_was_sent(tmp_path: Path) -> None:
    with gateway(free_port(), tmp_path / "run", ready=False) as gate:
        unsent = gate.ask(pair(halves()))
        assert isinstance(unsent, PairNotSent)
        assert "nothing is connected" in unsent.reason


def test_after_the_session_has_ended_nothing_leaves_and_nothing_is_asked(tmp_path: Path) -> None:
    with at_failing(tmp_path) as (gate, exchange):
        edge: Any = gate.thread._edge
    wanted = pair(halves())
    unsent = asyncio.run(edge.perform(wanted))
    assert isinstance(unsent, PairNotSent)
    assert unsent.reason == "there is no session with the exchange"
    with pytest.raises(EdgeError, match="no session"):
        asyncio.run(edge.perform(AskTop(effect_id="top", symbol="BTC/USDT")))
    assert exchange.count(POST) == 0


def test_what_the_exchange_is_never_asked_for_is_a_defect(tmp_path: Path) -> None:
    with at_failing(tmp_path) as (gate, _):
        edge: Any = gate.thread._edge
        with pytest.raises(AssertionError, match="performs no SetLevel"):
            asyncio.run(edge._desk.perform(SetLevel(effect_id="level", level="ACTIVE")))


def test_a_process_without_its_lease_sends_no_pair(tmp_path: Path) -> None:
    with at_failing(tmp_path) as (gate, _):
        (gate.run / "gateway.lease").unlink()
        lost = gate.ask(pair(halves()))
    assert isinstance(lost, PairNotSent)
    assert "does not hold" in lost.reason


def test_a_ban_refuses_the_pair_and_holds_the_next_back(tmp_path: Path) -> None:
    with at_failing(tmp_path) as (gate, exchange):
        exchange.answers[POST] = Answer(429, error(-1003), {"Retry-After": "30"})
        assert isinstance(gate.ask(pair(halves())), PairRefused)
        held = gate.ask(pair(halves()))
        assert isinstance(held, PairNotSent)
        assert "banned until" in held.reason
        assert exchange.count(POST) == 1
