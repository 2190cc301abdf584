"""Publishers whose console, descriptors or disk run out: they refuse or go on, and lose nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.house import House
from bus.journals import DiskJournals
from tests.chaos.parts import Mint, Tally
from tests.chaos.proof import spoken
from tests.chaos.storm import trades_said
from tests.chaos.troupe import Troupe
from tests.services.bare import bare_house

pytestmark = pytest.mark.slow

DISK_MIB = 16
FULL_CODE = 75
REFUSED_CODE = 78


@pytest.fixture
def house() -> Iterator[House]:
    with bare_house() as made:
        yield made


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a file system of 16 MiB."""
    place = tmp_path / "small disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("this system has no mount command")
    if done.returncode:
        pytest.skip(f"a small disk can be mounted by root alone: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def resize(place: Path, mib: int) -> None:
    command = ["mount", "-o", f"remount,size={mib}m", str(place)]
    subprocess.run(command, check=True)


def said(troupe: Troupe) -> int:
    return next(trades_said(DiskJournals(troupe.house.journal_dir, troupe.clock)))


def test_a_full_disk_ends_its_publisher_and_costs_nothing_that_was_said(
    house: House, small_disk: Path
) -> None:
    cast = Troupe(house, 600_000, 2_000_000, RRR_HOME=str(small_disk))
    try:
        cast.start(Mint.name)
        assert cast.processes[Mint.name].wait(60) == FULL_CODE, cast.errors()
        assert "No space left" in cast.errors()
        full = said(cast)
        assert 0 < full < 600_000
        cast.start(Mint.name)
        assert cast.processes[Mint.name].wait(60) == FULL_CODE, "nothing has changed"
        assert said(cast) == full
        resize(small_disk, 8 * DISK_MIB)
        cast.start(Mint.name)
        cast.start(Tally.name)
        cast.until("all is counted", lambda: cast.trades_counted() == 600_000)
        numbers = spoken(DiskJournals(cast.house.journal_dir, cast.clock), "ingest.trade")
        assert [getattr(m, "trade_id", 0) for _, m in numbers] == [*range(1, 600_001)]
    finally:
        cast.close()


def test_a_console_that_nobody_reads_holds_no_publisher_up(house: House) -> None:
    cast = Troupe(house, 200_000, 100_000)
    try:
        mint = cast.start(Mint.name, stdout=subprocess.PIPE)  # As of a supervisor that is held.
        cast.start(Tally.name)
        cast.until("all is counted", lambda: cast.trades_counted() == 200_000)
        assert mint.poll() is None
    finally:
        cast.close()
        assert mint.stdout is not None
        mint.stdout.close()


LOW = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512))
sys.argv = ["actor", "ingest", "10", "10"]
runpy.run_module("tests.chaos.actor", run_name="__main__")
"""


def test_with_too_few_descriptors_a_service_refuses_to_start(house: House) -> None:
    cast = Troupe(house, 10, 10)
    done = subprocess.run(
        [sys.executable, "-c", LOW],
        cwd=cast.house.root,
        env=cast.environ,
        stdin=subprocess.PIPE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == REFUSED_CODE
    assert "may open 512 files, at least 1024 are needed" in done.stderr


CROWDED = """
import os, resource, sys
import zmq
context = zmq.Context()
publisher = context.socket(zmq.PUB)
publisher.bind("ipc://" + sys.argv[1])
used = len(os.listdir("/dev/fd"))
resource.setrlimit(resource.RLIMIT_NOFILE, (used + 4, used + 4))
print("bound", flush=True)
sys.stdin.read()
"""

CROWD = """
import sys
import zmq
context = zmq.Context()
context.setsockopt(zmq.MAX_SOCKETS, 64)
crowd = [context.socket(zmq.SUB) for _ in range(20)]
for one in crowd:
    one.connect("ipc://" + sys.argv[1])
sys.stdin.read()
"""


def test_a_bare_publisher_without_descriptors_is_aborted_by_its_library() -> None:
    # Why a service refuses to start with few of them: nothing in Python can catch this.
    path = str(Path("/tmp") / f"rrr.{os.getpid()}.pub")
    publisher, crowd = piped(CROWDED, path), None
    try:
        assert publisher.stdout is not None
        assert publisher.stdout.readline() == "bound\n"
        crowd = piped(CROWD, path)
        code = publisher.wait(30)
    finally:
        for process in filter(None, (publisher, crowd)):
            process.kill()
            process.communicate()
        Path(path).unlink(missing_ok=True)
    assert code == -signal.SIGABRT


def piped(program: str, path: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", program, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
