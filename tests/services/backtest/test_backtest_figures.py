"""What a run says of itself: exact money, tags, the baseline, and the points that are kept."""

import json
from random import Random

import msgspec
import pytest

from schema.frame import FRAME_BYTES_MAX
from schema.house import BacktestResult, RunEquity, RunPrices, RunTrades
from schema.messages import encode
from schema.orders import Deposit, OrderRejected
from schema.trading import Decision, StrategyFailed
from services.backtest.figures import OTHERS, TAGS_MAX, About, outcome_of
from services.backtest.record import POINTS_MAX, record_of, words_of
from services.backtest.thinning import thinned
from services.rrr.backtest_table import shown
from tests.services.backtest.tallied import NS, SYMBOL, Market, record

ABOUT = About(run_id="ab", strategy="made_up", symbols=(SYMBOL,), timeframe="1m")


def test_balances_are_those_of_the_account_and_worth_is_the_strategys() -> None:
    market = Market()
    for asset, amount in (("USDT", 10_000_000), ("BTC", 10)):
        market.tally.witness(
            Deposit(ts_event=NS, asset=asset, amount=amount, exp=0, venue_id="opening")
        )
    market.bar(60_000)
    market.trip(60_000, 60_100)
    report = json.loads(record_of(ABOUT, market.tally).report)
    assert (report["quote"], report["base"]) == ("10000000.98000000", "10.00000000")
    assert (report["opening"], report["final"]) == ("1000.00000000", "1000.99000000")
    assert (report["orders"], report["trades"], report["open_trades"]) == (2, 1, 0)
    market.bar(60_100)
    outcome = outcome_of(ABOUT, market.tally)
    assert (outcome.final, outcome.equity_final) == ("1000.98000000", 1000.98)
    assert outcome.metrics["fees"] == pytest.approx(0.02)
    assert outcome.metrics["turnover"] == pytest.approx(1.201)
    assert outcome.metrics["exposure"] == pytest.approx(1 / 3)


def test_trips_are_told_by_why_they_began_and_ended() -> None:
    market = Market()
    market.bar(60_000)
    market.trip(60_000, 60_100, "up", "take")
    market.trip(60_000, 60_000, "up", "time")
    market.trip(60_000, 60_200, "dip", "take")
    outcome = outcome_of(ABOUT, market.tally)
    assert [(one.tag, one.trips, one.win_rate) for one in outcome.by_entry] == [
        ("up", 2, 0.5),
        ("dip", 1, 1.0),
    ]
    take, late = outcome.by_exit
    assert (take.tag, take.total, take.fees) == ("take", "2.96000000", "0.04000000")
    assert late.tag == "time"
    assert late.mean == pytest.approx(-0.02)


def test_rare_tags_stand_together() -> None:
    market = Market()
    market.bar(60_000)
    for number in range(TAGS_MAX + 5):
        market.trip(60_000, 60_100, f"tag {number}")
    tags = outcome_of(ABOUT, market.tally).by_entry
    assert len(tags) == TAGS_MAX + 1
    assert (tags[-1].tag, tags[-1].trips) == (OTHERS, 5)


def test_the_baseline_is_the_market_from_its_first_price() -> None:
    market = Market()
    market.bars(50_000, 60_000, 55_000)
    found = outcome_of(ABOUT, market.tally).buy_and_hold
    assert found["return"] == pytest.approx(0.1)
    assert found["max_drawdown"] == pytest.approx(1 / 12)


def test_refusals_and_failures_are_counted_and_cut() -> None:
    market = Market()
    market.bar(60_000)
    market.tally.witness(
        OrderRejected(ts_event=NS, client_order_id="a", symbol=SYMBOL, code="-2010", detail="")
    )
    for _ in range(50):
        market.tally.witness(StrategyFailed(ts_event=NS, strategy="s", reason="raised x" * 200))
    outcome = outcome_of(ABOUT, market.tally)
    assert outcome.denials == {"rejected -2010": 1}
    assert len(outcome.failures) == 20
    assert len(outcome.failures[0]) == 500


def test_targets_that_the_engine_refused_are_counted_by_why() -> None:
    market = Market()
    market.bar(60_000)
    said = (
        ("refuse", "QUANTITY_BELOW_MINIMUM qty=0 min=1"),
        ("refuse", "QUANTITY_BELOW_MINIMUM qty=3 min=7"),
        ("refuse", "its stop 55990.8 is passed at 55788.6"),
        ("refuse", "its stop 55990 is passed at 55788.65"),
        ("hold", "it warms up: 1 of 200 bars of BTC/USDT 5m"),
    )
    for action, reason in said:
        market.tally.witness(
            Decision(ts_event=NS, strategy="s", symbol=SYMBOL, action=action, reason=reason)
        )
    outcome = outcome_of(ABOUT, market.tally)
    assert outcome.refusals == {"QUANTITY_BELOW_MINIMUM": 2, "its stop N is passed at N": 2}
    assert "refused: QUANTITY_BELOW_MINIMUM" in shown(json.loads(msgspec.json.encode(outcome)))


def test_what_is_no_number_is_null_in_json() -> None:
    market = Market()
    market.bar(60_000)
    report = json.loads(record_of(ABOUT, market.tally).report)
    assert report["metrics"]["win_rate"] is None
    assert report["statistics"]["SQN"] is None


def test_the_same_run_is_the_same_bytes() -> None:
    assert record().report == record().report
    assert record().report != record(trips=5).report


def test_points_that_are_kept_hold_ends_and_extremes() -> None:
    chance = Random(3)
    values = [chance.randrange(10**6) for _ in range(50_000)]
    kept = thinned(values, 1_000)
    assert len(kept) <= 1_000
    assert {0, len(values) - 1, values.index(min(values)), values.index(max(values))} <= set(kept)
    assert thinned(values[:100], 1_000) == list(range(100))


def test_words_about_a_long_run_fit_into_frames() -> None:
    market, chance, px = Market(), Random(1), 60_000.0
    for number in range(30_000):
        px += chance.gauss(0, 10)
        market.bar(px)
        if number % 25 == 0:
            market.trip(px, px + 1, "w" * 60, "o" * 60)
    found = record_of(ABOUT, market.tally)
    words = list(words_of(found, "w", 1))
    assert isinstance(words[0], BacktestResult)
    assert max(len(encode([word])) for word in words) < FRAME_BYTES_MAX // 2
    trades = [one for word in words if isinstance(word, RunTrades) for one in word.trades]
    assert tuple(trades) == tuple(market.tally.trips)
    (curve,) = (word for word in words if isinstance(word, RunEquity))
    (prices,) = (word for word in words if isinstance(word, RunPrices))
    assert len(curve.equity) <= POINTS_MAX and len(prices.px) <= POINTS_MAX
    assert (curve.equity[0], curve.equity[-1]) == (market.tally.equity[0], market.tally.equity[-1])
    assert min(curve.equity) == min(market.tally.equity)
