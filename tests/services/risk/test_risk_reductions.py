"""What stops new risk lets a position be closed, and no more than that."""

from typing import Any

import pytest

from schema.house import PeerSeen
from schema.orders import (
    InstrumentHalted,
    InstrumentResumed,
    KillLevel,
    OrderCanceled,
)
from tests.services.risk.risk_desk import (
    BTC,
    ETH,
    MARK,
    NOON_NS,
    ONE,
    SELL,
    Desk,
    deposit,
)

STOP: dict[str, Any] = {
    "side": "sell",
    "order_type": "stop",
    "stop_px": MARK * 9 // 10,
    "reduce_only": True,
    "leg": "stop",
}


@pytest.fixture
def desk() -> Desk:
    return Desk().open()


def kill(level: str) -> KillLevel:
    return KillLevel(ts_event=NOON_NS, level=level, by="me", reason="why")


@pytest.mark.parametrize(
    ("level", "code"),
    [
        ("REDUCING", "TRADING_STATE_REDUCING"),
        ("HALTED", "TRADING_HALTED"),
        ("FLATTEN", "TRADING_HALTED"),
    ],
)
def test_the_kill_switch_stops_new_risk_and_no_exit(desk: Desk, level: str, code: str) -> None:
    desk.buy()
    desk.tell(kill(level))
    assert desk.ask().code == code
    assert desk.ask(2 * ONE, **SELL).code == code
    assert desk.ask(2 * ONE, **SELL, reduce_only=True).code == "REDUCE_ONLY_WOULD_INCREASE_POSITION"
    assert desk.ask(**STOP).approved
    assert desk.ask(**SELL).approved
    desk.tell(kill("ACTIVE"))
    assert desk.ask().approved


def test_a_halted_symbol_takes_no_new_risk(desk: Desk) -> None:
    desk.buy()
    desk.tell(InstrumentHalted(ts_event=NOON_NS, symbol=BTC, reason="late fill"))
    assert desk.ask().code == "TRADING_HALTED"
    assert desk.ask(symbol=ETH).approved
    assert desk.ask(**SELL).approved
    desk.tell(InstrumentResumed(ts_event=NOON_NS, symbol=BTC, by="me", reason="seen"))
    assert desk.ask().approved


def test_a_writer_that_is_behind_stops_new_risk(desk: Desk) -> None:
    desk.tell(PeerSeen(service="writer_trading", state="SILENT"))
    assert desk.ask().approved
    desk.tell(PeerSeen(service="writer_trading", state="BEHIND", reason="a minute"))
    assert desk.ask().code == "TRADING_STATE_REDUCING"
    assert desk.state() == "REDUCING"
    desk.tell(PeerSeen(service="writer_trading", state="READY"))
    assert desk.ask().approved
    assert desk.state() == "ACTIVE"


def test_a_position_can_be_closed_whatever_it_is_worth(desk: Desk) -> None:
    desk.buy(3 * ONE)
    desk.buy(ONE)
    desk.quote(MARK * 2)
    assert desk.ask(4 * ONE, **SELL, ref_px=MARK * 2, reduce_only=True).approved


def test_an_exit_may_take_the_place_of_a_stop_and_no_other_exit(desk: Desk) -> None:
    desk.buy(2 * ONE)
    stop = desk.submit(2 * ONE, **STOP)
    assert desk.ask(ONE, **STOP).code == "REDUCE_ONLY_WOULD_INCREASE_POSITION"
    assert desk.ask(2 * ONE, **SELL, reduce_only=True).approved
    refused = desk.ask(1000, **SELL, reduce_only=True)
    assert refused.code == "NOTIONAL_BELOW_MINIMUM"
    refused = desk.ask(ONE, **SELL, reduce_only=True)
    assert refused.code == "REDUCE_ONLY_WOULD_INCREASE_POSITION"
    assert refused.detail == "qty=0.10000000 closable=0.00000000"
    desk.tell(OrderCanceled(ts_event=1, client_order_id=stop.client_order_id, symbol=BTC))
    assert desk.ask(ONE, **STOP).approved


def test_what_protects_a_position_adds_no_exposure(desk: Desk) -> None:
    desk.buy(3 * ONE)
    before = desk.ask(1000 * 50, symbol=ETH).detail
    desk.submit(3 * ONE, **STOP)
    desk.submit(3 * ONE, **SELL)
    assert "gross=15025.75 " in before
    assert "gross=15051.5 " in desk.ask(1000 * 50, symbol=ETH).detail


def test_a_buy_back_shrinks_a_short(desk: Desk) -> None:
    desk.tell(deposit(1, "BTC"))
    desk.fill(desk.submit(2 * ONE, **SELL), 2 * ONE)
    desk.tell(kill("REDUCING"))
    assert desk.ask(ONE, reduce_only=True).approved
    assert desk.ask(2 * ONE, reduce_only=True).code == "REDUCE_ONLY_WOULD_INCREASE_POSITION"
    assert desk.ask(ONE).approved
    assert desk.ask(ONE).code == "TRADING_STATE_REDUCING"
