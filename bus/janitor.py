"""The thread that compresses and deletes old segments beside a service's loop.

It works in small pieces with a rest after each, and touches nothing of the loop's: somebody asks it
to look, and takes what came of it. What fails is told and tried again at the next look.
"""

import threading
from collections import deque
from pathlib import Path
from queue import SimpleQueue

import msgspec

from bus.clock import Clock
from bus.cursors import read_cursors
from bus.errors import JournalError
from bus.keeper import Done, carry_out, clear_drafts, kept
from bus.retention import Limits, Plan, plan
from schema.streams import Stream
from schema.units import MINUTE_NS

REST_S = 0.001
STOP_S = 10.0
SETTLED_NS = MINUTE_NS
"""After so long a shard's commit is on the disk, even one that nobody waited for."""


class Look(msgspec.Struct):
    """What one look at a stream led to."""

    stream: Stream
    plan: Plan
    done: Done


class Seen(msgspec.Struct):
    """How far the consumers of a stream had come a while ago, and when that was read anew."""

    settled: dict[str, int | None] | None = None
    fresh: dict[str, int | None] | None = None
    at_ns: int = 0


class Janitor:
    """Looks after some streams of one owner; every method is the main thread's."""

    def __init__(
        self, journals: Path, streams: tuple[Stream, ...], limits: Limits, clock: Clock
    ) -> None:
        self._journals = journals
        self._streams = streams
        self._limits = limits
        self._clock = clock
        self._seen = {stream.name: Seen() for stream in streams}
        self._failing: set[str] = set()
        self._asked: SimpleQueue[bool] = SimpleQueue()
        self._looks: deque[Look] = deque()
        self._stopping = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._thread: threading.Thread | None = None

    def look(self) -> bool:
        """Look at all streams, without being waited for; False while the last look goes on."""
        if not self._idle.is_set():
            return False
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="janitor", daemon=True)
            self._thread.start()
        self._idle.clear()
        self._asked.put(True)
        return True

    def looks(self) -> list[Look]:
        """Return what was done since this was asked last."""
        return [self._looks.popleft() for _ in range(len(self._looks))]

    def rest(self, timeout_s: float) -> bool:
        """Wait for the end of a look; False when it takes longer."""
        return self._idle.wait(timeout_s)

    def stop(self) -> None:
        """End what is under way; the next start does the rest."""
        self._stopping.set()
        self._asked.put(False)
        thread = self._thread
        if thread is not None:
            thread.join(STOP_S)

    def _run(self) -> None:
        begun: set[str] = set()
        try:
            while self._asked.get():
                for stream in self._streams:
                    if self._stopping.is_set():
                        return
                    self._look(stream, first=stream.name not in begun)
                    begun.add(stream.name)
                self._idle.set()
        finally:
            self._thread = None  # After a defect, too: the next look has a thread of its own.
            self._idle.set()

    def _look(self, stream: Stream, *, first: bool) -> None:
        directory = self._journals / stream.owner / stream.channel
        look = Look(
            stream, Plan(), Done(failure=f"{directory}: a defect, see the log of its owner")
        )
        try:
            if first:
                clear_drafts(directory)
            look.plan = self._plan(directory, stream)
            look.done = carry_out(directory, stream, look.plan, self._breathe)
        except (OSError, JournalError) as error:
            look.done = Done(failure=str(error))
        finally:
            self._note(look)

    def _note(self, look: Look) -> None:
        self._failing.discard(look.stream.name)
        if look.done.failure:
            self._failing.add(look.stream.name)
        self._looks.append(look)

    def _plan(self, directory: Path, stream: Stream) -> Plan:
        cursors = self._cursors(stream)
        found = plan(
            stream,
            kept(directory, stream),
            cursors or dict.fromkeys(stream.durable),
            self._clock.wall_ns(),
            self._limits,
            archiving=stream.name not in self._failing,
        )
        if cursors is None:  # Whoever is asked for the first time has not answered: no deletion.
            return Plan(archive=found.archive)
        return found

    def _cursors(self, stream: Stream) -> dict[str, int | None] | None:
        if not stream.durable:
            return {}
        seen, now_ns = self._seen[stream.name], self._clock.mono_ns()
        if seen.fresh is None or now_ns - seen.at_ns >= SETTLED_NS:
            seen.settled, seen.at_ns = seen.fresh, now_ns
            seen.fresh = read_cursors(self._journals, stream)
        if seen.settled is None:
            return None
        # One that went back, because an older shard was brought back, is believed at once.
        return {name: _lower(pos, seen.fresh[name]) for name, pos in seen.settled.items()}

    def _breathe(self) -> bool:
        return self._stopping.wait(REST_S)


def _lower(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else min(one, other)
