"""The edge at an exchange that fails: one request, and no refusal without a proof."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from schema.exchange import (
    AskAccount,
    AskOrder,
    AskTop,
    BudgetSeen,
    CancelRefused,
    OrderNotSent,
    OrderPlaced,
    OrderRefused,
    SendCancel,
    TopSeen,
)
from schema.house import Unanswered
from schema.trading import OrderIntent
from tests.ports import free_port
from tests.services.gateway.failing import HTML, NO_PROOF, Answer, Failing, wait_for
from tests.services.gateway.published import PLACED, error
from tests.services.gateway.served import ANSWER_MS, Gateway, at_failing, gateway, intent, order

POST = "POST /api/v3/order"
QUERY = "GET /api/v3/order"
DELETE = "DELETE /api/v3/order"
TOP = "GET /api/v3/ticker/bookTicker"
LONG_S = 10.0


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
    return house[0]


def placed(wanted: OrderIntent) -> Answer:
    return Answer(body=PLACED | {"clientOrderId": wanted.client_order_id})


def ask(n: int = 0) -> AskOrder:
    return AskOrder(effect_id=f"ask {n}", client_order_id="a" * 32, symbol="BTC/USDT")


def cancel() -> SendCancel:
    return SendCancel(effect_id="cancel a", client_order_id="a" * 32, symbol="BTC/USDT")


OPEN_FATES = [
    *NO_PROOF,
    Answer(200, '{"symbol":"BTCUSDT","orderId":28,"cli'),
]


@pytest.mark.parametrize("answer", OPEN_FATES, ids=lambda answer: str(answer)[7:60])
def test_an_answer_that_proves_nothing_leaves_the_fate_open_after_one_request(
    gate: Gateway, exchange: Failing, answer: Answer
) -> None:
    exchange.answers[POST] = answer
    assert gate.unanswered(order(intent(), timeout_ms=5 * ANSWER_MS))
    assert exchange.count(POST) == 1


def test_a_request_that_hangs_ends_by_itself(gate: Gateway, exchange: Failing) -> None:
    exchange.answers[POST] = Answer(wait_s=LONG_S)
    assert "RequestTimeout" in gate.unanswered(order(intent(), timeout_ms=5 * ANSWER_MS))
    assert exchange.count(POST) == 1


@pytest.mark.parametrize("code", [-1013, -1021, -1022, -1100, -2010, -2014, -2015])
def test_a_refusal_is_one_request_and_names_its_code(
    gate: Gateway, exchange: Failing, code: int
) -> None:
    exchange.answers[POST] = Answer(400, error(code, "because"))
    refused = gate.ask(order(intent()))
    assert isinstance(refused, OrderRefused)
    assert (refused.code, refused.text) == (code, "because")
    assert exchange.count(POST) == 1


def test_an_order_is_sent_as_it_was_journaled(gate: Gateway, exchange: Failing) -> None:
    wanted = intent(order_type="limit", limit_px=59_999_999, px_exp=3)
    exchange.answers[POST] = placed(wanted)
    signed_ms = gate.clock.wall_ns() // 1_000_000 - 777
    assert isinstance(gate.ask(order(wanted, signed_ms=signed_ms)), OrderPlaced)
    ((_, sent),) = [asked for asked in exchange.asked if asked[0] == POST]
    assert len(sent.pop("signature")) == 64
    assert sent == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": "0.01000",
        "price": "59999.999",
        "timeInForce": "GTC",
        "newClientOrderId": wanted.client_order_id,
        "newOrderRespType": "FULL",
        "timestamp": str(signed_ms),
        "recvWindow": "5000",
    }


def test_a_market_order_with_a_price_stays_a_quantity(gate: Gateway, exchange: Failing) -> None:
    wanted = intent(limit_px=6_000_000, ref_px=6_000_000)
    exchange.answers[POST] = placed(wanted)
    gate.ask(order(wanted))
    ((_, sent),) = [asked for asked in exchange.asked if asked[0] == POST]
    assert {"price", "quoteOrderQty", "timeInForce"}.isdisjoint(sent)
    assert sent["quantity"] == "0.01000"


@pytest.mark.parametrize(
    "answer", [Answer(500, ""), Answer(400, error(-1021)), Answer(200, HTML), Answer(cut=True)]
)
def test_a_failed_query_is_no_absence(gate: Gateway, exchange: Failing, answer: Answer) -> None:
    exchange.answers[QUERY] = answer
    assert gate.unanswered(ask())
    assert exchange.asked


@pytest.mark.parametrize("answer", [Answer(500, error(-2011)), Answer(400, error(-1021))])
def test_a_cancel_that_proves_nothing_of_its_order_is_unanswered(
    gate: Gateway, exchange: Failing, answer: Answer
) -> None:
    exchange.answers[DELETE] = answer
    assert gate.unanswered(cancel())


def test_a_cancel_without_the_right_to_it_is_refused(gate: Gateway, exchange: Failing) -> None:
    exchange.answers[DELETE] = Answer(401, error(-2015))
    assert isinstance(gate.ask(cancel()), CancelRefused)


def test_numbers_beyond_all_measure_are_not_believed(gate: Gateway, exchange: Failing) -> None:
    wanted = intent()
    fills = [PLACED["fills"][0] | {"price": "9" * 20}]  # type: ignore[index]
    body = PLACED | {"clientOrderId": wanted.client_order_id, "fills": fills}
    exchange.answers[POST] = Answer(body=body)
    assert "do not fit" in gate.unanswered(order(wanted))


def test_orders_and_cancels_pass_queries_that_hang(gate: Gateway, exchange: Failing) -> None:
    wanted = intent()
    exchange.answers = {
        QUERY: Answer(500, wait_s=LONG_S),
        POST: placed(wanted),
        DELETE: Answer(400, error(-2011)),
    }
    queries = [ask(n) for n in range(5)]
    for query in queries:
        gate.begin(query)
    wait_for(lambda: exchange.count(QUERY) == 3)
    assert isinstance(gate.ask(order(wanted)), OrderPlaced)
    assert isinstance(gate.ask(cancel()), CancelRefused)
    assert exchange.count(QUERY) == 3
    exchange.release()
    assert all(isinstance(gate.answer(query), Unanswered) for query in queries)


def test_nothing_listens_and_nothing_was_sent(tmp_path: Path) -> None:
    with gateway(free_port(), tmp_path / "run", ready=False) as gate:
        not_sent = gate.ask(order(intent()))
        assert isinstance(not_sent, OrderNotSent)
        assert "nothing is connected" in not_sent.reason
        assert gate.unanswered(ask())


@pytest.mark.parametrize(
    "answer",
    [
        Answer(429, error(-1003, "Too much request weight used."), {"Retry-After": "30"}),
        Answer(418, "banned", {"Retry-After": "30"}),
        Answer(400, error(-1003), {"Retry-After": "30"}),
    ],
)
def test_a_ban_refuses_the_order_and_holds_all_others_back(tmp_path: Path, answer: Answer) -> None:
    with at_failing(tmp_path) as (gate, exchange):
        exchange.answers[POST] = answer
        refused = gate.ask(order(intent()))
        assert isinstance(refused, OrderRefused)
        assert refused.code == -1003
        asked = len(exchange.asked)
        until_ms = gate.first(BudgetSeen).retry_wall_ms
        assert 25_000 < until_ms - gate.clock.wall_ns() // 1_000_000 <= 30_000
        for effect in (ask(), cancel(), AskAccount(effect_id="account")):
            assert "banned until" in gate.unanswered(effect)
        not_sent = gate.ask(order(intent()))
        assert isinstance(not_sent, OrderNotSent)
        assert "banned until" in not_sent.reason
        assert len(exchange.asked) == asked


def test_after_a_ban_all_is_asked_again(tmp_path: Path) -> None:
    with at_failing(tmp_path) as (gate, exchange):
        exchange.answers[TOP] = Answer(429, "", {"Retry-After": "1"})
        top = AskTop(effect_id="top", symbol="BTC/USDT")
        assert gate.unanswered(top)
        row = {"symbol": "BTCUSDT", "bidPrice": "1.0", "askPrice": "1.1"}
        exchange.answers[TOP] = Answer(body=row, headers={"X-MBX-USED-WEIGHT-1M": "77"})
        wait_for(lambda: isinstance(gate.ask(top), TopSeen))
        assert gate.until(lambda heard: heard == BudgetSeen(used=77, limit=6_000))
