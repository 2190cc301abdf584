"""The budget at the edge: each lane waits for its share, and nobody breaks a ban."""

from pathlib import Path

import pytest

from schema.exchange import (
    AskTop,
    BudgetSeen,
    CancelDone,
    OrderNotSent,
    OrderPlaced,
    OrderRefused,
    SendCancel,
    SetLevel,
    TopSeen,
)
from schema.weights import MARGIN_MS, MINUTE_MS
from services.gateway.edge_lanes import lane_of
from services.gateway.edge_weights import REQUESTS, WEIGHTS, cost_of, orders_in
from tests.services.gateway.failing import Answer, Failing, failing
from tests.services.gateway.published import PLACED, error
from tests.services.gateway.served import Gateway, at_failing, gateway, intent, order

POST, DELETE = "POST /api/v3/order", "DELETE /api/v3/order"
TOP = "GET /api/v3/ticker/bookTicker"
ROW = {"symbol": "BTCUSDT", "bidPrice": "1.0", "askPrice": "1.1"}
ID = "a" * 32
SHORT_MS = 300


def spend(gate: Gateway, exchange: Failing, used: int, **more: str) -> None:
    """Let the exchange tell how much is used, in a window that does not end meanwhile."""
    while gate.clock.wall_ns() // 1_000_000 % MINUTE_MS > MINUTE_MS - 2_000 or (
        gate.clock.wall_ns() // 1_000_000 % MINUTE_MS < 2 * MARGIN_MS
    ):
        gate.clock.pause_ms(20)
    headers = {"X-MBX-USED-WEIGHT-1M": str(used), **more}
    exchange.answers[TOP] = Answer(body=ROW, headers=headers)
    exchange.answers[POST] = Answer(body=PLACED | {"clientOrderId": ID}, headers=headers)
    exchange.answers[DELETE] = Answer(body=PLACED | {"clientOrderId": ID}, headers=headers)
    gate.ask(SendCancel(effect_id="cancel first", client_order_id=ID, symbol="BTC/USDT"))


def top() -> AskTop:
    return AskTop(effect_id="top", symbol="BTC/USDT", timeout_ms=SHORT_MS)


def leaves(gate: Gateway, *, reduces: bool) -> bool:
    wanted = intent(client_order_id=ID, reduce_only=reduces)
    now_ms = gate.clock.wall_ns() // 1_000_000
    found = gate.ask(order(wanted, deadline_wall_ms=now_ms + SHORT_MS))
    if isinstance(found, OrderNotSent):
        assert "of the request budget" in found.reason
    return isinstance(found, OrderPlaced)


def cancelled(gate: Gateway) -> bool:
    found = gate.ask(SendCancel(effect_id="cancel", client_order_id=ID, symbol="BTC/USDT"))
    return isinstance(found, CancelDone)


@pytest.mark.parametrize(
    ("used", "lanes"),
    [
        (3_000, "cancel reduce new query"),
        (3_700, "cancel reduce new"),
        (4_900, "cancel reduce"),
        (5_990, "cancel reduce"),
    ],
)
def test_each_lane_has_its_share_of_the_budget(tmp_path: Path, used: int, lanes: str) -> None:
    with at_failing(tmp_path) as (gate, exchange):
        spend(gate, exchange, used)
        asked = isinstance(gate.ask(top()), TopSeen)
        new = leaves(gate, reduces=False)
        found = {"cancel": cancelled(gate), "reduce": leaves(gate, reduces=True)}
        assert [name for name, well in {**found, "new": new, "query": asked}.items() if well] == (
            lanes.split()
        )


def test_when_nothing_is_left_nothing_is_sent(tmp_path: Path) -> None:
    with at_failing(tmp_path) as (gate, exchange):
        spend(gate, exchange, 6_000)
        before = exchange.count(POST)
        assert not leaves(gate, reduces=True)
        assert exchange.count(POST) == before


def test_too_many_orders_close_new_ones_and_no_cancel(tmp_path: Path) -> None:
    with at_failing(tmp_path) as (gate, exchange):
        spend(gate, exchange, 10)
        exchange.answers[POST] = Answer(429, error(-1015, "10 orders per TEN_SECONDS"))
        assert isinstance(gate.ask(order(intent())), OrderRefused)
        sent = exchange.count(POST)
        assert not leaves(gate, reduces=True)
        assert exchange.count(POST) == sent
        assert cancelled(gate)
        assert isinstance(gate.ask(top()), TopSeen)


def test_orders_are_counted_as_the_exchange_counts_them(tmp_path: Path) -> None:
    with at_failing(tmp_path) as (gate, exchange):
        spend(gate, exchange, 10, **{"X-MBX-ORDER-COUNT-1D": "159999"})
        gate.ask(SetLevel(effect_id="level", level="ACTIVE", orders_1d=160_000))
        assert not leaves(gate, reduces=False)
        assert leaves(gate, reduces=True)


def test_a_ban_from_before_is_obeyed_from_the_first_moment(tmp_path: Path) -> None:
    with (
        failing() as exchange,
        gateway(exchange.port, tmp_path / "run", ready=False, level="") as gate,
    ):
        until_ms = gate.clock.wall_ns() // 1_000_000 + 1_500
        gate.ask(SetLevel(effect_id="level", level="ACTIVE", retry_wall_ms=until_ms))
        assert "banned until" in gate.unanswered(top())
        assert gate.first(BudgetSeen).retry_wall_ms == pytest.approx(until_ms, abs=2)
        while gate.clock.wall_ns() // 1_000_000 < until_ms - 100:
            assert not exchange.asked
            assert not exchange.sockets
            gate.clock.pause_ms(20)
        gate.until(lambda _: bool(exchange.asked and exchange.sockets))


def test_a_second_ban_never_shortens_the_first(tmp_path: Path) -> None:
    with at_failing(tmp_path) as (gate, exchange):
        exchange.answers[TOP] = Answer(418, "", {"Retry-After": "300"})
        gate.unanswered(top())
        first = gate.first(BudgetSeen).retry_wall_ms
        gate.ask(SetLevel(effect_id="level", level="ACTIVE", retry_wall_ms=first - 200_000))
        assert "banned until" in gate.unanswered(top())
        gate.ask(SetLevel(effect_id="level", level="ACTIVE", retry_wall_ms=first + 60_000))
        later = gate.until(lambda heard: isinstance(heard, BudgetSeen))
        assert isinstance(later, BudgetSeen)
        assert later.retry_wall_ms == pytest.approx(first + 60_000, abs=2)


def test_every_effect_that_asks_has_its_weight() -> None:
    for kind, requests in REQUESTS.items():
        assert all(request in WEIGHTS for request in requests), kind
    cancel = SendCancel(effect_id="c", client_order_id=ID, symbol="BTC/USDT")
    assert (cost_of(cancel), orders_in(cancel), lane_of(cancel).name) == (1, 0, "CANCEL")
    assert (cost_of(order(intent())), orders_in(order(intent()))) == (1, 1)
