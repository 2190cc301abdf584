"""The figures of a run, from samples of equity and the gains of round trips.

A year has 365 days. The samples are those of each bar, or, of a run of 30 days or more, the last
ones of each UTC day. Deviations are of a sample (n - 1), the riskless rate is zero, and what
cannot be told, such as a mean of nothing, is not a number.
"""

from collections.abc import Sequence
from math import exp, fsum, log, nan, sqrt
from typing import Any

import numpy as np

from schema.units import DAY_NS, SECOND_NS

YEAR_NS = 365 * DAY_NS
DAYS_MIN = 30
LOG_MAX = 700.0
Samples = Sequence[float] | np.ndarray[Any, np.dtype[np.float64]]
Times = Sequence[int] | np.ndarray[Any, np.dtype[np.int64]]


def of_equity(equity: Samples, at_ns: Times, step_ns: int) -> dict[str, float]:
    """Return what the curve says; the first sample stands before the first bar."""
    whole_ns = int(at_ns[-1] - at_ns[0])
    growth = float(equity[-1] / equity[0])
    yearly = _cagr(growth, whole_ns)
    deepest, longest_ns = drawdown(equity, at_ns)
    return {
        "return": growth - 1,
        "cagr": yearly,
        **_of_moves(equity, at_ns, step_ns),
        "calmar": yearly / deepest if deepest > 0 else nan,
        "max_drawdown": deepest,
        "max_drawdown_s": longest_ns / SECOND_NS,
    }


def of_trips(trips: Samples) -> dict[str, float]:
    """Return what the round trips say; a gain of exactly nothing is no win."""
    gains = fsum(trip for trip in trips if trip > 0)
    losses = -fsum(trip for trip in trips if trip < 0)
    count = len(trips)
    return {
        "round_trips": float(count),
        "win_rate": sum(trip > 0 for trip in trips) / count if count else nan,
        "profit_factor": gains / losses if losses else nan,
        "expectancy": fsum(trips) / count if count else nan,
    }


def drawdown(equity: Samples, at_ns: Times) -> tuple[float, int]:
    """Return the deepest fall from a peak as a share of it, and the longest time below one."""
    worth, times_ns = np.asarray(equity, dtype=float), np.asarray(at_ns)
    peaks = np.maximum.accumulate(worth)
    peak_ns = np.maximum.accumulate(np.where(worth >= peaks, times_ns, times_ns[0]))
    return float((1 - worth / peaks).max()), int((times_ns - peak_ns).max())


def daily(equity: Samples, at_ns: Times) -> list[float]:
    """Return the first sample, and the last one of each UTC day."""
    days = (np.asarray(at_ns)[1:] - 1) // DAY_NS
    lasts = np.flatnonzero(np.diff(days, append=days[-1] + 1))
    return [float(equity[0]), *np.asarray(equity, dtype=float)[1:][lasts].tolist()]


def _of_moves(equity: Samples, at_ns: Times, step_ns: int) -> dict[str, float]:
    if at_ns[-1] - at_ns[0] >= DAYS_MIN * DAY_NS:
        equity, step_ns = daily(equity, at_ns), DAY_NS
    samples = np.asarray(equity, dtype=float)
    with np.errstate(all="ignore"):  # What is lost moves no more.
        found = np.nan_to_num(samples[1:] / samples[:-1] - 1, posinf=0.0, neginf=0.0)
    moves = found.tolist()
    year = sqrt(YEAR_NS / step_ns)
    if len(moves) < 2:
        return dict.fromkeys(("volatility", "sharpe", "sortino"), nan)
    mean = fsum(moves) / len(moves)
    deviation = sqrt(fsum((move - mean) ** 2 for move in moves) / (len(moves) - 1))
    downside = sqrt(fsum(min(move, 0.0) ** 2 for move in moves) / len(moves))
    return {
        "volatility": deviation * year,
        "sharpe": mean / deviation * year if deviation > 0 else nan,
        "sortino": mean / downside * year if downside > 0 else nan,
    }


def _cagr(growth: float, whole_ns: int) -> float:
    if growth <= 0 or whole_ns <= 0:
        return -1.0 if whole_ns > 0 else nan
    return exp(min(LOG_MAX, log(growth) * YEAR_NS / whole_ns)) - 1
