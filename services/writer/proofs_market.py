"""Is each month of a market what it says it is, as rows and as an archive?"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bus.migrations import KINDS
from bus.month_names import IDX_BITS, TRADE_ID_BITS, month_span_ns, month_text
from bus.shard import Connection
from schema.units import SECOND_NS, iso
from services.writer.archive_files import (
    archive_path,
    archived_months,
    live_months,
    live_path,
    read_manifest,
    require_unchanged,
)
from services.writer.proofs import (
    Check,
    Found,
    Looked,
    check,
    file_checks,
    identity,
    listed,
    proven,
    rows_of,
)

MARKET = KINDS["market"]
SERIES = "SELECT id, symbol, timeframe, tf_s FROM series ORDER BY symbol, timeframe"
ENDS = "SELECT count(*), min(k), max(k), sum(src = 0) FROM bar WHERE k BETWEEN ? AND ?"
COUNTED = "SELECT bars, first_idx, last_idx, from_trades FROM candlestick_metadata WHERE series = ?"
TIMES = "SELECT count(*), min(ts_ns), max(ts_ns) FROM tick WHERE k BETWEEN ? AND ?"
MASK = (1 << IDX_BITS) - 1


def market_checks(
    place: Path, world: str, *, quick: bool, told: Callable[[str], None]
) -> Iterator[Check]:
    """Check all months of a place, and their archives."""
    for month in live_months(place):
        path = live_path(place, month)
        told(path.stem)
        yield from month_checks(Looked(MARKET, path, world, quick), month)
    for month in archived_months(place):
        told(archive_path(place, month).stem)
        yield from archive_checks(place, month, quick=quick)


def month_checks(file: Looked, month: int) -> Iterator[Check]:
    """Check the file of a month that rows are written to."""
    name = file.path.stem
    opened = identity(file)
    if not opened.ok and not file.path.exists():
        return  # It went to its archive meanwhile.
    yield opened
    if not opened.ok:
        return
    yield from file_checks(file)
    yield check(name, "coverage", proven(file, _coverage))
    yield check(name, "bars of this month", proven(file, lambda db: _bars_within(db, month)))
    if not file.quick:
        yield check(name, "ticks of this month", proven(file, lambda db: _ticks_within(db, month)))
    yield check(name, "series of all rows", proven(file, _no_strangers))


def archive_checks(place: Path, month: int, *, quick: bool) -> Iterator[Check]:
    """Check an archive against its manifest, and all that is in it."""
    name = archive_path(place, month).name
    yield check(name, "manifest", lambda: _manifest(place, month, quick=quick))
    if not quick:
        yield check(name, "contents", lambda: _contents(place, month))


def _manifest(place: Path, month: int, *, quick: bool) -> Found:
    manifest = read_manifest(place, month)
    if manifest is None:
        return False, f"expected the manifest of {month_text(month)}, found none"
    if not quick:
        require_unchanged(place, manifest)
        return True, f"sha256 {manifest.sha256[:16]}, {manifest.rows} rows"
    size = archive_path(place, month).stat().st_size
    return size == manifest.bytes, f"{size} bytes, the manifest says {manifest.bytes}"


def _contents(place: Path, month: int) -> Found:
    from services.writer.archive_proof import contents_of, prove  # noqa: PLC0415 - needs numpy

    path = archive_path(place, month)
    contents = contents_of(path)
    prove(path, contents, None, lambda _rows: None)
    return True, f"{contents.rows} rows have the hashes that were archived"


def _coverage(db: Connection) -> Found:
    wrong, bars = [], 0
    for number, symbol, timeframe, tf_s in rows_of(db, SERIES):
        if not tf_s:
            continue
        count, first, last, traded = _ends(db, number)
        found = rows_of(db, COUNTED, (number,))
        expected = [(count, first & MASK, last & MASK, traded)] if count else []
        if found != expected:
            wrong.append(f"{symbol} {timeframe} says {found}, its bars are {expected}")
        bars += count
    return listed(wrong, f"{bars} bars counted")


def _bars_within(db: Connection, month: int) -> Found:
    wrong: list[str] = []
    begin_ns, end_ns = month_span_ns(month)
    for number, symbol, timeframe, tf_s in rows_of(db, SERIES):
        if not tf_s:
            continue
        count, first, last, _ = _ends(db, number)
        ends_ns = ((key & MASK) * tf_s * SECOND_NS for key in ((first, last) if count else ()))
        strange = (open_ns for open_ns in ends_ns if not begin_ns <= open_ns < end_ns)
        wrong += [f"{symbol} {timeframe} has a bar of {iso(open_ns)}" for open_ns in strange]
    return listed(wrong, f"none of another month than {month_text(month)}")


def _ticks_within(db: Connection, month: int) -> Found:
    wrong: list[str] = []
    begin_ns, end_ns = month_span_ns(month)
    ticks = 0
    for number, symbol, _, tf_s in rows_of(db, SERIES):
        if tf_s:
            continue
        low = number << TRADE_ID_BITS
        ((count, first_ns, last_ns),) = rows_of(db, TIMES, (low, low + (1 << TRADE_ID_BITS) - 1))
        ticks += count
        ends_ns = (first_ns, last_ns) if count else ()
        strange = (at_ns for at_ns in ends_ns if not begin_ns <= at_ns < end_ns)
        wrong += [f"{symbol} has a trade of {iso(at_ns)}" for at_ns in strange]
    return listed(wrong, f"none of {ticks} of another month than {month_text(month)}")


def _no_strangers(db: Connection) -> Found:
    wrong = []
    for table, bits in (("bar", IDX_BITS), ("tick", TRADE_ID_BITS)):
        known = {
            number for number, _, _, tf_s in rows_of(db, SERIES) if bool(tf_s) == (table == "bar")
        }
        wrong += [
            f"{table} has rows of a series {number} that is not named"
            for number in _numbers(db, table, bits)
            if number not in known
        ]
    return listed(wrong, "each has its name")


def _numbers(db: Connection, table: str, bits: int) -> Iterator[int]:
    """Yield the series that rows are of, by a leap from each to the next."""
    after = -1
    while True:
        sql = f"SELECT k FROM {table} WHERE k >= ? ORDER BY k LIMIT 1"  # noqa: S608 - our own names
        found = rows_of(db, sql, ((after + 1) << bits,))
        if not found:
            return
        after = found[0][0] >> bits
        yield after


def _ends(db: Connection, number: int) -> tuple[Any, ...]:
    low = number << IDX_BITS
    ((count, first, last, traded),) = rows_of(db, ENDS, (low, low | MASK))
    return count, first, last, traded
