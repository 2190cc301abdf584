"""The recorded market of the system tests, and a generated one where it is absent."""

import csv
import gzip
import random
from decimal import Decimal
from pathlib import Path

from tests.system.checkout import RECORDED, Checkout

BTC = RECORDED / "typhonun_DcaTpStrategy" / "BTC_USDT_USDT-1m-futures.csv.gz"
HEADER = ("timestamp_ms", "open", "high", "low", "close", "volume")
MINUTE_MS = 60_000
START_MS = 1_746_316_800_000
DAYS = 8

Row = tuple[Decimal, ...]


def replay_file(directory: Path) -> Path:
    """Return a file of 1m bars: the recorded one, or one made from a seed."""
    if BTC.exists():
        return BTC.resolve()
    path = directory / "a made up.csv.gz"
    with gzip.open(path, "wt", newline="") as file:
        out = csv.writer(file)
        out.writerow(HEADER)
        out.writerows(_made(random.Random(7)))
    return path


def replaying(directory: str, scale: int = 60, **environ: str) -> Checkout:
    """Return a house, not up yet, that plays the recording so many times as fast."""
    return Checkout(
        RRR_VENUE__MARKET="replay",
        RRR_VENUE__REPLAY=str(replay_file(Path(directory))),
        RRR_VENUE__SYMBOL="BTC/USDT",
        RRR_CLOCK__SCALE=str(scale),
        **environ,
    )


def rows(path: Path) -> dict[int, Row]:
    """Return open, high, low, close and volume by the time of the open."""
    with gzip.open(path, "rt", newline="") as file:
        found = csv.DictReader(file)
        return {
            int(row["timestamp_ms"]): tuple(Decimal(row[name]) for name in HEADER[1:])
            for row in found
        }


def _made(chance: random.Random) -> list[tuple[str, ...]]:
    made, price = [], 940_000
    for minute in range(DAYS * 1440):
        close = price + chance.randint(-400, 400)
        high = max(price, close) + chance.randint(0, 200)
        low = min(price, close) - chance.randint(0, 200)
        tenths = (price, high, low, close)
        lots = chance.randint(1_000, 90_000)
        prices = (f"{value // 10}.{value % 10}" for value in tenths)
        volume = f"{lots // 1000}.{lots % 1000:03d}"
        made.append((str(START_MS + minute * MINUTE_MS), *prices, volume))
        price = close
    return made
