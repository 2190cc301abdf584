"""One order in another's place in a run: at the venue's desk, and where bars fill ideally."""

from typing import Any

import pytest

from schema.exchange import OrderPlaced, SendOrder
from schema.joined import ReplaceDone, ReplaceRefused, SendReplace
from schema.trading import OrderIntent
from services.backtest.desk import DeskExchange
from tests.services.backtest.test_backtest_fills import START_NS, SYMBOL, Market
from tests.services.venue.scripted import START_MS, TERMS, Scripted


def intent(name: str, **changes: Any) -> OrderIntent:
    values: dict[str, Any] = {
        "ts_event": START_NS, "client_order_id": name, "strategy": "s", "symbol": SYMBOL,
        "side": "sell", "order_type": "stop", "qty": 2, "px_exp": 0, "qty_exp": 0,
        "stop_px": 60, "leg": "stop", "reduce_only": True,
    }  # fmt: skip
    return OrderIntent(**values | changes)


def replaced(exchange: Any, old: str, new: OrderIntent) -> Any:
    effect = SendReplace(
        effect_id="replace new", intent=new, replaced=old, signed_ms=0, deadline_wall_ms=0
    )
    return exchange.answer(effect)


@pytest.fixture
def market() -> Market:
    made = Market(at_open=False)
    made.told(1)
    placed = made.sends("sell", order_type="stop", qty=2, stop_px=60, client_order_id="old")
    assert placed.report.status == "NEW"
    return made


def test_an_ideal_stop_moves_and_is_hit_where_it_stands_then(market: Market) -> None:
    done = replaced(market.exchange, "old", intent("new", stop_px=90))
    assert isinstance(done, ReplaceDone)
    assert (done.canceled.client_order_id, done.canceled.status) == ("old", "CANCELED")
    assert [report.client_order_id for report in done.reports] == ["new"]
    assert market.funds["BTC"] == "8.00000000"
    assert market.told(4) == [("new", "80", 3)]
    assert market.exchange.idle


def test_one_that_is_gone_is_not_replaced(market: Market) -> None:
    refused = replaced(market.exchange, "nobody", intent("new"))
    assert isinstance(refused, ReplaceRefused)
    assert (refused.code, refused.replaced, refused.client_order_id) == (-2011, "nobody", "new")
    assert [one.client_order_id for one in market.exchange.shown()] == ["old"]


def test_a_new_one_that_nobody_can_pay_leaves_neither(market: Market) -> None:
    done = replaced(market.exchange, "old", intent("new", qty=11))
    assert isinstance(done, ReplaceDone)
    assert (done.reports, done.code) == ((), -2010)
    assert market.exchange.idle


def sent(intent: OrderIntent) -> SendOrder:
    return SendOrder(effect_id="e", intent=intent, signed_ms=0, deadline_wall_ms=0)


def buy(name: str, px: int, **changes: Any) -> OrderIntent:
    """Return a limit for one, in the decimals of the scripted market."""
    own = {
        "side": "buy", "order_type": "limit", "limit_px": px, "stop_px": 0, "qty": 1_000,
        "px_exp": 2, "qty_exp": 3, "leg": "entry", "reduce_only": False,
    }  # fmt: skip
    return intent(name, **own | changes)


@pytest.fixture
def desk() -> DeskExchange:
    tape = Scripted([(10, 90_00, 300), (20, 90_00, 5_000)])
    made = DeskExchange(tape, TERMS, START_MS * 1_000_000)
    assert isinstance(made.answer(sent(buy("old", 90_00))), OrderPlaced)
    return made


def test_the_desk_puts_one_in_the_others_place(desk: DeskExchange) -> None:
    done = replaced(desk, "old", buy("new", 91_00))
    assert isinstance(done, ReplaceDone)
    assert (done.canceled.status, done.reports[0].status) == ("CANCELED", "NEW")
    assert [one.client_order_id for one in desk.shown()] == ["new"]
    told = [(one.report.client_order_id, one.execution) for one in desk.pass_time(desk.at_ns)]
    assert told == [("old", "NEW"), ("old", "CANCELED"), ("new", "NEW")]


def test_the_desk_replaces_nothing_that_has_traded(desk: DeskExchange) -> None:
    while desk.desk.at_ms < START_MS + 15:
        desk.pass_time((START_MS + 15) * 1_000_000)
    refused = replaced(desk, "old", buy("new", 91_00))
    assert isinstance(refused, ReplaceRefused)
    assert (refused.code, "restrictions" in refused.text) == (-2011, True)
    assert [one.status for one in desk.shown()] == ["PARTIALLY_FILLED"]


def test_the_desk_asks_the_filters_before_it_cancels(desk: DeskExchange) -> None:
    refused = replaced(desk, "old", buy("new", 91_00, qty=10))
    assert isinstance(refused, ReplaceRefused)
    assert (refused.code, "NOTIONAL" in refused.text) == (-1013, True)
    assert [one.client_order_id for one in desk.shown()] == ["old"]


def test_the_desk_leaves_neither_when_the_new_one_is_refused(desk: DeskExchange) -> None:
    done = replaced(desk, "old", buy("new", 90_00, qty=1_000_000))
    assert isinstance(done, ReplaceDone)
    assert (done.reports, done.code) == ((), -2010)
    assert desk.idle
