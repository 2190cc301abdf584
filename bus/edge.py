"""The one bridge between a core and asyncio; beside sync and janitor, what starts a thread.

The edge lives in one thread with one event loop; that thread never touches zmq, journals, the core
or log files. Up: inputs go through a bounded inbox, and a full one makes the reader wait, so that
TCP holds the exchange back. Down: each effect becomes a task with a deadline and one answer.
"""

import asyncio
import contextlib
import socket
import threading
import traceback
from collections import deque
from collections.abc import Coroutine
from typing import Any

import uvloop

from bus.clock import Clock
from bus.errors import EdgeError
from bus.service import Edge
from schema.head import Effect, Local
from schema.house import EdgeFailed, Unanswered

INBOX_MAX = 20_000
TICK_S = 0.1
FULL_WAIT_S = 0.002
TAKE_MAX = 2_000
STOP_S = 3.0
HANG_MS = 3_000
"""So long without a tick, and a task of the edge holds up all the others."""


class EdgeThread:
    """Runs an edge beside the loop; every method but the bridge's is the main thread's."""

    def __init__(self, edge: Edge, clock: Clock) -> None:
        self.clock = clock
        self.failure: Exception | None = None
        self._edge = edge
        self._inbox: deque[Local] = deque()
        self._notes: deque[tuple[str, dict[str, object]]] = deque()
        self._why_not: str | None = "its edge has not connected yet"
        self._tick_ns = clock.mono_ns()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._stopping = False
        self._started = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="edge", daemon=True)

    # The main thread's side.

    @property
    def fd(self) -> int:
        """The descriptor that can be read when inputs wait."""
        return self._wake_in.fileno()

    @property
    def why_not(self) -> str | None:
        """Why the edge cannot work, or None."""
        if self.age_ms() > HANG_MS:
            return "its edge hangs: one of its tasks does not let the others run"
        return self._why_not

    def age_ms(self) -> int:
        """Return how long ago the edge's loop last turned."""
        return max(0, (self.clock.mono_ns() - self._tick_ns) // 1_000_000)

    def start(self) -> None:
        """Start the thread."""
        self._tick_ns = self.clock.mono_ns()
        self._thread.start()
        self._started.wait()

    def take(self) -> list[Local]:
        """Return the inputs that wait, at most TAKE_MAX."""
        with contextlib.suppress(BlockingIOError):
            self._wake_in.recv(4096)
        taken = [self._inbox.popleft() for _ in range(min(len(self._inbox), TAKE_MAX))]
        if self._inbox:
            self._wake()
        return taken

    def notes(self) -> list[tuple[str, dict[str, object]]]:
        """Return what the edge wants written to the log."""
        return [self._notes.popleft() for _ in range(len(self._notes))]

    def perform(self, effect: Effect) -> None:
        """Hand the edge an effect; its answer comes back as an input."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # It has ended: its failure is on its way up.
            self._loop.call_soon_threadsafe(self._begin, effect)

    def stop(self) -> None:
        """Cancel the edge and wait for its thread, for a bounded time."""
        self._stopping = True
        if self._loop is not None and self._main is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # The loop has ended by itself.
                self._loop.call_soon_threadsafe(self._main.cancel)
        self._thread.join(STOP_S)
        if not self._thread.is_alive():
            self._wake_in.close()
            self._wake_out.close()

    # The edge's side: the Bridge.

    async def hear(self, message: Local) -> None:
        """Hand the core one input; waits while the inbox is full."""
        while len(self._inbox) >= INBOX_MAX:  # noqa: ASYNC110 - the other side is a thread
            await asyncio.sleep(FULL_WAIT_S)
        self._put(message)

    def ready(self, why_not: str | None) -> None:
        """Say why the edge cannot work yet, or None once it can."""
        if why_not != self._why_not:
            self._why_not = why_not
            self._wake()

    def note(self, event: str, **fields: object) -> None:
        """Write one line to the service's log, through the main thread."""
        self._notes.append((event, fields))

    def _put(self, message: Local) -> None:
        self._inbox.append(message)
        if len(self._inbox) == 1:
            self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_out.send(b"\0")

    def _run(self) -> None:
        with (
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
            contextlib.suppress(asyncio.CancelledError),
        ):
            runner.run(self._live())

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._main = asyncio.current_task()
        self._started.set()
        ticking = asyncio.create_task(self._ticking())
        try:
            await self._guarded("run", self._forever())
        finally:
            self._stopping = True
            ticking.cancel()
            for task in self._tasks:
                task.cancel()

    async def _forever(self) -> None:
        await self._edge.run(self)
        raise EdgeError("the edge ended by itself", "An edge runs until it is cancelled")

    async def _ticking(self) -> None:
        while True:
            self._tick_ns = self.clock.mono_ns()
            await asyncio.sleep(TICK_S)

    async def _guarded(self, task: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            if self._stopping:
                raise
            hint = "What a task waits for may be cancelled; it has to say what that means"
            self._failed(task, EdgeError("it was cancelled, and not by its service", hint))
        except Exception as error:  # noqa: BLE001 - whatever ends an edge task is said, never lost
            self._failed(task, _only(error))

    def _failed(self, task: str, error: Exception) -> None:
        self.note("edge.failed", task=task, traceback=traceback.format_exc())
        self.failure = error  # First: who takes the message looks for its failure at once.
        self._put(EdgeFailed(task=task, error=f"{type(error).__name__}: {error}"))

    def _begin(self, effect: Effect) -> None:
        work = self._guarded(type(effect).__name__, self._answered(effect))
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answered(self, effect: Effect) -> None:
        try:
            async with asyncio.timeout(effect.timeout_ms / 1000):
                answer = await self._edge.perform(effect)
        except TimeoutError:
            answer = _unanswered(effect, f"no answer within {effect.timeout_ms} ms")
        except EdgeError as error:
            answer = _unanswered(effect, str(error))
        await self.hear(answer)


def _only(error: Exception) -> Exception:
    # A group of tasks wraps even a single failure, and with it the exit code.
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        (error,) = error.exceptions
    return error


def _unanswered(effect: Effect, reason: str) -> Unanswered:
    return Unanswered(effect_id=effect.effect_id, reason=reason)
