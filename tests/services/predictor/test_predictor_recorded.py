"""The baseline on a recorded market: it varies, it is calibrated, and it is quick."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from bus.clock import SystemClock
from schema.forecast import Forecast
from schema.market import Bar
from services.predictor.core import Predictor
from tests.services.predictor.markets import ROOT, UNIT, bar, settings

FOLDER = ROOT / ".." / "shared" / "data" / "typhonun_DcaTpStrategy"
FILE = FOLDER / "BTC_USDT_USDT-1m-futures.csv.gz"
DAY = 1440
MS_NS = 1_000_000

pytestmark = pytest.mark.skipif(not FILE.exists(), reason="../shared/data is not here")


def recorded(path: Path, count: int) -> list[Bar]:
    with gzip.open(path, "rt") as file:
        rows = [row for row, _ in zip(csv.DictReader(file), range(count), strict=False)]
    found = []
    for row in rows:
        open_ns = int(row["timestamp_ms"]) * MS_NS
        first, high, low, close = (
            round(float(row[name]) * UNIT) for name in ("open", "high", "low", "close")
        )
        found.append(
            bar(
                0,
                ts_event=open_ns + 60_000 * MS_NS,
                open_ns=open_ns,
                open=first,
                high=high,
                low=low,
                close=close,
                volume=round(float(row["volume"]) * 1000),
            )
        )
    return found


def test_the_baseline_is_warm_within_seconds_and_varies_as_it_should() -> None:
    bars = recorded(FILE, 10 * DAY)
    core, clock = Predictor(settings()), SystemClock()
    began_ns = clock.mono_ns()
    now_ns = bars[7 * DAY].ts_event + 3_600_000 * MS_NS
    history = [out for one in bars[: 7 * DAY] for out in core.handle(one, now_ns)]
    took_ns = clock.mono_ns() - began_ns
    assert history == []
    outs = [out for one in bars[7 * DAY :] for out in core.handle(one, one.ts_event)]
    found = np.array([out.probability_up for out in outs if isinstance(out, Forecast)])
    assert len(found) == 3 * DAY
    assert 0.02 < found.std() < 0.06
    assert abs(found.mean() - 0.5) < 0.02
    assert (found > 0.54).sum() > 20
    assert took_ns < 4_000_000_000
