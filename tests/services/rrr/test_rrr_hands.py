"""What writes to a shard when its writer is there, is mute, or dies at it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from bus.clock import SystemClock
from bus.errors import BusyError
from bus.house import House
from bus.lease import Lease
from bus.wire import Wire
from services.rrr.hands import through_writer
from tests.services.rrr.store_desk import traded_house

LEAVES_MS = 60_000
HOLDS = """
import sys
from pathlib import Path
from bus.lease import Lease
lease = Lease(Path(sys.argv[1]))
assert lease.take()
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def house() -> Iterator[House]:
    with traded_house() as made:
        yield made


@contextmanager
def mute_writer(house: House) -> Iterator["subprocess.Popen[str]"]:
    """Let another process hold the place of a writer, whose socket takes requests and is silent."""
    lease = house.run / "writer_trading.lease"
    wire = Wire(house.run, "writer_trading")
    with (
        closing(wire),
        subprocess.Popen(
            [sys.executable, "-c", HOLDS, str(lease)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as holder,
    ):
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.kill()


def test_a_writer_that_dies_at_it_is_not_waited_for(house: House) -> None:
    begun_ns = SystemClock().mono_ns()
    with mute_writer(house) as holder:
        assert Lease(house.run / "writer_trading.lease").alive() == str(holder.pid)
        ends = subprocess.Popen(["/bin/sh", "-c", f"sleep 0.5; kill -9 {holder.pid}"])
        told = through_writer(house, "trading", "optimize", ("json",), LEAVES_MS)
        ends.wait()
    assert "trading.db" in told
    assert SystemClock().mono_ns() - begun_ns < LEAVES_MS * 1_000_000 // 4


@pytest.mark.slow  # It waits for the lease of the shard as long as an orphan may need.
def test_a_writer_that_lives_and_is_mute_is_not_replaced(house: House) -> None:
    shard = Lease(house.run / "shard_trading.lease")
    with mute_writer(house):
        assert shard.take()
        with pytest.raises(BusyError, match="is held by process"):
            through_writer(house, "trading", "optimize", (), 100)
        shard.release()


def test_the_socket_of_a_dead_writer_is_not_asked(house: House) -> None:
    with mute_writer(house) as holder:
        holder.kill()
        holder.wait()
        assert Lease(house.run / "writer_trading.lease").alive() == ""
        assert "trading.db" in through_writer(house, "trading", "optimize", ("json",), LEAVES_MS)
