"""What ccxt would do to an order behind our back, seen at the real venue: the edge does not."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest

from schema.exchange import (
    AskTrades,
    OrderFound,
    OrderPlaced,
    OrderRefused,
    ReportPushed,
    TradesSeen,
)
from schema.head import Local
from schema.setting_types import PLAY_KEY
from schema.trading import OrderIntent
from services.gateway.edge_session import Pace, open_session
from tests.services.gateway.served import (
    BTC,
    Gateway,
    ask_of,
    at_venue,
    bid,
    intent,
    order,
    settings,
)


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with at_venue(tmp_path_factory.mktemp("traps")) as (found, _):
        yield found


def placed(gate: Gateway, wanted: OrderIntent) -> OrderPlaced:
    answer = gate.ask(order(wanted))
    assert isinstance(answer, OrderPlaced), answer
    return answer


def refused(gate: Gateway, wanted: OrderIntent) -> OrderRefused:
    answer = gate.ask(order(wanted))
    assert isinstance(answer, OrderRefused), answer
    return answer


def pushed(gate: Gateway, wanted: OrderIntent) -> ReportPushed:
    def of_it(heard: Local) -> bool:
        name = wanted.client_order_id
        return isinstance(heard, ReportPushed) and heard.report.client_order_id == name

    found = gate.until(of_it)
    assert isinstance(found, ReportPushed)
    return found


def test_every_step_of_an_order_that_fills_at_once_is_heard(gate: Gateway) -> None:
    # ccxt's own `watch_orders` would show the last of them alone.
    wanted = intent(qty=60_000)
    answer = placed(gate, wanted)
    life = [pushed(gate, wanted)]
    while life[-1].report.status not in {"FILLED", "EXPIRED"}:
        life.append(pushed(gate, wanted))
    assert [said.execution for said in life] == ["NEW", *["TRADE"] * len(answer.trades)]
    executed = [Decimal(said.report.executed_qty) for said in life]
    assert all(one < next_one for one, next_one in pairwise(executed))
    assert [said.trades[0] for said in life[1:]] == [*answer.trades]


@pytest.mark.parametrize(
    ("qty", "qty_exp", "name"), [(12_345_678, 8, "LOT_SIZE"), (1, 5, "NOTIONAL")]
)
def test_a_quantity_is_neither_cut_to_its_step_nor_held_back(
    gate: Gateway, qty: int, qty_exp: int, name: str
) -> None:
    # ccxt would cut the first off, and take the second for its own affair.
    found = refused(gate, intent(qty=qty, qty_exp=qty_exp))
    assert (found.code, found.text) == (-1013, f"Filter failure: {name}")


def test_a_post_only_price_is_never_rounded_into_the_market(gate: Gateway) -> None:
    # ccxt rounds half up, which can be the ask.
    off = intent(order_type="limit_maker", limit_px=bid(gate) * 10 + 9, px_exp=3)
    assert refused(gate, off).text == "Filter failure: PRICE_FILTER"
    resting = intent(order_type="limit_maker", limit_px=bid(gate) * 9 // 10)
    assert placed(gate, resting).report.limit_px == f"{Decimal(resting.limit_px) / 100:.8f}"


def test_a_market_order_is_for_its_quantity_whatever_price_it_knows(gate: Gateway) -> None:
    # ccxt would make an amount of money of the two.
    wanted = intent(limit_px=bid(gate), ref_px=bid(gate))
    report = placed(gate, wanted).report
    assert (report.qty, report.executed_qty) == ("0.01000000", "0.01000000")


def test_trades_of_one_moment_keep_the_order_of_their_numbers(gate: Gateway) -> None:
    # ccxt sorts them by the text of their ids: 10 before 9.
    for _ in range(12):
        placed(gate, intent())
    seen = gate.ask(AskTrades(effect_id="trades", symbol=BTC, from_id="0"))
    assert isinstance(seen, TradesSeen)
    ids = [int(trade.trade_id) for trade in seen.trades]
    assert len(ids) >= 12 and ids == sorted(ids)
    assert all(Decimal(trade.fee) > 0 and trade.fee_asset == "BTC" for trade in seen.trades)


def test_an_order_of_every_type_is_found_as_it_was_sent(gate: Gateway) -> None:
    placed(gate, intent(qty=10_000))
    low, high = bid(gate) * 8 // 10, bid(gate) * 12 // 10
    for kind, side, limit_px, stop_px in (
        ("limit", "buy", low, 0),
        ("limit_maker", "buy", low, 0),
        ("stop", "sell", 0, low),
        ("stop_limit", "sell", low, low),
        ("take_profit", "sell", 0, high),
        ("take_profit_limit", "sell", high, high),
    ):
        wanted = intent(order_type=kind, side=side, limit_px=limit_px, stop_px=stop_px)
        answer = placed(gate, wanted)
        found = gate.ask(ask_of(wanted))
        assert isinstance(found, OrderFound)
        assert found.report == msgspec.structs.replace(
            answer.report, stop_px=found.report.stop_px, update_ms=found.report.update_ms
        )
        assert Decimal(found.report.limit_px) * 100 == limit_px
        assert Decimal(found.report.stop_px) * 100 == stop_px


def test_a_dead_socket_is_noticed_in_seconds_and_not_in_minutes() -> None:
    pace = Pace()
    session = open_session(settings(8_123), lambda: 0, pace)
    assert session.apiKey == PLAY_KEY
    assert session.streaming["keepAlive"] == 10_000
    assert pace.keep_alive_s < pace.silent_s <= 3 * pace.keep_alive_s
