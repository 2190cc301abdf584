"""A service's sign of life: its state, said four times a second and answered to whoever asks."""

import os
import resource
import sys
from collections.abc import Callable

import msgspec

from bus.clock import Clock
from bus.transport import Transport
from schema.frame import Flag, Frame, Kind, pack, position
from schema.house import Command, CommandDone, Heartbeat, Positions
from schema.messages import encode

BEAT_NS = 250_000_000
OVER = frozenset({"DRAINING", "STOPPED", "FAILED"})
"""From here no life becomes READY again."""

WAITING_MAX = 1_000

PAGE_BYTES = resource.getpagesize()


class Progress(msgspec.Struct):
    """What the runner knows of itself when a heartbeat is due."""

    turn: int = 0
    last: Positions = ()
    synced: Positions = ()
    cursors: Positions = ()
    counters: tuple[tuple[str, int], ...] = ()
    edge_age_ms: int = 0


class Waiting(msgspec.Struct):
    """Somebody who waits until this service is READY, and how long, in monotonic time."""

    command: Command
    until_ns: int


class Pulse:
    """Says `<service>.hb` and answers `status`, from before the first turn until the last."""

    def __init__(self, service: str, transport: Transport, clock: Clock) -> None:
        self.service = service
        self.state = "STARTING"
        self.reason = ""
        self.world = ""
        self.contract = ""
        self.code = ""
        self.settings = ""
        self.epoch = 0
        self.pid = os.getpid()
        self.progress: Callable[[], Progress] = Progress
        self._transport = transport
        self.clock = clock
        self._started_ns = clock.wall_ns()
        self._due_ns = 0
        self._n = 0
        self._pass_ns = clock.mono_ns()
        self._lag_ns = 0
        self._waiting: list[Waiting] = []

    @property
    def rules(self) -> str:
        """What a turn has to be run again with, so that it decides the same."""
        return f"{self.code}.{self.settings}"

    def become(self, state: str, reason: str = "") -> bool:
        """Change state or reason; True when it is a change, which is said at once."""
        if (state, reason) == (self.state, self.reason):
            return False
        self.state, self.reason = state, reason
        self._due_ns = 0
        return True

    def worked(self) -> None:
        """Measure the pass that began at the last `rested`."""
        self._lag_ns = max(self._lag_ns, self.clock.mono_ns() - self._pass_ns)

    def rested(self) -> None:
        """Begin a new pass."""
        self._pass_ns = self.clock.mono_ns()

    def due_in_ns(self) -> int:
        """Return how long until the next heartbeat."""
        return max(0, self._due_ns - self.clock.mono_ns())

    def beat(self) -> None:
        """Say a heartbeat when one is due."""
        now_ns = self.clock.mono_ns()
        if self._waiting:
            self._answer_waiting(now_ns)
        if now_ns < self._due_ns:
            return
        self._due_ns = now_ns + BEAT_NS
        heartbeat = self.heartbeat()
        frame = Frame(
            stream=f"{self.service}.hb",
            kind=Kind.HEARTBEAT,
            flags=Flag(0),
            pos=position(self.epoch, self._n),
            ts_ns=self.clock.wall_ns(),
            mono_ns=now_ns,
            count=1,
            schema=0,
            body=encode([heartbeat]),
        )
        self._n += 1
        self._lag_ns = 0
        self._transport.send(pack(frame))

    def heartbeat(self) -> Heartbeat:
        """Return the sign of life as of now."""
        progress = self.progress()
        return Heartbeat(
            ts_event=self.clock.market_ns(),
            service=self.service,
            state=self.state,
            reason=self.reason,
            world=self.world,
            pid=self.pid,
            started_ns=self._started_ns,
            turn=progress.turn,
            last=progress.last,
            synced=progress.synced,
            cursors=progress.cursors,
            counters=(*progress.counters, ("files_open_pct", files_open_pct())),
            loop_lag_us=self._lag_ns // 1000,
            edge_age_ms=progress.edge_age_ms,
            rss_bytes=rss_bytes(),
            contract=self.contract,
            code=self.code,
        )

    def answer_status(self, command: Command) -> None:
        """Answer `status` with the heartbeat of this moment."""
        self._answer(command, ok=True, text=self.state)

    def await_ready(self, command: Command, wait_ms: int) -> None:
        """Answer a command once this service is READY, or that it is not when time is up."""
        if len(self._waiting) >= WAITING_MAX:
            self._answer(command, ok=False, text="too many wait for it already")
            return
        now_ns = self.clock.mono_ns()
        self._waiting.append(Waiting(command, now_ns + wait_ms * 1_000_000))
        self._answer_waiting(now_ns)

    def _answer_waiting(self, now_ns: int) -> None:
        ready, over = self.state == "READY", self.state in OVER
        still = []
        for one in self._waiting:
            if ready or over or now_ns >= one.until_ns:
                text = self.state if ready else f"{self.state}: {self.reason or 'no word'}"
                self._answer(one.command, ok=ready, text=text)
            else:
                still.append(one)
        self._waiting = still

    def _answer(self, command: Command, *, ok: bool, text: str) -> None:
        body = msgspec.msgpack.encode(self.heartbeat())
        self._transport.reply(
            CommandDone(request_id=command.request_id, ok=ok, text=text, body=body)
        )


def files_open_pct() -> int:
    """Return what share of the files that this process may have open it has open.

    At the limit the next connection to one of its sockets ends it.
    """
    may, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 100 * len(os.listdir("/dev/fd")) // may  # noqa: PTH208 - four times a second


def rss_bytes() -> int:
    """Return the resident memory of this process; its peak where only that is told (macOS)."""
    if sys.platform == "linux":
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - four times a second
            return int(file.read().split()[1]) * PAGE_BYTES
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
