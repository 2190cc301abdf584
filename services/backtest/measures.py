"""The figures of a run, from samples of equity and the gains of round trips.

A year has 365 days. The samples are those of each bar, or, of a run of 30 days or more, the last
ones of each UTC day. Deviations are of a sample (n - 1), the riskless rate is zero, and what
cannot be told, such as a mean of nothing, is not a number.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import exp, fsum, log, nan, sqrt

from schema.units import DAY_NS, SECOND_NS

YEAR_NS = 365 * DAY_NS
DAYS_MIN = 30
LOG_MAX = 700.0
Samples = Sequence[float]


def of_equity(equity: Samples, at_ns: Sequence[int], step_ns: int) -> dict[str, float]:
    """Return what the curve says; the first sample stands before the first bar."""
    whole_ns = at_ns[-1] - at_ns[0]
    gain = equity[-1] / equity[0] - 1
    yearly = _cagr(equity, whole_ns)
    deepest, longest_ns = drawdown(equity, at_ns)
    return {
        "return": gain,
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


def drawdown(equity: Samples, at_ns: Sequence[int]) -> tuple[float, int]:
    """Return the deepest fall from a peak as a share of it, and the longest time below one."""
    peak, peak_ns = equity[0], at_ns[0]
    deepest, longest_ns = 0.0, 0
    for worth, now_ns in zip(equity, at_ns, strict=True):
        if worth >= peak:
            peak, peak_ns = worth, now_ns
        else:
            deepest = max(deepest, 1 - worth / peak)
            longest_ns = max(longest_ns, now_ns - peak_ns)
    return deepest, longest_ns


def daily(equity: Samples, at_ns: Sequence[int]) -> list[float]:
    """Return the first sample, and the last one of each UTC day."""
    later = zip(equity[1:], at_ns[1:], strict=True)
    found = {(now_ns - 1) // DAY_NS: worth for worth, now_ns in later}
    return [equity[0], *found.values()]


def _of_moves(equity: Samples, at_ns: Sequence[int], step_ns: int) -> dict[str, float]:
    if at_ns[-1] - at_ns[0] >= DAYS_MIN * DAY_NS:
        equity, step_ns = daily(equity, at_ns), DAY_NS
    moves = [after / before - 1 for before, after in pairwise(equity)]
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


def _cagr(equity: Samples, whole_ns: int) -> float:
    if equity[-1] <= 0 or whole_ns <= 0:
        return -1.0 if whole_ns > 0 else nan
    return exp(min(LOG_MAX, log(equity[-1] / equity[0]) * YEAR_NS / whole_ns)) - 1
