"""Markets of a test's making, and the house's settings, as the tests of the predictor use both."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bus.house import open_house
from schema.market import Bar
from schema.settings import Settings
from services.predictor.lesson import Lesson

ROOT = Path(__file__).parents[3]
MINUTE_NS = 60_000_000_000
FIRST_NS = 28_000_000 * MINUTE_NS
UNIT = 10_000


def bar(minute: int, at: float = 100.0, **changes: Any) -> Bar:
    """Return the bar of a minute; what is not said stands at one price."""
    open_ns = FIRST_NS + minute * MINUTE_NS
    price = round(at * UNIT)
    values: dict[str, Any] = {
        "ts_event": open_ns + MINUTE_NS, "symbol": "BTC/USDT", "timeframe": "1m",
        "open_ns": open_ns, "open": price, "high": price, "low": price, "close": price,
        "volume": 1000, "quote_volume": 0, "trades": 3, "px_exp": 4, "qty_exp": 3, "quote_exp": 2,
    }  # fmt: skip
    return Bar(**values | changes)


def walk(count: int, seed: int = 1, echo: float = 0.0, **changes: Any) -> list[Bar]:
    """Return bars of a random walk whose moves repeat a share of what they were before."""
    chance = np.random.default_rng(seed)
    noise = chance.normal(0, 0.001, (count, 3))
    move, price, found = 0.0, 100.0, []
    for minute, (step, up, down) in enumerate(noise.tolist()):
        move = echo * move + step
        before, price = price, price * float(np.exp(move))
        high, low = max(before, price) * (1 + abs(up)), min(before, price) * (1 - abs(down))
        values = {
            "open": round(before * UNIT), "high": round(high * UNIT), "low": round(low * UNIT),
            "volume": 1000 + round(1e6 * abs(up)),
        }  # fmt: skip
        found.append(bar(minute, price, **values | changes))
    return found


def settings(**predictor: Any) -> Settings:
    """Return the shipped settings with some of the predictor's changed."""
    found = open_house(ROOT, {}).settings
    changed = msgspec.structs.replace(found.predictor, **predictor)
    return msgspec.structs.replace(found, predictor=changed)


def lesson(folder: Path, **changes: Any) -> Lesson:
    """Return the order to train on the market shard of a folder."""
    values: dict[str, Any] = {
        "world": "local-test", "db_dir": str(folder / "db"), "models": str(folder / "models"),
        "symbols": ("BTC/USDT",), "timeframe": "1m", "horizon_bars": 15, "history_bars": 20_000,
        "epochs": 4,
    }  # fmt: skip
    return Lesson(**values | changes)


def moved(bars: Iterable[Bar], factor: int) -> list[Bar]:
    """Return the same market with prices that are so many times higher."""
    prices = ("open", "high", "low", "close")
    return [
        msgspec.structs.replace(bar, **{name: getattr(bar, name) * factor for name in prices})
        for bar in bars
    ]
