"""A place with a closed month, as the tests of archives use it."""

from pathlib import Path
from typing import Any

import apsw

from bus.chunks import decode_bars, decode_ticks
from bus.clock import ManualClock
from services.writer.archive_files import Manifest, archive_path, live_path, trash_dir
from services.writer.archiving import archive_month
from services.writer.market_store import MarketStore
from services.writer.retiring import retire_month
from tests.services.market_desk import BAR, MINUTE_NS, TRADE, at, bar, kept, store, trade

JANUARY, FEBRUARY = 202601, 202602
WORLD = "w"
START = at("2026-01-10T00:00:00")

Rows = dict[tuple[str, int], tuple[int, ...]]
"""All rows of a month by what they are and their key, as a reader finds them."""


def opened(place: Path) -> MarketStore:
    """Return the writer's store of a place, which is made when it is not there."""
    (place / "db").mkdir(parents=True, exist_ok=True)
    return store(place / "db", WORLD)


def fill(place: Path, bars: int = 700, ticks: int = 60) -> None:
    """Write January and the first bar of February, and close the files."""
    writer = opened(place)
    said = [
        bar(START + n * MINUTE_NS, symbol, volume=100 + n, open=6400010 + n % 7)
        for n in range(bars)
        for symbol in ("BTC/USDT", "ETH/USDT")
    ]
    writer.commit(kept(*said), {BAR: 1})
    writer.commit(kept(*[trade(n + 1, START + n) for n in range(ticks)]), {TRADE: 1, BAR: 1})
    writer.commit(kept(bar(at("2026-02-01T00:00:00"))), {BAR: 2, TRADE: 1})
    writer.close()


def add_late(place: Path, minute: int, **changes: Any) -> None:
    """Write one bar of January after January is over."""
    writer = opened(place)
    pos = writer.cursors()[BAR]
    writer.commit(kept(bar(START + minute * MINUTE_NS, **changes)), {BAR: pos + 1, TRADE: 1})
    writer.close()


def archive(place: Path, month: int = JANUARY) -> Manifest:
    """Archive a month."""
    return archive_month(place, month, ManualClock())


def retire(place: Path, month: int = JANUARY) -> str:
    """Retire a month of which nothing is open."""
    return retire_month(place, month, WORLD, ManualClock())


def live_rows(path: Path) -> Rows:
    """Return what a live file holds."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found: Rows = {("bar", row[0]): row[:9] for row in db.execute("SELECT * FROM bar")}
    found |= {("tick", row[0]): row[:5] for row in db.execute("SELECT * FROM tick")}
    db.close()
    return found


def archived_rows(path: Path) -> Rows:
    """Return what an archive holds."""
    uri = f"{path.as_uri()}?mode=ro&immutable=1"
    db = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    sealed = "SELECT codec, crc, body FROM {}_chunk ORDER BY k"
    bars = decode_bars(list(db.execute(sealed.format("bar")))).tolist()
    ticks = decode_ticks(list(db.execute(sealed.format("tick")))).tolist()
    db.close()
    found: Rows = {("bar", row[0]): tuple(row) for row in bars}
    return found | {("tick", row[0]): tuple(row) for row in ticks}


def seen(place: Path, month: int = JANUARY) -> Rows:
    """Return what a reader sees of a month: live rows over archived ones."""
    found: Rows = {}
    if archive_path(place, month).exists():
        found |= archived_rows(archive_path(place, month))
    if live_path(place, month).exists():
        found |= live_rows(live_path(place, month))
    return found


def trashed(place: Path) -> list[str]:
    """Return the names of the files in the trash."""
    return sorted(path.name for path in trash_dir(place).glob("*"))
