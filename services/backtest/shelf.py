"""Reads bars from the market of a house, which its writer may be writing meanwhile."""

from collections.abc import Sequence
from pathlib import Path

from bus.bars import open_bars
from bus.errors import HouseError
from schema.units import MINUTE_NS, iso
from services.backtest.columns import Columns, columns_of

TIMEFRAME = "1m"
TIME_LIMIT_MS = 60_000


def read_shelf(
    db_dir: Path, symbol: str, start_ns: int, stop_ns: int, history: Sequence[Path] = ()
) -> Columns:
    """Return the minutes of a symbol that open within a stretch, out of months and archives."""
    with open_bars(db_dir, time_limit_ms=TIME_LIMIT_MS, history=history) as reader:
        bars = reader.between(symbol, TIMEFRAME, start_ns, stop_ns)
    if not len(bars):
        raise HouseError(
            f"the market shards in {db_dir} hold no 1m bar of {symbol} from {iso(start_ns)} "
            f"to {iso(stop_ns)}",
            "Ask for another time, or name a file of bars with --file",
        )
    return columns_of(TIMEFRAME, [bars.open_ns, *bars.columns.values()], bars.exponents)


def newest_ns(db_dir: Path, symbol: str, history: Sequence[Path] = ()) -> int:
    """Return when the newest minute of a symbol closes; 0 when none is there."""
    with open_bars(db_dir, history=history) as reader:
        bars = reader.last(symbol, TIMEFRAME, 1, ())
    return int(bars.open_ns[-1]) + MINUTE_NS if len(bars) else 0
