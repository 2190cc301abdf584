"""`rrr db export` is whole or not there at all, whatever disks, kills and people do."""

import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from bus.errors import HouseError
from services.rrr.db_export_manifest import read_manifest, require_whole
from services.rrr.db_export_place import draft_for, publish
from tests.services.rrr.export_desk import AT_NS, ROOT, Desk

MINUTE_MS = 60_000


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def test_what_is_there_is_not_written_over(desk: Desk) -> None:
    desk.fill("backtest")
    place = desk.path / "out"
    words = ("export", "backtest", "--to", place, "--format", "csv")
    assert desk.rrr(*words).code == 0
    before = (place / "export.json").read_bytes()
    done = desk.rrr(*words)
    assert done.code == 1 and "--force" in done.err
    assert (place / "export.json").read_bytes() == before
    assert desk.rrr(*words, "--force").code == 0
    foreign = desk.path / "mine"
    foreign.mkdir()
    (foreign / "letter.txt").touch()
    done = desk.rrr("export", "backtest", "--to", foreign, "--format", "csv", "--force")
    assert done.code == 1 and (foreign / "letter.txt").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["nothing", "--to", "x", "--format", "sql"],
        ["trading", "--to", "x"],
        ["trading", "--to", "x", "--format", "xlsx"],
        ["trading", "nothing", "--to", "x", "--format", "csv"],
        ["trading", "fills", "--to", "x", "--format", "sql"],
        ["trading", "--views", "--to", "x", "--format", "parquet"],
        ["trading", "--to", "x.csv"],
        ["trading", "orders", "ledger", "--to", "x.csv"],
        ["trading", "--to", "x.csv", "--format", "sql"],
        ["market", "bar", "--to", "x.csv"],
        ["trading", "--to", "x", "--format", "parquet", "--compress", "gz"],
        ["trading", "--to", "x", "--format", "csv", "--since", "soon"],
        ["trading", "--to", "x", "--format", "csv", "--history"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_usage(desk: Desk, words: list[str]) -> None:
    desk.fill("trading", "market")
    words = [str(desk.path / word) if word.startswith("x") else word for word in words]
    done = desk.rrr("export", *words)
    assert done.code == 2, done.err
    assert not [path.name for path in desk.path.iterdir() if "x" in path.name]


def test_without_a_shard_it_is_not_ready(desk: Desk) -> None:
    done = desk.rrr("export", "trading", "--to", desk.path / "x", "--format", "sql")
    assert done.code == 3
    assert "no trading shard" in done.err


def test_a_file_that_is_no_shard_is_refused(desk: Desk) -> None:
    desk.fill("backtest")
    shutil.copy(desk.file("backtest"), desk.file("trading"))
    done = desk.rrr("export", "trading", "--to", desk.path / "x", "--format", "sql")
    assert done.code == 5
    assert "is no trading shard" in done.err
    with closing(apsw.Connection(str(desk.file("backtest")))) as db:
        db.pragma("user_version", 99)
    done = desk.rrr("export", "backtest", "--to", desk.path / "x", "--format", "sql")
    assert done.code == 5
    assert "newer code" in done.err
    assert not (desk.path / "x").exists()


def with_small_files(desk: Desk, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run `rrr db` where no file may grow beyond a MiB."""
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)); "
        "from services.rrr import main; sys.exit(main())"
    )
    return subprocess.run(
        [sys.executable, "-c", program, "db", *words],
        cwd=ROOT,
        env=os.environ | desk.environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_full_disk_is_told_and_leaves_nothing(desk: Desk) -> None:
    desk.write("backtest", "backtest", {
        "dead_letter": [(n, AT_NS, "t", "r", os.urandom(1 << 16)) for n in range(40)],
    })  # fmt: skip
    for form in ("sql", "csv", "parquet"):
        words = ["export", "backtest", "--to", str(desk.path / form), "--format", form]
        done = with_small_files(desk, *words)
        assert done.returncode == 1, done.stderr
        assert "cannot be written" in done.stderr and "Traceback" not in done.stderr
        assert not [path for path in desk.path.iterdir() if form in path.name]


@pytest.mark.parametrize("large", [False, True])
def test_a_flipped_bit_is_found_and_not_exported(desk: Desk, *, large: bool) -> None:
    blobs = [(n, AT_NS, "t", "r", b"x" * 1000) for n in range(40_000 if large else 40)]
    desk.write("backtest", "backtest", {"dead_letter": blobs})
    whole = desk.file("backtest").read_bytes()
    at = whole.rindex(b"x" * 900)
    desk.file("backtest").write_bytes(whole[:at] + b"y" + whole[at + 1 :])
    done = desk.rrr("export", "backtest", "--to", desk.path / "x", "--format", "sql")
    assert done.code == 5
    assert "checksum" in done.err
    assert not [path for path in desk.path.iterdir() if "x" in path.name]


def test_a_full_disk_leaves_nothing_of_an_import(desk: Desk) -> None:
    desk.write("backtest", "backtest", {
        "dead_letter": [(n, AT_NS, "t", "r", bytes(1 << 16)) for n in range(40)],
    })  # fmt: skip
    place, back = desk.path / "out", desk.path / "back"
    assert desk.rrr("export", "backtest", "--to", place, "--format", "parquet").code == 0
    done = with_small_files(desk, "import", str(place), "--to", str(back))
    assert done.returncode == 1, done.stderr
    assert "Make room" in done.stderr or "Free" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [path for path in desk.path.iterdir() if "back" in path.name]


def test_a_draft_of_the_dead_is_cleared_and_one_of_the_living_stays(tmp_path: Path) -> None:
    place = tmp_path / "out"
    (tmp_path / ".out.part-dead").mkdir()
    with draft_for(place) as draft:
        assert not (tmp_path / ".out.part-dead").exists()
        with draft_for(place) as second:
            assert draft.exists()
            (second / "x").touch()
            publish(second, place)
        (draft / "y").touch()
        with pytest.raises(HouseError, match="is not empty"):
            publish(draft, place, replaces=False)
    assert names(tmp_path) == ["out"]
    assert names(place) == ["x"]


@pytest.mark.slow
@pytest.mark.parametrize("force", [False, True])
def test_a_kill_at_any_step_leaves_no_half_export(desk: Desk, *, force: bool) -> None:
    desk.fill("backtest")
    base = desk.path / "runs"
    base.mkdir()
    words = ["export", "backtest", "--to", "@", "--format", "csv", "--force"]
    if force:
        for at in range(1, 100):
            assert (
                desk.rrr("export", "backtest", "--to", base / str(at), "--format", "sql").code == 0
            )
    killed = dying(desk, base, words)
    assert killed > 10
    for at in range(1, killed + 1):
        place = base / str(at)
        if place.exists():
            require_whole(*read_manifest(place))
        assert desk.rrr(*(word.replace("@", str(place)) for word in words)).code == 0
        assert read_manifest(place)[1].form == "csv"
        require_whole(*read_manifest(place))
    assert not [path.name for path in base.iterdir() if path.name.startswith(".")]


def dying(desk: Desk, base: Path, words: list[str]) -> int:
    """Return how many runs were killed, each a step later."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.services.rrr.dying_child", str(base), *words],
        cwd=ROOT,
        env=os.environ | desk.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)
