"""What came from files: is each recorded file still there, and is every bar one of theirs?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bus.errors import ShardError
from bus.migrations import KINDS
from bus.shard import Connection
from services.writer.archive_files import archive_path, archived_months, live_months, live_path
from services.writer.history_chunks import chunk_path, read_chunk
from services.writer.proofs import Check, Found, Looked, check, listed, proven, rows_of

MARKET = KINDS["market"]
RECORDED = "SELECT sha256, symbol, timeframe, source FROM import_file ORDER BY sha256"


def import_checks(place: Path, world: str) -> Iterator[Check]:
    """Check the chunk of each file that the months of a place say they are made of."""
    for month in live_months(place):
        file = Looked(MARKET, live_path(place, month), world)
        yield check(file.path.stem, "imports", proven(file, lambda db: _recorded(place, db)))
    for month in archived_months(place):
        file = Looked(MARKET, archive_path(place, month), world)
        yield check(file.path.name, "imports", proven(file, lambda db: _recorded(place, db)))


def _recorded(place: Path, db: Connection) -> Found:
    rows: list[Any] = rows_of(db, RECORDED)
    found = (_fault(place, row) for row in rows)
    return listed([fault for fault in found if fault], f"{len(rows)}, each is there as it was")


def _fault(place: Path, row: tuple[str, str, str, str]) -> str:
    sha256, symbol, timeframe, source = row
    path = chunk_path(place / "imports", sha256)
    try:
        chunk, _ = read_chunk(path)
    except FileNotFoundError:
        return f"{path.name} is gone, which {source} became"
    except ShardError as error:
        return error.what
    said = f"{chunk.symbol} {chunk.timeframe}"
    if said != f"{symbol} {timeframe}":
        return f"{path.name} is of {said}, recorded as {symbol} {timeframe}"
    return ""
