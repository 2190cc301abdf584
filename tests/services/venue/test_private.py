"""The signed interface without HTTP: signatures, times, parameters, and what each call answers."""

from urllib.parse import urlencode

import pytest

from schema.listing import instrument_of
from schema.setting_types import PLAY_KEY
from services.venue.payload import symbol_row
from tests.services.venue.bank import LIMIT, WALL_MS, Bank, signature, signed
from tests.services.venue.scripted import FACTS, START_MS


@pytest.mark.parametrize(("away_ms", "window_ms", "code"), [
    (0, None, 0), (-5_000, None, 0), (-5_001, None, -1021), (1_000, None, 0),
    (1_001, None, -1021), (-9_000, 10_000, 0), (-60, 50, -1021), (0, 60_001, -1131),
])  # fmt: skip
def test_a_request_is_good_for_its_window_of_wall_time(
    away_ms: int, window_ms: int | None, code: int
) -> None:
    query = signed(timestamp=WALL_MS + away_ms, recvWindow=window_ms)
    _, found = Bank().send("GET account", PLAY_KEY, query)
    assert found.get("code", 0) == code


def test_keys_and_signatures_are_checked_as_they_were_sent() -> None:
    bank = Bank()
    good = signed()
    assert bank.send("GET account", PLAY_KEY, good)[0] == 200
    assert bank.send("GET account", "", good) == (
        401,
        {"code": -2014, "msg": "API-key format invalid."},
    )
    assert bank.send("GET account", "other", good)[1]["code"] == -2015
    assert bank.send("GET account", PLAY_KEY, f"{good[:-1]}g")[1]["code"] == -1022
    assert bank.send("GET account", PLAY_KEY, f"omitZeroBalances=true&{good}")[1]["code"] == -1022
    assert bank.send("GET account", PLAY_KEY, f"timestamp={WALL_MS}")[1]["code"] == -1102
    assert bank.send("GET account", PLAY_KEY, "")[1] == {
        "code": -1102,
        "msg": "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.",
    }
    assert bank.send("GET account", PLAY_KEY, f"timestamp=1&{good}")[1]["code"] == -1101


def test_parameters_may_come_in_the_query_in_the_body_or_in_both() -> None:
    bank = Bank()
    text = urlencode({**LIMIT, "quantity": 1, "price": 90, "timestamp": WALL_MS})
    whole = f"{text}&signature={signature(text)}"
    head, tail = text[:20], text[20:]
    mixed = f"symbol=BTCUSDT{text.removeprefix('symbol=BTCUSDT&')}"
    both = f"{text.removeprefix('symbol=BTCUSDT&')}&signature={signature(mixed)}"
    assert head + tail == text
    assert bank.send("POST order", PLAY_KEY, whole)[0] == 200
    assert bank.send("POST order", PLAY_KEY, "", whole)[0] == 200
    assert bank.send("POST order", PLAY_KEY, "symbol=BTCUSDT", both)[0] == 200


@pytest.mark.parametrize(("change", "code", "said"), [
    ({"price": None}, -1102, "'price'"),
    ({"quantity": None}, -1102, "'quantity'"),
    ({"symbol": "NONEUSDT"}, -1121, "Invalid symbol."),
    ({"side": "HOLD"}, -1117, "Invalid side."),
    ({"type": "ICEBERG"}, -1116, "Invalid orderType."),
    ({"timeInForce": "GTD"}, -1115, "Invalid timeInForce."),
    ({"stopPrice": "80"}, -1106, "Parameter 'stopPrice' sent when not required."),
    ({"price": "90.123456789"}, -1111, "Parameter 'price' has too much precision."),
    ({"price": "9e1"}, -1100, "Illegal characters found in parameter 'price'"),
    ({"price": "0"}, -1013, "Invalid price."),
    ({"quantity": "0"}, -1013, "Invalid quantity."),
    ({"newClientOrderId": "no space"}, -1100, "newClientOrderId"),
    ({"icebergQty": "1"}, -2010, "Iceberg orders are not supported for this symbol."),
    ({"surprise": "1"}, -1104, "Not all sent parameters were read"),
    ({"type": "MARKET", "timeInForce": None, "price": None, "quantity": None}, -1102, "quoteOrder"),
    ({"type": "LIMIT_MAKER"}, -1106, "Parameter 'timeInForce' sent when not required."),
])  # fmt: skip
def test_an_order_with_wrong_parameters_is_refused_and_not_placed(
    change: dict[str, str | None], code: int, said: str
) -> None:
    bank = Bank()
    found = bank.refusal("POST order", **{**LIMIT, "quantity": "1", "price": "90", **change})
    assert found[0] == code and said in found[1]
    assert not bank.desk.records.orders


def test_an_answer_tells_as_much_as_was_asked_for() -> None:
    bank = Bank()
    order = {**LIMIT, "quantity": "1", "price": "101"}
    ack = bank.ask("POST order", **order, newOrderRespType="ACK")
    assert set(ack) == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
    assert ack["transactTime"] == START_MS
    result = bank.ask("POST order", **order, newOrderRespType="RESULT")
    assert (result["status"], "fills" in result) == ("FILLED", False)
    full = bank.ask("POST order", **order)
    assert full["fills"] == [
        {
            "price": "101.00000000",
            "qty": "1.00000000",
            "commission": "0.00200000",
            "commissionAsset": "BTC",
            "tradeId": 3,
        }
    ]
    assert bank.ask("POST order/test", **order) == {} and len(bank.desk.records.orders) == 3


def test_lists_begin_at_an_id_or_a_time_and_else_end_with_the_newest() -> None:
    bank = Bank()
    order = {**LIMIT, "quantity": "0.1", "price": "101"}
    for step in range(6):
        bank.desk.advance(START_MS + step)
        bank.ask("POST order", **order)

    def ids(call: str, name: str, **params: object) -> list[int]:
        return [row[name] for row in bank.ask(call, symbol="BTCUSDT", **params)]

    for call, name, first in (
        ("GET allOrders", "orderId", "orderId"),
        ("GET myTrades", "id", "fromId"),
    ):
        assert ids(call, name) == [1, 2, 3, 4, 5, 6]
        assert ids(call, name, limit=2) == [5, 6]
        assert ids(call, name, limit=2, **{first: 3}) == [3, 4]
        assert ids(call, name, startTime=START_MS + 2, limit=2) == [3, 4]
        assert ids(call, name, endTime=START_MS + 2, limit=2) == [2, 3]
    assert ids("GET myTrades", "orderId", orderId=4) == [4]
    assert bank.ask("GET openOrders") == []


def test_an_order_lives_on_in_the_books_after_it_is_done() -> None:
    bank = Bank()
    made = bank.ask("POST order", **LIMIT, quantity="1", price="95", newClientOrderId="x")
    (row,) = bank.ask("GET openOrders", symbol="BTCUSDT")
    assert (row["orderId"], row["status"], row["isWorking"]) == (made["orderId"], "NEW", True)
    bank.desk.advance(START_MS + 10)
    gone = bank.ask("DELETE order", symbol="BTCUSDT", origClientOrderId="x", newClientOrderId="y")
    assert (gone["clientOrderId"], gone["origClientOrderId"]) == ("y", "x")
    assert (gone["status"], gone["executedQty"]) == ("CANCELED", "0.30000000")
    assert bank.refusal("DELETE order", symbol="BTCUSDT", origClientOrderId="x") == (
        -2011,
        "Unknown order sent.",
    )
    assert bank.refusal("DELETE openOrders", symbol="BTCUSDT")[0] == -2011
    assert bank.refusal("GET order", symbol="BTCUSDT", orderId=77) == (
        -2013,
        "Order does not exist.",
    )
    found = bank.ask("GET order", symbol="BTCUSDT", origClientOrderId="x")
    assert (found["clientOrderId"], found["updateTime"]) == ("x", START_MS + 10)
    account = {row["asset"]: row for row in bank.ask("GET account")["balances"]}
    assert account["USDT"] == {"asset": "USDT", "free": "971.50000000", "locked": "0.00000000"}


def test_what_is_announced_is_what_is_enforced() -> None:
    bank = Bank()
    instrument = instrument_of(symbol_row(FACTS), 0)
    assert (instrument.min_notional, instrument.tick, instrument.lot) == (5 * 10**5, 1, 1)
    small = {**LIMIT, "price": "90", "quantity": "0.055"}
    assert bank.refusal("POST order", **small) == (-1013, "Filter failure: NOTIONAL")
    assert bank.ask("POST order", **{**small, "quantity": "0.056"})["status"] == "NEW"
