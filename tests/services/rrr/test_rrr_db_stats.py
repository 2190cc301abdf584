"""`rrr db stats`: what it tells of a shard is what is there, in the time that it is given."""

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from bus.clock import SystemClock
from bus.migrations import KINDS
from bus.shard import open_writer
from services.rrr.db_stats_file import TableStats, file_stats
from tests.services.rrr.export_desk import FILLS, MONTHS, NASTY, Desk
from tests.services.writer import archive_desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def told(desk: Desk, *words: str) -> Any:
    done = desk.rrr("stats", *words, "--json")
    assert done.code == 0, done.err
    return done.told


def table(file: Any, name: str) -> Any:
    return next(one for one in file["tables"] if one["name"] == name)


def test_it_counts_what_is_there(desk: Desk) -> None:
    desk.fill(*FILLS)
    found = told(desk)
    assert found["world"] == desk.house.world
    assert [file["file"] for file in found["files"]] == [
        "trading.db", f"{MONTHS[1]}.db", f"{MONTHS[0]}.db", "analytics.db", "backtest.db",
    ]  # fmt: skip
    for file in found["files"]:
        path = desk.house.db_dir / file["file"]
        assert file["bytes"] == path.stat().st_size == file["pages"] * file["page_size"]
        assert file["complete"] and file["fragmentation_from"] == "dbstat"
        assert sum(one["bytes"] for one in file["tables"]) <= file["bytes"]
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as db:
            for one in file["tables"]:
                ((rows,),) = db.execute(f"SELECT count(*) FROM {one['name']}").fetchall()
                assert (one["rows"], one["exact"]) == (rows, True)
    totals = found["totals"]
    assert totals["bytes"] == sum(file["bytes"] for file in found["files"])
    assert totals["candles"] == 2 * 703


def test_candles_have_their_times_and_sizes(desk: Desk) -> None:
    desk.fill("market")
    newest, oldest = told(desk, "market")["files"]
    assert (oldest["first"], oldest["last"]) == ("2026-01-31T00:00:00Z", "2026-01-31T11:39:00Z")
    assert newest["first"] == "2026-02-01T00:00:00Z"
    assert oldest["candles"] == 703
    assert oldest["bytes_per_candle"] == round(table(oldest, "bar")["bytes"] / 703, 2)


def test_an_archive_tells_of_its_chunks(desk: Desk) -> None:
    archive_desk.fill(desk.house.world_dir)
    archive_desk.archive(desk.house.world_dir)
    archive_desk.retire(desk.house.world_dir)
    live, archive = told(desk, "market")["files"]
    assert (live["kind"], archive["kind"]) == ("live", "archive")
    assert archive["candles"] == 1400
    assert archive["first"] == "2026-01-10T00:00:00Z"
    assert archive["last"] == "2026-01-10T11:39:00Z"
    assert 0 < archive["bytes_per_candle"] < 42


def test_history_is_told_of_when_it_is_asked_for(desk: Desk) -> None:
    desk.fill("market")
    archive_desk.fill(desk.house.home / "data" / "historical" / "binance")
    assert {file["kind"] for file in told(desk)["files"]} == {"live"}
    found = told(desk, "market", "--history")["files"]
    assert [file["kind"] for file in found] == ["live", "live", "history", "history"]
    assert found[-1]["world"] == archive_desk.WORLD


def test_the_log_is_told_as_far_as_it_is_not_in_the_file(desk: Desk) -> None:
    desk.fill("trading")
    shard = open_writer(KINDS["trading"], desk.file("trading"), desk.house.world)
    try:
        with shard.transaction() as db:
            db.execute("UPDATE stream_position SET pos = pos + 1 WHERE stream = 'ingest.bar'")
        (file,) = told(desk, "trading")["files"]
        assert file["wal_bytes"] >= file["wal_pending_bytes"] > 4096
        assert shard.checkpoint()
        (file,) = told(desk, "trading")["files"]
        assert file["wal_pending_bytes"] == 0 < file["wal_bytes"]
        with shard.transaction() as db:  # Nobody holds the writer up.
            db.execute("UPDATE stream_position SET pos = pos + 1 WHERE stream = 'ingest.bar'")
        assert shard.checkpoint(truncate=True)
    finally:
        shard.close()


def test_deleted_rows_show_as_free_pages_and_fragments(desk: Desk) -> None:
    desk.write("backtest", "backtest", {
        "dead_letter": [(n, n, "t", "r", os.urandom(3000)) for n in range(200)],
    })  # fmt: skip
    (full,) = told(desk, "backtest")["files"]
    shard = open_writer(KINDS["backtest"], desk.file("backtest"), desk.house.world)
    with shard.transaction() as db:
        db.execute("DELETE FROM dead_letter WHERE id % 2 OR id > 100")
    shard.close()
    (file,) = told(desk, "backtest")["files"]
    assert file["free_pages"] > 50 > full["free_pages"]
    assert file["fragmentation"] > 0


def test_without_time_it_shows_what_it_has(desk: Desk) -> None:
    many = [(n, n + 1, text, text, b"x" * 900) for n in range(60_000) for text in NASTY[1:2]]
    desk.write("backtest", "backtest", {"dead_letter": many})
    stats = file_stats(KINDS["backtest"], desk.file("backtest"), "live", SystemClock(), 1)
    assert stats is not None
    assert not stats.complete and stats.fragmentation_from == "freelist"
    assert stats.bytes > 50_000_000 and stats.pages > 10_000
    found = {one.name: one for one in stats.tables}
    assert found["dead_letter"] == TableStats("dead_letter", 60_000, exact=True)
    assert stats.first == "1970-01-01T00:00:00.000000001Z"


def test_a_person_reads_it_line_by_line(desk: Desk) -> None:
    desk.fill("market")
    done = desk.rrr("stats", "market")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].startswith(f"{MONTHS[1]}.db  market, live, version ")
    assert "703 candles" in done.out
    assert lines[-1].startswith("2 files, ")


@pytest.mark.parametrize(
    "words", [["news"], ["trading", "--time-limit-ms", "0"], ["--more"]], ids=" ".join
)
def test_what_cannot_be_meant_of_stats_is_usage(desk: Desk, words: list[str]) -> None:
    desk.fill("trading")
    assert desk.rrr("stats", *words).code == 2


def test_without_any_shard_it_is_not_ready_yet(desk: Desk) -> None:
    done = desk.rrr("stats")
    assert done.code == 3
    assert "rrr status" in done.err


def test_a_foreign_and_a_newer_file_are_named(desk: Desk) -> None:
    desk.fill("backtest", "trading")
    with closing(apsw.Connection(str(desk.file("trading")))) as db:
        db.pragma("user_version", 99)
    done = desk.rrr("stats")
    assert done.code == 5 and "newer code" in done.err
    desk.file("trading").write_bytes(b"no database at all" * 100)
    done = desk.rrr("stats")
    assert done.code == 5 and "trading.db" in done.err
