"""The statistics of a run as backtesting.py 0.6 defines and names them, to compare with it.

Its day is the calendar day of a bar's opening, its year has 252 trading days where weekends are
missing, and its ratios are of days, compounded. Percent are percent.
"""

from collections.abc import Sequence
from math import ceil, exp, isnan, log, nan, sqrt
from typing import Any, NamedTuple

import msgspec
import numpy as np

from schema.units import DAY_NS, SECOND_NS, iso

Numbers = np.ndarray[Any, np.dtype[np.float64]]
Times = np.ndarray[Any, np.dtype[np.int64]]

FRIDAY_DAY = 1
"""1970-01-02 was the first Friday."""

DAYS_OF_A_CALENDAR_YEAR = 365.25
LOG_MAX = 700.0
WEEKEND_SHARE = 2 / 7 * 0.6
RECENT_BARS = 100
WEEK_DAYS = 7


class Trade(msgspec.Struct, frozen=True):
    """One round trip: its bars, what it cost to open, and its gain after fees."""

    first_bar: int
    last_bar: int
    cost: float
    gain: float


class Run(NamedTuple):
    """What is measured: one sample of equity, one close and one time of opening for each bar."""

    equity: Sequence[float] | Numbers
    opened_ns: Sequence[int] | Times
    closes: Sequence[float] | Numbers
    trades: Sequence[Trade]
    fees: float = 0.0
    first_bar: int = 0  # the first one that the strategy is asked at; held is from the one before


def statistics(run: Run) -> dict[str, float | int | str]:
    """Return every statistic by the name that it is published under; nan where there is none."""
    equity = np.asarray(run.equity, dtype=float)
    opened_ns = np.asarray(run.opened_ns, dtype=np.int64)
    gain = (equity[-1] - equity[0]) / equity[0]
    closes = np.asarray(run.closes, dtype=float)
    held = closes[-1] / closes[min(max(0, run.first_bar - 1), len(closes) - 1)] - 1
    falls = 1 - equity / np.maximum.accumulate(equity)
    yearly = _yearly(equity, opened_ns)
    beta = _beta(equity, closes)
    deepest = float(falls.max())
    return {
        "Start": _time_text(int(opened_ns[0])),
        "End": _time_text(int(opened_ns[-1])),
        "Duration": days_text(int(opened_ns[-1] - opened_ns[0])),
        "Exposure Time [%]": _exposure(run.trades, len(equity)) * 100,
        "Equity Final [$]": float(equity[-1]),
        "Equity Peak [$]": float(equity.max()),
        "Commissions [$]": run.fees,
        "Return [%]": float(gain) * 100,
        "Buy & Hold Return [%]": float(held) * 100,
        "Return (Ann.) [%]": yearly["return"] * 100,
        "Volatility (Ann.) [%]": yearly["volatility"] * 100,
        "CAGR [%]": yearly["cagr"] * 100,
        "Sharpe Ratio": _ratio(yearly["return"], yearly["volatility"]),
        "Sortino Ratio": _ratio(yearly["return"], yearly["downside"]),
        "Calmar Ratio": _ratio(yearly["return"], deepest),
        "Alpha [%]": (float(gain) - beta * float(held)) * 100,
        "Beta": beta,
        "Max. Drawdown [%]": -deepest * 100,
        **_drawdowns(falls, opened_ns),
        **_trades(run.trades, opened_ns),
    }


def days_text(span_ns: int) -> str:
    """Return a stretch of time as `584 days 00:00:00`."""
    days, rest_ns = divmod(span_ns, DAY_NS)
    hours, seconds = divmod(rest_ns // SECOND_NS, 3600)
    return f"{days} days {hours:02d}:{seconds // 60:02d}:{seconds % 60:02d}"


def _time_text(at_ns: int) -> str:
    return iso(at_ns)[:19].replace("T", " ")


def _yearly(equity: Numbers, opened_ns: Times) -> dict[str, float]:
    days = opened_ns // DAY_NS
    lasts = np.flatnonzero(np.diff(days, append=days[-1] + 1))
    closes = equity[lasts]
    with np.errstate(all="ignore"):  # What was ruined moves no more.
        moves = np.nan_to_num(closes[1:] / closes[:-1] - 1, posinf=0.0, neginf=0.0)
    year = _days_of_a_year(days)
    mean = _geometric_mean(moves, len(moves))
    spread = float(moves.var(ddof=1)) if len(moves) > 1 else nan
    whole_years = float(opened_ns[-1] - opened_ns[0]) / DAY_NS / DAYS_OF_A_CALENDAR_YEAR
    growth = float(equity[-1] / equity[0])
    return {
        "return": _grown(1 + mean, 1 / year),
        "volatility": _spread_of_a_year(spread, mean, year),
        "cagr": _grown(growth, whole_years),
        "downside": sqrt(float((moves.clip(max=0) ** 2).mean()) * year) if len(moves) else nan,
    }


def _grown(growth: float, whole_years: float) -> float:
    if whole_years <= 0:
        return nan
    if growth <= 0:
        return -1.0
    return exp(min(LOG_MAX, log(growth) / whole_years)) - 1


def _days_of_a_year(days: Times) -> int:
    weekdays = (days - FRIDAY_DAY) % WEEK_DAYS  # Saturday and Sunday are 1 and 2.
    ends = np.isin(weekdays, (1, 2)).mean()
    return 365 if ends > WEEKEND_SHARE else 252


def _geometric_mean(moves: Numbers, count: int) -> float:
    """Return the mean growth of so many moves."""
    if np.any(moves <= -1):
        return 0.0
    return float(np.exp(np.log1p(moves).sum() / count)) - 1 if count else nan


def _beta(equity: Numbers, closes: Numbers) -> float:
    if len(equity) < 3 or np.any(equity <= 0):
        return nan
    ours, market = np.diff(np.log(equity)), np.diff(np.log(closes))
    both = np.cov(ours, market)
    return _ratio(float(both[0, 1]), float(both[1, 1]))


def _exposure(trades: Sequence[Trade], bars: int) -> float:
    held = np.zeros(bars, dtype=bool)
    for trade in trades:
        held[trade.first_bar : trade.last_bar + 1] = True
    return float(held.mean())


def _drawdowns(falls: Numbers, opened_ns: Times) -> dict[str, float | str]:
    """Return what is said of the stretches between two peaks, or between a peak and the end."""
    peaks = np.unique(np.append(np.flatnonzero(falls == 0), len(falls) - 1))
    begins, ends = peaks[:-1], peaks[1:]
    longer = ends > begins + 1
    begins, ends = begins[longer], ends[longer]
    if not len(begins):
        return {
            "Avg. Drawdown [%]": nan,
            "Max. Drawdown Duration": "",
            "Avg. Drawdown Duration": "",
        }
    depths = [falls[a : b + 1].max() for a, b in zip(begins, ends, strict=True)]
    spans_ns = opened_ns[ends] - opened_ns[begins]
    return {
        "Avg. Drawdown [%]": -float(np.mean(depths)) * 100,
        "Max. Drawdown Duration": days_text(int(spans_ns.max())),
        "Avg. Drawdown Duration": days_text(_whole_bars(float(spans_ns.mean()), opened_ns)),
    }


def _trades(trades: Sequence[Trade], opened_ns: Times) -> dict[str, float | int | str]:
    gains = np.array([trade.gain for trade in trades], dtype=float)
    shares = gains / np.array([trade.cost for trade in trades], dtype=float)
    spans_ns = [int(opened_ns[one.last_bar] - opened_ns[one.first_bar]) for one in trades]
    count = len(trades)
    won = float((gains > 0).mean()) if count else nan
    mean_ns = sum(spans_ns) / count if count else nan
    return {
        "# Trades": count,
        "Win Rate [%]": won * 100,
        "Best Trade [%]": float(shares.max()) * 100 if count else nan,
        "Worst Trade [%]": float(shares.min()) * 100 if count else nan,
        "Avg. Trade [%]": _geometric_mean(shares, count) * 100,
        "Max. Trade Duration": days_text(max(spans_ns)) if count else "",
        "Avg. Trade Duration": days_text(_whole_bars(mean_ns, opened_ns)) if count else "",
        "Profit Factor": _ratio(float(shares[shares > 0].sum()), -float(shares[shares < 0].sum())),
        "Expectancy [%]": float(shares.mean()) * 100 if count else nan,
        "SQN": _quality(gains),
        "Kelly Criterion": _kelly(gains, won),
    }


def _quality(gains: Numbers) -> float:
    if len(gains) < 2:
        return nan
    return sqrt(len(gains)) * _ratio(float(gains.mean()), float(gains.std(ddof=1)))


def _kelly(gains: Numbers, won: float) -> float:
    wins, losses = gains[gains > 0], gains[gains < 0]
    if not len(wins) or not len(losses):
        return nan
    return won - (1 - won) / float(wins.mean() / -losses.mean())


def _whole_bars(span_ns: float, opened_ns: Times) -> int:
    """Return a stretch in whole bars, the last one begun counted."""
    steps = np.diff(opened_ns[-RECENT_BARS:])
    step_ns = int(np.median(steps)) if len(steps) else 1
    return ceil(span_ns / step_ns) * step_ns


def _ratio(above: float, below: float) -> float:
    return above / below if below and not isnan(below) else nan


def _spread_of_a_year(spread: float, mean: float, year: int) -> float:
    if isnan(spread):
        return nan
    try:
        return sqrt(max(0.0, (spread + (1 + mean) ** 2) ** year - (1 + mean) ** (2 * year)))
    except OverflowError:
        return nan
