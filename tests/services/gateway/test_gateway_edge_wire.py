"""The exchange's texts, in the form in which it publishes them, and the gateway's own."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.exchange import OrderReport, VenueTrade
from schema.units import to_int, to_text
from services.gateway import wire
from services.gateway.wire_rows import AccountRow, OrderRow, TradeRow
from tests.services.gateway.published import CANCELLED, EVENT, FOUND, PLACED, TRADE
from tests.services.gateway.served import intent

NAMES = {"BTCUSDT": "BTC/USDT", "LTCBTC": "LTC/BTC"}


def row(given: dict[str, Any], **changes: Any) -> OrderRow:
    return msgspec.convert(given | changes, type=OrderRow)


def test_the_answer_to_an_order_brings_its_trades() -> None:
    placed = row(PLACED)
    assert wire.report_of(placed, NAMES) == OrderReport(
        client_order_id="6gCrw2kRUAF9CvJDGP16IP",
        venue_order_id="28",
        symbol="BTC/USDT",
        side="sell",
        status="FILLED",
        order_type="MARKET",
        qty="10.00000000",
        executed_qty="10.00000000",
        executed_quote="39998.00000000",
        limit_px="0.00000000",
        update_ms=1507725176595,
    )
    first, second = wire.placed_trades(placed, NAMES)
    assert first == VenueTrade(
        trade_id="56",
        venue_order_id="28",
        symbol="BTC/USDT",
        side="sell",
        px="4000.00000000",
        qty="1.50000000",
        quote_qty="6000.00000000",
        fee="4.00000000",
        fee_asset="USDT",
        maker=False,
        at_ms=1507725176595,
        client_order_id="6gCrw2kRUAF9CvJDGP16IP",
    )
    assert (second.quote_qty, second.fee) == ("0.00000001", "-0.00000001")


def test_a_stop_works_only_once_it_was_triggered() -> None:
    assert not wire.report_of(row(FOUND), NAMES).working
    assert wire.report_of(row(FOUND, isWorking=True), NAMES).working
    assert wire.report_of(row(FOUND, workingTime=5), NAMES).working
    assert wire.report_of(row(FOUND, executedQty="0.10"), NAMES).working
    assert wire.report_of(row(FOUND, type="LIMIT"), NAMES).working


def test_a_cancelled_order_keeps_its_own_name() -> None:
    assert wire.report_of(row(CANCELLED), NAMES).client_order_id == "myOrder1"
    event = EVENT | {"x": "CANCELED", "X": "CANCELED", "c": "ofTheCancel", "C": "myOrder1"}
    said = wire.pushed(event, NAMES)
    assert (said.report.client_order_id, said.execution) == ("myOrder1", "CANCELED")


def test_symbols_of_others_keep_their_names() -> None:
    assert wire.report_of(row(FOUND), {}).symbol == "LTCBTC"
    assert wire.trade_of(msgspec.convert(TRADE, type=TradeRow), NAMES).symbol == "BNBBTC"


def test_a_trade_of_the_list_is_read_whole() -> None:
    assert wire.trade_of(msgspec.convert(TRADE, type=TradeRow), {}) == VenueTrade(
        trade_id="28457",
        venue_order_id="100234",
        symbol="BNBBTC",
        side="buy",
        px="4.00000100",
        qty="12.00000000",
        quote_qty="48.000012",
        fee="10.10000000",
        fee_asset="BNB",
        maker=False,
        at_ms=1499865549590,
    )


def test_an_event_without_an_execution_brings_no_trade() -> None:
    said = wire.pushed(EVENT, NAMES)
    assert (said.execution, said.reason, said.trades) == ("NEW", "", ())
    assert said.report.limit_px == "0.10264410"
    rejected = wire.pushed(EVENT | {"x": "REJECTED", "r": "INSUFFICIENT_BALANCES"}, NAMES)
    assert rejected.reason == "INSUFFICIENT_BALANCES"


def test_an_execution_brings_its_trade() -> None:
    executed = {"l": "0.4", "L": "0.1", "z": "0.6", "Z": "0.06", "Y": "0.04", "t": 77, "m": True}
    event = EVENT | executed | {"x": "TRADE", "X": "PARTIALLY_FILLED", "n": "0.0004", "N": "BTC"}
    (trade,) = wire.pushed(event, NAMES).trades
    assert trade == VenueTrade(
        trade_id="77",
        venue_order_id="4293153",
        symbol="BTC/USDT",
        side="buy",
        px="0.1",
        qty="0.4",
        quote_qty="0.04",
        fee="0.0004",
        fee_asset="BTC",
        maker=True,
        at_ms=1499405658657,
        client_order_id="mUvoqJxFIILMdfAW5iGSOW",
    )


@pytest.mark.parametrize(
    "number", ["NaN", "1e5", "-1", "null", "", "1.", "Infinity", "1,0", "9" * 21]
)
def test_a_number_that_is_no_plain_decimal_is_refused(number: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        row(FOUND, price=number)
    with pytest.raises(msgspec.ValidationError):
        wire.pushed(EVENT | {"L": number}, NAMES)


def test_an_order_leaves_as_the_text_of_its_integers() -> None:
    wanted = intent(order_type="limit", limit_px=5_999_999, time_in_force="IOC", side="sell")
    assert wire.order_params(wanted) == {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "LIMIT",
        "quantity": "0.01000",
        "price": "59999.99",
        "timeInForce": "IOC",
        "newClientOrderId": wanted.client_order_id,
        "newOrderRespType": "FULL",
    }


@pytest.mark.parametrize(
    ("order_type", "extra"),
    [
        ("market", set()),
        ("limit", {"price", "timeInForce"}),
        ("limit_maker", {"price"}),
        ("stop", {"stopPrice"}),
        ("stop_limit", {"price", "stopPrice", "timeInForce"}),
        ("take_profit", {"stopPrice"}),
        ("take_profit_limit", {"price", "stopPrice", "timeInForce"}),
    ],
)
def test_each_type_says_what_it_needs_and_no_more(order_type: str, extra: set[str]) -> None:
    said = wire.order_params(intent(order_type=order_type, limit_px=100, stop_px=90))
    usual = {"symbol", "side", "type", "quantity", "newClientOrderId", "newOrderRespType"}
    assert set(said) == usual | extra


@given(
    px=st.integers(1, 10**12),
    qty=st.integers(1, 10**12),
    exps=st.tuples(st.integers(0, 8), st.integers(0, 8)),
)
def test_a_price_times_a_quantity_is_cut_off_after_eight_decimals(
    px: int, qty: int, exps: tuple[int, int]
) -> None:
    whole = px * qty * 10**8 // 10 ** sum(exps)
    if whole < 1 << 63:
        texts = [to_text(n, exp) for n, exp in zip((px, qty), exps, strict=True)]
        assert to_int(wire.product(*texts), 8) == whole


def test_an_account_lists_what_it_has() -> None:
    balances = [
        {"asset": "BTC", "free": "0.00000000", "locked": "0.10000000"},
        {"asset": "LTC", "free": "0.00000000", "locked": "0.00000000"},
        {"asset": "USDT", "free": "10.00000000", "locked": "0.00000000"},
    ]
    account = msgspec.convert(
        {"canTrade": True, "canWithdraw": True, "balances": balances}, type=AccountRow
    )
    assert [asset for asset, _, _ in wire.balances_of(account)] == ["BTC", "USDT"]
