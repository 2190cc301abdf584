"""`rrr db import`: what was exported comes back to the last bit, and nothing else comes in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bus.rows import read_rows
from tests.services.rrr.export_desk import FILLS, MONTHS, ROOT, Desk, content, exported, files_under
from tests.services.writer import archive_desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("shard", FILLS)
@pytest.mark.parametrize(
    "words",
    [
        ["--format", "sql"],
        ["--format", "sql", "--compress", "zst"],
        ["--format", "csv"],
        ["--format", "csv", "--compress", "gz"],
        ["--format", "parquet"],
    ],
    ids="-".join,
)
def test_a_shard_comes_back_as_it_was(desk: Desk, shard: str, words: list[str]) -> None:
    place = exported(desk, shard, *words)
    back = desk.path / "back"
    done = desk.rrr("import", place, "--to", back, "--json")
    assert done.code == 0, done.err
    stems = MONTHS if shard == "market" else (shard,)
    assert list(files_under(back)) == sorted(f"{stem}.db" for stem in stems)
    for stem in stems:
        assert content(back / f"{stem}.db") == content(desk.file(stem))
    assert done.told["rows"] == sum(file["rows"] for file in done.told["files"]) > 0
    assert list(read_rows(back, shard, "SELECT 1 AS one")) == [{"one": 1}]


@pytest.mark.parametrize("form", ["sql", "csv", "parquet"])
@pytest.mark.parametrize("late", [False, True], ids=["retired", "late rows"])
def test_an_archived_month_comes_back_with_its_rows(desk: Desk, form: str, *, late: bool) -> None:
    world = desk.house.world_dir
    archive_desk.fill(world)
    archive_desk.archive(world)
    archive_desk.retire(world)
    if late:
        archive_desk.add_late(world, 3, volume=7)
        archive_desk.add_late(world, 5000)
    expected = archive_desk.seen(world)
    place, back = desk.path / "out", desk.path / "back"
    assert desk.rrr("export", "market", "--to", place, "--format", form).code == 0
    done = desk.rrr("import", place, "--to", back)
    assert done.code == 0, done.err
    assert archive_desk.live_rows(back / f"{MONTHS[0]}.db") == expected
    ticks = list(read_rows(back, "market", "SELECT * FROM ticks"))
    assert len(ticks) == sum(kind == "tick" for kind, _ in expected)
    marks = content(back / f"{MONTHS[0]}.db")["tick_mark"]
    assert [mark[1:] for mark in marks] == [(1, 60)]


def test_what_is_no_whole_shard_is_refused(desk: Desk) -> None:
    desk.fill("trading")
    chosen, views = desk.path / "chosen", desk.path / "views"
    words = ("export", "trading", "--format", "csv", "--to")
    assert desk.rrr(*words, chosen, "--since", "2026-01-01").code == 0
    assert desk.rrr(*words, views, "--views").code == 0
    for place, found in ((chosen, "a selection"), (views, "views alone"), (desk.path, "no export")):
        done = desk.rrr("import", place, "--to", desk.path / "back")
        assert done.code == 1
        assert found in done.err


def test_some_tables_come_back_as_a_shard_without_the_others(desk: Desk) -> None:
    desk.fill("trading")
    place, back = desk.path / "ledger.sql", desk.path / "back"
    assert desk.rrr("export", "trading", "ledger", "--to", place).code == 0
    assert desk.rrr("import", place, "--to", back).code == 0
    found, whole = content(back / "trading.db"), content(desk.file("trading"))
    assert found["ledger"] == whole["ledger"]
    assert found["orders"] == []
    assert found["meta"] == whole["meta"]


def test_a_live_shard_and_a_full_directory_are_left_alone(desk: Desk) -> None:
    place = exported(desk, "backtest", "--format", "csv")
    before = desk.file("backtest").read_bytes()
    done = desk.rrr("import", place, "--to", desk.house.db_dir)
    assert done.code == 1 and "not empty" in done.err
    empty = desk.house.home / "data" / "paper-other" / "db"
    done = desk.rrr("import", place, "--to", empty)
    assert done.code == 1 and "writers alone" in done.err
    assert desk.file("backtest").read_bytes() == before


@pytest.mark.slow
def test_a_kill_at_any_step_leaves_no_half_shard(desk: Desk) -> None:
    place = exported(desk, "backtest", "--format", "csv")
    base = desk.path / "runs"
    base.mkdir()
    words = ["import", str(place), "--to", "@"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.services.rrr.dying_child", str(base), *words],
        cwd=ROOT,
        env=os.environ | desk.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) > 3
    for at in range(1, int(done.stdout) + 1):
        back = base / str(at)
        if not back.exists():
            assert desk.rrr("import", place, "--to", back).code == 0
        assert content(back / "backtest.db") == content(desk.file("backtest"))
    assert not [path.name for path in base.iterdir() if path.name.startswith(".")]
