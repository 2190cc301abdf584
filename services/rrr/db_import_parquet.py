"""The rows of a Parquet export, read back by DuckDB: decimals become integers again."""

from pathlib import Path
from typing import Any

import numpy as np

from bus.month_names import IDX_BITS, TRADE_ID_BITS
from schema.units import MS_NS, SECOND_NS
from services.rrr.db_export_manifest import DAMAGE_HINT, FileEntry, Part, TableEntry, inside
from services.rrr.db_export_parquet import TYPES, WIDE, connect
from services.rrr.db_import_rows import table_of
from services.rrr.journal_files import IntegrityError
from services.rrr.progress import Passed
from services.writer.loading import BadRowError, Loading

ROWS_AT_ONCE = 1 << 13
PRICES = ("open", "high", "low", "close")


class ParquetSource:
    """Inserts the rows of Parquet files, table by table."""

    def __init__(self, root: Path, loading: Loading, entry: FileEntry, passed: Passed) -> None:
        self._root = root
        self._loading = loading
        self._entry = entry
        self._passed = passed
        self._db = connect()

    def load(self) -> None:
        try:
            for table in self._entry.tables:
                for part in table.parts:
                    self._part(table, part)
                    self._passed(part.bytes)
        finally:
            self._db.close()

    def _part(self, table: TableEntry, part: Part) -> None:
        import duckdb  # noqa: PLC0415 - it is there: it is connected

        path = inside(self._root, part.path)
        try:
            if self._loading.kind.monthly and table.name in {"bar", "tick"}:
                self._matrix(path, table, part)
            else:
                self._plain(path, table)
        except duckdb.Error as error:
            raise IntegrityError(f"{path} is damaged: {error}", DAMAGE_HINT) from error
        except BadRowError as error:
            what = f"{path}, row {error.number}: {error.what}"
            raise IntegrityError(what, DAMAGE_HINT) from error

    def _plain(self, path: Path, table: TableEntry) -> None:
        columns = ", ".join(
            f'CAST("{name}" AS {TYPES[kind]})'
            for name, kind in zip(table.columns, table.types, strict=True)
        )
        sql = f"SELECT {columns} FROM {_file(path)}"  # noqa: S608 - names that were checked
        found = self._db.execute(sql)
        rows = iter(lambda: found.fetchmany(ROWS_AT_ONCE), [])
        self._loading.insert(table_of(table), (row for some in rows for row in some))

    def _matrix(self, path: Path, table: TableEntry, part: Part) -> None:
        series = self._loading.series(part.series)
        columns = _bars(series) if table.name == "bar" else _ticks(series)
        chosen = ", ".join(f"CAST({sql} AS BIGINT) AS c{at}" for at, sql in enumerate(columns))
        sql = f"SELECT {chosen} FROM {_file(path)}"  # noqa: S608 - ours
        found = self._db.execute(sql).fetchnumpy()
        rows = np.column_stack([np.asarray(found[f"c{at}"]) for at in range(len(columns))])
        self._loading.insert(table_of(table), rows.tolist())


def _bars(series: Any) -> list[str]:
    number, tf_s, px_exp, qty_exp, quote_exp = series
    step = tf_s * SECOND_NS // MS_NS
    return [
        f'({number}::BIGINT << {IDX_BITS}) + "timestamp" // {step}',
        *(_whole(name, px_exp) for name in PRICES),
        _whole("volume", qty_exp),
        _whole("quote_volume", quote_exp),
        "trades",
        "src",
    ]


def _ticks(series: Any) -> list[str]:
    number, _, px_exp, qty_exp, _ = series
    return [
        f"({number}::BIGINT << {TRADE_ID_BITS}) + trade_id",
        "ts_ns",
        _whole("price", px_exp),
        _whole("qty", qty_exp),
        "CASE side WHEN 'buy' THEN 0 WHEN 'sell' THEN 1 END",
    ]


def _whole(name: str, exponent: int) -> str:
    """Return SQL for a decimal as an integer with so many decimals."""
    factor = f"CAST({10**exponent} AS DECIMAL({exponent + 1},0))"
    return f"CAST({name} AS DECIMAL({WIDE},{exponent})) * {factor}"


def _file(path: Path) -> str:
    # What means a pattern to DuckDB means itself in a name.
    name = "".join(f"[{one}]" if one in "*?[" else one for one in str(path))
    quoted = name.replace("'", "''")
    return f"read_parquet('{quoted}', hive_partitioning=false)"
