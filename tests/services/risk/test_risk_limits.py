"""The order itself, its size and its pace: what each rule refuses, next to what passes."""

from typing import Any

import pytest

from schema.approval import order_hash
from schema.orders import KillLevel, OrderDenied
from schema.trading import CancelIntent
from schema.units import MS_NS
from tests.services.risk.risk_desk import (
    BTC,
    ETH,
    MARK,
    NOON_NS,
    ONE,
    SELL,
    Desk,
    deposit,
    instrument,
    quote,
)


@pytest.fixture
def desk() -> Desk:
    return Desk().open()


def kill(level: str) -> KillLevel:
    return KillLevel(ts_event=NOON_NS, level=level, by="me", reason="why")


def test_a_verdict_names_the_exact_order_for_a_short_time(desk: Desk) -> None:
    order = desk.intent()
    found = desk.verdict(order)
    assert found.approved
    assert (found.code, found.by, found.symbol) == ("OK", "risk", BTC)
    assert found.order_hash == order_hash(order)
    assert found.epoch == 7
    assert found.expires_ns == desk.now_ns + 1_000 * MS_NS
    assert found.detail == (
        "notional=5150 max_order_notional=20000 position=5150 max_position_notional=25000 "
        "gross=5150 max_gross_exposure=60000 net=5150 max_net_exposure=60000 leverage=0.06 "
        "max_leverage=1.1 open_orders=1/200 positions=1/50 loss=0/2000 week=0/6000 "
        "drawdown_pct=0/20"
    )


def test_a_cancel_needs_no_verdict(desk: Desk) -> None:
    desk.tell(kill("HALTED"))
    cancel = CancelIntent(ts_event=NOON_NS, client_order_id="a" * 32, strategy="t", symbol=BTC)
    assert desk.tell(cancel) == []


def test_an_id_is_judged_once(desk: Desk) -> None:
    order = desk.intent()
    assert desk.verdict(order).approved
    again = desk.verdict(order)
    assert (again.approved, again.code) == (False, "DUPLICATE_ORDER")
    assert len(desk.risk.state.books.orders) == 1


def test_an_id_that_the_gateway_has_answered_is_not_judged(desk: Desk) -> None:
    order = desk.intent()
    desk.tell(
        OrderDenied(
            ts_event=NOON_NS,
            client_order_id=order.client_order_id,
            symbol=BTC,
            code="COMMAND_EXPIRED",
            detail="",
            by="gateway",
        )
    )
    assert desk.verdict(order).code == "DUPLICATE_ORDER"
    assert not desk.risk.state.books.orders


def test_an_order_is_judged_until_its_deadline(desk: Desk) -> None:
    assert desk.ask(valid_until_ns=desk.now_ns).approved
    assert desk.ask(valid_until_ns=desk.now_ns - 1).code == "COMMAND_EXPIRED"


def test_only_what_is_listed_in_the_money_of_the_account_is_traded(desk: Desk) -> None:
    assert desk.ask(symbol="SOL/USDT").code == "INSTRUMENT_NOT_FOUND"
    desk.tell(instrument("ETH/BTC"))
    desk.tell(quote("ETH/BTC", 5, desk.now_ns))
    assert desk.ask(symbol="ETH/BTC").code == "INSTRUMENT_NOT_FOUND"
    assert desk.ask(symbol=ETH).approved


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"qty": 1}, "QUANTITY_BELOW_MINIMUM"),
        ({"qty": ONE + 1}, "VALIDATION_FAILED"),
        ({"qty": 1000}, "NOTIONAL_BELOW_MINIMUM"),
        ({"px_exp": 3}, "VALIDATION_FAILED"),
        ({"order_type": "limit"}, "VALIDATION_FAILED"),
        ({"qty": 10**16 * 1000}, "NOTIONAL_EXCEEDS_MAXIMUM"),
        ({"qty": 10**13 * 1000, "ref_px": 1}, "NOTIONAL_EXCEEDS_MAXIMUM"),
    ],
)
def test_the_filters_of_the_exchange_are_kept(
    desk: Desk, changes: dict[str, Any], code: str
) -> None:
    assert desk.ask(**changes).code == code


def test_an_instrument_that_is_not_traded_is_refused(desk: Desk) -> None:
    desk.tell(instrument(status="BREAK"))
    assert desk.ask().code == "TRADING_HALTED"


def test_one_order_is_bounded(desk: Desk) -> None:
    whole = ONE * 388 // 100 // 1000 * 1000  # 19 400 at the mark, 19 982 at the collar's edge
    assert desk.ask(whole).approved
    assert Desk().open().ask(4 * ONE).code == "NOTIONAL_EXCEEDS_MAX_PER_ORDER"


def test_a_limit_order_counts_at_the_market_when_that_is_dearer(desk: Desk) -> None:
    below = {"order_type": "limit", "limit_px": MARK * 98 // 100}
    assert desk.ask(4 * ONE, **below).approved
    assert desk.ask(4 * ONE + 1000, symbol=ETH, **below).code == "NOTIONAL_EXCEEDS_MAX_PER_ORDER"


def test_a_position_counts_with_all_that_is_on_its_way(desk: Desk) -> None:
    desk.buy(2 * ONE)
    assert desk.ask(2 * ONE).approved
    found = desk.ask(ONE)
    assert found.code == "MAX_POSITION_EXCEEDED"
    assert "position=25750" in found.detail
    assert desk.ask(ONE, symbol=ETH).approved


def test_two_approvals_cannot_breach_together(desk: Desk) -> None:
    assert desk.ask(3 * ONE).approved
    assert desk.ask(3 * ONE).code == "MAX_POSITION_EXCEEDED"


def test_all_symbols_together_are_bounded() -> None:
    desk = Desk(max_gross_exposure=30_000).open()
    assert desk.ask(3 * ONE).approved
    found = desk.ask(3 * ONE, symbol=ETH)
    assert found.code == "MAX_GROSS_EXPOSURE_EXCEEDED"
    assert "gross=30450" in found.detail
    assert desk.ask(2 * ONE, symbol=ETH).approved


def test_orders_that_add_risk_have_a_rate() -> None:
    desk = Desk(order_rate=2).open()
    first = desk.intent()
    assert desk.verdict(first).approved
    desk.wait(1)
    desk.buy()
    assert desk.ask().code == "RATE_LIMIT_EXCEEDED"
    assert desk.ask(**SELL).approved
    desk.wait(8.999)
    assert desk.ask().code == "RATE_LIMIT_EXCEEDED"
    desk.wait(0.001)
    desk.quote()
    assert desk.ask().approved
    assert desk.ask().code == "RATE_LIMIT_EXCEEDED"


def test_cash_is_held_for_what_is_open() -> None:
    desk = Desk().open(cash=10_000)
    limit = {"order_type": "limit", "limit_px": MARK}
    assert desk.ask(ONE, **limit).approved  # 5 005 with its fee
    found = desk.ask(ONE, **limit)
    assert found.code == "CUM_NOTIONAL_EXCEEDS_FREE_BALANCE"
    assert found.detail == "cost=5005 free=4995"
    assert desk.ask(ONE * 99 // 100, **limit).approved


def test_a_sell_beyond_the_position_needs_the_asset(desk: Desk) -> None:
    assert desk.ask(ONE, **SELL).code == "CUM_NOTIONAL_EXCEEDS_FREE_BALANCE"
    desk.tell(deposit(1, "BTC"))
    assert desk.ask(ONE, **SELL).approved
    assert desk.ask(5 * ONE, **SELL).code == "NOTIONAL_EXCEEDS_MAX_PER_ORDER"
    assert desk.ask(3 * ONE, **SELL).approved
    assert desk.ask(ONE, **SELL).code == "MAX_POSITION_EXCEEDED"
