"""One holder at a time, whatever kills it."""

import subprocess
import sys
from pathlib import Path

import pytest

from bus.clock import ManualClock, SystemClock
from bus.errors import BusyError
from bus.lease import Lease

HOLDER = """
import sys
from pathlib import Path
from bus.lease import Lease
assert Lease(Path(sys.argv[1])).take()
print("held", flush=True)
sys.stdin.read()
"""


def hold(path: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def finish(holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.communicate()


def test_a_second_holder_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "a service.lease"
    holder = hold(path)
    try:
        with pytest.raises(BusyError, match=f"held by process {holder.pid}"):
            Lease(path).wait(ManualClock())
    finally:
        finish(holder)


def test_a_killed_holder_leaves_the_lease_free(tmp_path: Path) -> None:
    path = tmp_path / "service.lease"
    finish(hold(path))
    lease = Lease(path)
    lease.wait(SystemClock())
    assert lease.held()
    lease.release()
    assert not path.exists()


def test_a_lease_whose_file_was_removed_is_known_to_be_lost(tmp_path: Path) -> None:
    path = tmp_path / "service.lease"
    lease = Lease(path)
    assert lease.take()
    path.unlink()
    assert not lease.held()
    assert Lease(path).take()
    lease.release()
    assert path.exists()


def test_a_free_lease_waits_for_nobody(tmp_path: Path) -> None:
    clock = ManualClock()
    lease = Lease(tmp_path / "service.lease")
    lease.wait(clock)
    assert clock.now_ns == 0
    lease.release()
    lease.release()
    assert not lease.held()


def test_only_a_lease_that_nobody_holds_is_cleared(tmp_path: Path) -> None:
    path = tmp_path / "service.lease"
    holder = hold(path)
    assert not Lease(path).clear()
    finish(holder)
    assert Lease(path).clear()
    assert not path.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_full_disk_keeps_nobody_from_clearing_up(tmp_path: Path) -> None:
    path = tmp_path / "service.lease"
    path.symlink_to("/dev/full")
    assert Lease(path).clear()
    assert not path.is_symlink()
    path.symlink_to("/dev/full")
    lease = Lease(path)
    with pytest.raises(OSError, match=r"\[Errno"):
        lease.take()
    assert not lease.held()
    assert not path.is_symlink()
