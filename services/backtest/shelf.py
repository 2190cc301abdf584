"""Reads bars from the market shards of a house, which their writer may be writing meanwhile."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from bus.errors import HouseError
from bus.rows import IDX_BITS, IDX_MASK, Reader
from schema.units import MINUTE_NS, SECOND_NS, iso
from services.backtest.columns import Columns, columns_of, rescaled

TIMEFRAME = "1m"
BARS_SQL = """
SELECT (k & ?) * ?, o, h, l, c, v, q, n FROM "{name}".bar
WHERE k BETWEEN ? AND ? ORDER BY k"""
SERIES_SQL = """
SELECT id, px_exp, qty_exp, quote_exp FROM "{name}".series WHERE symbol = ? AND timeframe = ?"""


def read_shelf(db_dir: Path, symbol: str, start_ns: int, stop_ns: int) -> Columns:
    """Return the minutes of a symbol that open within a stretch."""
    with contextlib.closing(Reader(db_dir, "market")) as reader:
        found = [_month(reader, name, symbol, start_ns, stop_ns) for name in reader.files]
    parts = [part for part in reversed(found) if part is not None and len(part)]
    if not parts:
        raise HouseError(
            f"the market shards in {db_dir} hold no 1m bar of {symbol} from {iso(start_ns)} "
            f"to {iso(stop_ns)}",
            "Ask for another time, or name a file of bars with --file",
        )
    return _joined(parts)


def newest_ns(db_dir: Path, symbol: str) -> int:
    """Return when the newest minute of a symbol closes; 0 when none is there."""
    with contextlib.closing(Reader(db_dir, "market")) as reader:
        _, rows = reader.last_bars(symbol, TIMEFRAME, 1)
    return rows[-1][0] + MINUTE_NS if rows else 0


def _month(reader: Reader, name: str, symbol: str, start_ns: int, stop_ns: int) -> Columns | None:
    series: list[Any] = reader.db.execute(
        SERIES_SQL.format(name=name), (symbol, TIMEFRAME)
    ).fetchall()
    if not series:
        return None
    ((number, px_exp, qty_exp, money_exp),) = series
    low, step_s = number << IDX_BITS, MINUTE_NS // SECOND_NS
    first, last = max(0, -(-start_ns // MINUTE_NS)), min(IDX_MASK, (stop_ns - 1) // MINUTE_NS)
    bindings = (IDX_MASK, step_s * SECOND_NS, low | first, low | last)
    rows: list[Any] = reader.db.execute(BARS_SQL.format(name=name), bindings).fetchall()
    columns = np.array(rows, np.int64).reshape(-1, 8).T.copy()
    return columns_of(TIMEFRAME, list(columns), (px_exp, qty_exp, money_exp))


def _joined(parts: list[Columns]) -> Columns:
    # A month may have fewer decimals than the next one: it takes on those of the finest.
    px_exp = max(part.px_exp for part in parts)
    qty_exp = max(part.qty_exp for part in parts)
    money_exp = max(part.money_exp for part in parts)
    rows = [_fine(part, px_exp, qty_exp, money_exp) for part in parts]
    columns = [np.concatenate(found) for found in zip(*rows, strict=True)]
    return columns_of(TIMEFRAME, columns, (px_exp, qty_exp, money_exp))


def _fine(part: Columns, px_exp: int, qty_exp: int, money_exp: int) -> tuple[Any, ...]:
    sides = (part.open, part.high, part.low, part.close)
    return (
        part.open_ns,
        *(rescaled(side, part.px_exp, px_exp) for side in sides),
        rescaled(part.volume, part.qty_exp, qty_exp),
        rescaled(part.money, part.money_exp, money_exp),
        part.trades,
    )
