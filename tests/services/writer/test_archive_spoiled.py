"""Archives that somebody or something spoiled: the rows stay, and it is said what differs."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from bus.clock import ManualClock
from bus.errors import ShardError
from bus.migrations import KINDS
from bus.month_names import archive_dir
from bus.shard import open_writer
from services.writer.archive_files import archive_path, live_path, manifest_path, read_manifest
from services.writer.archiving import archive_steps
from tests.services.market_desk import BAR, TRADE, bar, kept, rows
from tests.services.writer.archive_desk import (
    JANUARY,
    START,
    WORLD,
    add_late,
    archive,
    fill,
    opened,
    retire,
    seen,
    trashed,
)


def quiet(_share: float) -> None:
    return None


def change(path: Path, sql: str) -> None:
    path.chmod(0o600)
    db = apsw.Connection(str(path))
    db.execute(sql)
    db.close()


def flip(path: Path, at: int) -> None:
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def a_flipped_bit(path: Path) -> None:
    db = apsw.Connection(str(path))
    ((body,),) = db.execute("SELECT body FROM bar_chunk ORDER BY k LIMIT 1").fetchall()
    db.close()
    assert isinstance(body, bytes)
    flip(path, path.read_bytes().index(body[-300:]) + 40)


SPOILED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a flipped bit": (a_flipped_bit, r"market_data_2026_01\.arc\.db.*: a chunk is damaged"),
    "a missing chunk": (
        lambda path: change(path, "DELETE FROM bar_chunk WHERE k = (SELECT max(k) FROM bar_chunk)"),
        r"ETH/USDT 1m has \d+ rows, expected 700",
    ),
    "a missing series": (
        lambda path: change(path, "DELETE FROM tick_chunk"),
        "all 60 rows of BTC/USDT ticks are missing",
    ),
    "a chunk that is another's": (
        lambda path: change(
            path,
            "UPDATE bar_chunk SET (n, crc, body) = (SELECT n, crc, body FROM bar_chunk "
            "ORDER BY k LIMIT 1) WHERE k = (SELECT max(k) FROM bar_chunk)",
        ),
        "BTC/USDT 1m has .* rows, expected 700|series that was not archived",
    ),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_draft_that_differs_from_the_rows_is_no_archive(tmp_path: Path, what: str) -> None:
    spoil, said = SPOILED[what]
    fill(tmp_path)
    before = seen(tmp_path)
    doing = archive_steps(tmp_path, JANUARY, ManualClock(), quiet)
    while next(doing) != "built":
        pass
    (draft,) = archive_dir(tmp_path).glob("*.tmp")
    spoil(draft)
    with pytest.raises(ShardError, match=said):
        list(doing)
    assert not archive_path(tmp_path, JANUARY).exists()
    with pytest.raises(ShardError, match="2026-01 has no archive"):
        retire(tmp_path)
    assert seen(tmp_path) == before
    assert archive(tmp_path).rev == 1
    assert list(archive_dir(tmp_path).glob("*.tmp")) == []


def test_a_live_row_that_changed_under_the_build_is_told(tmp_path: Path) -> None:
    fill(tmp_path)
    doing = archive_steps(tmp_path, JANUARY, ManualClock(), quiet)
    while next(doing) != "built":
        pass
    shard = open_writer(KINDS["market"], live_path(tmp_path, JANUARY), WORLD)
    shard.db.execute("UPDATE bar SET v = v + 1")  # As no writer does: without a word of it.
    shard.close()
    with pytest.raises(ShardError, match="a row of the archive is"):
        list(doing)
    doing = archive_steps(tmp_path, JANUARY, ManualClock(), quiet)
    while next(doing) != "built":
        pass
    for minute in range(0, 700, 100):
        add_late(tmp_path, minute, volume=5)
    with pytest.raises(ShardError, match="was written to while it was archived"):
        list(doing)


@pytest.mark.parametrize("what", SPOILED)
def test_a_month_whose_archive_was_spoiled_is_not_retired(tmp_path: Path, what: str) -> None:
    fill(tmp_path)
    before = seen(tmp_path)
    archive(tmp_path)
    SPOILED[what][0](archive_path(tmp_path, JANUARY))
    with pytest.raises(ShardError, match=r"its manifest names .*; the rows stay"):
        retire(tmp_path)
    archive_path(tmp_path, JANUARY).unlink()
    assert seen(tmp_path) == before
    assert trashed(tmp_path) == []


def test_a_spoiled_archive_is_not_carried_over_into_the_next(tmp_path: Path) -> None:
    fill(tmp_path)
    archive(tmp_path)
    retire(tmp_path)
    add_late(tmp_path, 5000)
    a_flipped_bit(archive_path(tmp_path, JANUARY))
    with pytest.raises(ShardError, match=r"damaged.*restore a backup"):
        archive(tmp_path)
    manifest = read_manifest(tmp_path, JANUARY)
    assert manifest is not None
    assert manifest.rev == 1
    assert live_path(tmp_path, JANUARY).exists()


def test_an_archive_whose_manifest_is_gone_proves_itself(tmp_path: Path) -> None:
    fill(tmp_path)
    archive(tmp_path)
    manifest_path(tmp_path, JANUARY).unlink()
    with pytest.raises(ShardError, match="2026-01 has no archive"):
        retire(tmp_path)
    assert archive(tmp_path).rev == 2
    retire(tmp_path)


def test_a_manifest_that_cannot_be_read_is_named_with_what_to_do(tmp_path: Path) -> None:
    fill(tmp_path, bars=5, ticks=1)
    archive(tmp_path)
    for text in (b"", b"{", b"\xff", b'{"month": 1}', b"[]"):
        manifest_path(tmp_path, JANUARY).write_bytes(text)
        with pytest.raises(ShardError, match=r"cannot be read.*Move the manifest away"):
            retire(tmp_path)
    assert live_path(tmp_path, JANUARY).exists()
    assert archive(tmp_path).rev == 2  # It is written anew; the archive proves itself.


def test_a_manifest_of_another_month_or_newer_code_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, bars=5, ticks=1)
    archive(tmp_path)
    text = manifest_path(tmp_path, JANUARY).read_text()
    manifest_path(tmp_path, JANUARY).write_text(text.replace("202601", "202512"))
    with pytest.raises(ShardError, match="is of the month 202512"):
        retire(tmp_path)
    manifest_path(tmp_path, JANUARY).write_text(text.replace('"version": 1', '"version": 9'))
    with pytest.raises(ShardError, match=r"version 9, this code knows 1.*Update this checkout"):
        retire(tmp_path)


def test_an_archive_that_is_gone_is_not_replaced_by_what_came_late(tmp_path: Path) -> None:
    fill(tmp_path)
    archive(tmp_path)
    retire(tmp_path)
    archive_path(tmp_path, JANUARY).unlink()
    add_late(tmp_path, 5000)
    with pytest.raises(ShardError, match=r"is gone, its manifest is there.*Restore the archive"):
        archive(tmp_path)
    assert live_path(tmp_path, JANUARY).exists()


def test_a_flipped_bit_of_the_month_itself_is_found_before_it_is_archived(tmp_path: Path) -> None:
    fill(tmp_path)
    live = live_path(tmp_path, JANUARY)
    flip(live, live.stat().st_size // 2)
    with pytest.raises(ShardError, match=r"market_data_2026_01\.db is damaged"):
        archive(tmp_path)
    assert not archive_path(tmp_path, JANUARY).exists()


@pytest.mark.slow
def test_a_full_disk_is_told_and_leaves_the_rows(tmp_path: Path) -> None:
    fill(tmp_path)
    before = seen(tmp_path)
    said = subprocess.run(
        [sys.executable, "-c", CRAMPED, str(tmp_path), str(JANUARY)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "cannot take the archive of market_data_2026_01.db" in said.stdout, said.stderr
    assert "Free disk space; the rows stay" in said.stdout
    assert seen(tmp_path) == before
    assert not archive_path(tmp_path, JANUARY).exists()
    assert archive(tmp_path).rev == 1


CRAMPED = """
import resource, sys
from bus.errors import HouseError
from services.writer.archiving import run
resource.setrlimit(resource.RLIMIT_FSIZE, (40960, 40960))
try:
    run({"place": sys.argv[1], "month": sys.argv[2]}, lambda share: None)
except HouseError as error:
    print(type(error).__name__, error)
"""
"""Archives where no file may be larger than a few pages."""

FOREIGN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no database": (lambda path: path.write_bytes(b"not a database" * 500), "damaged"),
    "an empty file": (lambda path: path.write_bytes(b""), "no market shard"),
    "another's database": (
        lambda path: apsw.Connection(str(path)).execute("CREATE TABLE t (a)"),
        "no market shard: its application id is 0",
    ),
    "a live month": (
        lambda path: path.write_bytes(live_path(path.parents[2], 202602).read_bytes()),
        "a market shard, but no archive",
    ),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_foreign_file_in_its_place_is_refused_and_stays(tmp_path: Path, what: str) -> None:
    fill(tmp_path, bars=5, ticks=1)
    archive_dir(tmp_path).mkdir(parents=True)
    path = archive_path(tmp_path, JANUARY)
    FOREIGN[what][0](path)
    before = path.read_bytes()
    with pytest.raises(ShardError, match=FOREIGN[what][1]):
        archive(tmp_path)
    assert path.read_bytes() == before


def test_an_archive_from_the_future_is_refused_with_the_fix(tmp_path: Path) -> None:
    fill(tmp_path, bars=5, ticks=1)
    archive(tmp_path)
    change(archive_path(tmp_path, JANUARY), "PRAGMA user_version = 999")
    with pytest.raises(ShardError, match=r"made by newer code.*Update this checkout"):
        archive(tmp_path)


def test_rows_too_late_for_an_archive_that_cannot_be_read_are_kept_as_letters(
    tmp_path: Path,
) -> None:
    fill(tmp_path, bars=5, ticks=1)
    archive(tmp_path)
    retire(tmp_path)
    change(archive_path(tmp_path, JANUARY), "PRAGMA user_version = 999")
    writer = opened(tmp_path)
    writer.commit(kept(bar(START)), {BAR: 9, TRADE: 1})
    found = rows(tmp_path / "db", "SELECT type, reason FROM market_data_2026_02.dead_letter")
    assert writer.cursors() == {BAR: 9, TRADE: 1}
    writer.close()
    ((kind, reason),) = found
    assert kind == "Bar"
    assert "made by newer code" in str(reason)
    assert not live_path(tmp_path, JANUARY).exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_directory_that_nobody_may_write_is_told(tmp_path: Path) -> None:
    fill(tmp_path, bars=5, ticks=1)
    archive_dir(tmp_path).mkdir(parents=True, mode=0o500)
    with pytest.raises(ShardError, match=r"cannot be written.*the rows stay"):
        archive(tmp_path)
