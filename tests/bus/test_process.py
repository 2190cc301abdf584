"""The shell of a process, on a real one: how it starts, what it refuses, how it leaves."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bus.clock import MarketTime, SystemClock, write_market_time
from bus.errors import UnreachableError
from bus.wire import ask
from schema.house import Heartbeat

ROOT = Path(__file__).parents[2]
DEADLINE_S = 20


class Shell:
    """Starts monitors in a runtime directory of their own, and ends every one of them."""

    def __init__(self, path: Path) -> None:
        self.run = path / "run"
        self.home = path / "h ome"
        self.started: list[subprocess.Popen[str]] = []

    def start(self, **environ: str) -> subprocess.Popen[str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RRR_", "MODE"))}
        places = {"RRR_RUN": str(self.run), "RRR_HOME": str(self.home), "MODE": "paper"}
        process = subprocess.Popen(
            [sys.executable, "-m", "services.monitor"],
            cwd=ROOT,
            env=inherited | places | environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def until(self, *states: str) -> Heartbeat:
        """Return the heartbeat of a monitor that has come to one of some states."""
        clock = SystemClock()
        deadline_ns = clock.mono_ns() + DEADLINE_S * 1_000_000_000
        found = None
        while clock.mono_ns() < deadline_ns:
            try:
                done = ask(self.run, "monitor", "status", timeout_ms=200)
            except UnreachableError:
                continue
            found = msgspec.msgpack.decode(done.body, type=Heartbeat)
            if found.state in states:
                return found
        raise AssertionError(f"not {states} within {DEADLINE_S} s: {found}")

    def left(self) -> set[str]:
        """Return what lies in the runtime directory."""
        return {path.name for path in self.run.iterdir()} if self.run.exists() else set()

    def last_word(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.run / "monitor.exit").read_text())
        return found

    def end(self) -> None:
        for process in self.started:
            process.kill()
            process.communicate()


@pytest.fixture
def shell() -> Iterator[Shell]:
    with tempfile.TemporaryDirectory(prefix="rrr.", dir="/tmp") as place:  # short, for sockets
        made = Shell(Path(place))
        yield made
        made.end()


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=DEADLINE_S)
    return process.returncode, out, err


def test_told_to_stop_it_leaves_nothing_but_its_last_word(shell: Shell) -> None:
    process = shell.start()
    shell.until("READY", "DEGRADED")
    process.send_signal(signal.SIGTERM)
    code, _, err = finished(process)
    assert (code, err) == (0, "")
    assert shell.left() == {"monitor.exit"}
    assert shell.last_word()["message"] == "stopped"


def test_killed_it_comes_back_in_the_next_epoch(shell: Shell) -> None:
    first = shell.start()
    before = shell.until("READY", "DEGRADED")
    first.kill()
    first.wait()
    assert "monitor.pub" in shell.left()
    shell.start()
    after = shell.until("READY", "DEGRADED")
    assert after.pid != before.pid
    assert after.last[0][1] > before.last[0][1]


def test_a_supervisor_that_dies_takes_its_services_with_it(shell: Shell) -> None:
    process = shell.start(SUPERVISOR_ENABLED="1")
    shell.until("READY", "DEGRADED")
    code, out, _ = finished(process)
    assert code == 0
    assert "its supervisor is gone" in out


def test_drained_over_its_control_socket_it_stops(shell: Shell) -> None:
    process = shell.start()
    shell.until("READY", "DEGRADED")
    assert ask(shell.run, "monitor", "drain", timeout_ms=2000).ok
    assert finished(process)[0] == 0


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"RRR_MONITOR__LAGG_MS": "5"}, "the nearest is `monitor.lag_ms`"),
        ({"RRR_MONITOR__LAG_MS": "-5"}, "RRR_MONITOR__LAG_MS: `monitor.lag_ms` is"),
        ({"MODE": "live"}, "`exchange.account` is ''"),
    ],
)
def test_wrong_settings_are_one_clear_line_and_code_78(
    shell: Shell, environ: dict[str, str], expected: str
) -> None:
    code, _, err = finished(shell.start(**environ))
    assert code == 78
    assert expected in err
    assert err.count("\n") == 1


def test_a_run_directory_too_deep_for_a_socket_is_refused(tmp_path: Path) -> None:
    shell = Shell(tmp_path / ("deep" * 20))
    shell.run.mkdir(parents=True)
    code, _, err = finished(shell.start())
    assert code == 78
    assert "Set RRR_RUN" in err


def test_a_clock_of_another_world_is_refused(shell: Shell) -> None:
    shell.run.mkdir(mode=0o700)
    write_market_time(shell.run / "clock.json", MarketTime(0, 0, 60.0, "replay-12345678"))
    code, _, err = finished(shell.start(MODE="local"))
    assert code == 78
    assert "replay-12345678" in err
    assert "local-synthetic-7" in err
    assert shell.last_word()["code"] == 78


def test_a_damaged_clock_is_refused(shell: Shell) -> None:
    shell.run.mkdir(mode=0o700)
    (shell.run / "clock.json").write_text("{")
    code, _, err = finished(shell.start(MODE="local"))
    assert code == 78
    assert "Run `rrr down`" in err


def test_without_a_market_clock_it_waits_and_says_for_what(shell: Shell) -> None:
    shell.start(MODE="local")
    heartbeat = shell.until("STARTING")
    assert "waits for" in heartbeat.reason
    assert "clock.json, which venue writes" in heartbeat.reason


def test_while_it_waits_for_the_clock_it_hears_who_wants_it_to_end(shell: Shell) -> None:
    orphan = shell.start(MODE="local", SUPERVISOR_ENABLED="1")
    shell.until("STARTING")
    assert finished(orphan)[0] == 0
    drained = shell.start(MODE="local")
    shell.until("STARTING")
    assert ask(shell.run, "monitor", "drain", timeout_ms=2000).ok
    assert finished(drained)[0] == 0
    told = shell.start(MODE="local")
    shell.until("STARTING")
    told.send_signal(signal.SIGTERM)
    assert finished(told)[0] == 0
    assert shell.left() == {"monitor.exit"}


def test_a_world_of_other_settings_is_refused(shell: Shell) -> None:
    world = shell.home / "data" / "paper-binance"
    world.mkdir(parents=True)
    (world / "world.json").write_text('{"name": "paper-kraken", "mode": "paper"}')
    code, _, err = finished(shell.start())
    assert code == 78
    assert "paper-kraken" in err
    assert "paper-binance" in err


def test_a_lease_that_cannot_be_written_is_refused_in_one_line(shell: Shell) -> None:
    (shell.run / "monitor.lease").mkdir(parents=True)
    code, _, err = finished(shell.start())
    assert code == 78
    assert f"the lease {shell.run / 'monitor.lease'} cannot be written" in err
    assert err.count("\n") == 1
    assert shell.last_word()["code"] == 78


@pytest.mark.parametrize("name", ["monitor.lease", "monitor.pub", "monitor.ctl"])
def test_whose_place_was_removed_leaves_it_to_the_next_start(shell: Shell, name: str) -> None:
    process = shell.start()
    shell.until("READY", "DEGRADED")
    (shell.run / name).unlink()
    code, _, err = finished(process)
    assert code == 73
    assert f"{shell.run / name} was removed or replaced" in err
    assert err.count("\n") == 1
    assert shell.last_word()["code"] == 73
    shell.start()
    assert shell.until("READY", "DEGRADED").pid != process.pid


def test_who_takes_a_lease_that_was_removed_is_alone(shell: Shell) -> None:
    first = shell.start()
    before = shell.until("READY", "DEGRADED")
    (shell.run / "monitor.lease").unlink()
    second = shell.start()
    assert finished(first)[0] == 73
    after = shell.until("READY", "DEGRADED")
    assert after.pid == second.pid
    assert after.last[0][1] > before.last[0][1]


@pytest.mark.slow
def test_a_second_one_is_refused_and_the_first_goes_on(shell: Shell) -> None:
    shell.start()
    first = shell.until("READY", "DEGRADED")
    sockets = [shell.run / f"monitor.{kind}" for kind in ("pub", "ctl")]
    inodes = [path.stat().st_ino for path in sockets]
    code, _, err = finished(shell.start())
    assert code == 75
    assert f"held by process {first.pid}" in err
    assert shell.until("READY", "DEGRADED").pid == first.pid
    assert [path.stat().st_ino for path in sockets] == inodes
