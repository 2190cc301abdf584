"""The figures of a run, against cases that were worked out by hand."""

from math import isnan, sqrt

import pytest

from schema.units import DAY_NS, MINUTE_NS
from services.backtest.measures import YEAR_NS, daily, drawdown, of_equity, of_trips

MINUTES_OF_A_YEAR = 365 * 24 * 60


def minutes(count: int) -> list[int]:
    return [index * MINUTE_NS for index in range(count)]


def test_return_and_growth_are_those_of_the_ends() -> None:
    found = of_equity([100.0, 150.0, 110.0], [0, YEAR_NS, 2 * YEAR_NS], MINUTE_NS)
    assert found["return"] == pytest.approx(0.10)
    assert found["cagr"] == pytest.approx(sqrt(1.1) - 1)
    assert found["max_drawdown"] == pytest.approx(1 - 110 / 150)
    assert found["calmar"] == pytest.approx((sqrt(1.1) - 1) / (40 / 150))


def test_deviations_are_of_a_sample_and_of_a_year() -> None:
    found = of_equity([100.0, 110.0, 99.0, 108.9], minutes(4), MINUTE_NS)
    year = sqrt(MINUTES_OF_A_YEAR)
    mean, deviation = 0.1 / 3, sqrt((2 * (0.1 - 0.1 / 3) ** 2 + (0.1 + 0.1 / 3) ** 2) / 2)
    assert found["volatility"] == pytest.approx(deviation * year)
    assert found["sharpe"] == pytest.approx(mean / deviation * year)
    assert found["sortino"] == pytest.approx(mean / sqrt(0.01 / 3) * year)


def test_a_drawdown_lasts_until_the_peak_is_reached_again() -> None:
    deepest, longest_ns = drawdown([10.0, 8.0, 9.0, 10.0, 11.0, 10.5], minutes(6))
    assert deepest == pytest.approx(0.2)
    assert longest_ns == 2 * MINUTE_NS


def test_a_curve_that_never_moves_has_no_ratios() -> None:
    found = of_equity([5.0, 5.0, 5.0], minutes(3), MINUTE_NS)
    assert (found["return"], found["volatility"], found["max_drawdown"]) == (0.0, 0.0, 0.0)
    assert all(isnan(found[name]) for name in ("sharpe", "sortino", "calmar"))


def test_a_single_bar_has_no_deviation() -> None:
    found = of_equity([5.0, 6.0], minutes(2), MINUTE_NS)
    assert found["return"] == pytest.approx(0.2)
    assert isnan(found["volatility"])
    assert found["cagr"] > 1e100


def test_a_long_run_is_measured_by_its_days() -> None:
    at_ns = [index * DAY_NS // 2 for index in range(61)]
    equity = [100.0 + (index % 2) * 50 + index // 2 for index in range(61)]
    assert daily(equity, at_ns) == [100.0 + day for day in range(31)]
    found = of_equity(equity, at_ns, MINUTE_NS)
    assert found["volatility"] < 0.02
    assert found["max_drawdown"] > 0.3


def test_all_money_lost_is_all_that_can_be_lost() -> None:
    found = of_equity([100.0, 50.0, 0.0, 0.0], minutes(4), MINUTE_NS)
    assert (found["cagr"], found["max_drawdown"]) == (-1.0, 1.0)


def test_round_trips_are_won_lost_or_neither() -> None:
    found = of_trips([10.0, -5.0, 0.0, 20.0])
    assert found["round_trips"] == 4
    assert found["win_rate"] == 0.5
    assert found["profit_factor"] == 6.0
    assert found["expectancy"] == 6.25


def test_without_trips_or_losses_a_ratio_is_no_number() -> None:
    assert isnan(of_trips([])["win_rate"])
    assert isnan(of_trips([1.0])["profit_factor"])
