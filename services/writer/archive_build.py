"""Makes the file of an archive: the live month laid over the archive that it has already.

All of it is read in one transaction, so that the archive is the month as it stood after one edit.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import msgspec

from bus import checksums, migrations
from bus.chunks import encode_bars, encode_ticks
from bus.errors import ShardError
from bus.migrations import KINDS, refused
from bus.month_names import IDX_BITS
from bus.shard import Connection, failure
from services.writer.archive_files import LATER_CODE, META, ROOM_HINT, Contents
from services.writer.archive_rows import (
    BAR,
    TICK,
    Table,
    Tally,
    bar_chunks,
    chunk_blocks,
    merged,
    row_blocks,
    tick_chunks,
)
from services.writer.late import EDITS

PAGE_BYTES = 4096
"""Two chunks on a page of 16 KiB waste a tenth of it; what overflows from 4 KiB wastes less."""

KIND = KINDS["market"]
LIVE, BEFORE = "live", "before"
FLAGS = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
CACHE_KIB = 8192

BAR_CHUNK = "INSERT INTO bar_chunk VALUES (?, ?, ?, ?, ?, ?, ?)"
TICK_CHUNK = "INSERT INTO tick_chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
COVERAGE = "INSERT INTO candlestick_metadata VALUES (?, ?, ?, ?, ?)"

COPIED = {
    "series": "",
    "feed_gap": "",
    "import_file": "",
    "bar_note": "",
    "tick_hwm": "",
    "dead_letter": (
        "INSERT INTO main.dead_letter SELECT NULL, ts_ns, type, reason, body FROM {0}.dead_letter "
        "EXCEPT SELECT NULL, ts_ns, type, reason, body FROM main.dead_letter"
    ),
    "meta": (
        "INSERT INTO main.meta SELECT key, value FROM {0}.meta "
        "WHERE key NOT IN ('world', 'edits', 'archive') "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
    ),
}
"""Tables that go over as they are, with the statement where a row is no row by its key alone."""

MADE = frozenset({"bar_chunk", "tick_chunk", "candlestick_metadata", "migration"})
"""Tables that are made anew."""

LEFT = frozenset({"bar", "tick", "bar_live", "tick_mark", "stream_position"})
"""Tables that an archive has empty: chunks say the same, or only a live month has a use for it."""

SERIES_HINT = (
    "The file is not the one that its writer made beside this archive: move it away, or the archive"
)

Told = Callable[[int], None]
"""Is told how many rows were done since."""


class Sources:
    """A live month, and the archive of it if there is one, attached to the draft of a new one."""

    def __init__(self, draft: Path, live: Path, before: Path | None) -> None:
        self.draft = draft
        self.live = live
        self._paths = {LIVE: live} if before is None else {BEFORE: before, LIVE: live}
        with contextlib.ExitStack() as failed:
            try:
                self.db = Connection(str(draft), flags=FLAGS)
                failed.callback(self.db.close)
                self._set_up()
                for name, path in self._paths.items():
                    self._attach(name, path)
            except apsw.Error as error:
                raise _failed(self, error) from error
            failed.pop_all()

    def _set_up(self) -> None:
        self.db.pragma("page_size", PAGE_BYTES)
        self.db.pragma("cache_size", -CACHE_KIB)
        self.db.pragma("journal_mode", "off")  # A draft that is not whole is thrown away.
        self.db.pragma("synchronous", 0)

    def _attach(self, name: str, path: Path) -> None:
        # Through the VFS that finds a flipped bit of the live month as it is read.
        mode = "mode=ro" if name == LIVE else "mode=ro&immutable=1"
        uri = f"{path.absolute().as_uri()}?{mode}&vfs={checksums.load()}"
        try:
            self.db.execute(f'ATTACH ? AS "{name}"', (uri,))
        except apsw.Error as error:
            raise failure(path, error) from error
        migrations.check_identity(KIND, path, self.db, name)

    @property
    def names(self) -> tuple[str, ...]:
        """The attached files, the older first."""
        return tuple(self._paths)

    def meta(self, name: str, key: str) -> str:
        """Return a word of a file about itself; empty when it says nothing."""
        sql = f'SELECT value FROM "{name}".meta WHERE key = ?'  # noqa: S608 - our own name
        rows: list[Any] = self.db.execute(sql, (key,)).fetchall()
        return str(rows[0][0]) if rows else ""

    def count(self) -> int:
        """Return how many rows there are to read."""
        return sum(self._count(name, table) for name in self.names for table in ("bar", "tick"))

    def _count(self, name: str, table: str) -> int:
        what = f'count(*) FROM "{name}".{table}'
        if name == BEFORE:
            what = f'coalesce(sum(n), 0) FROM "{name}".{table}_chunk'
        rows: list[Any] = self.db.execute(f"SELECT {what}").fetchall()
        return int(rows[0][0])


def build(sources: Sources, month: int, rev: int, made_ns: int, told: Told) -> Contents:
    """Fill the draft and return what it holds; the caller proves it."""
    db = sources.db
    try:
        db.execute("BEGIN")
        edits = sources.meta(LIVE, EDITS)
        _found(sources)
        for name in sources.names:
            _copy(sources, name)
        names = {row[0]: (row[1], row[2]) for row in db.execute("SELECT * FROM main.series")}
        bars = _fill_bars(sources, told)
        ticks = _fill_ticks(sources, told)
        contents = Contents(
            month=month,
            rev=rev,
            edits=edits,
            made_ns=made_ns,
            bars=bars.proofs(names),
            ticks=ticks.proofs(names),
        )
        _cover(db, contents, bars.from_trades)
        said = msgspec.json.encode(contents).decode()
        db.execute("INSERT INTO main.meta VALUES (?, ?)", (META, said))
        db.execute("COMMIT")
    except apsw.Error as error:
        raise _failed(sources, error) from error
    finally:
        db.close()
    return contents


def _failed(sources: Sources, error: apsw.Error) -> ShardError:
    # What is read has checksums or is proven; all else that fails is the draft, which is no loss.
    if checksums.is_mismatch(error) or isinstance(error, apsw.CorruptError):
        return failure(sources.live, error, sources.db)
    what = f"{sources.draft.parent} cannot take the archive of {sources.live.name}: {error}"
    return refused(what, ROOM_HINT, LATER_CODE)


def _found(sources: Sources) -> None:
    worlds = {sources.meta(name, "world") for name in sources.names}
    if len(worlds) > 1:
        what = f"the archive and the live month are of different worlds: {sorted(worlds)}"
        raise ShardError(what, "Worlds never meet: move the file back to the world that made it")
    migrations.found_shard(sources.db, KIND, worlds.pop(), {})


def _copy(sources: Sources, name: str) -> None:
    db = sources.db
    _require_same_series(db, name)
    for table, special in COPIED.items():
        if special:
            db.execute(special.format(f'"{name}"'))
            continue
        # By name: an archive that older code made may lack the newest columns, or the table.
        info = db.execute(f'PRAGMA "{name}".table_info({table})')
        columns = ", ".join(str(row[1]) for row in info)
        if columns:
            rows = f'SELECT {columns} FROM "{name}".{table}'  # noqa: S608 - our own names
            db.execute(f"INSERT OR REPLACE INTO main.{table} ({columns}) {rows}")


def _require_same_series(db: Connection, name: str) -> None:
    differing: list[Any] = db.execute(
        "SELECT a.id, a.symbol, a.timeframe, b.id, b.symbol, b.timeframe "  # noqa: S608 - our name
        f'FROM main.series AS a JOIN "{name}".series AS b '
        "ON a.id = b.id OR (a.symbol = b.symbol AND a.timeframe = b.timeframe) "
        "WHERE (a.id, a.symbol, a.timeframe, a.px_exp, a.qty_exp, a.quote_exp) IS NOT "
        "(b.id, b.symbol, b.timeframe, b.px_exp, b.qty_exp, b.quote_exp)"
    ).fetchall()
    if differing:
        a_id, a_symbol, a_tf, b_id, b_symbol, b_tf = differing[0]
        raise ShardError(
            f"series {a_id} of the archive is {a_symbol} {a_tf}, "
            f"series {b_id} of the live month is {b_symbol} {b_tf}, or their decimals differ",
            SERIES_HINT,
        )


def _fill_bars(sources: Sources, told: Told) -> Tally:
    tally = Tally(BAR)
    for rows in bar_chunks(_merged(sources, BAR)):
        tally.add(rows)
        sources.db.execute(BAR_CHUNK, encode_bars(rows))
        told(len(rows))
    return tally


def _fill_ticks(sources: Sources, told: Told) -> Tally:
    tally = Tally(TICK)
    for rows in tick_chunks(_merged(sources, TICK)):
        tally.add(rows)
        k, _, last, n, codec, crc, body = encode_ticks(rows)
        times = int(rows[:, 1].min()), int(rows[:, 1].max())
        sources.db.execute(TICK_CHUNK, (k, last, n, *times, codec, crc, body))
        told(len(rows))
    return tally


def _merged(sources: Sources, table: Table) -> Any:
    live = row_blocks(sources.db, LIVE, table)
    if BEFORE not in sources.names:
        return live
    return merged(chunk_blocks(sources.db, BEFORE, table), live)


def _cover(db: Connection, contents: Contents, from_trades: dict[int, int]) -> None:
    mask = (1 << IDX_BITS) - 1
    db.executemany(
        COVERAGE,
        [
            (one.id, one.rows, one.first & mask, one.last & mask, from_trades[one.id])
            for one in contents.bars
        ],
    )
