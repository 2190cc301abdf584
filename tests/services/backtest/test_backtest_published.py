"""The statistics of a run against those that backtesting.py publishes, and by hand."""

import csv
import json
from math import isnan
from pathlib import Path

import pytest

from schema.units import DAY_NS, MINUTE_NS, parse_iso
from services.backtest.published import Run, Trade, days_text, statistics

DATA = Path(__file__).parents[3] / ".." / "shared" / "data"
ORACLE = DATA / "oracle_backtest"
FIRST_BAR = 30
"""The first one with a longer mean, and one before it to cross."""


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def published_run() -> Run:
    curve = rows(ORACLE / "equity_GOOG_commission0.csv")
    trades = rows(ORACLE / "trades_GOOG_commission0.csv")
    return Run(
        equity=[float(row["Equity"]) for row in curve],
        opened_ns=[parse_iso(row[""]) for row in curve],
        closes=[float(row["Close"]) for row in rows(DATA / "backtestingpy" / "GOOG.csv")],
        trades=[
            Trade(
                first_bar=int(row["EntryBar"]),
                last_bar=int(row["ExitBar"]),
                cost=abs(int(row["Size"])) * float(row["EntryPrice"]),
                gain=float(row["PnL"]),
            )
            for row in trades
        ],
        first_bar=FIRST_BAR,
    )


@pytest.mark.skipif(not ORACLE.exists(), reason="the published statistics are not here")
def test_every_published_statistic_is_met() -> None:
    found = statistics(published_run())
    known = json.loads((ORACLE / "GOOG_commission0_stats.json").read_text())
    blocks = (
        known["published_in_repo_test"]["values"],
        known["rerun_backtesting_0.6.6"]["GOOG_commission0"],
    )
    for block in blocks:
        for name, expected in block.items():
            met = expected if isinstance(expected, str) else pytest.approx(expected, rel=1e-8)
            assert found[name] == met, name


def test_without_trades_there_are_no_figures_of_trades() -> None:
    times_ns = [place * MINUTE_NS for place in range(5)]
    found = statistics(Run([10.0] * 5, times_ns, [1.0, 2.0, 3.0, 2.0, 4.0], []))
    assert found["# Trades"] == 0
    assert (found["Return [%]"], found["Max. Drawdown [%]"], found["Beta"]) == (0, 0, 0)
    for name in ("Win Rate [%]", "SQN", "Kelly Criterion", "Sharpe Ratio", "Profit Factor"):
        assert isnan(float(found[name])), name
    assert found["Buy & Hold Return [%]"] == 300


def test_a_ruined_run_is_told_without_a_warning() -> None:
    times_ns = [place * DAY_NS for place in range(4)]
    found = statistics(Run([10.0, 5.0, 0.0, 0.0], times_ns, [4.0, 3.0, 2.0, 1.0], []))
    assert (found["Return [%]"], found["CAGR [%]"]) == (-100, -100)
    assert isnan(float(found["Beta"]))


def test_a_single_bar_has_a_return_and_little_else() -> None:
    found = statistics(Run([10.0], [0], [5.0], []))
    assert (found["Return [%]"], found["Duration"]) == (0, "0 days 00:00:00")
    assert isnan(float(found["Volatility (Ann.) [%]"]))


def test_a_stretch_is_written_in_days_and_hours() -> None:
    assert days_text(2 * DAY_NS + 3_723 * 10**9) == "2 days 01:02:03"
