"""Orders beside a market that is heard: the displayed book, the tape, and a feed to be trusted."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.market import DepthSnapshot, DepthUpdate
from services.venue.account import Balance
from services.venue.book import Book
from services.venue.orders import Side
from services.venue.params import Refusal
from tests.services.venue.heard_market import (
    UNIT,
    Floor,
    feed,
    instrument,
    quote,
    trade,
)


def refusal(floor: Floor, kind: str = "MARKET", **asked: str) -> tuple[int, str]:
    with pytest.raises(Refusal) as refused:
        floor.place("BUY", kind, **asked)  # type: ignore[arg-type]
    return refused.value.code, refused.value.msg


def test_a_taker_gets_the_size_of_the_quote_and_the_rest_expires() -> None:
    floor = Floor().opened()
    order = floor.place("BUY", "MARKET", "2.5")
    assert floor.parts(order) == [("101", "1")]
    assert order.status == "EXPIRED"


def test_a_taker_walks_the_depth_where_it_is_heard() -> None:
    floor = Floor().opened()
    asks = ((101_00, 500), (102_00, 700))
    floor.say(book(7, ((99_00, 10),), asks))
    order = floor.place("BUY", "MARKET", "1")
    assert floor.parts(order) == [("101", "0.5"), ("102", "0.5")]


def test_a_change_of_the_depth_is_taken_and_a_hole_forgets_it() -> None:
    floor = Floor().opened()
    floor.say(book(7, ((99_00, 10),), ((101_00, 500), (102_00, 700))))
    floor.say(change(8, 9, ((101_00, 0),)))
    assert floor.parts(floor.place("BUY", "MARKET", "0.1")) == [("102", "0.1")]
    floor.say(change(12, 13, ((102_00, 0),)))
    assert floor.parts(floor.place("BUY", "MARKET", "0.1")) == [("101", "0.1")]


def test_a_resting_order_fills_when_the_tape_trades_through_it() -> None:
    floor = Floor().opened()
    order = floor.place("BUY", "LIMIT", "1.5", "98.50")
    floor.say(trade(2, 98_51))
    assert floor.now(order).filled == 0
    floor.say(trade(3, 98_49, 1_000), trade(4, 98_00, 5_000))
    assert floor.parts(order) == [("98.5", "1"), ("98.5", "0.5")]


def test_at_its_price_an_order_waits_for_the_quantity_ahead() -> None:
    floor = Floor().opened()
    order = floor.place("BUY", "LIMIT", "1", "99")
    floor.say(trade(2, 99_00, 600))
    assert floor.now(order).filled == 0
    floor.say(trade(3, 99_00, 700))
    assert floor.parts(order) == [("99", "0.3")]


def test_a_trade_that_was_said_before_an_order_stood_does_not_fill_it() -> None:
    floor = Floor().opened()
    order = floor.place("BUY", "LIMIT", "1", "98")
    floor.say(trade(2, 90_00), lag_ms=1_500)
    assert floor.now(order).filled == 0
    floor.say(trade(3, 90_00))
    assert floor.now(order).status == "FILLED"


def test_a_stop_is_triggered_by_the_tape_and_takes_from_the_book() -> None:
    floor = Floor().opened()
    order = floor.place("SELL", "STOP_LOSS", "0.5", stop="95")
    floor.say(quote(94_00, 94_50), trade(2, 94_90))
    assert floor.parts(order) == [("94", "0.5")]


def test_our_orders_never_move_the_market() -> None:
    floor = Floor().opened()
    before = _shown(floor)
    floor.place("BUY", "MARKET", "1")
    floor.place("BUY", "LIMIT", "1", "100.50")
    assert _shown(floor) == before


def _shown(floor: Floor) -> tuple[Book, int]:
    tape = floor.market.tape("BTCUSDT", 0, floor.now_ms + 1)
    return floor.market.book("BTCUSDT", floor.now_ms), len(tape)


@pytest.mark.parametrize("state", ["CONNECTING", "BACKFILLING", "STALE", "HALTED", "ENDED"])
def test_no_order_is_taken_while_the_feed_is_not_ok(state: str) -> None:
    floor = Floor().opened()
    floor.say(feed(state, "a reason"))
    assert refusal(floor) == (-1013, "Market is closed.")
    assert refusal(floor, "LIMIT", px="90") == (-1013, "Market is closed.")
    assert floor.market.closed() == {"BTC/USDT": f"its feed is {state}: a reason"}


def test_what_was_printed_while_the_feed_was_not_ok_is_matched_once_it_is() -> None:
    floor = Floor().opened()
    order = floor.place("BUY", "LIMIT", "1", "98")
    floor.say(feed("BACKFILLING"), trade(2, 97_00))
    assert floor.now(order).filled == 0
    floor.say(feed("OK"))
    assert floor.now(order).status == "FILLED"


def test_a_feed_that_comes_back_needs_a_quote_before_a_taker_is_served() -> None:
    floor = Floor().opened()
    floor.say(feed("CONNECTING"), feed("OK"))
    assert refusal(floor) == (-1013, "Market is closed.")
    floor.say(quote(97_00, 97_10), lag_ms=6_000)  # It tells of the past.
    assert refusal(floor) == (-1013, "Market is closed.")
    floor.say(quote(97_00, 97_10))
    assert floor.parts(floor.place("BUY", "MARKET", "1")) == [("97.1", "1")]


def test_nothing_is_matched_while_ingest_is_silent() -> None:
    floor = Floor().opened()
    order = floor.place("BUY", "LIMIT", "1", "98")
    floor.attend("ingest is SILENT: it gives no sign of life")
    assert refusal(floor) == (-1013, "Market is closed.")
    floor.say(trade(2, 97_00))
    assert floor.now(order).filled == 0
    floor.attend("")
    assert floor.now(order).filled == 0
    floor.say(quote())
    assert floor.now(order).status == "FILLED"


def test_an_order_can_be_cancelled_while_the_market_is_closed() -> None:
    floor = Floor().opened()
    order = floor.place("BUY", "LIMIT", "1", "98")
    floor.say(feed("CONNECTING"))
    floor.desk.cancel(floor.now(order))
    assert floor.now(order).status == "CANCELED"
    assert floor.desk.records.account.balances["USDT"] == Balance(100_000 * UNIT, 0)


def test_each_symbol_is_open_or_closed_by_itself() -> None:
    floor = Floor().opened()
    floor.say(instrument("ETH/USDT"), feed("CONNECTING", "no socket", "ETH/USDT"))
    assert floor.market.open == 1
    assert list(floor.market.closed()) == ["ETH/USDT"]
    assert floor.market.facts["ETHUSDT"].status == "BREAK"
    assert floor.place("BUY", "MARKET", "1").status == "FILLED"


def test_a_trade_that_is_heard_twice_is_matched_once() -> None:
    floor = Floor().opened()
    order = floor.place("BUY", "LIMIT", "3", "98")
    floor.say(trade(2, 97_00), trade(2, 97_00), trade(1, 97_00))
    assert floor.parts(order) == [("98", "1")]


def test_after_a_kill_the_tape_goes_on_where_it_was_matched() -> None:
    floor = Floor().opened()
    order = floor.place("BUY", "LIMIT", "3", "98")
    floor.say(trade(2, 97_00))
    back = floor.killed()
    back.say(instrument(), quote(), trade(1, 97_00), trade(2, 97_00), trade(3, 97_00), feed("OK"))
    assert back.parts(order) == [("98", "1"), ("98", "1")]
    assert back.desk.records.marks == {"BTCUSDT": 3}


ORDERS = st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(95, 105), st.integers(1, 30))
STEPS = st.one_of(
    ORDERS,
    st.tuples(st.just("trade"), st.integers(90, 110), st.integers(1, 3_000)),
    st.tuples(st.just("feed"), st.sampled_from(["OK", "CONNECTING", "STALE"]), st.none()),
    st.tuples(st.just("kill"), st.none(), st.none()),
)


@given(st.lists(STEPS, max_size=25))
def test_nothing_is_made_of_nothing_whatever_is_heard(steps: list[tuple[str, int, int]]) -> None:
    floor, number = Floor().opened(), 1
    for what, one, two in steps:
        match what:
            case "trade":
                number += 1
                floor.say(trade(number, one * 100, two))
            case "feed":
                floor.say(feed(str(one)), quote())
            case "kill":
                floor = _reopened(floor)
            case _:
                _try(floor, what, one, two)
    records = floor.desk.records
    fills = list(records.fills.values())
    usdt = sum((-1 if fill.buyer else 1) * fill.money for fill in fills)
    btc = sum((1 if fill.buyer else -1) * fill.qty for fill in fills)
    fees = {asset: sum(f.fee for f in fills if f.fee_asset == asset) for asset in ("USDT", "BTC")}
    held = {a: b.free + b.locked for a, b in records.account.balances.items()}
    assert held["USDT"] == 100_000 * UNIT + usdt - fees["USDT"]
    assert held["BTC"] == 10 * UNIT + btc - fees["BTC"]


def _try(floor: Floor, side: str, px: int, tenths: int) -> None:
    sides: dict[str, Side] = {"BUY": "BUY", "SELL": "SELL"}
    with suppress(Refusal):
        floor.place(sides[side], "LIMIT", f"0.{tenths:02d}", str(px))


def _reopened(floor: Floor) -> Floor:
    records = floor.desk.records
    records.drain()
    back = Floor(records)
    back.say(instrument(), quote(), feed("OK"))
    return back


def book(
    update_id: int, bids: tuple[tuple[int, int], ...], asks: tuple[tuple[int, int], ...]
) -> DepthSnapshot:
    return DepthSnapshot(
        ts_event=0,
        symbol="BTC/USDT",
        update_id=update_id,
        bids=bids,
        asks=asks,
        px_exp=2,
        qty_exp=3,
    )


def change(first: int, last: int, asks: tuple[tuple[int, int], ...]) -> DepthUpdate:
    return DepthUpdate(
        ts_event=0,
        symbol="BTC/USDT",
        first_update_id=first,
        last_update_id=last,
        bids=(),
        asks=asks,
        px_exp=2,
        qty_exp=3,
    )
