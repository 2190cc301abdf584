"""The live streams: what they say, in any pacing, is what REST shows afterwards."""

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.venue import payload
from services.venue.columns import DAY_MS, MINUTE_MS
from services.venue.klines import INTERVALS_MS, Candles
from services.venue.live import Live, stream_of
from services.venue.rest import Now, Rest
from services.venue.rolling import FULL
from services.venue.synthetic import Synthetic

DAY = 20_400
START_MS = DAY * DAY_MS - 2 * MINUTE_MS - 777  # runs across midnight
MARKET = Synthetic(7, ("BTC/USDT",), DAY - 3)
LIVE = Live(MARKET)
FACTS = MARKET.facts["BTCUSDT"]
STEPS = st.lists(st.integers(1, 90_000), min_size=1, max_size=12)


def said(name: str, steps: list[int]) -> tuple[list[Any], int]:
    stream = stream_of(name, MARKET.facts)
    assert stream is not None
    at_ms, found = START_MS, list[Any]()
    for step in steps:
        found += LIVE.events(stream, at_ms, at_ms + step)
        at_ms += step
    return found, at_ms


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_trades_said_live_are_the_tape_whatever_the_pace(steps: list[int]) -> None:
    found, until_ms = said("btcusdt@trade", steps)
    rows = payload.trade_rows(FACTS, MARKET.tape("BTCUSDT", START_MS + 1, until_ms + 1))
    assert [(e["t"], e["p"], e["q"], e["T"], e["m"]) for e in found] == [
        (r["id"], r["price"], r["qty"], r["time"], r["isBuyerMaker"]) for r in rows
    ]
    aggregates, _ = said("btcusdt@aggTrade", steps)
    assert [e["a"] for e in aggregates] == [e["t"] for e in found]


@given(STEPS, st.sampled_from(["1m", "5m"]))
@settings(max_examples=60, deadline=None)
def test_every_candle_that_ends_is_said_whole(steps: list[int], interval: str) -> None:
    found, until_ms = said(f"btcusdt@kline_{interval}", steps)
    step = INTERVALS_MS[interval]
    closed = {e["k"]["t"]: e["k"] for e in found if e["k"]["x"]}
    first = (START_MS + 1) // step * step
    assert set(closed) == set(range(first, until_ms - step + 1, step))
    candles = Candles(MARKET)
    for open_ms, k in closed.items():
        day = candles.of_day("BTCUSDT", open_ms // DAY_MS, step, until_ms)
        row = payload.kline_row(FACTS, next(c for c in day if c.open_ms == open_ms), step)
        assert [k["o"], k["h"], k["l"], k["c"], k["v"]] == row[1:6]
        assert (k["q"], k["n"]) == (row[7], row[8])


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_changes_of_the_book_follow_each_other(steps: list[int]) -> None:
    found, _ = said("btcusdt@depth@100ms", steps)
    assert all(b["U"] == a["u"] + 1 for a, b in itertools.pairwise(found))
    tops, until_ms = said("btcusdt@bookTicker", steps)
    top = payload.top_event(FACTS, MARKET.top("BTCUSDT", until_ms))
    if tops:
        assert {**tops[-1], "u": 0} == {**top, "u": 0}


@pytest.mark.parametrize(
    "name",
    [
        *("btcusdt@trade", "btcusdt@aggTrade", "btcusdt@bookTicker", "btcusdt@kline_1m"),
        *("btcusdt@kline_1d", "btcusdt@depth", "btcusdt@depth@100ms", "btcusdt@depth@1000ms"),
    ],
)
def test_these_streams_exist(name: str) -> None:
    stream = stream_of(name, MARKET.facts)
    assert stream is not None and stream.facts is FACTS


@pytest.mark.parametrize(
    "name",
    [
        *("", "btcusdt", "BTCUSDT@trade", "nonesuch@trade", "btcusdt@nothing", "btcusdt@kline"),
        *("btcusdt@kline_7m", "btcusdt@trade_1m", "btcusdt@depth@5ms", "btcusdt@trade\n", "@" * 99),
    ],
)
def test_these_streams_do_not(name: str) -> None:
    assert stream_of(name, MARKET.facts) is None


@given(STEPS)
@settings(max_examples=5, deadline=None)
def test_the_day_is_said_at_whole_seconds_as_rest_lists_it(steps: list[int]) -> None:
    found, until_ms = said("btcusdt@ticker", steps)
    assert all(event["E"] % 1_000 == 0 for event in found)
    assert bool(found) == (until_ms // 1_000 > START_MS // 1_000)
    small, _ = said("btcusdt@miniTicker", steps)
    for event, mini in zip(found, small, strict=True):
        now = Now(event["E"], event["E"], 0)
        answer = Rest(MARKET).answer("/api/v3/ticker/24hr", {"symbol": "BTCUSDT"}, now)
        row = msgspec.json.decode(answer.body)
        assert {key: event[letter] for letter, key in FULL.items()} == {
            key: value for key, value in row.items() if key != "symbol"
        }
        assert mini == {key: event[key] for key in mini} | {"e": "24hrMiniTicker"}
