"""Many subscriptions, and what a service has no socket for."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.clock import SystemClock
from bus.wire import Subscriber, Wire
from schema.frame import Flag, Frame, Kind, pack, unpack

STREAMS = 3000
BATCH = 100
"""Fewer than a publisher keeps for one subscriber, so that none is dropped on the way."""

DEADLINE_NS = 20_000_000_000


@pytest.fixture
def run() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="rrr.", dir="/tmp"))
    yield directory
    shutil.rmtree(directory)


def frame(stream: str) -> bytes:
    return pack(
        Frame(
            stream=stream,
            kind=Kind.DATA,
            flags=Flag(0),
            pos=1,
            ts_ns=0,
            mono_ns=0,
            count=1,
            schema=0,
            body=b"\x90",
        )
    )


def hears_all(wire: Wire, ear: Subscriber, names: list[str]) -> None:
    """Say a frame on each stream until each was heard."""
    clock = SystemClock()
    deadline_ns = clock.mono_ns() + DEADLINE_NS
    missing = set(names)
    while missing:
        assert clock.mono_ns() < deadline_ns, f"{len(missing)} were never heard"
        for name in sorted(missing)[:BATCH]:
            wire.send(frame(name))
        missing -= {unpack(raw).stream for raw in ear.receive(50)}


def test_three_thousand_subscriptions_survive_a_restart_of_the_publisher(run: Path) -> None:
    names = [f"ingest.x{n}" for n in range(STREAMS)]
    wire, ear = Wire(run, "ingest"), Subscriber(run, names)
    hears_all(wire, ear, names)
    wire.close()
    wire = Wire(run, "ingest")
    hears_all(wire, ear, names)
    wire.close()
    ear.close()


def test_a_service_has_no_socket_to_replay_from(run: Path) -> None:
    # A router drops in silence what does not fit its queue; whoever wants the past reads the file.
    wire = Wire(run, "ingest")
    assert {path.name for path in run.iterdir()} == {"ingest.pub", "ingest.ctl"}
    wire.close()
