"""The edge at the real venue: every effect and its answer, and the life of an order."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schema.exchange import (
    AccountSeen,
    AskAccount,
    AskOpenOrders,
    AskTrades,
    BalanceMoved,
    CancelDone,
    CancelRefused,
    ClockSeen,
    OpenOrdersSeen,
    OrderAbsent,
    OrderFound,
    OrderPlaced,
    OrderRefused,
    ReportPushed,
    StreamDown,
    StreamUp,
    TradesSeen,
)
from schema.trading import OrderIntent
from services.venue.effects import MoveMoney
from tests.services.gateway.served import (
    BTC,
    Gateway,
    ask_of,
    at_venue,
    bid,
    cancel_of,
    intent,
    order,
)
from tests.services.venue.serving import Serving

STALE_MS = 5_001


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Serving]]:
    with at_venue(tmp_path_factory.mktemp("venue")) as found:
        yield found


@pytest.fixture
def gate(house: tuple[Gateway, Serving]) -> Gateway:
    return house[0]


@pytest.fixture
def venue(house: tuple[Gateway, Serving]) -> Serving:
    return house[1]


def requests(venue: Serving) -> int:
    edge: Any = venue.thread._edge
    return int(edge._requests)


def resting(gate: Gateway) -> OrderIntent:
    """Return a bid far below the market."""
    return intent(order_type="limit", limit_px=bid(gate) * 9 // 10)


def test_a_market_order_is_one_request_and_brings_its_trades(gate: Gateway, venue: Serving) -> None:
    before = requests(venue)
    placed = gate.ask(order(intent()))
    assert requests(venue) == before + 1
    assert isinstance(placed, OrderPlaced)
    assert (placed.report.status, placed.report.executed_qty) == ("FILLED", "0.01000000")
    assert sum(Decimal(trade.qty) for trade in placed.trades) == Decimal("0.01")
    paid = sum(Decimal(trade.quote_qty) for trade in placed.trades)
    assert paid == Decimal(placed.report.executed_quote)


def test_the_same_trade_is_told_alike_by_all_who_tell_it(gate: Gateway) -> None:
    wanted = intent(qty=12_345)
    placed = gate.ask(order(wanted))
    assert isinstance(placed, OrderPlaced)
    last = placed.trades[-1]
    seen = gate.ask(AskTrades(effect_id="trades", symbol=BTC, from_id=last.trade_id))
    assert isinstance(seen, TradesSeen)
    assert seen.whole
    unnamed = msgspec.structs.replace(last, client_order_id="")
    assert seen.trades == (unnamed,)
    gate.until(lambda heard: isinstance(heard, ReportPushed) and heard.trades[-1:] == (last,))


def test_an_order_rests_is_found_and_is_cancelled(gate: Gateway) -> None:
    wanted = resting(gate)
    placed = gate.ask(order(wanted))
    assert isinstance(placed, OrderPlaced)
    assert (placed.report.status, placed.trades) == ("NEW", ())
    found = gate.ask(ask_of(wanted))
    assert isinstance(found, OrderFound)
    assert found.report.client_order_id == wanted.client_order_id
    seen = gate.ask(AskOpenOrders(effect_id="open"))
    assert isinstance(seen, OpenOrdersSeen)
    assert found.report in seen.reports
    cancelled = gate.ask(cancel_of(wanted))
    assert isinstance(cancelled, CancelDone)
    assert cancelled.report.client_order_id == wanted.client_order_id
    assert cancelled.report.status == "CANCELED"
    again = gate.ask(cancel_of(wanted))
    assert isinstance(again, CancelRefused)
    assert again.code == -2011


def test_an_order_that_the_exchange_does_not_know_is_absent(gate: Gateway) -> None:
    before_ms = gate.clock.wall_ns() // 1_000_000
    absent = gate.ask(ask_of(intent()))
    assert isinstance(absent, OrderAbsent)
    assert abs(absent.wall_ms - before_ms) < 1_000


def test_a_stop_waits_for_its_price(gate: Gateway) -> None:
    gate.ask(order(intent()))
    below = bid(gate) * 9 // 10
    wanted = intent(order_type="stop", side="sell", qty=500, stop_px=below, reduce_only=True)
    placed = gate.ask(order(wanted))
    assert isinstance(placed, OrderPlaced)
    assert not placed.report.working
    found = gate.ask(ask_of(wanted))
    assert isinstance(found, OrderFound)
    assert not found.report.working
    assert Decimal(found.report.stop_px) * 100 == below
    gate.ask(cancel_of(wanted))


def test_the_account_says_what_it_has_and_what_the_key_may_do(gate: Gateway) -> None:
    seen = gate.ask(AskAccount(effect_id="account"))
    assert isinstance(seen, AccountSeen)
    assert "USDT" in {asset for asset, _, _ in seen.balances}
    assert (seen.can_trade, seen.can_withdraw) == (True, False)


def test_a_price_off_its_tick_is_refused_and_never_rounded(gate: Gateway) -> None:
    off = resting(gate)
    wanted = msgspec.structs.replace(off, limit_px=off.limit_px * 10 + 9, px_exp=3)
    refused = gate.ask(order(wanted))
    assert isinstance(refused, OrderRefused)
    assert refused.code == -1013
    assert "PRICE_FILTER" in refused.text


def test_an_order_that_the_account_cannot_pay_is_refused(gate: Gateway) -> None:
    refused = gate.ask(order(intent(order_type="limit", limit_px=bid(gate) // 2, qty=10**7)))
    assert isinstance(refused, OrderRefused)
    assert refused.code == -2010


def test_a_second_order_of_an_id_proves_the_first_and_is_no_refusal(gate: Gateway) -> None:
    wanted = resting(gate)
    gate.ask(order(wanted))
    assert "Duplicate order sent." in gate.unanswered(order(wanted))
    gate.ask(cancel_of(wanted))


def test_an_order_signed_too_long_ago_is_refused_and_the_clock_is_asked(gate: Gateway) -> None:
    gate.heard += gate.thread.take()
    gate.heard = [heard for heard in gate.heard if not isinstance(heard, ClockSeen)]
    now_ms = gate.clock.wall_ns() // 1_000_000
    refused = gate.ask(order(intent(), signed_ms=now_ms - STALE_MS))
    assert isinstance(refused, OrderRefused)
    assert refused.code == -1021
    assert abs(gate.first(ClockSeen).offset_ms) < 1_000


def test_an_order_does_not_wait_for_what_queries_cost(gate: Gateway) -> None:
    for n in range(3):  # ccxt's own throttle would hold the order back for more than a second
        gate.ask(AskOpenOrders(effect_id=f"open {n}"))
    began_ns = gate.clock.mono_ns()
    gate.ask(order(intent()))
    assert gate.clock.mono_ns() - began_ns < 500_000_000


def test_the_life_of_an_order_is_heard_whole_and_in_order(tmp_path: Path) -> None:
    with at_venue(tmp_path, scale=600.0) as (gate, _):
        wanted = intent(order_type="limit", limit_px=bid(gate), qty=100_000)
        assert isinstance(gate.ask(order(wanted)), OrderPlaced)
        life = [gate.first(ReportPushed), gate.first(ReportPushed)]
        gate.ask(cancel_of(wanted))
        while life[-1].report.status not in {"CANCELED", "FILLED"}:
            life.append(gate.first(ReportPushed))
        seen = gate.ask(AskTrades(effect_id="trades", symbol=BTC, from_id="0"))
    assert isinstance(seen, TradesSeen)
    assert [said.execution for said in life[:2]] == ["NEW", "TRADE"]
    assert {said.report.client_order_id for said in life} == {wanted.client_order_id}
    executed = Decimal(0)
    for said in life:
        executed += sum(Decimal(trade.qty) for trade in said.trades)
        assert Decimal(said.report.executed_qty) == executed
    pushed = [trade for said in life for trade in said.trades]
    assert [msgspec.structs.replace(t, client_order_id="") for t in pushed] == [*seen.trades]


def test_a_symbol_that_the_settings_name_no_longer_keeps_its_name(tmp_path: Path) -> None:
    with at_venue(tmp_path, symbols='["ETH/USDT"]') as (gate, _):
        gate.ask(order(intent()))
        seen = gate.ask(AskTrades(effect_id="trades", symbol=BTC, from_id="0"))
        assert isinstance(seen, TradesSeen)
        assert {trade.symbol for trade in seen.trades} == {BTC}
        gate.ask(order(intent()))
        gate.until(lambda heard: isinstance(heard, ReportPushed) and heard.report.symbol == BTC)


def test_what_happened_while_the_stream_was_down_is_asked_for(tmp_path: Path) -> None:
    with at_venue(tmp_path) as (gate, venue):
        gate.first(StreamUp)
        edge: Any = venue.thread._edge
        wanted = intent()
        assert venue.thread._loop is not None
        venue.thread._loop.call_soon_threadsafe(edge._teller.drop_all)
        gate.first(StreamDown)
        placed = gate.ask(order(wanted))
        gate.first(StreamUp)
        seen = gate.ask(AskTrades(effect_id="trades", symbol=BTC, from_id="0"))
    assert isinstance(placed, OrderPlaced)
    assert isinstance(seen, TradesSeen)
    assert [trade.trade_id for trade in seen.trades] == [t.trade_id for t in placed.trades]


def test_money_that_moved_is_told_with_a_name_of_its_own(gate: Gateway, venue: Serving) -> None:
    gate.first(StreamUp)
    names = set()
    for delta in ("250", "250", "-0.5"):
        venue.thread.perform(MoveMoney(effect_id="move", asset="USDT", delta=delta))
        said = gate.until(
            lambda heard: isinstance(heard, BalanceMoved) and heard.venue_id not in names
        )
        assert isinstance(said, BalanceMoved)
        assert (said.asset, Decimal(said.delta)) == ("USDT", Decimal(delta))
        names.add(said.venue_id)
    assert len(names) == 3
