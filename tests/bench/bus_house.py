"""Processes for a measurement: services in a house of their own, and plain ones beside them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

import msgspec

from bus.clock import SystemClock
from bus.errors import UnreachableError
from bus.journal import open_reader
from bus.wire import ask
from schema.frame import Kind
from schema.house import CommandDone
from schema.streams import STREAMS
from tests.bench.bus_load import Told
from tests.bench.bus_service import SAYS, Plan

ROOT = Path(__file__).parents[2]
PATIENCE_MS = 60_000
LOOK_MS = 40
SETTLE_MS = 300  # until a subscription has surely arrived at its publisher

clock = SystemClock()


class Task:
    """One process, ended with its house."""

    def __init__(
        self, words: list[str], environ: dict[str, str], out: IO[str] | None = None
    ) -> None:
        self.process = subprocess.Popen(
            words,
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=out or subprocess.PIPE,
            stderr=out,
            text=True,
        )

    def tell(self, line: str) -> None:
        """Write it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def line(self) -> str:
        """Wait for a line that it writes."""
        assert self.process.stdout is not None
        found = self.process.stdout.readline()
        assert found, f"{self.process.args!r} ended with {self.process.wait()}"
        return found

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self) -> None:
        """End it, and wait until it is gone."""
        self.process.kill()
        self.process.communicate()


class House:
    """A directory with what stands in it, and the processes of one comparison."""

    def __init__(self) -> None:
        # A socket's path must be short, and the temporary directory of macOS is not.
        self.top = Path(tempfile.mkdtemp(prefix="rrr.", dir="/tmp"))
        self.run = self.top / "run"
        self.run.mkdir(mode=0o700)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("RRR_", "MODE"))}
        own = {
            "RRR_HOME": str(self.top),
            "RRR_RUN": str(self.run),
            "RRR_BUS__PLAIN_MIB": "16384",  # Compression of old segments is not measured here.
            "SUPERVISOR_ENABLED": "1",  # Its end is theirs: their standard input closes.
        }
        self.environ = {**kept, **own}
        self.tasks: dict[str, Task] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for task in reversed(self.tasks.values()):  # A server after its clients.
            task.end()
        shutil.rmtree(self.top)

    def start(self, name: str, *words: str) -> Task:
        """Start a process of the measurement; it goes by its name."""
        self.tasks[name] = Task([sys.executable, "-m", *words], self.environ)
        return self.tasks[name]

    def serve(self, port: int, program: str, *words: str) -> None:
        """Start a server of somebody else, and wait until it takes connections."""
        with (self.top / "server.log").open("w") as log:
            self.tasks[program] = Task([program, *words], self.environ, log)
        for _ in range(PATIENCE_MS // LOOK_MS):
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", port)):
                    return
            clock.pause_ms(LOOK_MS)
        raise AssertionError(f"nobody listens at {port}: {(self.top / 'server.log').read_text()}")

    def speaker(self, name: str = "ingest", first: Plan | None = None) -> None:
        """Start a service that says what it is told to."""
        self.start(name, *speaker_words(name, first))
        self.await_ready(name)

    def listener(self, name: str, hears: str = "ingest.trade", goal: int = 0) -> None:
        """Start a durable consumer of a stream, from its beginning."""
        self.start(name, "tests.bench.bus_service", "hear", name, f"{hears} {goal}")
        self.await_ready(name)

    def stop(self, name: str) -> None:
        """End one process at once."""
        self.tasks.pop(name).end()

    def await_ready(self, name: str) -> None:
        """Wait until a service says that it is READY."""
        for _ in range(PATIENCE_MS // LOOK_MS):
            try:
                if self.ask(name, "status").text == "READY":
                    return
            except UnreachableError:
                assert self.tasks[name].process.poll() is None, f"{name} has ended"
            clock.pause_ms(LOOK_MS)
        raise AssertionError(f"{name} is not READY after {PATIENCE_MS} ms")

    def ask(self, name: str, verb: str, *args: str) -> CommandDone:
        """Ask a service something on its control socket."""
        return ask(self.run, name, verb, args, timeout_ms=5000)

    def say(self, plan: Plan, name: str = "ingest") -> None:
        """Let a speaker say some messages from now on."""
        self.ask(name, "say", msgspec.json.encode(plan).decode())

    def play(self, plan: Plan, *listeners: str, speaker: str = "ingest") -> list[Told]:
        """Let a speaker say some messages; return what each listener has heard, at its end."""
        for name in listeners:
            self.ask(name, "count", str(plan.count), "timing" if plan.stamps else "")
        self.say(plan, speaker)
        return [self.heard(name, plan.count) for name in listeners]

    def heard(self, name: str, count: int) -> Told:
        """Wait until a listener has heard so many messages; fewer are a message lost."""
        for _ in range(PATIENCE_MS // LOOK_MS):
            clock.pause_ms(LOOK_MS)
            told = self.so_far(name)
            if told.heard >= count:
                assert told.heard == count, f"{name} heard {told.heard} of {count}"
                return told
        raise AssertionError(f"{name} heard {told.heard} of {count}")

    def so_far(self, name: str) -> Told:
        """Return what a listener has heard until now."""
        return msgspec.msgpack.decode(self.ask(name, "told").body, type=Told)

    def spoken(self, name: str = "ingest") -> Plan:
        """Wait until a speaker has said all, and return what it was to say."""
        for _ in range(PATIENCE_MS // LOOK_MS):
            plan = msgspec.msgpack.decode(self.ask(name, "told").body, type=Plan)
            if plan.said == plan.count:
                return plan
            clock.pause_ms(LOOK_MS)
        raise AssertionError(f"{name} said {plan.said} of {plan.count}")

    def journal(self, stream: str) -> Path:
        """Return the folder of a stream's journal."""
        owner, _, channel = stream.partition(".")
        (folder,) = self.top.glob(f"data/*/journal/{owner}/{channel}")
        return folder

    def batches(self, stream: str = "ingest.trade") -> dict[int, int]:
        """Return how many frames held how many messages, by powers of two."""
        reader, after = open_reader(self.journal(stream), STREAMS[stream]), 0
        found: Counter[int] = Counter()
        while frames := reader.read(after, 1 << 22):
            after = frames[-1].last
            found.update(_bucket(frame.count) for frame in frames if frame.kind == Kind.DATA)
        reader.close()
        return dict(sorted(found.items()))


def speaker_words(name: str, first: Plan | None = None) -> tuple[str, ...]:
    """Return how a speaker is started."""
    plan = msgspec.json.encode(first or Plan()).decode()
    assert name in SAYS
    return ("tests.bench.bus_service", "speak", name, plan)


def _bucket(count: int) -> int:
    return 1 << (count - 1).bit_length()


class Plain:
    """A plain PUB and a plain SUB, each a process of its own, over ipc."""

    def __init__(self, house: House) -> None:
        path = str(house.run / "plain.pub")
        self.speaker = house.start("plain speaker", "tests.bench.bus_plain", "speak", path)
        assert self.speaker.line()
        self.listener = house.start("plain listener", "tests.bench.bus_plain", "hear", path)
        assert self.listener.line()
        clock.pause_ms(SETTLE_MS)

    def play(self, plan: Plan) -> Told:
        """Let it say and hear some messages; all of them arrive."""
        line = msgspec.json.encode(plan).decode()
        self.listener.tell(line)
        self.speaker.tell(line)
        told = msgspec.json.decode(self.listener.line(), type=Told)
        assert told.heard == plan.count
        return told


@contextmanager
def pair() -> Iterator[tuple[House, Plain]]:
    """Lend a house with one speaker and one listener, and the plain pair beside it."""
    with House() as house:
        house.speaker()
        house.listener("writer_market")
        yield house, Plain(house)
