"""What one file of a shard is: its size, its log, its pages, its tables; read in bounded time.

The log and its index are looked at by their bytes, before the file is opened: this process writes
to no shard, so closing them drops no lock of a writer.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from bus.clock import Clock
from bus.errors import ShardError
from bus.migrations import Kind
from bus.month_names import ARCHIVED
from bus.reading import Deadline, open_file, select
from schema.units import SECOND_NS, iso

COUNT_MS = 300
"""What counting the rows of one table may take, where its pages were not all looked at."""

WAL_HEAD_BYTES, FRAME_HEAD_BYTES = 32, 24
INDEX_HEAD = struct.Struct("=16xI76xI")
"""Of the log's index: the last frame that counts, and how many frames are in the file already."""

CHECKSUM_BYTES = 8
OPEN_MS = 2000

PAGES = (
    "SELECT name, pagetype, count(*) AS pages, sum(pgsize) AS bytes, sum(unused) AS unused, "
    "sum(ncell) AS cells FROM dbstat GROUP BY name, pagetype"
)
PLACES = (
    "SELECT name, tbl_name, type, coalesce(sql, '') LIKE '%WITHOUT ROWID%' AS keyed "
    "FROM sqlite_schema WHERE rootpage > 0 ORDER BY type <> 'table', rowid"
)
MANY_ROWS = 100_000
BAR_TIMES = """
SELECT min(tf_s * (first & 67108863)) AS first_s, max(tf_s * (last & 67108863)) AS last_s FROM (
    SELECT s.tf_s AS tf_s, (
        SELECT min({first}) FROM {table}
        WHERE k BETWEEN s.id << {bits} AND ((s.id + 1) << {bits}) - 1
    ) AS first, (
        SELECT max({last}) FROM {table}
        WHERE k BETWEEN s.id << {bits} AND ((s.id + 1) << {bits}) - 1
    ) AS last FROM series AS s WHERE s.tf_s > 0
)
"""
LIVE_BARS = BAR_TIMES.format(table="bar", first="k", last="k", bits=26)
SEALED_BARS = BAR_TIMES.format(table="bar_chunk", first="first", last="last", bits=17)


class TableStats(msgspec.Struct):
    """One table with its indexes; None: not known in the time that there was."""

    name: str
    rows: int | None = None
    exact: bool = False
    bytes: int | None = None
    unused: int | None = None


class FileStats(msgspec.Struct):
    """One file of a shard."""

    file: str
    kind: str  # live, archive, history
    bytes: int
    wal_bytes: int
    wal_pending_bytes: int
    page_size: int
    pages: int
    free_pages: int
    fragmentation: float
    fragmentation_from: str  # dbstat: bytes unused of all; freelist: pages free of all
    complete: bool
    version: int
    world: str
    checksums: bool
    first: str | None
    last: str | None
    candles: int | None
    bytes_per_candle: float | None
    tables: list[TableStats]


class Stretch(Deadline):
    """A time limit that is set anew for each statement."""

    def allow(self, limit_ms: int) -> None:
        """Give what runs next so much time."""
        self._limit_ns = limit_ms * 1_000_000
        self.renew()


def file_stats(kind: Kind, path: Path, what: str, clock: Clock, limit_ms: int) -> FileStats | None:
    """Return what a file is, as far as it can be told in the time; None while it is being made."""
    wal_bytes, frames = _log(path)
    stretch = Stretch(clock, OPEN_MS)
    db = open_file(kind, path, stretch, sealed=path.name.endswith(ARCHIVED))
    if db is None:
        return None
    try:
        look = _Look(db, kind, stretch)
        look.pages(limit_ms)
        return look.told(path, what, wal_bytes, frames)
    finally:
        db.close()


class _Look:
    """One file, while it is looked at."""

    def __init__(self, db: Any, kind: Kind, stretch: Stretch) -> None:
        self._db = db
        self._kind = kind
        self._stretch = stretch
        self._unused: tuple[int, int] | None = None
        self._holds = ""  # The table that the candles are in.
        self._tables = {
            str(row["name"]): TableStats(name=str(row["name"]))
            for row in select(db, PLACES)
            if row["type"] == "table"
        }

    def pages(self, limit_ms: int) -> None:
        """Look at every page, if there is the time."""
        self._stretch.allow(limit_ms)
        places = {str(row["name"]): row for row in select(self._db, PLACES)}
        try:
            rows = list(select(self._db, PAGES))
        except ShardError:
            if not self._stretch.passed():
                raise
            return
        self._unused = (
            sum(_whole(row["unused"]) for row in rows),
            sum(_whole(row["bytes"]) for row in rows),
        )
        for row in rows:
            place = places.get(str(row["name"]))
            table = self._tables.get(str(place["tbl_name"])) if place is not None else None
            if table is None or place is None:
                continue
            table.bytes = (table.bytes or 0) + _whole(row["bytes"])
            table.unused = (table.unused or 0) + _whole(row["unused"])
            if place["type"] == "table" and (row["pagetype"] == "leaf" or place["keyed"]):
                table.rows, table.exact = (table.rows or 0) + _whole(row["cells"]), True

    def told(self, path: Path, what: str, wal_bytes: int, frames: int) -> FileStats:
        """Return what was found, and what short statements tell."""
        for table in self._tables.values():
            if not table.exact:
                self._count(table)
        page_size, free = self._pragma("page_size"), self._pragma("freelist_count")
        pages = self._pragma("page_count")
        candles, first_ns, last_ns = self._market() if self._kind.monthly else self._span()
        unused, size = self._unused or (free, max(pages, 1))
        return FileStats(
            file=path.name,
            kind=what,
            bytes=path.stat().st_size,
            wal_bytes=wal_bytes,
            wal_pending_bytes=min(wal_bytes, frames * (page_size + FRAME_HEAD_BYTES)),
            page_size=page_size,
            pages=pages,
            free_pages=free,
            fragmentation=round(unused / size, 4) if size else 0.0,
            fragmentation_from="freelist" if self._unused is None else "dbstat",
            complete=self._unused is not None,
            version=self._pragma("user_version"),
            world=str(self._one("SELECT value FROM meta WHERE key = 'world'") or ""),
            checksums=self._db.reserve_bytes() == CHECKSUM_BYTES,
            first=iso(first_ns) if first_ns is not None else None,
            last=iso(last_ns) if last_ns is not None else None,
            candles=candles,
            bytes_per_candle=self._per_candle(candles),
            tables=[table for table in self._tables.values() if not _is_inner(table.name)],
        )

    def _count(self, table: TableStats) -> None:
        self._stretch.allow(COUNT_MS)
        try:
            sql = f'SELECT count(*) FROM "{table.name}"'  # noqa: S608 - its own
            table.rows = _whole(self._ask(sql))
            table.exact = True
        except ShardError:
            self._stretch.allow(COUNT_MS)
            sql = "SELECT CAST(stat AS INTEGER) FROM sqlite_stat1 WHERE tbl = ? LIMIT 1"
            known = "sqlite_stat1" in self._tables
            found = self._one(sql, (table.name,)) if known else None
            table.rows = _whole(found) if found is not None else None

    def _market(self) -> tuple[int | None, int | None, int | None]:
        bar, chunks = self._tables["bar"], self._tables.get("bar_chunk")
        sealed = chunks is not None and bool(chunks.rows) and not bar.rows
        self._holds = "bar_chunk" if sealed else "bar"
        row = self._row(SEALED_BARS if sealed else LIVE_BARS)
        times = [row[name] for name in ("first_s", "last_s")] if row else [None, None]
        first_ns, last_ns = (_whole(one) * SECOND_NS if one is not None else None for one in times)
        if sealed:
            return _maybe(self._one("SELECT sum(n) FROM bar_chunk")), first_ns, last_ns
        if bar.exact:
            return bar.rows, first_ns, last_ns
        counted = _maybe(self._one("SELECT sum(bars) FROM candlestick_metadata"))
        bar.rows = counted if counted is not None else bar.rows
        return bar.rows, first_ns, last_ns

    def _span(self) -> tuple[None, int | None, int | None]:
        found: list[int] = []
        for table in self._tables.values():
            columns = {str(row["name"]): row for row in self._columns(table.name)}
            if "ts_ns" not in columns or not table.rows:
                continue
            found += self._times(table, [n for n, row in columns.items() if row["pk"]])
        return None, min(found, default=None), max(found, default=None)

    def _times(self, table: TableStats, key: list[str]) -> Iterator[int]:
        # Rows with a number of their own were written in the order of time, or near it.
        if key in (["id"], ["pos"]):
            for order in ("", " DESC"):
                sql = f'ts_ns FROM "{table.name}" ORDER BY "{key[0]}"{order} LIMIT 1'
                yield from _all(self._one(f"SELECT {sql}"))
        elif (table.rows or 0) <= MANY_ROWS:
            for which in ("min", "max"):
                sql = f'SELECT {which}(ts_ns) FROM "{table.name}"'  # noqa: S608 - its own
                yield from _all(self._one(sql))

    def _columns(self, name: str) -> list[dict[str, Any]]:
        return list(select(self._db, "SELECT name, pk FROM pragma_table_info(?)", (name,)))

    def _per_candle(self, candles: int | None) -> float | None:
        size = self._tables[self._holds].bytes if self._holds else None
        return round(size / candles, 2) if candles and size is not None else None

    def _pragma(self, name: str) -> int:
        return _whole(self._ask(f"PRAGMA {name}"))

    def _row(self, sql: str, bindings: tuple[Any, ...] = ()) -> dict[str, Any] | None:
        """Return the first row of a statement; None for none, or when it takes too long."""
        self._stretch.allow(COUNT_MS)
        with suppress(ShardError):
            return next(iter(list(select(self._db, sql, bindings))), None)
        return None

    def _one(self, sql: str, bindings: tuple[Any, ...] = ()) -> Any:
        row = self._row(sql, bindings)
        return next(iter(row.values())) if row else None

    def _ask(self, sql: str) -> Any:
        ((value,),) = (row.values() for row in select(self._db, sql))
        return value


def _log(path: Path) -> tuple[int, int]:
    """Return the size of a file's log, and how many of its frames are not in the file yet."""
    try:
        wal_bytes = Path(f"{path}-wal").stat().st_size
    except OSError:
        return 0, 0
    with suppress(OSError, struct.error), Path(f"{path}-shm").open("rb") as index:
        last, moved = INDEX_HEAD.unpack(index.read(INDEX_HEAD.size))
        return wal_bytes, max(0, last - moved)
    return wal_bytes, wal_bytes  # Nobody has it open: all of it counts, capped by its size.


def _is_inner(name: str) -> bool:
    return name.startswith("sqlite_")


def _whole(value: Any) -> int:
    assert isinstance(value, int)
    return value


def _maybe(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _all(value: Any) -> Iterator[int]:
    if isinstance(value, int):
        yield value
