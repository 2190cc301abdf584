"""`rrr bus watch` beside publishers that go on: sockets, a stalled pipe, a stop, Ctrl-C."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bus.clock import SystemClock
from bus.house import House
from bus.record import JournalWriter
from bus.wire import Wire
from schema.frame import Flag, Frame, Kind, pack, position
from schema.house import Heartbeat
from schema.messages import encode
from services.rrr.ears import Ear, Lost, Seen, hear, shown
from tests.services.bare import entered_house
from tests.services.rrr.answering import bare_environment
from tests.services.rrr.bus_desk import trade, writer_of

DEADLINE_NS = 30 * 10**9
CLOCK = SystemClock()


@pytest.fixture
def house() -> Iterator[House]:
    """A house in which nothing runs, entered."""
    with entered_house() as made:
        yield made


@contextmanager
def ingest(house: House) -> Iterator[tuple[Wire, JournalWriter]]:
    """The sockets of ingest, and its journal of trades."""
    wire, writer = Wire(house.run, "ingest"), writer_of(house, "ingest.trade", CLOCK)
    try:
        yield wire, writer
    finally:
        writer.close("done")
        wire.close()


@contextmanager
def watching(house: House, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A watch in a process of its own; it is ended at the latest here."""
    process = subprocess.Popen(
        [sys.executable, "-m", "services.rrr", "bus", *words],
        cwd=house.root,
        env=bare_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def beat(number: int, last: int = 0) -> bytes:
    heartbeat = Heartbeat(
        ts_event=0, service="ingest", state="READY", reason="", world="w", pid=1, started_ns=0,
        turn=number, last=((1, last),) if last else (), synced=(), cursors=(),
    )  # fmt: skip
    return pack(
        Frame(
            "ingest.hb", Kind.HEARTBEAT, Flag(0), position(1, number), CLOCK.wall_ns(),
            CLOCK.mono_ns(), 1, 0, encode([heartbeat]),
        )
    )  # fmt: skip


def until_first(process: "subprocess.Popen[bytes]", writer: JournalWriter) -> bytes:
    """Write trades until the watch shows one; return that line."""
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    deadline_ns = CLOCK.mono_ns() + DEADLINE_NS
    while not (line := process.stdout.readline()):
        assert CLOCK.mono_ns() < deadline_ns
        writer.append([trade(-1)])
        CLOCK.pause_ms(10)
    os.set_blocking(process.stdout.fileno(), True)
    return line


def test_a_frame_that_did_not_come_is_told(house: House) -> None:
    with ingest(house) as (wire, writer):
        ear = Ear(house.run, ["ingest.trade", "ingest.hb"], shown)
        deadline_ns = CLOCK.mono_ns() + DEADLINE_NS
        while not list(ear.take(10)):
            assert CLOCK.mono_ns() < deadline_ns
            wire.send(writer.append([trade()])[0])
        for number in range(6):
            (frame,) = writer.append([trade(number)] * 2)
            if number not in {2, 3}:
                wire.send(frame)
            if number != 4:
                wire.send(beat(number))
        wire.send(b"no frame at all")
        heard: list[Seen | Lost] = []
        while not (heard and heard[-1].stream == "ingest.hb" and heard[-1].pos & 0xFF == 5):
            assert CLOCK.mono_ns() < deadline_ns
            heard += ear.take(10)
        ear.close()
    lost = [(one.stream, one.count) for one in heard if isinstance(one, Lost)]
    assert lost == [("ingest.trade", 4), ("ingest.hb", 1)]
    spoken = [one for one in heard if isinstance(one, Seen) and one.stream == "ingest.trade"]
    assert len(spoken) >= 8


def test_the_end_of_a_burst_is_missed_by_the_second_heartbeat(house: House) -> None:
    with ingest(house) as (wire, writer):
        ear = Ear(house.run, ["ingest.trade"], shown)
        deadline_ns = CLOCK.mono_ns() + DEADLINE_NS
        heard: list[Seen | Lost] = []
        while not heard:
            assert CLOCK.mono_ns() < deadline_ns
            wire.send(writer.append([trade()])[0])
            heard += ear.take(10)
        late = writer.append([trade(1)])[0]
        wire.send(beat(0, writer.last))
        wire.send(late)  # It was on its way: a heartbeat may overtake what waits for the disk.
        writer.append([trade(2)] * 3)
        wire.send(beat(1, writer.last))
        assert not [one for one in ear.take(50) if isinstance(one, Lost)]
        wire.send(beat(2, writer.last))
        wire.send(beat(3, writer.last))
        wire.send(writer.append([trade(3)])[0])
        heard.clear()
        while not (heard and isinstance(heard[-1], Seen)):
            assert CLOCK.mono_ns() < deadline_ns
            heard += ear.take(10)
        ear.close()
    assert [one.count for one in heard if isinstance(one, Lost)] == [3]


def test_sockets_alone_never_end_by_themselves_before_time(house: House) -> None:
    with ingest(house):
        ear = Ear(house.run, ["ingest.hb"], shown)
        begun_ns = CLOCK.mono_ns()
        assert [one for one in hear((), ear, CLOCK, 60_000_000, follow=True) if one] == []
        assert CLOCK.mono_ns() - begun_ns >= 60_000_000
        ear.close()


@pytest.mark.slow
def test_sockets_are_watched_with_live(house: House) -> None:
    words = ("watch", "ingest.trade", "--live", "--json", "-n", "20", "-W", "20")
    with ingest(house) as (wire, writer), watching(house, *words) as process:
        deadline_ns = CLOCK.mono_ns() + DEADLINE_NS
        number = 0
        while process.poll() is None:
            assert CLOCK.mono_ns() < deadline_ns
            for frame in writer.append([trade(number)]):
                wire.send(frame)
            number += 1
            CLOCK.pause_ms(2)
        assert process.stdout is not None
        ids = [json.loads(line)["trade_id"] for line in process.stdout.read().splitlines()]
        assert process.returncode == 0
    assert ids == list(range(ids[0], ids[0] + 20))


@pytest.mark.slow
def test_heartbeats_are_watched_from_sockets(house: House) -> None:
    words = ("watch", "ingest.*", "--json", "--once", "--key", "ingest", "-W", "20")
    with ingest(house) as (wire, _), watching(house, *words) as process:
        deadline_ns = CLOCK.mono_ns() + DEADLINE_NS
        while process.poll() is None:
            assert CLOCK.mono_ns() < deadline_ns
            wire.send(beat(1))
            CLOCK.pause_ms(5)
        assert process.stdout is not None
        assert json.loads(process.stdout.read())["type"] == "Heartbeat"


@pytest.mark.slow
def test_a_stopped_watcher_and_a_stalled_pipe_lose_nothing(house: House) -> None:
    words = ("watch", "ingest.trade", "--json", "--filter", "trade_id >= 0", "-n", "30000")
    with ingest(house) as (_, writer), watching(house, *words) as process:
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        deadline_ns = CLOCK.mono_ns() + DEADLINE_NS
        first = b""
        while not (first := first or process.stdout.read(1) or b""):
            assert CLOCK.mono_ns() < deadline_ns
            writer.append([trade(0)])
            CLOCK.pause_ms(10)
        os.set_blocking(process.stdout.fileno(), True)
        os.kill(process.pid, signal.SIGSTOP)
        begun = writer.last
        for number in range(1, 15_000):
            writer.append([trade(number)])
        os.kill(process.pid, signal.SIGCONT)  # It goes on, and its pipe is full: nobody reads.
        for number in range(15_000, 31_000):
            writer.append([trade(number)])
        lines = (first + process.stdout.read()).splitlines()
        assert process.wait(30) == 0
    shown_ = [json.loads(line) for line in lines]
    assert {row["type"] for row in shown_} == {"Trade"}
    assert len(shown_) == 30_000
    positions = [row["pos"] for row in shown_]
    assert positions == list(range(positions[0], positions[0] + 30_000))
    assert positions[0] <= begun


@pytest.mark.slow
def test_an_interrupt_ends_it_with_a_summary(house: House) -> None:
    with ingest(house) as (_, writer), watching(house, "watch", "ingest.trade") as process:
        assert b" ingest.trade Trade symbol=BTC/USDT" in until_first(process, writer)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read()
        summary = process.stderr.read().decode()
        assert process.wait(10) == 0
    assert " messages in " in summary
    assert summary.rstrip().endswith("0 lost")


@pytest.mark.slow
def test_a_lag_is_watched_until_an_interrupt(house: House) -> None:
    with ingest(house), watching(house, "lag", "ingest.trade", "--watch", "--json") as process:
        assert process.stdout is not None
        told = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert {one["consumer"] for one in told} == {"writer_market"}


@pytest.mark.slow
def test_a_graph_is_drawn_on_a_terminal(house: House) -> None:
    ours, theirs = pty.openpty()
    with ingest(house) as (_, writer):
        process = subprocess.Popen(
            [sys.executable, "-m", "services.rrr", "bus", "watch", "ingest.trade", "--graph",
             "-W", "2.5"],
            cwd=house.root, env=bare_environment(), stdout=theirs,
        )  # fmt: skip
        deadline_ns = CLOCK.mono_ns() + DEADLINE_NS
        while process.poll() is None:
            assert CLOCK.mono_ns() < deadline_ns
            writer.append([trade()])
            CLOCK.pause_ms(10)
        drawn = os.read(ours, 1 << 16).decode()
        os.close(ours)
        os.close(theirs)
    assert process.returncode == 0
    assert "ingest.trade" in drawn and "/s " in drawn and "█" in drawn
