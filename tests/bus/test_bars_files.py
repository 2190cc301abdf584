"""Reading bars while files come and go: none is lost, none doubled, and what is wrong is said."""

import shutil
from pathlib import Path

import pytest

from bus.bars import open_bars
from bus.columns import BAR_COLUMNS
from bus.errors import ShardError
from bus.shard import Connection, open_writer
from tests.bus.month_rig import KIND, Place, at, bars
from tests.bus.month_world import BTC, ETH


def test_a_month_that_goes_into_the_archive_is_read_from_there(tmp_path: Path) -> None:
    place, rows = Place(tmp_path / "w"), bars(BTC, "1m", "2026-01-01T00:00:00", 700)
    path = place.live(rows)
    with open_bars(place.db_dir) as early, open_bars(place.db_dir) as late:
        before = early.last(BTC, "1m", 700).rows()
        place.archive(rows)
        assert early.last(BTC, "1m", 700).rows() == before
        (place.db_dir / ".trash").mkdir()
        path.rename(place.db_dir / ".trash" / path.name)
        assert early.last(BTC, "1m", 700).rows() == before
        assert late.last(BTC, "1m", 700).rows() == before
        assert early.at(BTC, "1m", rows[5].open_ns) is not None
        assert [file.archived for file in early.files.by_month[202601]] == [True]


def test_an_archive_that_is_made_anew_is_seen(tmp_path: Path) -> None:
    place, rows = Place(tmp_path / "w"), bars(BTC, "1m", "2026-01-01T00:00:00", 600)
    place.archive(rows[:-1])
    with open_bars(place.db_dir) as reader:
        assert reader.count(BTC, "1m") == 599
        place.archive(rows)
        assert reader.count(BTC, "1m") == 600
        assert reader.at(BTC, "1m", rows[-1].open_ns) is not None


def test_a_file_that_goes_between_a_look_and_its_opening_is_looked_for_again(
    tmp_path: Path,
) -> None:
    place = Place(tmp_path / "w")
    rows = bars(BTC, "1m", "2026-01-01T00:00:00", 50)
    place.live(bars(BTC, "1m", "2026-02-01T00:00:00", 1))
    path = place.live(rows)
    with open_bars(place.db_dir) as reader:
        reader.files._settled = True
        place.archive(rows)
        path.unlink()
        reader.files._seen = [
            directory.stat().st_mtime_ns for directory, _ in reader.files._directories
        ]
        assert reader.count(BTC, "1m") == 51


def test_what_a_writer_adds_is_seen_by_a_reader_that_stays(tmp_path: Path) -> None:
    place, rows = Place(tmp_path / "w"), bars(BTC, "1m", "2026-01-31T23:59:00", 3)
    place.live(rows[:1])
    with open_bars(place.db_dir) as reader:
        assert reader.count(BTC, "1m") == 1
        place.live(rows[1:2])
        assert reader.count(BTC, "1m") == 2
        place.live(bars(ETH, "1m", "2026-02-01T00:02:00", 1))
        assert len(reader.last(ETH, "1m", 5)) == 1


def test_a_file_that_is_being_made_is_passed_over_until_it_is_whole(tmp_path: Path) -> None:
    place = Place(tmp_path / "w")
    place.live(bars(BTC, "1m", "2026-01-01T00:00:00", 3))
    half = Connection(str(place.db_dir / "market_data_2026_02.db"))
    half.pragma("journal_mode", "wal")
    half.close()
    with open_bars(place.db_dir) as reader:
        assert reader.count(BTC, "1m") == 3
        place.live(bars(BTC, "1m", "2026-02-01T00:00:00", 2))
        assert reader.count(BTC, "1m") == 5


def test_what_is_no_directory_is_named(tmp_path: Path) -> None:
    place = Place(tmp_path / "w")
    place.live(bars(BTC, "1m", "2026-01-01T00:00:00", 3))
    place.archives.rmdir()
    place.archives.write_text("")
    with pytest.raises(ShardError, match="archive/market cannot be listed"):
        open_bars(place.db_dir)


def test_a_foreign_file_and_one_of_newer_code_are_named(tmp_path: Path) -> None:
    place = Place(tmp_path / "w")
    path = place.live(bars(BTC, "1m", "2026-01-01T00:00:00", 1))
    other = Connection(str(place.archives / "market_data_2025_01.arc.db"))
    other.execute("CREATE TABLE mine (a)")
    other.close()
    with open_bars(place.db_dir) as reader:
        assert len(reader.last(BTC, "1m", 1)) == 1
        with pytest.raises(ShardError, match="is no market shard"):
            reader.last(BTC, "1m", 2)
    db = Connection(str(path))
    db.pragma("user_version", 99)
    db.close()
    with pytest.raises(ShardError, match="newer code"):
        open_bars(place.db_dir)


def test_a_damaged_chunk_is_told_and_not_read(tmp_path: Path) -> None:
    place = Place(tmp_path / "w")
    path = place.archive(bars(BTC, "1m", "2026-01-01T00:00:00", 40))
    db = Connection(str(path))
    db.execute(
        "UPDATE bar_chunk SET body = cast(substr(body, 1, length(body) - 1) || x'ff' AS BLOB)"
    )
    db.close()
    with open_bars(place.db_dir) as reader, pytest.raises(ShardError, match="damaged"):
        reader.last(BTC, "1m", 40, BAR_COLUMNS)


def test_where_no_market_is_yet_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="no market shard"):
        open_bars(tmp_path / "db")
    place = Place(tmp_path / "w")
    half = Connection(str(place.db_dir / "market_data_2026_02.db"))
    half.pragma("journal_mode", "wal")
    half.close()
    with pytest.raises(ShardError, match="no market shard"):
        open_bars(place.db_dir)


def test_reading_holds_no_writer_up(tmp_path: Path) -> None:
    place = Place(tmp_path / "w")
    path = place.live(bars(BTC, "1m", "2026-01-01T00:00:00", 3))
    with open_bars(place.db_dir) as reader:
        reader.last(BTC, "1m", 3)
        reader.at(BTC, "1m", at("2026-01-01T00:00:00"))
        shard = open_writer(KIND, path, "w")
        with shard.transaction() as db:
            db.execute("DELETE FROM bar")
        assert shard.checkpoint(truncate=True)
        assert shard.file_bytes() == 0
        assert len(reader.last(BTC, "1m", 3)) == 0
        shard.close()


def test_a_place_can_be_copied_away_under_a_reader(tmp_path: Path) -> None:
    place = Place(tmp_path / "w")
    place.live(bars(BTC, "1m", "2026-01-01T00:00:00", 3))
    with open_bars(place.db_dir) as reader:
        shutil.rmtree(place.top)
        assert reader.series() == []
