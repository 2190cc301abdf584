"""What is worth what: sums that are kept up to date are those that are made from nothing."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.identity import client_order_id
from schema.market import Bar
from schema.orders import Deposit, Fill
from schema.trading import Portfolio
from schema.units import MINUTE_NS, SECOND_NS
from services.engine.books import FOLDS
from services.engine.hearing import hear_bar, hear_quote, series_key
from services.engine.line import Pass, Terms
from services.engine.portfolio import portfolios, positions_after
from services.engine.state import State
from services.engine.valuation import Valuation, mark_at
from tests.services.engine.engine_made import bar, quote

NOW_NS = 1_750_000_020_000_000_000
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
TERMS = Terms(
    world="w", symbols=SYMBOLS, ttl_ns=SECOND_NS, stale_ns=10 * SECOND_NS,
    snapshot_ns=MINUTE_NS, resize_pct=0, reserve_bps=0, fee_bps=10,
)  # fmt: skip


def fill(n: int, symbol: str, *, sells: bool, qty: int, px: int, exp: int) -> Fill:
    return Fill(
        ts_event=NOW_NS, client_order_id=client_order_id("w", "told", symbol, "m", 0),
        symbol=symbol, side="sell" if sells else "buy", venue_order_id="1", venue_trade_id=str(n),
        px=px, qty=qty, quote_qty=px * qty, fee=qty, fee_asset="USDT", maker=False, px_exp=2,
        qty_exp=5, quote_exp=7, fee_exp=exp,
    )  # fmt: skip


def paid(n: int, amount: int, exp: int, kind: str, symbol: str) -> Deposit:
    return Deposit(
        ts_event=NOW_NS, asset="USDT", amount=amount, exp=exp, venue_id=str(n), kind=kind,
        symbol=symbol,
    )  # fmt: skip


symbols = st.sampled_from(SYMBOLS)
steps = st.one_of(
    st.tuples(st.just("fill"), symbols, st.booleans(), st.integers(1, 10**6),
              st.integers(1, 10**7), st.integers(0, 8)),
    st.tuples(st.just("quote"), symbols, st.integers(0, 10**7)),
    st.tuples(st.just("bar"), symbols, st.integers(1, 10**7)),
    st.tuples(st.just("time"), st.sampled_from([1, 5, 11, 60, 200, 400, 90_000])),
    st.tuples(st.just("paid"), st.integers(-(10**9), 10**9), st.integers(0, 8),
              st.sampled_from(["transfer", "funding", "rebate"]), symbols),
    st.just(("look",)),
)  # fmt: skip


class Play:
    def __init__(self) -> None:
        self.state, self.now_ns, self.n = State(), NOW_NS, 0
        self.kept = Valuation()
        self.book(paid(0, 10**9, 2, "opening", ""))

    def turn(self) -> Pass:
        return Pass(self.state, TERMS, self.now_ns)

    def book(self, message: Any) -> None:
        FOLDS[type(message)](self.state.books, message)

    def step(self, what: str, *args: Any) -> None:
        self.n += 1
        match what:
            case "fill":
                symbol, sells, qty, px, exp = args
                found = fill(self.n, symbol, sells=sells, qty=qty, px=px, exp=exp)
                self.book(found)
                positions_after(self.turn(), found)
            case "quote":
                hear_quote(self.state.windows, quote(self.now_ns, args[1], args[0]))
            case "bar":
                open_ns = self.now_ns // MINUTE_NS * MINUTE_NS - MINUTE_NS
                one: Bar = bar(open_ns, args[1], args[0])
                hear_bar(self.state.windows, one, series_key(one.symbol, one.timeframe))
            case "time":
                self.now_ns += args[0] * SECOND_NS
            case "paid":
                self.book(paid(self.n, *args))
                self.state.windows.moved[args[3]] = None
            case "look":
                self.look()

    def look(self) -> list[Portfolio]:
        kept = portfolios(self.turn(), self.kept)
        assert kept == portfolios(self.turn(), Valuation())
        for one in kept:
            self.book(one)
        return kept


@settings(deadline=None)
@given(st.lists(steps, max_size=40))
def test_what_is_kept_is_what_would_be_made_from_nothing(story: list[Any]) -> None:
    play = Play()
    for step in story:
        play.step(*step)
    for one in play.look():
        earned = one.realized + one.unrealized - one.fees + one.funding
        assert one.equity - one.deposits == earned
        assert one.equity == one.cash + one.net_exposure


@settings(deadline=None)
@given(st.lists(steps, max_size=30))
def test_a_peak_never_falls_but_by_what_was_taken_out(story: list[Any]) -> None:
    play, highest = Play(), None
    for step in story:
        play.step(*step)
        for one in play.look():
            gain = (one.peak_equity - one.deposits) * 10 ** (8 - one.quote_exp)
            assert highest is None or gain >= highest
            assert one.unpriced or one.peak_equity >= one.equity
            highest = gain


@pytest.mark.parametrize(
    ("age_s", "found"), [(0, "mid"), (10, "mid"), (11, "last"), (299, "last"), (301, None)]
)
def test_a_mark_is_a_fresh_mid_then_the_last_price_then_none(age_s: int, found: str | None) -> None:
    play = Play()
    play.step("bar", SYMBOLS[0], 5_000)
    play.step("quote", SYMBOLS[0], 6_000)
    closed_ns = play.state.windows.lasts[SYMBOLS[0]].at_ns
    base_ns = closed_ns if found != "mid" and age_s > 11 else play.now_ns
    play.now_ns = base_ns + age_s * SECOND_NS
    mark = mark_at(play.turn(), SYMBOLS[0])
    assert (mark[2] if mark is not None else None) == found


def test_an_old_house_keeps_its_peak_that_was_said_without_deposits() -> None:
    play = Play()
    (first,) = play.look()
    before = msgspec.structs.replace(first, deposits=0, peak_equity=first.equity * 2)
    play.book(before)
    assert play.look()[0].peak_equity == first.equity * 2
