"""Months of a market as files, live and archived, made of plain rows, for tests of readers."""

import datetime as dt
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bus.chunks import encode_bars, encode_ticks
from bus.migrations import KINDS
from bus.month_names import month_of
from bus.shard import Connection, open_writer
from schema.setting_types import TIMEFRAMES_NS
from schema.units import MINUTE_NS, SECOND_NS

KIND = KINDS["market"]
EXPS = (2, 8, 8)
FINER = (4, 8, 8)


class Row(NamedTuple):
    """One bar as a file keeps it."""

    symbol: str
    timeframe: str
    open_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int = 100_000_000
    quote_volume: int = 6_400_000_000_000
    trades: int = 3
    source: int = 0


class Tick(NamedTuple):
    """One trade as a file keeps it."""

    symbol: str
    trade_id: int
    ts_ns: int
    px: int
    qty: int = 5
    side: int = 0


def at(text: str) -> int:
    return int(dt.datetime.fromisoformat(f"{text}+00:00").timestamp()) * SECOND_NS


def bars(
    symbol: str, timeframe: str, first: str, count: int, *, close: int = 6_400_000, hole: int = 0
) -> list[Row]:
    """Return bars in a row, without each one whose number `hole` divides."""
    step_ns = TIMEFRAMES_NS[timeframe]
    kept = [n for n in range(count) if not hole or n % hole]
    made = ((at(first) + n * step_ns, close + n * 7 % 1000) for n in kept)
    return [
        Row(symbol, timeframe, ns, px - 3, px + 9, px - 8, px, source=ns % 7 % 2) for ns, px in made
    ]


class Place:
    """A directory with months in `db/` and `archive/market/`."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.db_dir = top / "db"
        self.archives = top / "archive" / "market"
        self.db_dir.mkdir(parents=True)
        self.archives.mkdir(parents=True)

    def live(
        self, rows: Sequence[Row], ticks: Sequence[Tick] = (), exps: tuple[int, int, int] = EXPS
    ) -> Path:
        """Write rows of one month into its live file, made where there is none."""
        path = self.db_dir / f"market_data_{_stem(rows, ticks)}.db"
        _write(path, rows, ticks, exps, sealed=False)
        return path

    def archive(
        self, rows: Sequence[Row], ticks: Sequence[Tick] = (), exps: tuple[int, int, int] = EXPS
    ) -> Path:
        """Write the archive of one month, in place of one that may be there."""
        draft = self.top / "draft.db"
        _write(draft, rows, ticks, exps, sealed=True)
        path = self.archives / f"market_data_{_stem(rows, ticks)}.arc.db"
        made = self.top / "made.db"
        db = Connection(str(draft))
        db.pragma("page_size", 16_384)
        db.execute("VACUUM INTO ?", (str(made),))
        db.close()
        draft.unlink()
        made.replace(path)
        return path


def _stem(rows: Sequence[Row], ticks: Sequence[Tick]) -> str:
    (month,) = {month_of(row.open_ns) for row in rows} | {month_of(one.ts_ns) for one in ticks}
    return f"{month // 100:04d}_{month % 100:02d}"


def _write(
    path: Path,
    rows: Sequence[Row],
    ticks: Sequence[Tick],
    exps: tuple[int, int, int],
    *,
    sealed: bool,
) -> None:
    shard = open_writer(KIND, path, "w")
    with shard.transaction() as db:
        numbers = _series(
            db, {(r.symbol, r.timeframe) for r in rows} | {(t.symbol, "ticks") for t in ticks}, exps
        )
        kept = sorted(
            (numbers[r.symbol, r.timeframe] << 26 | r.open_ns // TIMEFRAMES_NS[r.timeframe], *r[3:])
            for r in rows
        )
        traded = sorted((numbers[t.symbol, "ticks"] << 44 | t.trade_id, *t[2:]) for t in ticks)
        if sealed:
            _seal(db, kept, traded)
        else:
            _keep(db, kept, traded)
    shard.close()


def _series(
    db: Connection, names: set[tuple[str, str]], exps: tuple[int, int, int]
) -> dict[tuple[str, str], int]:
    known = {(s, t): n for s, t, n in db.execute("SELECT symbol, timeframe, id FROM series")}
    for number, name in enumerate(sorted(names - {*known}), start=len(known) + 1):
        tf_s = TIMEFRAMES_NS.get(name[1], 0) // SECOND_NS
        db.execute("INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?)", (number, *name, tf_s, *exps))
        known[name] = number
    return known


def _keep(db: Connection, kept: Sequence[Sequence[int]], traded: Sequence[Sequence[int]]) -> None:
    db.executemany("INSERT OR REPLACE INTO bar VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", kept)
    db.executemany("INSERT INTO tick VALUES (?, ?, ?, ?, ?)", traded)
    marks: dict[int, list[int]] = {}
    for key, ts_ns, *_ in traded:
        mark = (key >> 44) << 26 | ts_ns // MINUTE_NS
        marks.setdefault(mark, []).append(key & ((1 << 44) - 1))
    db.executemany(
        "INSERT INTO tick_mark VALUES (?, ?, ?) ON CONFLICT (k) DO UPDATE SET "
        "first_id = min(first_id, excluded.first_id), last_id = max(last_id, excluded.last_id)",
        [(mark, min(ids), max(ids)) for mark, ids in marks.items()],
    )


def _seal(db: Connection, kept: Sequence[Sequence[int]], traded: Sequence[Sequence[int]]) -> None:
    for _, chunk in groupby(kept, key=lambda row: row[0] >> 9):
        sealed = encode_bars(np.array(list(chunk), np.int64))
        db.execute("INSERT INTO bar_chunk VALUES (?, ?, ?, ?, ?, ?, ?)", tuple(sealed))
    for _, some in groupby(traded, key=lambda row: (row[0] >> 44, row[1] // (60 * MINUTE_NS))):
        of_hour = list(some)
        one = encode_ticks(np.array(of_hour, np.int64))
        times = [row[1] for row in of_hour]
        values = (one.k, one.last, one.n, min(times), max(times), one.codec, one.crc, one.body)
        db.execute("INSERT INTO tick_chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
