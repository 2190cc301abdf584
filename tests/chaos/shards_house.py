"""A real house over the end of a month at sixty times its speed, and who may be killed in it."""

import csv
import gzip
import random
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships none, and the lock has none

from tests.system.checkout import Checkout
from tests.system.market import HEADER, MINUTE_MS

JUNE_MS = 1_748_736_000_000  # 2025-06-01, the day that the month before ends with
FIRST_MS = JUNE_MS - 3 * 86_400_000
DAYS = 4
SYMBOL = "BTC/USDT"
WRITERS = ("writer_market", "writer_trading", "writer_analytics", "writer_backtest")
JOB = "services.writer.job"
RSS_MIB_MAX = 60

Row = tuple[str, ...]


def candles(path: Path, first_ms: int, days: int, seed: int) -> dict[int, Row]:
    """Write made up bars of 1m; return open, high, low, close and volume by their time."""
    made, chance, price = {}, random.Random(seed), 940_000
    for minute in range(days * 1440):
        close = price + chance.randint(-400, 400)
        high = max(price, close) + chance.randint(0, 200)
        low = min(price, close) - chance.randint(0, 200)
        values = [f"{value // 10}.{value % 10}" for value in (price, high, low, close)]
        lots = chance.randint(1_000, 90_000)
        made[first_ms + minute * MINUTE_MS] = (*values, f"{lots // 1000}.{lots % 1000:03d}")
        price = close
    with gzip.open(path, "wt", newline="", compresslevel=1) as file:
        out = csv.writer(file)
        out.writerow(HEADER)
        out.writerows((at, *row) for at, row in made.items())
    return made


def house_over_a_month(path: Path, before_s: int, **environ: str) -> Checkout:
    """Make a house that trades, and whose month ends so many seconds of the wall from its start."""
    start_s = JUNE_MS // 1000 - before_s * 60
    hour, rest = divmod(start_s % 86_400, 3600)
    return Checkout(
        RRR_VENUE__MARKET="replay",
        RRR_VENUE__REPLAY=str(path),
        RRR_VENUE__SYMBOL=SYMBOL,
        RRR_VENUE__START=f"2025-05-31T{hour:02d}:{rest // 60:02d}:{rest % 60:02d}Z",
        RRR_CLOCK__SCALE="60",
        RRR_INGEST__HISTORY_DAYS="2",
        RRR_PREDICTOR__TRAIN="false",
        RRR_WRITER__ARCHIVE_GRACE_MS="5000",
        RRR_BACKUP__EVERY_H="1",
        RRR_STRATEGY__PULSE__PARAMS__EVERY_S="120",
        RRR_STRATEGY__PULSE__PARAMS__HOLD_S="60",
        **environ,
    )


def running(house: Checkout, program: str) -> list[psutil.Process]:
    """Return the processes of a writer, or those of the jobs beside them."""
    words = [JOB] if program == JOB else ["services.writer", program.removeprefix("writer_")]
    return [one for one in house.processes() if _command(one)[2 : 2 + len(words)] == words]


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def rss_mib(house: Checkout) -> dict[str, float]:
    """Return what each writer holds of memory just now."""
    found = {}
    for program in WRITERS:
        for process in running(house, program):
            try:
                found[program] = process.memory_info().rss / (1 << 20)
            except psutil.Error:
                continue
    return found
