"""Bars of a chunk into one month, with their record, in one transaction."""

from pathlib import Path

import msgspec

from bus.errors import ShardError
from bus.month_names import IDX_BITS
from bus.shard import Connection
from schema.units import INT64_LIMIT
from services.writer.archive_files import archive_path
from services.writer.coverage import Stretch, count_bars
from services.writer.history_chunks import Chunk, Exponents, Origin
from services.writer.history_compare import (
    Bools,
    Compared,
    TooFineError,
    compare,
    finest,
    rescaled,
    roomy,
)
from services.writer.history_there import There
from services.writer.late import note_edit
from services.writer.market import SOURCES
from services.writer.market_rows import CORRECTED_BAR, NEW_BAR
from services.writer.months import Month

RECORD = (
    "INSERT INTO import_file VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sha256) "
    "DO UPDATE SET source = excluded.source, source_sha256 = excluded.source_sha256, "
    "bars = excluded.bars, added = added + excluded.added, equal = excluded.equal, "
    "differing = excluded.differing, replaced = replaced + excluded.replaced, "
    "wall_ns = excluded.wall_ns"
)
LARGEST = "SELECT max(h), max(v), max(q) FROM bar WHERE k BETWEEN ? AND ?"
WIDEN = "UPDATE series SET px_exp = ?, qty_exp = ?, quote_exp = ? WHERE id = ?"
SCALE = (
    "UPDATE bar SET o = o * ?1, h = h * ?1, l = l * ?1, c = c * ?1, v = v * ?2, q = q * ?3 "
    "WHERE k BETWEEN ?4 AND ?5"
)
FETCHED = SOURCES["rest"]


class Taken(msgspec.Struct):
    """What became of the bars of one chunk in one month."""

    month: int
    bars: int
    recorded: bool = False  # an earlier run had applied it
    added: int = 0
    equal: int = 0
    replaced: int = 0
    compared: Compared | None = None  # with what differs from what was there


def beside(there: There, month: int, part: Chunk) -> Compared:
    """Return bars of one month beside those that are there; ShardError when they do not fit."""
    try:
        return compare(part, there.beside(month, part))
    except TooFineError as error:
        raise _too_fine(part, month, error) from error


def apply(
    place: Path,
    month: Month,
    part: Chunk,
    writes: Bools,
    taken: Taken,
    record: tuple[str, Origin],
    wall_ns: int,
) -> None:
    """Write some bars of a part of a chunk, and that it was applied, or nothing at all."""
    compared = taken.compared
    assert compared is not None
    try:
        with month.shard.transaction() as db:
            series, exponents = _series(place, month, part, compared)
            rows = _rows(compared, writes, series, exponents)
            fresh = not (writes & ~compared.new).any()
            db.executemany(NEW_BAR if fresh else CORRECTED_BAR, rows)
            if rows:
                note_edit(db)
                count_bars(db, [Stretch(series, rows, len(rows) if fresh else 0)])
            db.execute(RECORD, _record(part, taken, compared, record, wall_ns))
    except TooFineError as error:
        raise _too_fine(part, month.number, error) from error
    finally:
        month.forget()


def _series(place: Path, month: Month, part: Chunk, compared: Compared) -> tuple[int, Exponents]:
    """Return the number of a series and its decimals, which hold those of the bars too."""
    name, needed = (part.symbol, part.timeframe), compared.exponents
    found = month.series(name, needed if name in month.named else roomy(compared))
    exponents = finest(found.exponents, needed)
    if exponents == found.exponents:
        return found.number, exponents
    if archive_path(place, month.number).exists():
        raise ShardError(
            f"{part.symbol} {part.timeframe} has {needed} decimals in the file, and "
            f"{found.exponents} in the archive of {month.number}, which never changes",
            "Import it under another --symbol",
        )
    _widen(month.shard.db, found.number, found.exponents, exponents)
    return found.number, exponents


def _widen(db: Connection, number: int, before: Exponents, exponents: Exponents) -> None:
    # SQL would make a float of what overflows.
    factors = [10 ** (exponents[at] - before[at]) for at in range(3)]
    low = number << IDX_BITS
    keys = (low, low | ((1 << IDX_BITS) - 1))
    (largest,) = db.execute(LARGEST, keys).fetchall()
    for most, factor in zip(largest, factors, strict=True):
        if (most or 0) * factor >= INT64_LIMIT:
            raise TooFineError(f"{most} does not fit with {factor} times its decimals")
    db.execute(SCALE, (*factors, *keys))
    db.execute(WIDEN, (*exponents, number))


def _rows(
    compared: Compared, writes: Bools, series: int, exponents: Exponents
) -> list[tuple[int, ...]]:
    columns = rescaled(compared.columns[:, writes], compared.exponents, exponents)
    keys = (columns[0] | series << IDX_BITS).tolist()
    numbers = (column.tolist() for column in columns[1:])
    return list(zip(keys, *numbers, [FETCHED] * len(keys), strict=True))


def _record(
    part: Chunk, taken: Taken, compared: Compared, record: tuple[str, Origin], wall_ns: int
) -> tuple[str | int, ...]:
    name, origin = record
    stayed = 0 if origin.replace else int(compared.differing.sum())
    return (
        name, origin.source, origin.source_sha256, part.symbol, part.timeframe, part.bars,
        taken.added, taken.equal, stayed, taken.replaced, wall_ns,
    )  # fmt: skip


def _too_fine(part: Chunk, month: int, error: TooFineError) -> ShardError:
    return ShardError(
        f"{part.symbol} {part.timeframe} in {month}: 64 bits do not hold the bars of the file "
        f"and those that are there in the same decimals: {error}",
        "Look at the largest numbers of the file, or import it under another --symbol",
    )
