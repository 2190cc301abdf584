"""The REST interface: the tape by time, id and candle; nothing newer than now; Binance's errors."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.venue.columns import DAY_MS, MINUTE_MS
from services.venue.klines import INTERVALS_MS
from services.venue.rest import Now, Rest
from services.venue.synthetic import Synthetic

DAY = 20_400
NOW_MS = DAY * DAY_MS + 9 * 3_600_000 + 12_345
NOW = Now(NOW_MS, NOW_MS - 40, 1_700_000_000_123)
MARKET = Synthetic(7, ("BTC/USDT", "ETH/USDT"), DAY - 3)
REST = Rest(MARKET)


def get(path: str, now: Now = NOW, /, **params: object) -> Any:
    answer = REST.answer(f"/api/v3/{path}", {k: str(v) for k, v in params.items()}, now)
    assert answer.status == 200, answer.body
    return msgspec.json.decode(answer.body)


def refused(path: str, **params: object) -> tuple[int, int]:
    answer = REST.answer(path, {k: str(v) for k, v in params.items()}, NOW)
    body = msgspec.json.decode(answer.body)
    assert set(body) == {"code", "msg"}
    return answer.status, body["code"]


def test_time_is_the_walls_and_ping_is_empty() -> None:
    assert get("time") == {"serverTime": NOW.wall_ms}
    assert get("ping") == {}


def test_exchange_info_lists_what_is_traded() -> None:
    assert [row["symbol"] for row in get("exchangeInfo")["symbols"]] == ["BTCUSDT", "ETHUSDT"]
    (row,) = get("exchangeInfo", symbol="ETHUSDT")["symbols"]
    filters = {entry["filterType"]: entry for entry in row["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert filters["LOT_SIZE"]["stepSize"] == "0.00010000"
    several = get("exchangeInfo", symbols='["ETHUSDT","BTCUSDT"]')["symbols"]
    assert [row["symbol"] for row in several] == ["ETHUSDT", "BTCUSDT"]


@pytest.mark.parametrize("interval", ["1m", "5m", "15m", "1h", "4h", "1d"])
def test_candles_are_the_fold_of_the_trades_that_rest_shows(interval: str) -> None:
    step = INTERVALS_MS[interval]
    found = get("klines", symbol="BTCUSDT", interval=interval, limit=3)
    assert found[-1][0] == NOW_MS // step * step
    for row in found:
        tape = MARKET.tape("BTCUSDT", row[0], min(row[0] + step, NOW_MS + 1))
        px = tape.px.tolist()
        money = sum(p * q for p, q in zip(px, tape.qty.tolist(), strict=True))
        bought = sum(q for q, m in zip(tape.qty.tolist(), tape.maker, strict=True) if not m)
        expected = [px[0], max(px), min(px), px[-1]]
        assert [round(float(cell) * 100) for cell in row[1:5]] == expected
        assert row[5] == f"{int(tape.qty.sum()) * 1000 / 10**8:.8f}"
        assert row[6] == row[0] + step - 1
        assert row[7].replace(".", "") == str(money * 10)
        assert row[8] == len(tape)
        assert row[9].replace(".", "").lstrip("0") == str(bought * 1000)


@given(
    start=st.none() | st.integers(-3 * DAY_MS, MINUTE_MS * 20).map(lambda n: NOW_MS + n),
    end=st.none() | st.integers(-3 * DAY_MS, MINUTE_MS * 20).map(lambda n: NOW_MS + n),
    limit=st.none() | st.integers(1, 1500),
    interval=st.sampled_from(["1m", "5m", "1h", "1d"]),
)
@settings(max_examples=150, deadline=None)
def test_a_window_of_candles_is_cut_from_the_whole_as_binance_cuts_it(
    start: int | None, end: int | None, limit: int | None, interval: str
) -> None:
    step = INTERVALS_MS[interval]
    params = {"startTime": start, "endTime": end, "limit": limit}
    given_params = {key: value for key, value in params.items() if value is not None}
    found = get("klines", symbol="BTCUSDT", interval=interval, **given_params)
    opens = range((DAY - 3) * DAY_MS, NOW_MS + 1, step)
    inside = [n for n in opens if (start is None or n >= start) and (end is None or n <= end)]
    count = min(limit or 500, 1000)
    expected = inside[-count:] if start is None else inside[:count]
    assert [row[0] for row in found] == expected


def test_trades_come_by_id_by_time_and_from_the_end_and_never_from_the_future() -> None:
    latest = get("trades", symbol="ETHUSDT")
    assert len(latest) == 500 and latest[-1]["time"] <= NOW_MS
    assert [row["id"] for row in latest] == list(range(latest[0]["id"], latest[-1]["id"] + 1))
    assert get("historicalTrades", symbol="ETHUSDT") == latest
    by_id = get("historicalTrades", symbol="ETHUSDT", fromId=latest[10]["id"], limit=1000)
    assert by_id == latest[10:]
    later = get("historicalTrades", symbol="ETHUSDT", fromId=latest[-1]["id"] + 1)
    assert later == []


def test_aggregates_take_ids_or_times() -> None:
    trades = get("trades", symbol="ETHUSDT", limit=1000)
    by_time = get("aggTrades", symbol="ETHUSDT", startTime=trades[3]["time"], limit=5)
    assert by_time[0]["T"] >= trades[3]["time"] and len(by_time) == 5
    between = get(
        "aggTrades", symbol="ETHUSDT", startTime=trades[3]["time"], endTime=trades[9]["time"]
    )
    assert between[-1]["T"] <= trades[9]["time"]
    assert (
        get("aggTrades", symbol="ETHUSDT", fromId=trades[7]["id"], limit=1)[0]["f"]
        == (trades[7]["id"])
    )
    until = get("aggTrades", symbol="ETHUSDT", endTime=trades[9]["time"], limit=2)
    assert [row["a"] for row in until] == [row["a"] for row in between[-2:]]


def test_history_grows_by_what_was_said_and_changes_nothing_before() -> None:
    before = get("historicalTrades", symbol="BTCUSDT", limit=50)
    later = Now(NOW_MS + 5 * MINUTE_MS, NOW_MS, NOW.wall_ms)
    after = get("historicalTrades", later, symbol="BTCUSDT", fromId=before[0]["id"], limit=1000)
    assert after[:50] == before
    assert NOW_MS < after[50]["time"] <= later.market_ms


def test_the_book_and_the_tickers_agree() -> None:
    book = get("depth", symbol="BTCUSDT", limit=5)
    assert len(book["bids"]) == len(book["asks"]) == 5
    top = get("ticker/bookTicker", symbol="BTCUSDT")
    assert [top["bidPrice"], top["bidQty"]] == book["bids"][0]
    assert [top["askPrice"], top["askQty"]] == book["asks"][0]
    day = get("ticker/24hr", symbol="BTCUSDT")
    price = get("ticker/price", symbol="BTCUSDT")["price"]
    last = get("trades", symbol="BTCUSDT", limit=1)[0]
    assert day["lastPrice"] == price == last["price"]
    assert day["lastId"] == last["id"] == day["firstId"] + day["count"] - 1
    assert float(day["lowPrice"]) <= float(price) <= float(day["highPrice"])
    assert len(get("ticker/price")) == len(get("ticker/24hr")) == 2


@pytest.mark.parametrize(
    ("path", "params", "expected"),
    [
        ("/api/v3/klines", {"interval": "1m"}, (400, -1102)),
        ("/api/v3/klines", {"symbol": "", "interval": "1m"}, (400, -1102)),
        ("/api/v3/klines", {"symbol": "BTCUSDT"}, (400, -1102)),
        ("/api/v3/klines", {"symbol": "BTCUSDT", "interval": "7m"}, (400, -1120)),
        ("/api/v3/klines", {"symbol": "NONE", "interval": "1m"}, (400, -1121)),
        ("/api/v3/depth", {"symbol": "btc/usdt"}, (400, -1100)),
        ("/api/v3/depth", {"symbol": "BTCUSDT", "limit": "ten"}, (400, -1100)),
        ("/api/v3/depth", {"symbol": "BTCUSDT", "limit": "-5"}, (400, -1100)),
        ("/api/v3/depth", {"symbol": "BTCUSDT", "limit": "9" * 40}, (400, -1100)),
        ("/api/v3/depth", {"symbol": "BTCUSDT", "limit": "\u0663"}, (400, -1100)),
        ("/api/v3/trades", {"symbol": "BTCUSDT", "limit": 0}, (400, -1130)),
        ("/api/v3/trades", {"symbol": "BTCUSDT", "fromId": 5}, (400, -1104)),
        ("/api/v3/time", {"x": 1}, (400, -1104)),
        ("/api/v3/aggTrades", {"symbol": "BTCUSDT", "fromId": 1, "endTime": 9}, (400, -1128)),
        ("/api/v3/ticker/24hr", {"symbols": "BTCUSDT"}, (400, -1100)),
        ("/api/v3/ticker/24hr", {"symbols": "[1]"}, (400, -1100)),
        ("/api/v3/ticker/price", {"symbol": "BTCUSDT", "symbols": "[]"}, (400, -1128)),
        ("/api/v3/order", {}, (404, -1000)),
        ("/fapi/v1/time", {}, (404, -1000)),
        ("POST /api/v3/time", {}, (404, -1000)),
    ],
)
def test_what_the_exchange_does_not_take_is_refused_in_its_words(
    path: str, params: dict[str, object], expected: tuple[int, int]
) -> None:
    assert refused(path, **params) == expected


@pytest.mark.parametrize("huge", [0, 10**17, 999_999_999_999_999_999])
def test_absurd_numbers_answer_quickly_with_what_there_is(huge: int) -> None:
    assert len(get("historicalTrades", symbol="BTCUSDT", fromId=huge)) in {0, 500}
    assert len(get("aggTrades", symbol="BTCUSDT", startTime=huge)) in {0, 500}
    assert len(get("aggTrades", symbol="BTCUSDT", endTime=huge)) in {0, 500}
    assert len(get("klines", symbol="BTCUSDT", interval="1m", startTime=huge)) in {0, 500}
    assert len(get("klines", symbol="BTCUSDT", interval="1m", endTime=huge)) in {0, 500}
    assert len(get("klines", symbol="BTCUSDT", interval="1m", limit=huge + 1)) in {1, 1000}
    assert len(get("depth", symbol="BTCUSDT", limit=huge + 1)["bids"]) in {1, 100}
