"""The wire between real sockets: delivery, control, and what it refuses to touch."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.clock import SystemClock
from bus.errors import SettingsError, UnreachableError
from bus.wire import Subscriber, Wire, ask, ask_all, socket_path
from schema.frame import Flag, Frame, Kind, pack, unpack
from schema.house import Command, CommandDone

DEADLINE_MS = 5_000


def frame(stream: str, pos: int) -> bytes:
    return pack(
        Frame(
            stream=stream,
            kind=Kind.DATA,
            flags=Flag(0),
            pos=pos,
            ts_ns=0,
            mono_ns=0,
            count=1,
            schema=0,
            body=b"\x90",
        )
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    directory = tmp_path / "r un"
    directory.mkdir()
    return directory


@pytest.fixture
def wire(run: Path) -> Iterator[Wire]:
    made = Wire(run, "ingest")
    yield made
    made.close()


def heard(wire: Wire, subscriber: Subscriber, stream: str) -> Frame:
    deadline = SystemClock().mono_ns() + DEADLINE_MS * 1_000_000
    while SystemClock().mono_ns() < deadline:
        wire.send(frame(stream, 1))
        for raw in subscriber.receive(10):
            return unpack(raw)
    raise AssertionError("nothing arrived")


def test_a_subscriber_hears_its_stream_and_not_one_with_a_longer_name(
    run: Path, wire: Wire
) -> None:
    subscriber = Subscriber(run, ["ingest.trade"])
    try:
        assert heard(wire, subscriber, "ingest.trade").stream == "ingest.trade"
        wire.send(frame("ingest.trades", 2))
        wire.send(frame("ingest.trade", 3))
        rest: list[int] = []
        while 3 not in rest:
            rest += [unpack(raw).pos for raw in subscriber.receive(DEADLINE_MS)]
        assert 2 not in rest
    finally:
        subscriber.close()


def answer(wire: Wire, *, ok: bool) -> threading.Thread:
    def serve() -> None:
        commands: list[Command] = []
        while not commands:
            wire.wait(DEADLINE_MS)
            commands = wire.commands()
        text = " ".join((commands[0].verb, *commands[0].args))
        wire.reply(CommandDone(request_id=commands[0].request_id, ok=ok, text=text))

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_a_command_is_answered(run: Path, wire: Wire) -> None:
    thread = answer(wire, ok=True)
    done = ask(run, "ingest", "refetch", ("BTC/USDT",), DEADLINE_MS)
    thread.join()
    assert (done.ok, done.text) == (True, "refetch BTC/USDT")


def test_a_service_that_is_not_there_is_unreachable_and_holds_no_other_up(
    run: Path, wire: Wire
) -> None:
    with pytest.raises(UnreachableError, match="venue does not answer"):
        ask(run, "venue", "status", timeout_ms=50)
    thread = answer(wire, ok=True)
    answers = ask_all(run, ("venue", "ingest"), "status", timeout_ms=1000)
    thread.join()
    assert answers["venue"] is None
    assert answers["ingest"] is not None


def test_an_answer_to_an_asker_that_left_is_dropped(run: Path, wire: Wire) -> None:
    with pytest.raises(UnreachableError):
        ask(run, "ingest", "status", timeout_ms=20)
    wire.wait(DEADLINE_MS)
    for command in wire.commands():
        wire.reply(CommandDone(request_id=command.request_id, ok=True, text="late"))
    wire.reply(CommandDone(request_id="nobody", ok=True, text="unasked"))


def stranger(run: Path, *bodies: bytes) -> socket.socket:
    """Speak ZMTP by hand to a control socket, and say what no client of the house would say."""
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
    ready = b"\x05READY" + b"\x0bSocket-Type" + (6).to_bytes(4, "big") + b"DEALER"
    parts = [b"\x02" + len(body).to_bytes(8, "big") + body for body in bodies]
    caller = socket.socket(socket.AF_UNIX)
    caller.connect(str(run / "ingest.ctl"))
    caller.settimeout(DEADLINE_MS / 1000)
    caller.sendall(greeting)
    heard = b""
    while b"ROUTER" not in heard:
        heard += caller.recv(1024)
    caller.sendall(b"".join((b"\x04", bytes([len(ready)]), ready, *parts)))
    return caller


def test_garbage_at_the_control_socket_is_counted_and_harms_nobody(run: Path, wire: Wire) -> None:
    command = b"\x95\xcc\xe8\xa1a\xa1a\x90\xa1b"
    garbage = (b"", b"\xc1", command[:-1] + b"\xff", b"\x96" + command[1:] + b"\x91" * 200_000)
    caller = stranger(run, *garbage, command)
    found: list[Command] = []
    deadline_ns = SystemClock().mono_ns() + DEADLINE_MS * 1_000_000
    while not found:
        assert SystemClock().mono_ns() < deadline_ns
        wire.wait(10)
        found = wire.commands()
    caller.close()
    assert [one.request_id for one in found] == ["a"]
    assert wire.frames_dropped == len(garbage)


def test_a_file_in_the_place_of_a_socket_is_refused_and_kept(run: Path) -> None:
    precious = run / "ingest.pub"
    precious.write_bytes(b"a database")
    with pytest.raises(SettingsError, match="something else is there"):
        Wire(run, "ingest")
    assert precious.read_bytes() == b"a database"


def test_a_socket_goes_with_its_owner(run: Path) -> None:
    Wire(run, "ingest").close()
    assert list(run.iterdir()) == []


def test_a_stale_socket_is_taken_over(run: Path) -> None:
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(run / "ingest.pub"))
    stale.close()
    assert (run / "ingest.pub").is_socket()
    wire = Wire(run, "ingest")
    subscriber = Subscriber(run, ["ingest.trade"])
    assert heard(wire, subscriber, "ingest.trade").pos == 1
    subscriber.close()
    wire.close()


def test_a_path_too_long_for_a_socket_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Set RRR_RUN"):
        socket_path(tmp_path / ("x" * 100), "ingest", "pub")
