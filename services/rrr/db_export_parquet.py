"""Exports as Parquet, by DuckDB: bars and ticks in hive partitions, other tables as they are.

Numbers are exact: prices and quantities are decimals of one width for the whole export, wide enough
for what the shard holds; all else is int64, double, text or bytes.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bus.errors import HouseError
from bus.month_names import IDX_BITS, TRADE_ID_BITS
from schema.units import MS_NS, SECOND_NS
from services.rrr.db_export_choice import Series
from services.rrr.db_export_manifest import Part, part_of
from services.writer.dump import Block

ROW_GROUP = 122_880
ROWS_A_FILE = 5 * ROW_GROUP
HELD_BYTES = 64 << 20
"""What rows of text and bytes may hold in memory; more of them are another file."""

NARROW, WIDE = 18, 38
KINDS = ("price", "quantity", "quote")
TYPES = {"INTEGER": "BIGINT", "REAL": "DOUBLE", "TEXT": "VARCHAR", "BLOB": "BLOB"}
MEMORY = "512MB"

BARS = {"open": (1, 0), "high": (2, 0), "low": (3, 0), "close": (4, 0), "volume": (5, 1)}
BARS_MORE = {"quote_volume": (6, 2)}
TICKS = {"price": (2, 0), "qty": (3, 1)}
"""Which column of the table each number is, and of which kind its decimals are."""

_other = re.compile(r"[^0-9A-Za-z_/]")

Digits = dict[str, tuple[int, int]]
"""For each kind of number the digits, and how many of them are decimals."""


class TooWideError(Exception):
    """A number that does not fit in the digits that were chosen for its kind."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def connect() -> Any:
    """Return a DuckDB that stays within its memory, off the network and off every other file."""
    try:
        import duckdb  # noqa: PLC0415 - only who asks for Parquet pays for it
    except ImportError as error:
        raise HouseError(
            "duckdb is not installed here, which writes and reads Parquet",
            "`make up` installs it; --format sql and csv need nothing",
        ) from error
    return duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "memory_limit": MEMORY,
            "threads": "2",
            "temp_directory": "",
            "preserve_insertion_order": "true",
        },
    )


class ParquetForm:
    """Writes blocks of rows as files under a draft."""

    def __init__(self, draft: Path, digits: Digits) -> None:
        self._draft = draft
        self._digits = digits
        self._db = connect()

    def close(self) -> None:
        self._db.close()

    def table(
        self,
        folder: str,
        name: str,
        columns: Sequence[str],
        types: Sequence[str],
        blocks: Iterable[Block],
    ) -> list[Part]:
        """Write a table as it is, in as many files as it needs; an empty one is a file too."""
        parts: list[Part] = []
        for rows in _gathered(blocks):
            arrays = {
                f"c{place}": _column([row[place] for row in rows], kind)
                for place, kind in enumerate(types)
            }
            chosen = ", ".join(
                f'CAST(c{place} AS {TYPES[kind]}) AS "{column}"'
                for place, (column, kind) in enumerate(zip(columns, types, strict=True))
            )
            path = self._draft / folder / name / f"part-{len(parts)}.parquet"
            parts.append(self._copy(path, arrays, chosen, len(rows)))
        return parts

    def bars(self, series: Series, month: int, blocks: Iterable[Block]) -> list[Part]:
        """Write the bars of one series and month."""
        folder = _partition("bars", series, month)
        return self._matrices(series, folder, blocks, BARS | BARS_MORE, self._bar_columns)

    def ticks(self, series: Series, month: int, blocks: Iterable[Block]) -> list[Part]:
        """Write the ticks of one symbol and month."""
        return self._matrices(
            series, _partition("ticks", series, month), blocks, TICKS, self._tick_columns
        )

    def _matrices(
        self, series: Series, folder: str, blocks: Iterable[Block], numbers: Any, columns: Any
    ) -> list[Part]:
        parts: list[Part] = []
        for rows in _stacked(blocks, ROWS_A_FILE):
            arrays, chosen = columns(series, rows)
            for name, (place, kind) in numbers.items():
                arrays[name] = np.ascontiguousarray(rows[:, place])
                chosen[name] = self._decimal(series, name, arrays[name], KINDS[kind])
            text = ", ".join(f'{sql} AS "{name}"' for name, sql in chosen.items())
            path = self._draft / folder / f"part-{len(parts)}.parquet"
            parts.append(self._copy(path, arrays, text, len(rows), series.id))
        return parts

    def _bar_columns(self, series: Series, rows: Any) -> tuple[dict[str, Any], dict[str, str]]:
        index = rows[:, 0] & ((1 << IDX_BITS) - 1)
        arrays = {"open_ms": index * (series.tf_s * SECOND_NS // MS_NS), "n": rows[:, 7].copy()}
        arrays["src"] = rows[:, 8].copy()
        chosen = {"timestamp": "open_ms", "pair": _text(series.symbol)}
        chosen |= dict.fromkeys([*BARS, *BARS_MORE], "")
        return arrays, chosen | {"trades": "n", "src": "CAST(src AS TINYINT)"}

    def _tick_columns(self, series: Series, rows: Any) -> tuple[dict[str, Any], dict[str, str]]:
        arrays = {"trade_id": rows[:, 0] & ((1 << TRADE_ID_BITS) - 1), "ts_ns": rows[:, 1].copy()}
        arrays["side"] = rows[:, 4].copy()
        chosen = {"trade_id": "trade_id", "ts_ns": "ts_ns", "pair": _text(series.symbol)}
        chosen |= dict.fromkeys(TICKS, "")
        return arrays, chosen | {"side": "CASE side WHEN 0 THEN 'buy' ELSE 'sell' END"}

    def _decimal(self, series: Series, name: str, values: Any, kind: str) -> str:
        width, decimals = self._digits[kind]
        own = (series.px_exp, series.qty_exp, series.quote_exp)[KINDS.index(kind)]
        largest = max(int(values.max(initial=0)), -int(values.min(initial=0)))
        if own > decimals or largest * 10 ** (decimals - own) >= 10**width:
            raise TooWideError(kind)
        factor = 10 ** (decimals - own)
        whole = f'CAST("{name}" AS HUGEINT) * {factor}::HUGEINT'
        return f"CAST({scaled(whole, decimals)} AS DECIMAL({width},{decimals}))"

    def _copy(
        self, path: Path, arrays: dict[str, Any], chosen: str, rows: int, series: int = 0
    ) -> Part:
        import duckdb  # noqa: PLC0415 - it is there: it is connected

        path.parent.mkdir(parents=True, exist_ok=True)
        self._db.register("block", arrays)
        try:
            self._db.execute(
                f"COPY (SELECT {chosen} FROM block) TO {_text(str(path))} "  # noqa: S608 - quoted
                f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
            ).fetchall()
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            what = f"{path} cannot be written: {error}"
            raise HouseError(what, "Make room there, or name another place") from error
        finally:
            self._db.unregister("block")
        return part_of(self._draft, path, rows, series)


def scaled(whole: str, decimals: int) -> str:
    """Return SQL for an integer with so many decimals, exactly."""
    if decimals == 0:
        return f"CAST({whole} AS DECIMAL({WIDE},0))"
    step = f"CAST('0.{1:0{decimals}d}' AS DECIMAL({decimals + 1},{decimals}))"
    return f"CAST({whole} AS DECIMAL({WIDE},0)) * {step}"


def folder_of(text: str) -> str:
    """Return a symbol as a folder's name: / becomes -, other signs their bytes."""
    return _other.sub(lambda found: _coded(found[0]), text).replace("/", "-")


def _coded(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def _partition(kind: str, series: Series, month: int) -> str:
    timeframe = f"/timeframe={folder_of(series.timeframe)}" if kind == "bars" else ""
    at = f"year={month // 100:04d}/month={month % 100:02d}"
    return f"{kind}/symbol={folder_of(series.symbol)}{timeframe}/{at}"


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _column(values: list[Any], kind: str) -> Any:
    if kind in {"INTEGER", "REAL"}:
        mask = [value is None for value in values]
        filled = [0 if value is None else value for value in values]
        dtype = np.int64 if kind == "INTEGER" else np.float64
        return np.ma.masked_array(np.array(filled, dtype=dtype), mask=mask)
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _gathered(blocks: Iterable[Block]) -> Iterator[list[Any]]:
    rows: list[Any] = []
    held, first = 0, True
    for block in blocks:
        some = block if isinstance(block, list) else block.tolist()
        rows += some
        held += sum(len(v) for row in some for v in row if isinstance(v, str | bytes))
        if len(rows) >= ROW_GROUP or held >= HELD_BYTES:
            yield rows
            rows, held, first = [], 0, False
    if rows or first:
        yield rows


def _stacked(blocks: Iterable[Block], most: int) -> Iterator[Any]:
    held: list[Any] = []
    count = 0
    for block in blocks:
        held.append(block)
        count += len(block)
        if count >= most:
            yield np.concatenate(held)
            held, count = [], 0
    if count:
        yield np.concatenate(held)
