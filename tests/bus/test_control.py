"""Control over real sockets: who answers, who waits, what comes twice, too late, or as a flood."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from bus.answers import new_request
from bus.clock import SystemClock
from bus.control import Control, Hello
from bus.errors import UnreachableError
from bus.log import Log
from bus.memory import MemoryJournals
from bus.pulse import WAITING_MAX, Pulse
from bus.runner import Runner
from bus.service import Parts
from bus.transport import FRAMES_MAX
from bus.wire import REQUEST_BYTES_MAX, Wire, ask
from schema.house import Command, CommandDone, Heartbeat, Inputs
from schema.messages import inline_decoder
from tests.bus.test_wire import stranger
from tests.bus.toy import Toy, records

DEADLINE_NS = 10_000_000_000
pack = msgspec.msgpack.Encoder().encode


class Served:
    """A service that does nothing but listen to its control socket."""

    def __init__(self, run: Path, logs: Path) -> None:
        self.run, self.clock = run, SystemClock()
        self.wire = Wire(run, "ingest")
        self.pulse = Pulse("ingest", self.wire, self.clock)
        self.pulse.world, self.pulse.contract, self.pulse.code = "local-test-1", "c1", "c2"
        log = Log(logs, "ingest", "local-test-1", self.clock, (1 << 20, 2))
        log.console = -1
        self.kept: list[str] = []
        self.control = Control(
            self.wire,
            self.pulse,
            log,
            lambda: self.kept.append("kept"),
            lambda: self.kept.append("told"),
        )
        self.done: list[Command] = []
        self.passes: list[int] = []
        self.askers = ThreadPoolExecutor(32)

    def turn(self) -> None:
        self.wire.wait(5)
        found = self.control.take()
        self.passes.append(len(found))
        for command in found:
            self.done.append(command)
            text = f"{command.verb} {len(self.done)}"
            self.wire.reply(CommandDone(request_id=command.request_id, ok=True, text=text))
        self.pulse.beat()

    def until(self, met: Callable[[], bool]) -> None:
        deadline_ns = self.clock.mono_ns() + DEADLINE_NS
        while not met():
            assert self.clock.mono_ns() < deadline_ns
            self.turn()

    def asked(self, verb: str, *args: str, ms: int = 5000, request_id: str = "") -> CommandDone:
        later = self.later(verb, *args, ms=ms, request_id=request_id)
        self.until(later.done)
        return later.result()

    def later(
        self, verb: str, *args: str, ms: int = 5000, request_id: str = ""
    ) -> "Future[CommandDone]":
        return self.askers.submit(ask, self.run, "ingest", verb, args, ms, request_id=request_id)

    def counted(self, name: str) -> int:
        return dict(self.control.counters())[name]

    def close(self) -> None:
        self.wire.close()
        self.askers.shutdown()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    run = tmp_path / "r"
    run.mkdir()
    made = Served(run, tmp_path / "logs")
    yield made
    made.close()


def test_hello_tells_who_answers(served: Served) -> None:
    served.pulse.epoch = 7
    done = served.asked("hello")
    hello = msgspec.json.decode(done.body, type=Hello)
    assert hello == Hello("ingest", os.getpid(), "local-test-1", 7, "c1", "c2")
    assert done.text.startswith("ingest, process")


def test_a_snapshot_is_kept_and_told(served: Served) -> None:
    assert served.asked("snapshot").ok
    assert served.kept == ["told", "kept"]


def test_all_who_wait_are_answered_once_it_is_ready_and_hold_nobody_up(served: Served) -> None:
    served.pulse.become("STARTING", "it waits for the clock")
    waiting = [served.later("wait_ready", "8000", ms=9000) for _ in range(20)]
    served.until(lambda: len(served.pulse._waiting) == 20)
    assert served.asked("status").text == "STARTING"
    assert not any(one.done() for one in waiting)
    served.pulse.become("READY")
    served.until(lambda: all(one.done() for one in waiting))
    assert all(one.result().ok and one.result().text == "READY" for one in waiting)
    assert served.asked("wait_ready", "0").ok


def test_who_waited_in_vain_is_told_why(served: Served) -> None:
    served.pulse.become("CATCHING_UP", "it reads what was said before it started")
    done = served.asked("wait_ready", "30")
    assert not done.ok
    assert done.text == "CATCHING_UP: it reads what was said before it started"
    assert msgspec.msgpack.decode(done.body, type=Heartbeat).state == "CATCHING_UP"


def test_who_waits_for_one_that_goes_need_not_wait_to_the_end(served: Served) -> None:
    waiting = served.later("wait_ready", "8000", ms=9000)
    served.until(lambda: len(served.pulse._waiting) == 1)
    served.pulse.become("DRAINING", "told to stop")
    served.until(waiting.done)
    assert (waiting.result().ok, waiting.result().text) == (False, "DRAINING: told to stop")


@pytest.mark.parametrize("args", [("soon",), ("-5",), ("1", "2"), ("٣",), ("",)])
def test_a_wait_that_is_no_number_is_refused(served: Served, args: tuple[str, ...]) -> None:
    done = served.asked("wait_ready", *args)
    assert (done.ok, "takes one number" in done.text) == (False, True)


def test_the_longest_number_is_a_bounded_wait(served: Served) -> None:
    waiting = served.later("wait_ready", "9" * 5000, ms=9000)
    served.until(lambda: len(served.pulse._waiting) == 1)
    served.pulse.become("READY")
    served.until(waiting.done)
    assert waiting.result().ok


def test_a_repeat_gets_the_same_answer_and_is_not_done_again(served: Served) -> None:
    first = served.asked("refetch", "BTC/USDT", request_id="a")
    assert served.asked("refetch", "BTC/USDT", request_id="a") == first
    assert served.asked("refetch", "BTC/USDT", request_id="b") != first
    assert [one.request_id for one in served.done] == ["a", "b"]
    assert served.counted("requests_repeated") == 1


def test_what_is_read_too_late_is_not_done_and_says_so(served: Served) -> None:
    late = Command(request_id="late", verb="resume", args=(), by="me", until_mono_ns=1)
    caller = stranger(served.run, pack(late))
    served.until(lambda: served.counted("commands_expired") == 1)
    heard = b""
    while b"stopped waiting" not in heard:
        heard += caller.recv(4096)
    caller.close()
    assert served.done == []
    assert served.asked("resume").ok


def test_a_kill_never_comes_too_late() -> None:
    assert new_request("kill", ("HALTED",), 0).until_mono_ns == 0
    assert new_request("resume", (), 60).until_mono_ns > SystemClock().mono_ns()


def test_nobody_at_the_socket_is_told_from_nobody_answering(served: Served) -> None:
    with pytest.raises(UnreachableError, match="nobody serves its control socket"):
        ask(served.run, "venue", "status", timeout_ms=40)
    with pytest.raises(UnreachableError) as caught:
        ask(served.run, "ingest", "status", timeout_ms=400)
    assert "nobody" not in str(caught.value)


def test_a_flood_is_taken_in_passes_and_others_are_answered(served: Served) -> None:
    command = [pack(Command(request_id=str(n), verb="x", args=(), by="")) for n in range(10_000)]
    flood = threading.Thread(target=lambda: floods.append(stranger(served.run, *command)))
    floods: list[socket.socket] = []
    flood.start()
    served.until(lambda: len(served.done) > 100)
    assert served.asked("status").text == "STARTING"
    served.until(lambda: len(served.done) == 10_000)
    flood.join()
    floods[0].close()
    assert max(served.passes) <= FRAMES_MAX
    assert served.asked("refetch").ok


def test_large_requests_do_not_share_a_pass_and_too_large_ones_are_dropped(served: Served) -> None:
    large = [
        pack(Command(request_id=str(n), verb="x", args=("x" * size,), by=""))
        for n, size in enumerate((900_000, 900_000, REQUEST_BYTES_MAX, 10))
    ]
    caller = stranger(served.run, *large)
    served.until(lambda: len(served.done) == 3)
    caller.close()
    assert [one.request_id for one in served.done] == ["0", "1", "3"]
    assert served.counted("requests_unread") == 1
    assert sum(n > 0 for n in served.passes) >= 2


def test_one_too_large_for_any_frame_ends_its_own_connection_alone(served: Served) -> None:
    large = served.later("refetch", "x" * (1 << 20), ms=100)
    served.until(large.done)
    assert isinstance(large.exception(), UnreachableError)
    assert served.asked("refetch").ok
    assert len(served.done) == 1


def test_no_processor_records_a_repeat(tmp_path: Path) -> None:
    run = tmp_path / "r"
    run.mkdir()
    clock, wire = SystemClock(), Wire(run, "risk")
    journals = MemoryJournals(clock)
    pulse, log = Pulse("risk", wire, clock), Log(tmp_path, "risk", "w", clock, (1 << 20, 2))
    log.console = -1
    runner = Runner(Parts(Toy()), wire, journals, pulse, log)
    runner.start()
    with ThreadPoolExecutor(1) as askers:
        for _ in range(3):
            later = askers.submit(ask, run, "risk", "total", (), 5000, request_id="same")
            while not later.done():
                runner.wait()
                runner.turn()
            assert later.result().text == "0"
    runner._flush_silent()
    turns = [m for m in records(journals, "risk.verdict") if isinstance(m, Inputs)]
    local = [inline_decoder().decode(packed) for turn in turns for _, packed in turn.local]
    wire.close()
    assert sum(isinstance(one, Command) for one in local) == 1


def test_more_than_a_thousand_who_wait_are_sent_away(served: Served) -> None:
    asked = (
        Command(request_id=str(n), verb="wait_ready", args=("60000",), by="")
        for n in range(WAITING_MAX + 50)
    )
    caller = stranger(served.run, *map(pack, asked))
    answered = served.wire._answers._last
    served.until(lambda: len(answered) == 50)
    caller.close()
    assert {one.done.text for one in answered.values() if one.done} == {
        "too many wait for it already"
    }
    assert len(served.pulse._waiting) == WAITING_MAX
