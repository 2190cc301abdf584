"""Corners of the worst case: other decimals, missing prices, and words that ask for nothing."""

import msgspec

from schema.house import Started, TimeGap
from schema.ledger import Holding, Money
from schema.market import FeedStatus
from schema.trading import Verdict
from services.risk.exposure import closable, mid_px, position, selling
from services.risk.state import Books, Line
from tests.services.risk.risk_desk import BTC, MARK, NOON_NS, ONE, SELL, Desk, quote, worst_qty


def held(qty: int, exp: int, **sums: Money) -> Books:
    books = Books()
    books.ledger.holdings[BTC] = Holding(qty=qty, qty_exp=exp, px_exp=2, quote_exp=8)
    books.lines[BTC] = Line(**sums)
    return books


def test_a_position_with_other_decimals_counts_as_less_to_close_and_more_to_risk() -> None:
    books = held(123_456_789, 9)
    assert position(books, BTC, 8) == (12_345_678, 12_345_679)
    assert closable(books, Desk().intent(**SELL)) == 12_345_678
    assert worst_qty(books, BTC, 8) == 12_345_679


def test_what_is_open_with_other_decimals_is_rounded_up() -> None:
    sums = {name: Money(amount=11, exp=9) for name in ("buys", "sells", "stops")}
    books = held(0, 8, **sums)
    assert selling(books, BTC, 8) == 2
    assert worst_qty(books, BTC, 8, buy=1) == 3


def test_a_short_position_may_be_bought_back_and_no_more() -> None:
    books = held(-ONE, 8, buys=Money(amount=ONE // 4, exp=8))
    assert closable(books, Desk().intent()) == ONE - ONE // 4
    assert closable(books, Desk().intent(**SELL)) == 0


def test_a_quote_with_one_side_has_no_price_and_replaces_none() -> None:
    one_sided = msgspec.structs.replace(quote(BTC, MARK, NOON_NS), ask_px=0)
    assert mid_px(one_sided) == 0
    desk = Desk().open()
    before = desk.risk.state.windows.quotes[BTC]
    desk.tell(msgspec.structs.replace(one_sided, ts_event=desk.now_ns + 1))
    assert desk.risk.state.windows.quotes[BTC] is before


def test_after_a_gap_in_time_no_price_is_trusted() -> None:
    desk = Desk().open()
    desk.tell(TimeGap(jump_ms=900))
    assert desk.ask().code == "STALE_DATA"


def test_what_is_no_word_about_the_market_fills_no_window() -> None:
    desk = Desk().open()
    before = msgspec.msgpack.encode(desk.risk.state.windows)
    desk.risk.refill(Verdict(
        ts_event=1, client_order_id="1", order_hash=b"", approved=True, code="OK", detail="",
        epoch=1, expires_ns=1,
    ))  # fmt: skip
    assert msgspec.msgpack.encode(desk.risk.state.windows) == before
    desk.risk.refill(FeedStatus(ts_event=1, symbol=BTC, state="STALE", reason="no trades"))
    assert desk.risk.state.windows.feeds[BTC].state == "STALE"
    assert desk.ask().code == "STALE_DATA"


def test_a_new_life_of_risk_names_its_verdicts_by_its_epoch() -> None:
    desk = Desk().open()
    desk.tell(Started(epoch=9, grade="exact"))
    assert desk.ask().epoch == 9


def test_the_account_is_told_with_what_is_open_of_it() -> None:
    desk = Desk().open()
    order = desk.submit()
    done = desk.command("audit")
    told = msgspec.json.decode(done.body)
    assert told["orders"] == {order.client_order_id: {"left": "0.10000000"}}
    assert told["level"] == "ACTIVE"
