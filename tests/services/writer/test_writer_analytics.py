"""How fast orders went and what forecasts were worth, as the analytics shard folds them."""

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema import forecast, house, orders, trading
from schema.streams import STREAMS
from tests.services.writer.analytics_desk import (
    MINUTE_NS,
    NS,
    Desk,
    accepted,
    bar,
    fill,
    foresaid,
    intent,
    submitted,
    verdict,
    way,
)

WISH = intent()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.store.close()


def test_each_step_of_an_order_has_its_time_and_place(desk: Desk) -> None:
    desk.hear(*way(1, 100))
    (row,) = desk.rows(
        "SELECT bar_to_forecast_us, forecast_to_intent_us, intent_to_verdict_us, "
        "verdict_to_submitted_us, submitted_to_answer_us, submitted_to_fill_us, "
        "bar_to_submitted_us, intent_to_submitted_us, answer, ended, symbol, strategy, trace "
        "FROM executions"
    )
    assert row == (1, 1, 1, 1, 1, 2, 4, 2, "accepted", "Fill", "BTC/USDT", "threshold", 5)
    places = "SELECT bar_pos, forecast_pos, intent_pos, verdict_pos, submitted_pos"
    assert desk.rows(f"{places} FROM trade_execution_log") == [(100, 101, 102, 103, 104)]
    ends = "SELECT first_fill_said_ns, ended_said_ns FROM trade_execution_log"
    assert desk.rows(ends) == [(NS + 106_000, NS + 107_000)]
    assert desk.rows("SELECT submitted_said FROM executions") == [("2026-01-01T00:00:00.000Z",)]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(["bar", "forecast", "intent", "verdict", "order"]))
def test_streams_read_in_any_order_give_the_same_row(
    order: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    numbers = {name.partition(".")[2]: stream.number for name, stream in STREAMS.items()}
    steps = list(way(1, 100))
    desk = Desk(tmp_path_factory.mktemp("desk"))
    for name in order:
        desk.hear(*(one for one in steps if one.stream == numbers[name]))
    straight = Desk(tmp_path_factory.mktemp("straight"))
    straight.hear(*steps)
    for table in ("trade_execution_log", "ml_predictions"):
        assert desk.rows(f"SELECT * FROM {table}") == straight.rows(f"SELECT * FROM {table}")
    desk.store.close()
    straight.store.close()


def test_a_step_that_was_not_taken_stays_empty(desk: Desk) -> None:
    wish = intent(2, (0, 0))
    desk.say(wish, 1, 0)
    desk.say(verdict(wish, approved=False, code="ORDER_RATE"), 1, 5)
    about: dict[str, Any] = {"client_order_id": wish.client_order_id, "symbol": wish.symbol}
    denied = orders.OrderDenied(ts_event=NS, **about, code="ORDER_RATE", detail="", by="risk")
    desk.say(denied, 1, 9)
    (row,) = desk.rows(
        "SELECT bar_said, forecast_said, submitted_said, answer, first_fill_said, ended, "
        "intent_to_verdict_us FROM executions"
    )
    assert row == (None, None, None, None, None, "OrderDenied", 5)


def test_an_order_that_a_bar_led_to_has_the_time_of_the_bar(desk: Desk) -> None:
    wish = intent(3, (STREAMS["ingest.bar"].number, 8))
    desk.say(wish, 1, 30)
    desk.say(bar(), 8, 10)
    assert desk.rows("SELECT bar_pos, forecast_pos FROM trade_execution_log") == [(8, None)]
    assert desk.rows("SELECT bar_said_ns FROM trade_execution_log") == [(NS + 10_000,)]


@pytest.mark.parametrize("first", [0, 1])
def test_the_first_answer_and_the_first_end_stand(desk: Desk, first: int) -> None:
    about: dict[str, Any] = {"client_order_id": WISH.client_order_id, "symbol": WISH.symbol}
    unknown = orders.OrderUnconfirmed(ts_event=NS, **about, reason="no answer in 5 s")
    gone = orders.OrderRejected(ts_event=NS, **about, code="NEVER_ARRIVED", detail="")
    desk.say(submitted(WISH), 1, 0)
    answers = list(permutations([unknown, gone]))[first]
    for pos, answer in enumerate(answers, start=2):
        desk.say(answer, pos, pos * 10)
    desk.say(fill(WISH, "late", 300), 9, 90)
    (row,) = desk.rows("SELECT answer, submitted_to_answer_us, ended FROM executions")
    assert row == ("rejected" if first else "unconfirmed", 20, "OrderRejected")


def test_an_order_of_somebody_else_is_kept_without_an_intent(desk: Desk) -> None:
    desk.say(accepted(WISH), 1, 0)
    desk.say(fill(WISH, "t", 100), 2, 4)
    found = desk.rows("SELECT strategy, answer, ended FROM executions")
    assert found == [(None, "accepted", None)]


def test_a_forecast_is_shown_with_how_long_it_took(desk: Desk) -> None:
    desk.say(bar(), 3, 100)
    desk.say(foresaid(3), 4, 350)
    desk.say(foresaid(99), 5, 400)
    found = desk.rows("SELECT symbol, horizon_s, bar_to_forecast_us, pos FROM predictions")
    assert found == [("BTC/USDT", 900, 250, 4), ("BTC/USDT", 900, None, 5)]


def test_a_forecast_that_is_no_number_goes_to_the_dead_letters(desk: Desk) -> None:
    desk.say(foresaid(3, probability_up=float("nan")), 4, 0)
    desk.say(foresaid(3, confidence=1.5), 5, 0)
    desk.say(foresaid(3), 6, 0)
    assert desk.rows("SELECT pos FROM predictions") == [(6,)]
    assert desk.rows("SELECT type FROM dead_letter") == [("Forecast",), ("Forecast",)]


def test_a_model_is_kept_once_and_its_results_one_by_one(desk: Desk) -> None:
    card = forecast.ModelCard(
        ts_event=NS, name="mlp", sha256="ab", source="2026-01-01", timeframe="1m",
        symbols=("BTC/USDT",), features=("r1", "r5"), horizon_ns=15 * MINUTE_NS, data_first_ns=NS,
        data_last_ns=NS, data_hash="cd", rows=1000, metrics=(("brier", 0.24),),
        baselines=(("logistic brier", float("nan")),), card="{}",
    )  # fmt: skip
    desk.say(card, 1, 0)
    desk.say(card, 2, 0)
    found = desk.rows("SELECT name, symbols, metrics, baselines, data_rows FROM models")
    nothing = '{"logistic brier":null}'
    assert found == [("mlp", '["BTC/USDT"]', '{"brier":0.24}', nothing, 1000)]
    about: dict[str, Any] = {"symbol": "BTC/USDT", "timeframe": "1m", "model": "ab"}
    for pos in (3, 4):
        score = forecast.Score(ts_event=NS, **about, forecasts=pos, hit_ratio=0.5, brier=0.25)
        desk.say(score, pos, 0)
    results = "SELECT forecasts, hit_ratio FROM ml_model_results ORDER BY pos"
    assert desk.rows(results) == [(3, 0.5), (4, 0.5)]


def portfolio(ts_ns: int, equity: int) -> trading.Portfolio:
    return trading.Portfolio(
        ts_event=ts_ns, quote="USDT", cash=0, equity=equity, gross_exposure=50, net_exposure=50,
        realized=-10, unrealized=0, fees=3, peak_equity=200, quote_exp=2,
    )  # fmt: skip


def test_a_figure_has_one_value_in_a_market_minute(desk: Desk) -> None:
    moments = ((NS, 100), (NS + MINUTE_NS - 1, 150), (NS + MINUTE_NS, 0))
    for pos, (ts_ns, equity) in enumerate(moments):
        desk.say(portfolio(ts_ns, equity), pos, 0)
    values = "SELECT (ts_ns - {}) / {}, value FROM analytics_metrics WHERE name = '{}'"
    shown = {
        name: desk.rows(values.format(NS, MINUTE_NS, name))
        for name in ("equity", "drawdown", "exposure", "realized", "fees")
    }
    assert shown == {
        "equity": [(0, 1.5), (1, 0.0)],
        "drawdown": [(0, 0.25), (1, 1.0)],
        "exposure": [(0, 50 / 150)],
        "realized": [(0, -0.1), (1, -0.1)],
        "fees": [(0, 0.03), (1, 0.03)],
    }


def test_a_restart_between_two_steps_changes_no_row(desk: Desk, tmp_path: Path) -> None:
    for one in way(1, 100):
        desk.hear(one)
        desk.again()
    other = tmp_path / "other"
    other.mkdir()
    straight = Desk(other)
    straight.hear(*way(1, 100))
    every = "SELECT * FROM trade_execution_log"
    assert desk.rows(every) == straight.rows(every)
    straight.store.close()


def test_a_run_of_a_backtest_is_one_row(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "backtest")
    run = house.BacktestResult(
        ts_event=NS, run_id="r1", strategy="threshold", world="replay-0a", orders=12,
        metrics=(("sharpe", 1.5), ("sortino", float("inf"))), fingerprint="f",
    )  # fmt: skip
    desk.say(run, 1, 0)
    desk.say(run, 2, 0)
    desk.say(house.Alert(ts_event=NS, name="A", severity="", state="", scope="", summary=""), 3, 0)
    found = desk.rows("SELECT run_id, orders, metrics ->> '$.sharpe', time FROM runs")
    assert found == [("r1", 12, 1.5, "2026-01-01T00:00:00.000Z")]
    assert desk.rows("SELECT type FROM dead_letter") == [("Alert",)]
    assert dict(desk.store.counters())["repeats"] == 1
    desk.store.close()
