"""The bars of the old system as CSV files that `rrr data import` takes, with the commands."""

import csv
import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby, islice, pairwise
from pathlib import Path
from typing import Any

import msgspec

from bus.errors import HouseError
from schema.setting_types import TIMEFRAMES_NS
from schema.units import MS_NS
from services.rrr.legacy import legacy_rows
from services.rrr.pg_values import unscaled
from services.writer.legacy_tables import quoted

TABLE = "market_data"
HEAD = ("timestamp", "open", "high", "low", "close", "volume")
TIME_LIMIT_MS = 3_600_000
LOOK_ROWS = 1000

NAMES: dict[str, tuple[str, ...]] = {
    "symbol": ("symbol", "pair", "ticker", "instrument", "market"),
    "timeframe": ("timeframe", "interval", "resolution", "tf"),
    "timestamp": ("timestamp", "open_time", "event_time", "ts", "time", "bucket", "datetime"),
    "open": ("open", "open_price", "o"),
    "high": ("high", "high_price", "h"),
    "low": ("low", "low_price", "l"),
    "close": ("close", "close_price", "c"),
    "volume": ("volume", "base_volume", "vol", "v"),
}
"""What the columns of bars may be called, the likeliest name first."""


class Found(msgspec.Struct, frozen=True):
    """One column of bars, as it is kept."""

    name: str
    form: str
    exponent: int | None


def write_bars(home: Path, name: str, place: Path) -> list[str]:
    """Write a file for each symbol and timeframe; return the commands that take them over."""
    columns = _columns(home, name)
    chosen = [part for part in NAMES if part in columns]
    shown = ", ".join(f"{quoted(columns[part].name)} AS {part}" for part in chosen)
    order = ", ".join(part for part in ("symbol", "timeframe", "timestamp") if part in chosen)
    table = quoted(_legacy_table(home, name))
    sql = f"SELECT {shown} FROM {table} ORDER BY {order}"  # noqa: S608 - quoted names
    rows = legacy_rows(home, sql, name=name, time_limit_ms=TIME_LIMIT_MS)
    said: list[str] = ["bars: look at the symbols, then run"]
    taken: set[str] = set()
    try:
        place.mkdir(parents=True, exist_ok=True)
        for (symbol, timeframe), group in groupby(rows, key=_series_of):
            said += _written(place, symbol, timeframe, columns, group, taken)
    except OSError as error:
        raise HouseError(
            f"the bars cannot be written to {place}: {error.strerror}",
            "Free space or mend its permissions, and run the same again: it goes on there",
        ) from error
    return said


def _legacy_table(home: Path, name: str) -> str:
    sql = 'SELECT DISTINCT legacy_table AS t FROM column_map WHERE "table" = ?'
    found = list(legacy_rows(home, sql, (TABLE,), name=name))
    if not found:
        raise HouseError(f"there is no table {TABLE} among what was copied", "Copy it first")
    return str(found[0]["t"])


def _columns(home: Path, name: str) -> dict[str, Found]:
    sql = 'SELECT legacy_column, form, exponent FROM column_map WHERE "table" = ?'
    there = [
        Found(str(row["legacy_column"]), str(row["form"]), _number(row["exponent"]))
        for row in legacy_rows(home, sql, (TABLE,), name=name)
    ]
    known = {one.name.lower(): one for one in there}
    found = {
        part: known[name]
        for part, names in NAMES.items()
        for name in reversed(names)
        if name in known
    }
    missing = [part for part in HEAD if part not in found]
    if missing:
        raise HouseError(
            f"{TABLE} has no column for {', '.join(missing)}; found: {', '.join(known) or 'none'}",
            "Write the CSV with `rrr db query legacy`, with the columns " + ", ".join(HEAD),
        )
    return found


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _series_of(row: dict[str, Any]) -> tuple[str, str]:
    return str(row.get("symbol") or ""), str(row.get("timeframe") or "")


def _written(
    place: Path,
    symbol: str,
    timeframe: str,
    columns: dict[str, Found],
    group: Iterator[dict[str, Any]],
    taken: set[str],
) -> list[str]:
    """Write the bars of one series; return its command, and a word on what it lacks."""
    first = list(islice(group, LOOK_ROWS))
    if timeframe not in TIMEFRAMES_NS:
        times = [row["timestamp"] for row in first]
        timeframe = _spacing(times, columns["timestamp"]) or timeframe
    path = place / _free(f"{symbol or 'bars'}-{timeframe or 'unknown'}", taken)
    skipped = 0
    with ExitStack() as stack:
        file = stack.enter_context(path.open("w", newline="", encoding="utf-8"))
        out = csv.writer(file)
        out.writerow(HEAD)
        for rows in (first, group):
            for row in rows:
                line = [_text(columns[part], row[part]) for part in HEAD]
                if None in line:
                    skipped += 1
                else:
                    out.writerow(line)
    return [_command(path, symbol, timeframe), *_lacking(path, skipped)]


def _free(series: str, taken: set[str]) -> str:
    # Two symbols may be one as file names, and a file may not tell capitals apart.
    plain = wanted = re.sub(r"[^A-Za-z0-9]+", "-", series)
    while wanted.lower() in taken:
        wanted = f"{plain}-{len(taken)}"
    taken.add(wanted.lower())
    return f"{wanted}.csv"


def _command(path: Path, symbol: str, timeframe: str) -> str:
    name = re.sub(r"[-_]", "/", symbol) if re.search(r"[-_/]", symbol) else "BASE/QUOTE"
    words = ["rrr", "data", "import", str(path), "--symbol", name]
    words += ["--timeframe", timeframe or "1m", "--exchange", "EXCHANGE"]
    return f"  {shlex.join(words)}"


def _lacking(path: Path, skipped: int) -> list[str]:
    what = "rows without a number, or not on a millisecond, are not in"
    return [f"  ({skipped:,} {what} {path.name})"] if skipped else []


def _spacing(times: list[Any], column: Found) -> str:
    """Return the timeframe that most bars of a series are apart."""
    if column.form not in {"instant", "local_time"}:
        return ""
    gaps = [(later - time) * 1000 for time, later in pairwise(times)]
    known = {ns: name for name, ns in TIMEFRAMES_NS.items()}
    fitting = [gap for gap in gaps if gap in known]
    return known[max(set(fitting), key=fitting.count)] if fitting else ""


def _text(column: Found, value: Any) -> str | None:
    """Return a value as CSV has it, exactly; None for none."""
    if value is None:
        return None
    if column.form in {"instant", "local_time"}:
        millis, rest = divmod(value, MS_NS // 1000)
        return None if rest else str(millis)
    if column.form == "whole" and column.exponent:
        return unscaled(column.exponent)(value)
    return str(value)
