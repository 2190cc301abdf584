"""Long work beside the loop: a child process of low priority, one at a time.

It reads the shard as any reader does and writes files of its own; what the shard's one connection
must do when it is done is the store's. Its standard input is its dead-man's switch, and whatever it
says is a sign of life: one that is silent for too long is ended.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

import msgspec

from bus.clock import Clock
from bus.plain import printable

LOOK_NS = 10_000_000_000
REST_NS = 60_000_000_000
REST_MAX_NS = 600_000_000_000
"""After a failure the same work rests for so long, after each more in a row twice as long."""

MODULE = "services.writer.job"
ROOT = Path(__file__).parents[2]
ALIVE = b"."
"""What a job writes now and then before its answer."""

ANSWER_BYTES_MAX = 1 << 16
ERROR_BYTES_MAX = 1 << 12
TEXT_CHARS_MAX = 300
PIECE_BYTES = 1 << 16
LEAVES_S = 1.0


class Job(msgspec.Struct, frozen=True):
    """One piece of long work: its name in job.py, and what it is told."""

    name: str
    args: Mapping[str, str]


class Finished(msgspec.Struct, frozen=True):
    """What a job came to."""

    job: Job
    ok: bool
    text: str


class Bounds(msgspec.Struct, frozen=True):
    """How long a job may take, and be silent, in monotonic time."""

    silent_ns: int = 600_000_000_000
    whole_ns: int = 12 * 3_600_000_000_000


Duty = Callable[[], Job | None]
"""Says what is due, if anything; asked now and then while nothing runs."""

Counters = tuple[tuple[str, int], ...]

_answer = msgspec.json.Decoder(Finished)


class Running:
    """One child process, and what it has said so far."""

    def __init__(self, job: Job, now_ns: int, bounds: Bounds, module: str = MODULE) -> None:
        self.job = job
        self._bounds = bounds
        self._began_ns = self._heard_ns = now_ns
        self._said, self._errors = b"", b""
        command = [sys.executable, "-m", module, msgspec.json.encode(job).decode()]
        self._child = subprocess.Popen(  # noqa: S603 - our own program
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            close_fds=True,
            start_new_session=True,  # The Ctrl-C of a person at a terminal is for its writer.
        )
        for pipe in (self._child.stdout, self._child.stderr):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)

    def ended(self, now_ns: int) -> Finished | None:
        """Return what it came to; None while it works."""
        gone = self._child.poll() is not None
        self._listen(now_ns)
        if gone:
            self.kill()  # Closes its pipes.
            return self._judged()
        if now_ns - self._heard_ns > self._bounds.silent_ns:
            return self._overdue(f"gave no sign of life for {self._bounds.silent_ns // 10**9} s")
        if now_ns - self._began_ns > self._bounds.whole_ns:
            return self._overdue(f"was not done after {self._bounds.whole_ns // 10**9} s")
        return None

    def kill(self) -> None:
        """End it now; whatever it left half-made, its next run clears away."""
        self._child.kill()
        with suppress(subprocess.TimeoutExpired):  # One that waits for a dead drive ends later.
            self._child.wait(LEAVES_S)
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            assert pipe is not None
            pipe.close()

    def _listen(self, now_ns: int) -> None:
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        heard, errors = _read(self._child.stdout.fileno()), _read(self._child.stderr.fileno())
        if heard or errors:
            self._heard_ns = now_ns
        self._said = (self._said + heard).lstrip(ALIVE)[:ANSWER_BYTES_MAX]
        self._errors = (self._errors + errors)[-ERROR_BYTES_MAX:]

    def _judged(self) -> Finished:
        code = self._child.returncode
        try:
            return _answer.decode(self._said)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            last = self._errors.decode(errors="replace").strip().rpartition("\n")[2]
            said = f": {last}" if last else " without a word"
            return Finished(self.job, ok=False, text=f"it ended with {code}{said}")

    def _overdue(self, why: str) -> Finished:
        self.kill()
        return Finished(self.job, ok=False, text=f"it {why}, and was ended")


class Jobs:
    """The one job of a writer that runs now, and what may be due next."""

    def __init__(
        self,
        duties: Sequence[Duty],
        clock: Clock,
        figures: Callable[[], Counters] = tuple,
        bounds: Bounds | None = None,
        module: str = MODULE,
        settled: Mapping[str, Callable[[], bool]] = MappingProxyType({}),
    ) -> None:
        self._duties = duties
        self._settled = settled  # Whether others did meanwhile what a job failed at.
        self._clock = clock
        self._figures = figures
        self._bounds = bounds or Bounds()
        self._module = module
        self._looked_ns = clock.mono_ns()
        self._running: Running | None = None
        self._done = self._failed = 0
        self._failures: dict[str, int] = {}  # in a row
        self._why: dict[str, str] = {}
        self._rests_until_ns: dict[str, int] = {}

    def tend(self) -> Finished | None:
        """Return what ended since the last look; begin what is due."""
        now_ns = self._clock.mono_ns()
        if self._running is not None:
            done = self._running.ended(now_ns)
            if done is not None:
                self._running = None
                self._note(done, now_ns)
            return done
        if now_ns - self._looked_ns >= LOOK_NS:
            self._looked_ns = now_ns
            self._forget_settled()
            return self._begin(now_ns)
        return None

    def counters(self) -> Counters:
        """Return how many jobs ended well or not, and how often each failed in a row."""
        failures = ((f"{name}_failures", times) for name, times in sorted(self._failures.items()))
        figures = self._figures()
        return (("jobs_done", self._done), ("jobs_failed", self._failed), *failures, *figures)

    def alarm(self) -> str | None:
        """Return what failed last of each kind of work, until it is done; None when all is well."""
        if not self._why:
            return None
        return "; ".join(f"its {name} failed: {why}" for name, why in sorted(self._why.items()))

    def close(self) -> None:
        """End what runs: it leaves nothing that the next run does not clear away."""
        if self._running is not None:
            self._running.kill()
            self._running = None

    def _forget_settled(self) -> None:
        for name in [name for name in self._why if name in self._settled]:
            if self._settled[name]():
                self._failures[name] = 0
                self._why.pop(name)

    def _begin(self, now_ns: int) -> Finished | None:
        for duty in self._duties:
            job = duty()
            if job is None or now_ns < self._rests_until_ns.get(job.name, 0):
                continue
            try:
                self._running = Running(job, now_ns, self._bounds, self._module)
            except OSError as error:  # No more processes or memory: the loop goes on without.
                done = Finished(job, ok=False, text=f"it cannot be started: {error}")
                self._note(done, now_ns)
                return done
            return None
        return None

    def _note(self, done: Finished, now_ns: int) -> None:
        name = done.job.name
        if done.ok:
            self._done += 1
            self._failures[name] = 0
            self._why.pop(name, None)
            return
        self._failed += 1
        self._failures[name] = self._failures.get(name, 0) + 1
        self._why[name] = printable(done.text)[:TEXT_CHARS_MAX]
        rest_ns = min(REST_MAX_NS, REST_NS << min(self._failures[name] - 1, 10))
        self._rests_until_ns[name] = now_ns + rest_ns


def _read(fd: int) -> bytes:
    """Return what waits in a pipe, without waiting for more."""
    try:
        return os.read(fd, PIECE_BYTES)
    except BlockingIOError:
        return b""
