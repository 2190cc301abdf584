"""A shard as a file: made, opened, refused, full, migrated, and read by others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bus import migrations
from bus.clock import ManualClock
from bus.errors import ShardError
from bus.migrations import KINDS, Kind
from bus.reading import attach, guard, open_reader, select
from bus.shard import (
    Connection,
    check_version,
    is_made,
    open_writer,
)

MARKET, TRADING = KINDS["market"], KINDS["trading"]
LETTER = "INSERT INTO dead_letter VALUES (NULL, 0, 't', 'r', ?)"


def test_a_new_shard_has_its_tables_world_version_and_carried_positions(tmp_path: Path) -> None:
    shard = open_writer(MARKET, tmp_path / "m.db", "w", {"ingest.bar": 7})
    assert shard.db.pragma("application_id") == MARKET.application_id
    assert shard.db.pragma("user_version") == len(migrations.steps(MARKET))
    assert shard.db.execute("SELECT * FROM stream_position").fetchall() == [("ingest.bar", 7)]
    names = [name for (name,) in shard.db.execute("SELECT name FROM migration ORDER BY name")]
    assert names == [file.name for file in migrations.steps(MARKET)]
    shard.close()


@pytest.mark.parametrize(("kind", "synchronous"), [(MARKET, 1), (TRADING, 2)])
def test_settings_of_a_connection_stand_as_the_shard_asks(
    tmp_path: Path, kind: Kind, synchronous: int
) -> None:
    shard = open_writer(kind, tmp_path / "s.db", "w")
    found = {
        name: shard.db.pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys")
    }
    assert found == {"journal_mode": "wal", "synchronous": synchronous, "foreign_keys": 1}
    assert shard.db.pragma("wal_autocheckpoint") == 0
    shard.close()


def test_every_table_is_strict(tmp_path: Path) -> None:
    for kind in KINDS.values():
        shard = open_writer(kind, tmp_path / f"{kind.name}.db", "w")
        loose = shard.db.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' "
            "AND NOT strict AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        assert loose == []
        shard.close()


def test_a_value_of_another_type_is_refused(tmp_path: Path) -> None:
    shard = open_writer(MARKET, tmp_path / "m.db", "w")
    with pytest.raises(ShardError), shard.transaction() as db:
        db.execute("INSERT INTO tick_hwm VALUES (1, 1.5, 2)")
    shard.close()


def test_a_transaction_that_raises_leaves_nothing(tmp_path: Path) -> None:
    shard = open_writer(MARKET, tmp_path / "m.db", "w")
    with pytest.raises(TypeError), shard.transaction() as db:
        db.executemany(LETTER, [(b"",), (object(),)])
    assert shard.db.execute("SELECT count(*) FROM dead_letter").fetchall() == [(0,)]
    assert not shard.db.in_transaction
    shard.close()


def test_a_full_disk_is_said_as_such_and_the_shard_works_on_afterwards(tmp_path: Path) -> None:
    shard = open_writer(TRADING, tmp_path / "t.db", "w")
    shard.db.pragma("max_page_count", shard.db.pragma("page_count") + 2)
    with pytest.raises(ShardError, match="cannot grow") as refused, shard.transaction() as db:
        db.execute(LETTER, (bytes(100_000),))
    assert refused.value.exit_code == 75
    assert "disk space" in refused.value.hint
    shard.db.pragma("max_page_count", 1_000_000)
    with shard.transaction() as db:
        db.execute(LETTER, (bytes(100_000),))
    assert shard.db.execute("SELECT count(*) FROM dead_letter").fetchall() == [(1,)]
    shard.close()


def test_a_foreign_file_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    other = Connection(str(path))
    other.execute("CREATE TABLE mine (a)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(ShardError, match="is no market shard") as refused:
        open_writer(MARKET, path, "w")
    assert refused.value.exit_code == 78
    assert path.read_bytes() == before


@pytest.mark.parametrize("what", ["a directory", "a link", "no file"])
def test_what_is_no_file_of_its_own_is_named_and_stays(tmp_path: Path, what: str) -> None:
    path, other = tmp_path / "m.db", tmp_path / "other.db"
    open_writer(MARKET, other, "w").close()
    {"a directory": path.mkdir, "no file": lambda: os.mkfifo(path)}.get(
        what, lambda: path.symlink_to(other)
    )()
    for open_it in (lambda: open_writer(MARKET, path, "w"), lambda: is_made(path)):
        with pytest.raises(ShardError, match=f"m.db is {what}, expected a file") as refused:
            open_it()
        assert refused.value.exit_code == 78
        assert "Move it away" in refused.value.hint


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(ShardError, match="damaged"):
        open_writer(MARKET, path, "w")


def test_a_shard_of_newer_code_is_refused_with_the_fix(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    shard = open_writer(MARKET, path, "w")
    shard.db.pragma("user_version", 99)
    shard.close()
    with pytest.raises(ShardError, match="newer code") as refused:
        open_writer(MARKET, path, "w")
    assert refused.value.exit_code == 78
    with pytest.raises(ShardError, match="newer code"):
        attach(open_reader(), MARKET, path, "m")


def test_a_shard_with_other_migrations_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    shard = open_writer(MARKET, path, "w")
    shard.db.execute("UPDATE migration SET name = '0001_of_a_branch.sql' WHERE name LIKE '0001%'")
    shard.close()
    with pytest.raises(ShardError, match="of_a_branch") as refused:
        open_writer(MARKET, path, "w")
    assert refused.value.exit_code == 78


def test_a_shard_of_another_world_is_refused_and_both_are_named(tmp_path: Path) -> None:
    open_writer(MARKET, tmp_path / "m.db", "replay-1").close()
    with pytest.raises(ShardError, match=r"replay-1.*paper-binance") as refused:
        open_writer(MARKET, tmp_path / "m.db", "paper-binance")
    assert refused.value.exit_code == 78


def test_a_file_whose_maker_was_killed_is_not_made_and_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    half = Connection(str(path))
    half.pragma("journal_mode", "wal")
    half.close()
    assert not is_made(path)
    reader = open_reader()
    assert not attach(reader, MARKET, path, "m")
    open_writer(MARKET, path, "w").close()
    assert is_made(path)
    assert attach(reader, MARKET, path, "m")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes where nobody may")
def test_a_read_only_directory_is_refused_before_anything_starts(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ShardError, match="cannot be opened") as refused:
        open_writer(MARKET, tmp_path / "m.db", "w")
    assert refused.value.exit_code == 78


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="cannot be opened") as refused:
        open_writer(MARKET, tmp_path / "none" / "m.db", "w")
    assert refused.value.exit_code == 78


def test_a_fork_cannot_write(tmp_path: Path) -> None:
    shard = open_writer(MARKET, tmp_path / "m.db", "w")
    shard._pid += 1
    with pytest.raises(ShardError, match="fork"), shard.transaction():
        raise AssertionError
    shard._pid -= 1
    shard.close()


def test_an_old_sqlite_is_refused() -> None:
    check_version("3.51.3")
    with pytest.raises(ShardError, match=r"3\.40\.1"):
        check_version("3.40.1")


def test_a_second_writer_that_ignores_the_lease_is_told_so(tmp_path: Path) -> None:
    first = open_writer(MARKET, tmp_path / "m.db", "w")
    second = open_writer(MARKET, tmp_path / "m.db", "w")
    second.db.set_busy_timeout(1)
    with (
        first.transaction(),
        pytest.raises(ShardError, match="locked by another") as refused,
        second.transaction(),
    ):
        raise AssertionError
    assert refused.value.exit_code == 75
    second.close()
    first.close()


def _reading(path: Path) -> Connection:
    db = open_reader()
    assert attach(db, MARKET, path, "m")
    guard(db, ManualClock(), 1000)
    return db


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO m.meta VALUES ('a', 'b')",
        "DELETE FROM m.bar",
        "CREATE TABLE t (a)",
        "CREATE TEMP TABLE t (a)",
        "DROP TABLE m.bar",
        "ATTACH 'other.db' AS o",
        "PRAGMA query_only = OFF",
        "PRAGMA m.user_version = 3",
        "SELECT 1; DELETE FROM m.bar",
        "VACUUM m",
    ],
)
def test_a_reader_can_only_read(tmp_path: Path, sql: str) -> None:
    shard = open_writer(MARKET, tmp_path / "m.db", "w")
    with pytest.raises(ShardError, match="only reads") as refused:
        list(select(_reading(shard.path), sql))
    assert refused.value.exit_code == 1
    shard.close()


def test_a_query_beyond_its_time_is_ended(tmp_path: Path) -> None:
    shard = open_writer(MARKET, tmp_path / "m.db", "w")
    clock = ManualClock()
    db = open_reader()
    attach(db, MARKET, shard.path, "m")
    guard(db, clock, 1000)
    clock.advance(2_000_000_000)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with pytest.raises(ShardError, match="longer than it may"):
        list(select(db, endless))
    shard.close()


def test_a_wrong_query_is_explained(tmp_path: Path) -> None:
    shard = open_writer(MARKET, tmp_path / "m.db", "w")
    with pytest.raises(ShardError, match="no such column: absent"):
        list(select(_reading(shard.path), "SELECT absent FROM m.bar"))
    shard.close()


def test_readers_see_commits_and_a_reader_that_holds_the_wal_is_visible(tmp_path: Path) -> None:
    shard = open_writer(MARKET, tmp_path / "a b.db", "w")
    assert shard.checkpoint()
    reader = _reading(shard.path)
    held = select(reader, "SELECT * FROM m.meta UNION ALL SELECT * FROM m.meta")
    next(held)
    with shard.transaction() as db:
        db.execute(LETTER, (bytes(50_000),))
    assert not shard.checkpoint()
    assert shard.wal_bytes() > 50_000
    assert not shard.restart_wal()
    held.close()
    assert list(select(reader, "SELECT count(*) AS n FROM m.dead_letter")) == [{"n": 1}]
    assert shard.checkpoint()
    assert shard.wal_bytes() == 0
    shard.close()


RECOVERY = """
import sys
from bus.clock import SystemClock
from bus.shard import Connection
db = Connection(sys.argv[1])
db.pragma("locking_mode", "exclusive")
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
SystemClock().pause_ms(300)
"""


@pytest.mark.parametrize("kind", [MARKET, TRADING])
def test_a_writer_waits_for_a_reader_that_recovers_the_log_of_a_killed_one(
    tmp_path: Path, kind: Kind
) -> None:
    path = tmp_path / "s.db"
    open_writer(kind, path, "w").close()
    command = [sys.executable, "-c", RECOVERY, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert is_made(path)
        open_writer(kind, path, "w").close()
