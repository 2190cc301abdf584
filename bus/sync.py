"""Syncs in the background, so that class B and C cost the loop nothing.

One thread waits for the disk and touches nothing else: each request brings a descriptor of its own,
so a segment may roll meanwhile. The main loop calls `settle` once a pass; a failure breaks the
writer and is raised there, because after a failed sync nobody knows what is on the disk.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

import msgspec

from bus.disk import sync_file
from bus.errors import JournalError
from bus.record import JournalWriter

STOP_S = 30.0


class Request(msgspec.Struct):
    """One descriptor to bring to the disk, and what that proves."""

    writer: JournalWriter
    fd: int
    pos: int
    then: Callable[[int], object]  # what else is to be done with the descriptor
    error: OSError | None = None


class Syncer:
    """The sync thread; every method is the main thread's."""

    def __init__(self, sync: Callable[[int], None] = sync_file) -> None:
        self._sync = sync
        self._asked: SimpleQueue[Request | None] = SimpleQueue()
        self._done: deque[Request] = deque()
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
        self._thread.start()

    def request(self, writer: JournalWriter) -> None:
        """Bring what a writer has appended so far to the disk, without waiting for it."""
        fd, pos = writer.detach()
        if fd < 0:
            writer.confirm(pos)  # Remembered in memory: as safe as it will ever be.
        else:
            self._asked.put(Request(writer, fd, pos, writer.in_background()))

    def settle(self) -> None:
        """Tell the writers what has reached the disk; JournalError when something did not."""
        while self._done:
            request = self._done.popleft()
            if request.error is not None:
                raise request.writer.fail(_failure(request)) from request.error
            request.writer.confirm(request.pos)

    def close(self) -> None:
        """Finish what was requested, then settle."""
        self._asked.put(None)
        self._thread.join(STOP_S)
        self.settle()

    def _run(self) -> None:
        failed: OSError | None = None
        while (request := self._asked.get()) is not None:
            # After one failure nothing is tried again: a later success would prove nothing.
            failed = failed or self._synced(request)
            request.error = failed
            os.close(request.fd)
            self._done.append(request)

    def _synced(self, request: Request) -> OSError | None:
        try:
            request.then(
                request.fd
            )  # First: the end of a segment waits for this, not for the disk.
            self._sync(request.fd)
        except OSError as error:
            return error
        return None


def _failure(request: Request) -> JournalError:
    return JournalError(
        f"{request.writer.stream.name}: the disk did not take positions up to {request.pos}: "
        f"{request.error}",
        "Look at the disk; the next start reads back what is there",
    )
