"""Pairs at the real venue: one request through unmodified ccxt, and what the venue makes of it."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schema.exchange import (
    AskOpenOrders,
    CancelDone,
    CancelRefused,
    ClockSeen,
    OpenOrdersSeen,
    OrderAbsent,
    OrderFound,
    ReportPushed,
)
from schema.joined import PairPlaced, PairRefused
from schema.trading import OrderIntent
from tests.services.gateway.paired import bracket, pair
from tests.services.gateway.served import Gateway, ask_of, at_venue, bid, cancel_of, intent, order
from tests.services.venue.serving import Serving

STALE_MS = 5_001
Pair = tuple[OrderIntent, OrderIntent]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Serving]]:
    with at_venue(tmp_path_factory.mktemp("venue")) as found:
        found[0].ask(order(intent(qty=5_000)))
        yield found


@pytest.fixture
def gate(house: tuple[Gateway, Serving]) -> Gateway:
    return house[0]


@pytest.fixture
def venue(house: tuple[Gateway, Serving]) -> Serving:
    return house[1]


def around(gate: Gateway, **changes: Any) -> Pair:
    """Return a stop and a target far from the market."""
    now = bid(gate)
    return bracket(now * 9 // 10, now * 11 // 10, **changes)


def pushed(gate: Gateway, wanted: OrderIntent, execution: str) -> ReportPushed:
    found = gate.until(
        lambda heard: (
            isinstance(heard, ReportPushed)
            and heard.report.client_order_id == wanted.client_order_id
            and heard.execution == execution
        )
    )
    assert isinstance(found, ReportPushed)
    return found


def test_a_pair_is_one_request_and_both_halves_rest(gate: Gateway, venue: Serving) -> None:
    edge: Any = venue.thread._edge
    stop, target = halves = around(gate)
    before = int(edge._requests)
    placed = gate.ask(pair(halves))
    assert int(edge._requests) == before + 1
    assert isinstance(placed, PairPlaced)
    of = {report.client_order_id: report for report in placed.reports}
    assert set(of) == {stop.client_order_id, target.client_order_id}
    assert {report.status for report in of.values()} == {"NEW"}
    assert not of[stop.client_order_id].working
    assert Decimal(of[stop.client_order_id].stop_px) * 100 == stop.stop_px
    assert of[target.client_order_id].working
    assert Decimal(of[target.client_order_id].limit_px) * 100 == target.limit_px
    assert placed.trades == ()
    for half in halves:
        assert pushed(gate, half, "NEW").report.status == "NEW"
        found = gate.ask(ask_of(half))
        assert isinstance(found, OrderFound)
        assert found.report.status == "NEW"
    seen = gate.ask(AskOpenOrders(effect_id="open"))
    assert isinstance(seen, OpenOrdersSeen)
    assert {half.client_order_id for half in halves} <= {r.client_order_id for r in seen.reports}
    gate.ask(cancel_of(stop))


@pytest.mark.parametrize("first", [0, 1])
def test_cancelling_one_half_ends_both_and_both_are_heard_of(gate: Gateway, first: int) -> None:
    halves = around(gate)
    assert isinstance(gate.ask(pair(halves)), PairPlaced)
    done = gate.ask(cancel_of(halves[first]))
    assert isinstance(done, CancelDone)
    assert done.report.client_order_id == halves[first].client_order_id
    for half in halves:
        assert pushed(gate, half, "CANCELED").report.status == "CANCELED"
    assert isinstance(gate.ask(cancel_of(halves[1 - first])), CancelRefused)


@pytest.mark.parametrize(
    ("stopping", "taking"),
    [("stop_limit", "limit_maker"), ("stop", "take_profit"), ("stop_limit", "take_profit_limit")],
)
def test_every_kind_of_half_is_taken_as_it_is(gate: Gateway, stopping: Any, taking: Any) -> None:
    halves = around(gate, stopping=stopping, taking=taking)
    placed = gate.ask(pair(halves))
    assert isinstance(placed, PairPlaced), placed
    for half in halves:
        found = gate.ask(ask_of(half))
        assert isinstance(found, OrderFound)
        assert Decimal(found.report.stop_px) * 100 == half.stop_px
        assert Decimal(found.report.limit_px) * 100 == half.limit_px
    gate.ask(cancel_of(halves[0]))


def test_prices_on_the_wrong_side_refuse_both(gate: Gateway) -> None:
    now = bid(gate)
    halves = bracket(now * 11 // 10, now * 12 // 10)
    refused = gate.ask(pair(halves))
    assert isinstance(refused, PairRefused)
    assert refused.code == -2010
    assert refused.client_order_ids == tuple(half.client_order_id for half in halves)
    for half in halves:
        assert isinstance(gate.ask(ask_of(half)), OrderAbsent)


def test_a_pair_that_the_account_cannot_cover_is_refused_whole(gate: Gateway) -> None:
    refused = gate.ask(pair(around(gate, qty=10**7)))
    assert isinstance(refused, PairRefused)
    assert refused.code == -2010


def test_a_half_off_its_tick_refuses_both_and_is_never_rounded(gate: Gateway) -> None:
    stop, target = around(gate)
    off = msgspec.structs.replace(target, limit_px=target.limit_px * 10 + 9, px_exp=3)
    refused = gate.ask(pair((stop, off)))
    assert isinstance(refused, PairRefused)
    assert (refused.code, "PRICE_FILTER" in refused.text) == (-1013, True)


def test_a_second_pair_of_the_same_ids_proves_the_first_and_is_no_refusal(gate: Gateway) -> None:
    halves = around(gate)
    gate.ask(pair(halves))
    assert "Duplicate order sent." in gate.unanswered(pair(halves))
    gate.ask(cancel_of(halves[0]))


def test_a_pair_signed_too_long_ago_is_refused_and_the_clock_is_asked(gate: Gateway) -> None:
    gate.heard += gate.thread.take()
    gate.heard = [heard for heard in gate.heard if not isinstance(heard, ClockSeen)]
    now_ms = gate.clock.wall_ns() // 1_000_000
    refused = gate.ask(pair(around(gate), signed_ms=now_ms - STALE_MS))
    assert isinstance(refused, PairRefused)
    assert refused.code == -1021
    assert abs(gate.first(ClockSeen).offset_ms) < 1_000


def rested(gate: Gateway) -> Pair:
    """Place a pair close around a market that may run away meanwhile."""
    for _ in range(20):
        now = bid(gate)
        halves = bracket(now * 9_990 // 10_000, now * 10_010 // 10_000, qty=900)
        if isinstance(gate.ask(pair(halves)), PairPlaced):
            return halves
    raise AssertionError("the market never stood still for a pair")


def test_when_one_half_trades_the_other_is_heard_to_expire(tmp_path: Path) -> None:
    with at_venue(tmp_path, scale=600.0) as (gate, _):
        gate.ask(order(intent()))
        halves = rested(gate)
        ended = gate.until(
            lambda heard: isinstance(heard, ReportPushed) and heard.execution == "EXPIRED"
        )
        assert isinstance(ended, ReportPushed)
        (traded,) = [h for h in halves if h.client_order_id != ended.report.client_order_id]
        found = pushed(gate, traded, "TRADE")
        assert ended.report.status == "EXPIRED"
        assert Decimal(ended.report.executed_qty) == 0
        assert found.trades[0].client_order_id == traded.client_order_id
