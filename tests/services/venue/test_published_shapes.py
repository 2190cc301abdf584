"""What the venue answers and says has every field that Binance publishes in its examples."""

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.venue.columns import DAY_MS
from services.venue.live import Live, stream_of
from services.venue.payload import Json
from services.venue.private import ON_SOCKET
from services.venue.rest import Now, Rest
from services.venue.synthetic import Synthetic
from services.venue.userstream import events_of
from tests.services.venue.bank import LIMIT, Bank
from tests.services.venue.scripted import START_MS

SHARED = Path(__file__).parents[3] / ".." / "shared" / "data"
PUBLISHED = SHARED / "binance_docs"
MESSAGES = SHARED / "nautilus" / "binance_resources" / "ws_messages"

published = pytest.mark.skipif(not PUBLISHED.exists(), reason="../shared/data is not here")
recorded = pytest.mark.skipif(not MESSAGES.exists(), reason="../shared/data is not here")

LACKING = {
    "icebergQty": "of an iceberg, which the venue does not take",
    "sors": "of order routing, which the venue does not have",
    "v": "of an order that was amended, which the venue does not do",
    **dict.fromkeys(("trailingDelta", "trailingTime", "d", "D"), "of a trailing stop: not taken"),
    **dict.fromkeys(("strategyId", "strategyType", "j", "J"), "taken, and not kept"),
    **dict.fromkeys(("preventedMatchId", "preventedQuantity"), "our orders never meet each other"),
}
"""What nobody here asks for, and why the venue does not say it."""

OTHER_FORMS = defaultdict(
    set,
    {
        "order.test": {"standardCommissionForOrder"},  # asked for by a parameter, not taken
        "order.cancel": {"orderReports"},  # of a pair: the venue answers about the order, as REST
    },
)

NOW = Now(START_MS, START_MS, 1)
MARKET = Synthetic(7, ("BTC/USDT",), START_MS // DAY_MS - 2)
PAIR = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "1"}
NEW_PAIR = {**PAIR, "aboveType": "LIMIT_MAKER", "abovePrice": "120",
            "belowType": "STOP_LOSS_LIMIT", "belowStopPrice": "80", "belowPrice": "79",
            "belowTimeInForce": "GTC"}  # fmt: skip
OLD_PAIR = {**PAIR, "price": "120", "stopPrice": "80", "stopLimitPrice": "79",
            "stopLimitTimeInForce": "GTC"}  # fmt: skip


@cache
def answers() -> dict[str, Any]:
    """Return an answer to every signed call, by the words of REST."""
    bank, found = Bank(), dict[str, Any]()
    order = {**LIMIT, "quantity": "0.5", "price": "95"}
    for answer in ("ACK", "RESULT"):
        found[f"POST order {answer}"] = bank.ask("POST order", **order, newOrderRespType=answer)
    found["POST order FULL"] = bank.ask("POST order", **{**order, "price": "101"})
    found["POST order"] = found["POST order FULL"]
    found["POST order/test"] = bank.ask("POST order/test", **order)
    found["POST orderList/oco"] = bank.ask("POST orderList/oco", **NEW_PAIR)
    found["POST order/oco"] = bank.ask("POST order/oco", **OLD_PAIR)
    pair_id = found["POST order/oco"]["orderListId"]
    found["GET orderList"] = bank.ask("GET orderList", orderListId=pair_id)
    for call in ("account", "allOrderList", "openOrderList", "openOrders"):
        found[f"GET {call}"] = bank.ask(f"GET {call}")
    symbol = {"symbol": "BTCUSDT"}
    found["GET order"] = bank.ask("GET order", **symbol, orderId=1)
    for call in ("allOrders", "myTrades"):
        found[f"GET {call}"] = bank.ask(f"GET {call}", **symbol)
    found["DELETE orderList"] = bank.ask("DELETE orderList", **symbol, orderListId=pair_id)
    own = {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": 2, "price": "94"}
    found["POST order/cancelReplace"] = bank.ask("POST order/cancelReplace", **{**order, **own})
    found["DELETE order"] = bank.ask("DELETE order", **symbol, orderId=1)
    found["DELETE openOrders"] = bank.ask("DELETE openOrders", **symbol)
    return found


@cache
def events() -> list[Json]:
    """Return what the stream says of an order that fills, one that is cancelled, and a pair."""
    bank = Bank()
    found: list[Json] = []

    def did(call: str, **params: object) -> Any:
        answer = bank.ask(call, **params)
        changes = bank.desk.drain()
        assert changes is not None
        found.extend(events_of(changes, bank.desk.market.facts))
        return answer

    did("POST order", **LIMIT, quantity="0.5", price="101")
    resting = did("POST order", **LIMIT, quantity="0.5", price="95")
    did("DELETE order", symbol="BTCUSDT", orderId=resting["orderId"])
    did("POST order", **{**LIMIT, "timeInForce": "IOC"}, quantity="2", price="101")
    did("POST orderList/oco", **NEW_PAIR)
    did("DELETE openOrders", symbol="BTCUSDT")
    return found


def missing(ours: Any, theirs: Any) -> set[str]:
    """Return the keys that theirs has and ours has not, at any depth."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = set(theirs) - set(ours)
        for key in set(theirs) & set(ours):
            found |= missing(ours[key], theirs[key])
        return found - set(LACKING)
    if isinstance(theirs, list) and isinstance(ours, list):
        assert ours or not theirs, theirs
        pairs = zip(sorted(ours, key=kind_of), sorted(theirs, key=kind_of), strict=False)
        return set().union(*(missing(one, other) for one, other in pairs))
    return set()


def kind_of(row: Any) -> str:
    return str(row.get("type", "")) if isinstance(row, dict) else ""


def examples(file: str, heading: str) -> list[Any]:
    rows = json.loads((PUBLISHED / f"examples_{file}.json").read_text())["examples"]
    found = [row["payload"] for row in rows if row["heading"].startswith(heading)]
    assert found, heading
    return found


@published
@pytest.mark.parametrize(("heading", "call"), [
    ("New order (TRADE) > Response - ACK", "POST order ACK"),
    ("New order (TRADE) > Response - RESULT", "POST order RESULT"),
    ("New order (TRADE) > Response - FULL", "POST order FULL"),
    ("Cancel order (TRADE) > Response", "DELETE order"),
    ("Cancel an Existing Order and Send a New Order (TRADE) > Response SUCCESS",
     "POST order/cancelReplace"),
    ("New OCO - Deprecated (TRADE) > Response", "POST order/oco"),
    ("New Order list - OCO (TRADE) > Response", "POST orderList/oco"),
    ("Cancel Order list (TRADE) > Response", "DELETE orderList"),
    ("Account information (USER_DATA) > Response", "GET account"),
    ("Query order (USER_DATA) > Response", "GET order"),
    ("Current open orders (USER_DATA) > Response", "GET openOrders"),
    ("All orders (USER_DATA) > Response", "GET allOrders"),
    ("Query Order list (USER_DATA) > Response", "GET orderList"),
    ("Query all Order lists (USER_DATA) > Response", "GET allOrderList"),
    ("Query Open Order lists (USER_DATA) > Response", "GET openOrderList"),
    ("Account trade list (USER_DATA) > Response", "GET myTrades"),
])  # fmt: skip
def test_every_signed_call_answers_all_that_is_published(heading: str, call: str) -> None:
    for example in examples("rest-api", heading):
        assert missing(answers()[call], example) == set()


@published
def test_all_that_is_cancelled_at_once_is_listed_alone_or_as_a_pair() -> None:
    (example,) = examples("rest-api", "Cancel All Open Orders on a Symbol")
    alone, pair = ([row for row in example if ("orderReports" in row) == tied] for tied in (0, 1))
    ours = answers()["DELETE openOrders"]
    assert missing([row for row in ours if "orderReports" not in row], alone[:1]) == set()
    assert missing([row for row in ours if "orderReports" in row], pair[:1]) == set()


@published
@pytest.mark.parametrize("method", sorted(set(ON_SOCKET) - {"openOrders.cancelAll"}))
def test_every_call_of_the_socket_answers_all_that_is_published(method: str) -> None:
    rows = json.loads((PUBLISHED / "examples_web-socket-api.json").read_text())["examples"]
    asked = max(n for n, row in enumerate(rows) if row["payload"].get("method") == method)
    for row in rows[asked + 1 :]:
        if "method" in row["payload"]:
            break
        ours, theirs = answers()[ON_SOCKET[method]], row["payload"].get("result")
        if theirs and not OTHER_FORMS[method].intersection(map(str, theirs)):
            assert missing(ours, theirs) <= ({"stopPrice"} if method == "order.cancel" else set())


@published
@pytest.mark.parametrize(("heading", "path", "params"), [
    ("Exchange information > Response", "exchangeInfo", {}),
    ("Order book > Response", "depth", {"symbol": "BTCUSDT"}),
    ("Recent trades list > Response", "trades", {"symbol": "BTCUSDT"}),
    ("Old trade lookup > Response", "historicalTrades", {"symbol": "BTCUSDT"}),
    ("Compressed/Aggregate trades list", "aggTrades", {"symbol": "BTCUSDT"}),
    ("Kline/Candlestick data", "klines", {"symbol": "BTCUSDT", "interval": "1m"}),
    ("24hr ticker price change statistics > Response - FULL", "ticker/24hr", {"symbol": "BTCUSDT"}),
    ("Symbol price ticker", "ticker/price", {}),
    ("Symbol order book ticker", "ticker/bookTicker", {}),
    ("Check server time", "time", {}),
])  # fmt: skip
def test_every_public_call_answers_all_that_is_published(
    heading: str, path: str, params: dict[str, str]
) -> None:
    answer = Rest(MARKET).answer(f"/api/v3/{path}", params, NOW)
    ours = msgspec.json.decode(answer.body)
    for example in examples("rest-api", heading):
        if isinstance(example, list) == isinstance(ours, list):
            assert missing(ours, example) == set()
    if path == "klines":
        assert len(ours[0]) == len(examples("rest-api", heading)[0][0])


@published
def test_the_filters_that_are_announced_have_the_published_fields() -> None:
    known = {payload["filterType"]: payload for payload in examples("filters", "")}
    answer = Rest(MARKET).answer("/api/v3/exchangeInfo", {}, NOW)
    for row in msgspec.json.decode(answer.body)["symbols"][0]["filters"]:
        assert set(row) == set(known[row["filterType"]])


@published
@pytest.mark.parametrize(("heading", "stream"), [
    ("Aggregate Trade Streams", "aggTrade"), ("Trade Streams", "trade"),
    ("Kline/Candlestick Streams for UTC", "kline_1m"),
    ("Individual Symbol Mini Ticker Stream", "miniTicker"),
    ("Individual Symbol Ticker Streams", "ticker"),
    ("Individual Symbol Book Ticker Streams", "bookTicker"), ("Diff. Depth Stream", "depth@100ms"),
])  # fmt: skip
def test_every_stream_says_exactly_what_is_published(heading: str, stream: str) -> None:
    found = stream_of(f"btcusdt@{stream}", MARKET.facts)
    assert found is not None
    said = Live(MARKET).events(found, START_MS, START_MS + 60_000)[-1]
    for example in examples("web-socket-streams", heading):
        assert missing(said, example) == missing(example, said) == set()
        assert said.get("e") == example.get("e")


def of_kind(kind: str, *, execution: str = "") -> Iterator[Json]:
    return (e for e in events() if e["e"] == kind and execution in {"", e.get("x")})


@published
@pytest.mark.parametrize("kind", ["executionReport", "outboundAccountPosition", "listStatus"])
def test_every_event_of_the_account_says_all_that_is_published(kind: str) -> None:
    rows = [row["event"] for row in examples("user-data-stream", "")]
    (example,) = (row for row in rows if row["e"] == kind)
    found = list(of_kind(kind))
    assert found
    assert all(missing(event, example) == set() for event in found)


@recorded
@pytest.mark.parametrize(("file", "execution"), [
    ("new", "NEW"), ("trade", "TRADE"), ("canceled", "CANCELED"), ("expired", "EXPIRED"),
])  # fmt: skip
def test_a_report_of_each_kind_has_the_fields_of_a_recorded_one(file: str, execution: str) -> None:
    text = (MESSAGES / f"ws_spot_execution_report_{file}.json").read_text()
    theirs = json.loads(text)
    theirs = theirs.get("event", theirs.get("data", theirs))
    found = list(of_kind("executionReport", execution=execution))
    assert found and theirs["x"] == execution
    assert all(missing(event, theirs) == set() for event in found)


def test_a_pair_is_told_with_its_two_orders_when_it_begins_and_when_it_ends() -> None:
    began, *_, ended = of_kind("listStatus")
    assert (began["l"], began["L"]) == ("EXEC_STARTED", "EXECUTING")
    assert (ended["l"], ended["L"]) == ("ALL_DONE", "ALL_DONE")
    legs = [event["i"] for event in of_kind("executionReport") if event["g"] == began["g"]]
    assert began["O"] == ended["O"]
    assert isinstance(began["O"], list)
    assert {leg["i"] for leg in began["O"]} == set(legs)
