"""The Makefile and the supervisor's configuration, read and run as they stand here."""

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from services.rrr.stop import tiers

ROOT = Path(__file__).parents[2]
MAKE = shutil.which("make")
PARSED = "import sys; from supervisor.options import ServerOptions as S; S().realize(sys.argv[1:])"
WRITERS = frozenset({"writer_market", "writer_trading", "writer_analytics", "writer_backtest"})
STOP_S = dict.fromkeys(WRITERS, 30) | {"engine": 15, "gateway": 15}


def configuration() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(" ;",))
    parser.read(ROOT / "supervisord.conf")
    return parser


def programs() -> dict[str, dict[str, str]]:
    parser = configuration()
    return {
        section.partition(":")[2]: dict(parser[section])
        for section in parser.sections()
        if section.startswith(("program:", "eventlistener:"))
    }


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A checkout in a path with a space, and no Python on its path but an old one."""
    root = tmp_path / "a bare house"
    (root / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", root)
    old = root / "bin" / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.1" && exit 0\nexit 1\n')
    old.chmod(0o755)
    return root


def make(root: Path, target: str) -> subprocess.CompletedProcess[str]:
    assert MAKE is not None
    return subprocess.run(
        [MAKE, target],
        cwd=root,
        env={**os.environ, "PATH": str(root / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(MAKE is None, reason="make is not installed")
@pytest.mark.parametrize("target", ["up", "test", "check"])
def test_without_a_python_that_is_new_enough_make_says_so(bare: Path, target: str) -> None:
    done = make(bare, target)
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed" in done.stderr
    assert "found Python 3.9.1" in done.stderr
    assert not (bare / ".venv").exists()


@pytest.mark.skipif(MAKE is None, reason="make is not installed")
def test_down_without_an_environment_is_no_error(bare: Path) -> None:
    assert make(bare, "down").returncode == 0


@pytest.mark.skipif(MAKE is None, reason="make is not installed")
def test_down_after_an_install_that_was_broken_off_is_no_error(bare: Path) -> None:
    python = bare / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)  # It has none of our packages yet.
    done = make(bare, "down")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing runs" in done.stdout


@pytest.mark.skipif(MAKE is None, reason="make is not installed")
def test_make_alone_lists_its_targets(bare: Path) -> None:
    listed = make(bare, "help").stdout
    for target in ("up", "test", "check", "down", "bench", "chaos", "fuzz", "lock"):
        assert f"make {target} " in listed


def test_the_supervisor_reads_its_configuration() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PARSED, "-c", str(ROOT / "supervisord.conf")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_each_program_runs_its_service_and_is_never_respawned_on_refusal() -> None:
    found = programs()
    assert next(iter(found)) == "venue"
    for name, options in found.items():
        module = f"services.{name.replace('_', ' ')}"
        assert options["command"] == f'"%(here)s/.venv/bin/python" -m {module}'
        assert options["directory"] == "%(here)s"
        assert options["startsecs"] == "0"
        assert options["autorestart"] == "unexpected"
        assert options["exitcodes"] == "0,75,78"
        assert options["stopsignal"] == "TERM"
        assert int(options["stopwaitsecs"]) == STOP_S.get(name, 10)
        assert options["stdout_logfile"] == f"%(here)s/logs/system/{name}.out"


def test_the_warden_never_mixes_its_errors_into_the_protocol() -> None:
    assert programs()["warden"].get("redirect_stderr", "false") == "false"


def test_a_shutdown_stops_the_writers_last_of_all_programs() -> None:
    order = {name: int(options["priority"]) for name, options in programs().items()}
    writers = {order.pop(name) for name in list(order) if name.startswith("writer_")}
    assert order.pop("warden") < min(writers)
    assert max(writers) < min(order.values())


def test_down_stops_who_wants_before_who_sends_and_the_writers_after_all_they_hear() -> None:
    engine, gateway, others, venue, writers, warden = tiers(tuple(programs()))
    assert (engine, gateway) == (("engine",), ("gateway",))
    assert set(others) == {"ingest", "predictor", "risk", "monitor"}
    assert (venue, warden) == (("venue",), ("warden",))
    assert set(writers) == WRITERS


def test_the_folders_that_the_configuration_names_are_kept_by_git() -> None:
    for folder in ("data/run", "logs/system"):
        assert (ROOT / folder / ".gitkeep").is_file()


def test_the_configuration_needs_no_variable() -> None:
    assert "%(ENV_" not in (ROOT / "supervisord.conf").read_text()
