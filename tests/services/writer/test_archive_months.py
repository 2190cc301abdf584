"""A closed month becomes an archive, the archive is proven, and the month leaves."""

import json
import os
from pathlib import Path

import apsw
import pytest

from bus.clock import ManualClock
from bus.errors import BusyError, ShardError
from bus.lease import Lease
from bus.migrations import KINDS, steps
from bus.month_names import archive_dir
from bus.shard import open_writer
from schema.market import FeedGap
from services.writer import archive_build
from services.writer.archive_files import (
    archive_path,
    live_path,
    manifest_path,
    read_manifest,
    sha256_of,
)
from services.writer.archiving import archive_month, run
from services.writer.late import last_edit
from tests.services.market_desk import BAR, FEED, TRADE, at, bar, kept, rows, trade
from tests.services.writer.archive_desk import (
    JANUARY,
    START,
    WORLD,
    add_late,
    archive,
    archived_rows,
    fill,
    live_rows,
    opened,
    retire,
    seen,
    trashed,
)

NUMBERS = "SELECT id, symbol, timeframe FROM market_data_2026_01.series ORDER BY id"


def test_an_archive_holds_exactly_the_rows_of_its_month(tmp_path: Path) -> None:
    fill(tmp_path)
    before = seen(tmp_path)
    manifest = archive(tmp_path)
    path = archive_path(tmp_path, JANUARY)
    assert archived_rows(path) == before == live_rows(live_path(tmp_path, JANUARY))
    assert (manifest.rev, manifest.rows) == (1, 2 * 700 + 60)
    assert (manifest.sha256, manifest.bytes) == (sha256_of(path), path.stat().st_size)
    assert [(one.symbol, one.timeframe, one.rows) for one in (*manifest.bars, *manifest.ticks)] == [
        ("BTC/USDT", "1m", 700),
        ("ETH/USDT", "1m", 700),
        ("BTC/USDT", "ticks", 60),
    ]
    assert path.stat().st_mode & 0o777 == 0o444
    assert path.read_bytes()[18:20] == b"\1\1"  # No write-ahead log: it is read as it lies.
    assert json.loads(manifest_path(tmp_path, JANUARY).read_bytes())["rev"] == 1
    left = sorted(path.name for path in archive_dir(tmp_path).iterdir())
    assert left == ["market_data_2026_01.arc.db", "market_data_2026_01.json"]


def test_a_retired_month_is_whole_in_its_archive_and_in_the_trash(tmp_path: Path) -> None:
    fill(tmp_path)
    before = seen(tmp_path)
    archive(tmp_path)
    assert retire(tmp_path) == "2026-01 is read from its archive now"
    assert seen(tmp_path) == before
    assert not live_path(tmp_path, JANUARY).exists()
    assert trashed(tmp_path) == ["market_data_2026_01.r1.db"]
    assert live_rows(tmp_path / "db" / ".trash" / "market_data_2026_01.r1.db") == before
    assert retire(tmp_path) == "2026-01 is read from its archive already"


def test_every_table_goes_over_or_is_left_out_by_name(tmp_path: Path) -> None:
    fill(tmp_path, bars=5, ticks=1)
    db = apsw.Connection(str(live_path(tmp_path, JANUARY)))
    names = {row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    db.close()
    known = {*archive_build.COPIED, *archive_build.MADE, *archive_build.LEFT}
    assert {name for name in names if not name.startswith("sqlite_")} == known


def test_what_the_month_says_of_itself_goes_over(tmp_path: Path) -> None:
    writer = opened(tmp_path)
    gap = FeedGap(
        ts_event=START, symbol="BTC/USDT", first_trade_id=3, last_trade_id=9, filled=False,
        reason="lost",
    )  # fmt: skip
    writer.commit(kept(bar(START), bar(START, open=-1), gap), {BAR: 1, FEED: 1})
    writer.commit(kept(bar(at("2026-02-01T00:00:00"))), {BAR: 2, FEED: 1})
    writer.close()
    archive(tmp_path)
    db = apsw.Connection(str(archive_path(tmp_path, JANUARY)), flags=apsw.SQLITE_OPEN_READONLY)
    assert list(db.execute("SELECT symbol, last_trade_id, reason FROM feed_gap")) == [
        ("BTC/USDT", 9, "lost")
    ]
    assert list(db.execute("SELECT type FROM dead_letter")) == [("Bar",)]
    assert list(db.execute("SELECT bars, from_trades FROM candlestick_metadata")) == [(1, 1)]
    said = dict(db.execute("SELECT key, value FROM meta WHERE key IN ('world', 'followed_by')"))
    assert said == {"world": WORLD, "followed_by": "202602"}
    assert db.pragma("application_id") == KINDS["market"].application_id
    assert db.pragma("user_version") == len(steps(KINDS["market"]))
    db.close()


def test_late_rows_make_a_small_file_that_the_next_revision_takes_in(tmp_path: Path) -> None:
    fill(tmp_path)
    archive(tmp_path)
    retire(tmp_path)
    before = seen(tmp_path)
    add_late(tmp_path, 3, volume=99_999)  # A correction of one, and one that was not there.
    add_late(tmp_path, 5000)
    small = live_rows(live_path(tmp_path, JANUARY))
    assert len(small) == 2
    expected = before | small
    assert seen(tmp_path) == expected
    manifest = archive(tmp_path)
    assert (manifest.rev, manifest.rows) == (2, len(before) + 1)
    assert archived_rows(archive_path(tmp_path, JANUARY)) == expected
    retire(tmp_path)
    assert seen(tmp_path) == expected
    assert trashed(tmp_path) == ["market_data_2026_01.r1.db", "market_data_2026_01.r2.db"]


def test_late_rows_of_new_and_old_series_get_the_keys_of_the_archive(tmp_path: Path) -> None:
    fill(tmp_path)
    archive(tmp_path)
    retire(tmp_path)
    writer = opened(tmp_path)
    late = [bar(START, "SOL/USDT"), bar(START + 60_000_000_000, "ETH/USDT"), trade(7, START)]
    writer.commit(kept(*late), {BAR: 9, TRADE: 9})
    numbers = rows(tmp_path / "db", NUMBERS)
    writer.close()
    assert numbers == [
        (1, "BTC/USDT", "1m"), (2, "ETH/USDT", "1m"), (3, "BTC/USDT", "ticks"),
        (4, "SOL/USDT", "1m"),
    ]  # fmt: skip
    manifest = archive(tmp_path)
    assert [one.symbol for one in manifest.bars] == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
    assert [one.rows for one in manifest.bars] == [700, 700, 1]


def test_a_month_that_was_written_to_since_stays(tmp_path: Path) -> None:
    fill(tmp_path)
    archive(tmp_path)
    add_late(tmp_path, 5000)
    before = seen(tmp_path)
    with pytest.raises(ShardError, match="2026-01 was written to since it was archived"):
        retire(tmp_path)
    assert seen(tmp_path) == before
    assert live_path(tmp_path, JANUARY).exists()
    archive(tmp_path)
    retire(tmp_path)
    assert seen(tmp_path) == before


def test_a_repeat_of_rows_that_are_there_is_no_edit(tmp_path: Path) -> None:
    fill(tmp_path)
    add_late(tmp_path, 5000)
    archive(tmp_path)
    add_late(tmp_path, 5000)
    retire(tmp_path)
    assert trashed(tmp_path) == ["market_data_2026_01.r1.db"]


def test_each_edit_of_an_older_month_has_another_name(tmp_path: Path) -> None:
    fill(tmp_path, bars=3, ticks=0)
    names = set()
    for minute in (10, 11, 12):
        add_late(tmp_path, minute)
        shard = open_writer(KINDS["market"], live_path(tmp_path, JANUARY), WORLD)
        names.add(last_edit(shard.db))
        shard.close()
    assert len(names) == 3
    assert "" not in names


def test_progress_goes_on_from_block_to_block_until_all_is_done(tmp_path: Path) -> None:
    fill(tmp_path)
    shares: list[float] = []
    archive_month(tmp_path, JANUARY, ManualClock(), shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 4


def test_the_job_says_what_it_did(tmp_path: Path) -> None:
    fill(tmp_path, bars=5, ticks=1)
    args = {"place": str(tmp_path), "month": str(JANUARY)}
    said = run(args, lambda _share: None)
    assert said.startswith("2026-01 is archived as revision 1: 11 rows in ")


def test_two_never_build_at_once(tmp_path: Path) -> None:
    fill(tmp_path, bars=5, ticks=1)
    archive_dir(tmp_path).mkdir(parents=True)
    other = Lease(archive_dir(tmp_path) / ".lease")
    assert other.take()
    with pytest.raises(BusyError, match=f"process {os.getpid()} builds an archive"):
        archive(tmp_path)
    other.release()
    assert archive(tmp_path).rev == 1


def test_a_month_without_a_file_is_not_archived(tmp_path: Path) -> None:
    fill(tmp_path, bars=5, ticks=1)
    with pytest.raises(ShardError, match="2025-12 has no file"):
        archive(tmp_path, 202512)
    with pytest.raises(ShardError, match="there is no month 2025-12"):
        retire(tmp_path, 202512)
    assert read_manifest(tmp_path, 202512) is None
