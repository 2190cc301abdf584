"""A flipped bit is found where SQLite's own check says ok; copies get checksums when opened."""

import contextlib
import os
from pathlib import Path

import pytest

from bus import checksums, migrations
from bus.checksums import checksums_ok
from bus.errors import ShardError
from bus.migrations import KINDS, Kind
from bus.reading import attach, open_reader
from bus.shard import SUSPECT, Connection, Shard, open_writer

MARKET, TRADING = KINDS["market"], KINDS["trading"]
LETTER = "INSERT INTO dead_letter VALUES (NULL, 0, 't', 'abcdefgh', ?)"
COUNT = "SELECT count(*), sum(length(reason)) FROM dead_letter"


def filled(path: Path) -> None:
    """Make a shard of some hundred pages."""
    shard = open_writer(MARKET, path, "w")
    with shard.transaction() as db:
        db.executemany(LETTER, [(bytes(500),)] * 1000)
    shard.close()


def flip(path: Path) -> int:
    """Change one bit of a value in the middle of a file; return its page."""
    found = bytearray(path.read_bytes())
    at = found.index(b"abcdefgh", len(found) // 2)
    found[at + 3] ^= 4
    path.write_bytes(found)
    return at // 4096 + 1


def plain(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Return what SQLite says without looking at checksums."""
    with contextlib.closing(Connection(str(path), vfs="unix")) as db:
        return db.execute(sql).fetchall()


def unreserved(kind: Kind, path: Path) -> Path:
    """Make a shard as it was before there were checksums."""
    with contextlib.closing(Connection(str(path), vfs="unix")) as db, db:
        migrations.found_shard(db, kind, "w", {})
    return path


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_new_shard_keeps_checksums(tmp_path: Path, kind: object) -> None:
    assert isinstance(kind, type(MARKET))
    shard = open_writer(kind, tmp_path / "s.db", "w")
    assert checksums.kept_in(shard.db)
    shard.close()
    assert checksums_ok(shard.path) == []


def test_a_flipped_bit_is_found_where_sqlite_says_ok(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    filled(path)
    assert checksums_ok(path) == []
    page = flip(path)
    assert plain(path, "PRAGMA integrity_check") == [("ok",)]
    assert checksums_ok(path) == [f"page {page} of {path} does not match its checksum"]


def test_the_writer_stops_at_a_flipped_bit_and_names_the_page(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    filled(path)
    page = flip(path)
    shard = open_writer(MARKET, path, "w")
    with (
        pytest.raises(ShardError, match=f"damaged: page {page} of .*m.db") as refused,
        shard.transaction() as db,
    ):
        db.execute("UPDATE dead_letter SET type = 'u'")
    assert refused.value.exit_code == 74
    assert "restore a backup" in refused.value.hint
    with pytest.raises(ShardError, match=f"page {page}"), shard.reading() as db:
        db.execute(COUNT).fetchall()
    shard.close()


def test_readers_need_no_checksums_to_read(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    filled(path)
    db = open_reader()
    assert attach(db, MARKET, path, "m")
    assert db.execute("SELECT count(*) FROM m.dead_letter").fetchall() == [(1000,)]
    db.close()


def test_a_copy_by_vacuum_into_gets_its_checksums_when_it_is_opened(tmp_path: Path) -> None:
    path, copy = tmp_path / "m.db", tmp_path / "copy.db"
    filled(path)
    plain(path, f"VACUUM INTO '{copy}'")
    assert not checksums.seal(copy, TRADING.application_id)
    shard = open_writer(MARKET, copy, "w")
    assert shard.db.execute(COUNT).fetchall() == [(1000, 8000)]
    shard.close()
    assert checksums_ok(copy) == []
    flip(copy)
    assert len(checksums_ok(copy)) == 1


def test_a_shard_without_checksums_works_as_before(tmp_path: Path) -> None:
    shard = open_writer(MARKET, unreserved(MARKET, tmp_path / "old.db"), "w")
    assert not checksums.kept_in(shard.db)
    with shard.transaction() as db:
        db.execute(LETTER, (b"",))
    shard.close()
    assert checksums_ok(shard.path) == []


def test_a_small_or_foreign_file_has_no_wrong_pages(tmp_path: Path) -> None:
    for name, body in (("empty.db", b""), ("text.db", b"no database" * 100)):
        (tmp_path / name).write_bytes(body)
        assert checksums_ok(tmp_path / name) == []


def suspect(path: Path) -> Shard:
    """Open a shard whose disk failed the last time."""
    Path(f"{path}{SUSPECT}").write_text("disk I/O error\n")
    return open_writer(MARKET, path, "w")


def test_a_shard_whose_disk_failed_is_checked_before_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    filled(path)
    suspect(path).close()
    assert not Path(f"{path}{SUSPECT}").exists()
    page = flip(path)
    with pytest.raises(ShardError, match=f"whose disk failed before.*page {page}") as refused:
        suspect(path)
    assert refused.value.exit_code == 74
    assert Path(f"{path}{SUSPECT}").exists()


def test_a_log_that_syncs_every_commit_has_its_size_from_the_start(tmp_path: Path) -> None:
    for kind, least in ((TRADING, 1 << 20), (MARKET, 0)):
        shard = open_writer(kind, tmp_path / f"{kind.name}.db", "w")
        assert least <= shard.file_bytes() < least + (1 << 20)
        assert shard.db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'filler'").get == 0
        shard.close()


def test_no_method_of_a_shard_works_in_a_fork(tmp_path: Path) -> None:
    shard = open_writer(MARKET, tmp_path / "m.db", "w")
    shard._pid += 1
    for use in (
        shard.checkpoint,
        shard.restart_wal,
        shard.harden,
        shard.close,
        lambda: shard.db.execute("SELECT 1"),
    ):
        with pytest.raises(ShardError, match=f"fork.*|process {os.getpid() + 1}"):
            use()
    shard._pid -= 1
    shard.close()
