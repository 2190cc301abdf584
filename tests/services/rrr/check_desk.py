"""A market of made-up minutes, and a check of a strategy that a test wrote."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import msgspec
import numpy as np

from bus.clock import SystemClock
from schema.strategy import Offer
from services.backtest.checking import Checking, Means
from services.backtest.columns import columns_of
from services.backtest.findings import FAILED, Finding
from services.backtest.history import History
from services.backtest.rehearsal import Task
from services.engine.bundle import digest_of
from services.rrr.strategy_elsewhere import Elsewhere
from tests.services.shipped import shipped

SYMBOL = "BTC/USDT"
FIRST_NS = 1_700_006_400_000_000_000
MINUTE_NS = 60_000_000_000
BARS = 1_500
WEEK_S, WEEK_MS = "604800", "604800000"


def history(bars: int = BARS, step: str = "1m") -> History:
    """Return a market that rises and falls, the same at every call."""
    step_ns = {"1m": 1, "5m": 5}[step] * MINUTE_NS
    walk = np.random.default_rng(11).normal(0.0, 0.002, bars).cumsum()
    close = np.rint(100_000 * np.exp(walk + 0.02 * np.sin(np.arange(bars) / 40))).astype(np.int64)
    opened = np.concatenate([close[:1], close[:-1]])
    high, low = np.maximum(opened, close) + 20, np.minimum(opened, close) - 20
    times = FIRST_NS + step_ns * np.arange(bars, dtype=np.int64)
    ones = np.full(bars, 100_000, np.int64)
    rows = [times, opened, high, low, close, ones, ones, ones // 1000]
    return History({SYMBOL: columns_of(step, rows, (2, 5, 2))})


def offer(body: str, name: str = "planted", **changes: Any) -> Offer:
    """Return an offer of a strategy with this source."""
    head = "from services.engine.strategy import Bar, Params, State, Strategy, Target, View\n\n"
    files = ((name, head + dedent(body)),)
    values: dict[str, Any] = {
        "name": name,
        "file": f"{name}.py",
        "digest": digest_of(files),
        "files": files,
        "symbols": (SYMBOL,),
        "budget": 1000.0,
    }
    return Offer(**values | changes)


def task(of: Offer, bars: int = BARS) -> Task:
    """Return what is rehearsed of an offer."""
    market = history(bars)
    settings = shipped(
        MODE="backtest",
        RRR_VENUE__SYMBOL=f'["{SYMBOL}"]',
        RRR_ENGINE__SNAPSHOT_S=WEEK_S,
        RRR_RISK__STALE_DATA_MS=WEEK_MS,
    )
    return Task(of, settings, market, market.first_ns, market.end_ns)


def checked(of: Offer, bars: int = BARS) -> dict[str, Finding]:
    """Return what a check finds, the worst of each kind."""
    shown: list[float] = []
    found: dict[str, Finding] = {}
    for one in Checking(task(of, bars), Means(SystemClock(), shown.append, Elsewhere)).findings():
        known = found.get(one.check)
        if known is None or one.level == FAILED != known.level:
            found[one.check] = one
    return found


def failed(of: Offer, bars: int = BARS) -> dict[str, str]:
    """Return what failed, and what is told of it."""
    found = checked(of, bars).values()
    return {one.check: f"{one.told} {one.todo}" for one in found if one.level == FAILED}


def write_csv(path: Path, bars: int = BARS, step: str = "1m") -> Path:
    """Write the market as a file of bars."""
    columns = history(bars, step).base[SYMBOL]
    lines = ["timestamp,open,high,low,close,volume"]
    for at, opened, high, low, close, volume, *_ in zip(*columns.rows(), strict=True):
        prices = ",".join(f"{price / 100:.2f}" for price in (opened, high, low, close))
        lines.append(f"{int(at) // 1_000_000},{prices},{volume / 1e5:.5f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def levels(found: bytes | str) -> dict[str, str]:
    """Return the level of each finding in what `--json` writes."""
    said = msgspec.json.decode(found)
    return {one["check"]: one["level"] for one in said["findings"]}
