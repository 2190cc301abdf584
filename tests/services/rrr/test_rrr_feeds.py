"""`rrr feeds`: what ingest tells of each feed, and its last word while it is away."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from schema.head import Message
from schema.market import FeedStatus
from schema.units import SECOND_NS
from tests.services.bare import bare_house, entered_house
from tests.services.rrr.answering import Answers, Done, Services
from tests.services.rrr.money_desk import BEGIN_NS, Desk, run

FED = {
    "symbol": "BTC/USDT", "state": "OK", "reason": "", "watermark": "2023-11-14T22:13:00.000Z",
    "age_ms": 120, "last_trade_id": 9, "median_gap_ms": 250, "trades_per_min": 240.0,
    "gaps_filled": 1, "gaps_given_up": 0, "redials": 0, "reconnects": 2, "crossed": 0, "locked": 0,
    "book_gaps": 0, "offset_ms": -3, "quarantined": 4, "refused": {"trade": 4},
}  # fmt: skip


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A house in which nothing runs, entered."""
    with entered_house() as house:
        yield Desk(house)


def asked(answers: Answers, *words: str) -> Done:
    with bare_house() as house:
        services = Services(house, ("ingest",), answers)
        try:
            return services.rrr("feeds", *words)
        finally:
            services.close()


def of_house(body: Any) -> Answers:
    return {("ingest", "feeds"): (True, "", body)}


def status(symbol: str, state: str, after_s: int) -> Message:
    return FeedStatus(
        ts_event=BEGIN_NS + after_s * SECOND_NS,
        symbol=symbol,
        state=state,
        reason="why it is so",
        last_trade_id=7,
        last_trade_ns=BEGIN_NS,
        median_gap_ms=250,
        quarantined=4,
    )


def test_a_table_shows_each_feed_and_why_it_is_so() -> None:
    done = asked(of_house([FED, {"symbol": "ETH/USDT", "state": "STALE", "reason": "no trade"}]))
    head, btc, eth = done.out.splitlines()[1:4]
    assert head.split()[:4] == ["SYMBOL", "STATE", "AGE", "GAP"]
    assert btc.split()[:5] == ["BTC/USDT", "OK", "120", "250", "240.0"]
    assert eth.split()[:3] == ["ETH/USDT", "STALE", "-"]
    assert eth.rstrip().endswith("no trade")
    assert (done.code, done.asked) == (0, [("ingest", "feeds")])


def test_one_symbol_in_json_is_all_that_ingest_says_of_it() -> None:
    done = asked(of_house([FED, {"symbol": "ETH/USDT"}]), "btc/usdt", "--json")
    found = json.loads(done.out)
    assert found["feeds"] == [FED]
    assert found["answers"] is True


def test_a_symbol_without_a_feed_is_a_usage_error_that_names_those_there_are() -> None:
    done = asked(of_house([FED]), "DOGE/USDT")
    assert done.code == 2
    assert "BTC/USDT" in done.err


@pytest.mark.parametrize("body", [b"[1", b"{}", 7])
def test_an_answer_that_is_none_is_one_line_and_no_traceback(body: Any) -> None:
    done = asked(of_house(body))
    assert done.code == 1
    assert "its feeds" in done.err
    assert "Traceback" not in done.err


def test_while_ingest_is_down_its_last_word_is_shown(desk: Desk) -> None:
    symbol = (desk.house.settings.ingest.symbols or desk.house.settings.venue.symbol)[0]
    desk.day.say(status(symbol, "OK", 1), status(symbol, "STALE", 2))
    desk.day.close()
    out = run("feeds").output
    assert symbol in out
    assert "STALE" in out
    assert "this is what it said last" in out


def test_a_house_that_never_ran_has_no_feeds_to_show(desk: Desk) -> None:
    assert "no feeds" in run("feeds").output
    assert desk.house.world
