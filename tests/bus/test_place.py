"""The place of a process, on real ones: alone, private, with files enough, and left when told."""

import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from bus.clock import MarketTime, SystemClock, write_market_time
from bus.control import Hello
from bus.shell import FILES_MIN
from bus.wire import ask
from schema.house import Heartbeat
from tests.bus.test_process import DEADLINE_S, ROOT, Shell, finished

PARENT = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-m", "services.monitor"], stdin=int(sys.argv[1]))
print(child.pid, flush=True)
child.wait()
"""


@pytest.fixture
def shell() -> Iterator[Shell]:
    with tempfile.TemporaryDirectory(prefix="rrr.", dir="/tmp") as place:  # short, for sockets
        made = Shell(Path(place))
        yield made
        made.end()


def modes(directory: Path) -> set[int]:
    """Return what others than the owner may do with what lies in a directory."""
    return {path.lstat().st_mode & 0o077 for path in directory.rglob("*")}


def test_its_place_and_all_that_it_makes_are_its_owners_alone(shell: Shell) -> None:
    shell.run.mkdir(mode=0o755)
    shell.start()
    shell.until("READY", "DEGRADED")
    assert stat.S_IMODE(shell.run.stat().st_mode) == 0o700
    assert modes(shell.run) == {0}
    journals = shell.home / "data" / "paper-binance" / "journal"
    assert modes(journals) == {0}


def test_a_place_that_is_shared_on_purpose_is_left_as_it_is(shell: Shell) -> None:
    shell.run.mkdir()
    shell.run.chmod(0o1777)
    shell.start()
    shell.until("READY", "DEGRADED")
    assert stat.S_IMODE(shell.run.stat().st_mode) == 0o1777
    assert modes(shell.run) == {0}


def test_the_second_signal_ends_it_at_once(shell: Shell) -> None:
    process = shell.start()
    shell.until("READY", "DEGRADED")
    process.send_signal(signal.SIGSTOP)  # So that both signals are there when it goes on.
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    assert finished(process)[0] in {128 + signal.SIGTERM, 128 + signal.SIGINT}
    assert "monitor.exit" not in shell.left()


def test_with_too_few_files_it_does_not_start(shell: Shell) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_MIN - 1, hard))
    try:
        enough = shell.start()  # It raises what it may raise.
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    shell.until("READY", "DEGRADED")
    limits = Path(f"/proc/{enough.pid}/limits")
    if limits.exists():
        (line,) = [one for one in limits.read_text().splitlines() if "open files" in one]
        assert int(line.split()[3]) >= FILES_MIN
    enough.terminate()
    assert finished(enough)[0] == 0
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RRR_", "MODE"))}
    places = {"RRR_RUN": str(shell.run), "RRR_HOME": str(shell.home), "MODE": "paper"}
    words = ["sh", "-c", f'ulimit -n 512; exec "{sys.executable}" -m services.monitor']
    found = subprocess.run(
        words,
        cwd=ROOT,
        env=inherited | places,
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert found.returncode == 78
    assert b"may open 512 files" in found.stderr


def test_an_orphan_whose_standard_input_is_held_by_others_leaves_too(shell: Shell) -> None:
    ours, theirs = os.pipe()
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RRR_", "MODE"))}
    places = {"RRR_RUN": str(shell.run), "RRR_HOME": str(shell.home), "MODE": "paper"}
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(ours)],
        cwd=ROOT,
        env=inherited | places | {"SUPERVISOR_ENABLED": "1"},
        stdout=subprocess.PIPE,
        pass_fds=(ours,),
        text=True,
    )
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert shell.until("READY", "DEGRADED").pid == child
        parent.kill()
        parent.wait()
        clock = SystemClock()
        deadline_ns = clock.mono_ns() + DEADLINE_S * 1_000_000_000
        while shell.left() != {"monitor.exit"}:
            assert clock.mono_ns() < deadline_ns
            clock.pause_ms(20)
    finally:
        parent.kill()
        parent.communicate()
        os.close(ours)
        os.close(theirs)


def test_while_it_waits_for_the_clock_it_tells_who_waits_for_it(shell: Shell) -> None:
    shell.start(MODE="local")
    shell.until("STARTING")
    done = ask(shell.run, "monitor", "wait_ready", ("50",), 5000)
    assert not done.ok
    assert done.text.startswith("STARTING: it waits for")
    with ThreadPoolExecutor(1) as askers:
        waiting = askers.submit(ask, shell.run, "monitor", "wait_ready", ("15000",), 18_000)
        world = msgspec.msgpack.decode(done.body, type=Heartbeat).world
        scale = 10.0
        write_market_time(shell.run / "clock.json", MarketTime(0, 0, scale, world))
        found = waiting.result()
    assert (found.ok, found.text) == (True, "READY")
    hello = msgspec.json.decode(ask(shell.run, "monitor", "hello", (), 5000).body, type=Hello)
    assert (hello.service, hello.world, hello.epoch) == ("monitor", world, 1)


@pytest.mark.slow
def test_two_places_do_not_write_one_set_of_journals(shell: Shell) -> None:
    shell.start()
    first = shell.until("READY", "DEGRADED")
    other = Shell(shell.run.parent / "other")
    other.home = shell.home
    process = other.start()
    code, _, err = finished(process)
    assert code == 75
    assert f"held by process {first.pid}" in err
    assert str(shell.home) in err
    assert shell.until("READY", "DEGRADED").pid == first.pid
