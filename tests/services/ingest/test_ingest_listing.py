"""What is listed of a symbol, its quotes, and the decimals of both."""

from schema.market import Instrument, Quote
from services.ingest.effects import Listed, LiveQuote
from tests.services.ingest.exchange import FILTERS, MARKET, MS, START_MS, SYMBOL, Exchange, Stand
from tests.services.ingest.steady import steady


def test_a_symbol_that_is_not_listed_is_named() -> None:
    stand = Stand(Exchange([]), START_MS * MS)
    stand.hear(Listed(markets={}))
    assert "does not list BTC/USDT" in str(stand.core.trouble(stand.now_ns))


def test_a_listing_that_cannot_be_read_is_named() -> None:
    stand = Stand(Exchange([]), START_MS * MS)
    stand.hear(Listed(markets={SYMBOL: MARKET | {"filters": []}}))
    assert "cannot be read" in str(stand.core.trouble(stand.now_ns))


def test_a_market_that_the_exchange_halts_is_halted() -> None:
    stand = steady()
    stand.hear(Listed(markets={SYMBOL: MARKET | {"status": "BREAK"}}))
    assert stand.status() == "HALTED"


def instruments(stand: Stand) -> list[tuple[str, int]]:
    return [(m.status, m.max_orders) for m in stand.said if isinstance(m, Instrument)]


def test_a_symbol_that_is_listed_no_more_is_said_to_be_delisted_until_it_comes_back() -> None:
    stand = steady()
    for _ in range(2):
        stand.hear(Listed(markets={}))
        assert stand.status() == "HALTED"
    assert instruments(stand) == [("TRADING", 0), ("DELISTED", 0)]
    stand.hear(Listed(markets={SYMBOL: MARKET}))
    assert instruments(stand)[-1] == ("TRADING", 0)
    assert stand.status() == "OK"


def test_rules_that_change_under_a_session_are_said_and_the_feed_goes_on() -> None:
    stand = steady()
    more = {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 7}
    stand.hear(Listed(markets={SYMBOL: MARKET | {"filters": [*FILTERS, more]}}))
    assert instruments(stand) == [("TRADING", 0), ("TRADING", 7)]
    assert stand.status() == "OK"


def test_rules_that_cannot_be_read_any_more_stop_the_feed_until_they_can() -> None:
    stand = steady()
    stand.hear(Listed(markets={SYMBOL: MARKET | {"filters": []}}))
    assert stand.status() == "CONNECTING"
    assert len(instruments(stand)) == 1
    stand.hear(Listed(markets={SYMBOL: MARKET}))
    assert stand.status() == "OK"


def test_an_instrument_is_said_once_and_again_when_it_changes() -> None:
    stand = steady()
    stand.drop()
    stand.open()
    assert len([m for m in stand.said if isinstance(m, Instrument)]) == 1
    first, *others = FILTERS
    filters = [first | {"tickSize": "0.10"}, *others]
    stand.hear(Listed(markets={SYMBOL: MARKET | {"filters": filters}}))
    assert [m.tick for m in stand.said if isinstance(m, Instrument)] == [1, 1]
    assert [m.px_exp for m in stand.said if isinstance(m, Instrument)] == [2, 1]


def quote(bid: str, update_id: int = 1) -> LiveQuote:
    return LiveQuote(
        symbol=SYMBOL,
        bid_px=bid,
        bid_qty="1.00000",
        ask_px="60000.02",
        ask_qty="2.00000",
        update_id=update_id,
        recv_ns=1,
    )


def test_a_quote_is_said_when_it_changes() -> None:
    stand = steady()
    for bid in ("60000.00", "60000.00", "60000.01"):
        stand.hear(quote(bid))
    assert [m.bid_px for m in stand.said if isinstance(m, Quote)] == [6_000_000, 6_000_001]


def test_a_finer_price_gives_every_book_more_decimals_and_no_rounding() -> None:
    stand = steady()
    stand.hear(quote("60000.0001"))
    stand.advance(70_000)
    stand.live(stand.due())
    stand.settle()
    bar = stand.bars()[-1]
    assert bar.px_exp == 4
    assert bar.open % 100 == 0
    assert 600_000_000 <= bar.low <= bar.high < 601_000_000


def test_quotes_are_said_no_oftener_than_asked_for_and_the_newest_is_not_lost() -> None:
    stand = steady(quote_ms=1_000)
    for update_id, bid in enumerate(("60000.00", "60000.01", "59999.99"), start=1):
        stand.hear(quote(bid, update_id))
    assert [m.bid_px for m in stand.said if isinstance(m, Quote)] == [6_000_000]
    stand.advance(2_000)
    assert [m.bid_px for m in stand.said if isinstance(m, Quote)] == [6_000_000, 5_999_999]
