"""A shard is made small while others read it, and stays whole wherever that is cut off."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus import checksums, migrations
from bus.clock import ManualClock
from bus.errors import ShardError
from bus.lease import Lease
from bus.migrations import KINDS
from bus.reading import attach, open_reader
from bus.shard import Connection, Shard, draft_of, open_writer
from services.writer.effects import Chore
from services.writer.file_store import FileStore
from services.writer.folds import fold_of
from services.writer.optimizing import RUNNING_MAX_BYTES, Optimized, at_once, steps
from services.writer.optimizing import optimize as optimizing
from tests.services.market_desk import BAR, LIMITS, bar, kept, store

ANALYTICS = KINDS["analytics"]
LETTER = "INSERT INTO dead_letter VALUES (NULL, 0, 't', 'r', ?)"
COUNT = "SELECT count(*), sum(length(body)) FROM dead_letter"
STEPS = ("analysed", "copied", "checked", "compared", "begun", "taken over", "committed", "folded")


def optimize(shard: Shard, most_bytes: int) -> Optimized:
    """Make one shard small without a pause."""
    (done,) = at_once(optimizing([shard], most_bytes))
    return done


def go_to(doing: Iterator[str], last: str) -> None:
    for step in doing:
        if step == last:
            return
    pytest.fail(f"there is no step {last!r}")


def holed(path: Path) -> Shard:
    """Return a shard most rows of which are gone again."""
    shard = open_writer(ANALYTICS, path, "w")
    with shard.transaction() as db:
        db.executemany(LETTER, [(bytes(1000),)] * 900)
    with shard.transaction() as db:
        db.execute("DELETE FROM dead_letter WHERE id % 3")
    shard.checkpoint(truncate=True)
    return shard


def test_a_shard_becomes_small_and_holds_the_same(tmp_path: Path) -> None:
    shard = holed(tmp_path / "a.db")
    done = optimize(shard, RUNNING_MAX_BYTES)
    assert done.after_bytes == shard.path.stat().st_size < done.before_bytes // 2
    assert shard.db.execute(COUNT).fetchall() == [(300, 300_000)]
    assert shard.db.pragma("application_id") == ANALYTICS.application_id
    assert shard.db.pragma("journal_mode") == "wal"
    with shard.transaction() as db:
        db.execute(LETTER, (b"",))
    assert shard.db.pragma("integrity_check") == "ok"
    shard.close()
    assert checksums.checksums_ok(shard.path) == []
    assert not draft_of(shard.path).exists()


def test_a_shard_without_checksums_gets_them(tmp_path: Path) -> None:
    with contextlib.closing(Connection(str(tmp_path / "old.db"), vfs="unix")) as old, old:
        migrations.found_shard(old, ANALYTICS, "w", {})
        old.executemany(LETTER, [(bytes(1000),)] * 300)
    shard = open_writer(ANALYTICS, tmp_path / "old.db", "w")
    assert not checksums.kept_in(shard.db)
    optimize(shard, RUNNING_MAX_BYTES)
    assert shard.db.execute(COUNT).fetchall() == [(300, 300_000)]
    shard.close()
    shard = open_writer(ANALYTICS, tmp_path / "old.db", "w")
    assert checksums.kept_in(shard.db)
    assert shard.db.pragma("integrity_check") == "ok"
    shard.close()
    assert checksums.checksums_ok(shard.path) == []


def test_a_reader_in_the_middle_of_a_query_reads_on(tmp_path: Path) -> None:
    shard = holed(tmp_path / "a.db")
    reader = open_reader()
    assert attach(reader, ANALYTICS, shard.path, "a")
    rows = reader.execute("SELECT body FROM a.dead_letter")
    next(rows)
    optimize(shard, RUNNING_MAX_BYTES)
    with shard.transaction() as db:
        db.execute("DELETE FROM dead_letter")
    assert [len(body) for (body,) in rows] == [1000] * 299
    assert reader.execute("SELECT count(*) FROM a.dead_letter").fetchall() == [(0,)]
    reader.close()
    shard.close()


def test_a_copy_with_a_fault_never_takes_the_place_of_a_shard(tmp_path: Path) -> None:
    shard = holed(tmp_path / "a.db")
    doing = steps(shard)
    go_to(doing, "copied")
    with draft_of(shard.path).open("r+b") as draft:  # One page more, which nothing leads to.
        pages = int.from_bytes(draft.read(32)[28:])
        draft.seek(28)
        draft.write((pages + 1).to_bytes(4))
        draft.seek(0, os.SEEK_END)
        draft.write(bytes(shard.db.pragma("page_size")))
    with pytest.raises(ShardError, match="never used"):
        go_to(doing, "begun")
    assert shard.db.execute(COUNT).fetchall() == [(300, 300_000)]
    shard.close()


@pytest.mark.parametrize("last", STEPS)
def test_a_shard_is_whole_wherever_it_is_cut_off(tmp_path: Path, last: str) -> None:
    shard = holed(tmp_path / "a.db")
    doing = steps(shard)
    go_to(doing, last)
    doing.close()
    shard.db.close()
    again = open_writer(ANALYTICS, shard.path, "w")
    assert not draft_of(again.path).exists()
    assert again.db.execute(COUNT).fetchall() == [(300, 300_000)]
    assert again.db.pragma("integrity_check") == "ok"
    again.close()
    assert checksums.checksums_ok(again.path) == []


def test_a_copy_that_differs_is_not_taken_over(tmp_path: Path) -> None:
    shard = holed(tmp_path / "a.db")
    doing = steps(shard)
    assert [next(doing), next(doing)] == ["analysed", "copied"]
    with contextlib.closing(Connection(str(draft_of(shard.path)), vfs="unix")) as copy:
        copy.execute("DELETE FROM dead_letter WHERE id = 3")
    assert next(doing) == "checked"
    with pytest.raises(ShardError, match="its tables hold other rows"):
        next(doing)
    assert shard.db.execute(COUNT).fetchall() == [(300, 300_000)]
    shard.close()


def test_a_file_too_big_for_a_running_writer_is_left_alone(tmp_path: Path) -> None:
    shard = holed(tmp_path / "a.db")
    with pytest.raises(ShardError, match="a running writer has the time for") as refused:
        optimize(shard, 1000)
    assert "Stop its writer" in refused.value.hint
    shard.close()


def test_every_open_month_is_optimized_by_a_command(tmp_path: Path) -> None:
    writer = store(tmp_path)
    writer.commit(
        kept(bar(), bar(1_772_000_000_000_000_000 // 60_000_000_000 * 60_000_000_000)), {BAR: 1}
    )
    writer.commit([Chore(request_id="r", verb="optimize", args=("json",))], {BAR: 1})
    assert not writer.answers()
    turns = 0
    while writer.held():
        turns += 1
        writer.idle()
        writer.commit([Chore(request_id="s", verb="retire")], {BAR: 2})
        (refused,) = writer.answers()
        assert "ask again" in refused.text  # type: ignore[attr-defined]
    assert turns > len(STEPS)
    assert writer.cursors() == {BAR: 1}
    (done,) = writer.answers()
    assert done.ok  # type: ignore[attr-defined]
    names = [one["file"] for one in json.loads(done.text)]  # type: ignore[attr-defined]
    assert names == sorted(path.name for path in tmp_path.glob("*.db"))
    writer.close()


def test_a_shard_of_one_file_says_what_became_of_it(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "shard_analytics.lease")
    assert lease.take()
    shard = holed(tmp_path / "a.db")
    writer = FileStore(shard, fold_of("analytics"), lease, ManualClock(), LIMITS)
    told = writer.chores()["optimize"](())
    assert told.startswith("a.db: ")
    assert told.endswith(" after")
    writer.close()
