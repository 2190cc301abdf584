"""What somebody's code may not do to the process that it is called in: it refuses, for mistakes.

A process or a thread that a call starts would outlive it, beyond every budget, with the house's
sockets and files in its hands.
"""

import os
import sys
from contextvars import Context, copy_context
from decimal import getcontext, setcontext
from typing import Any, ClassVar

REFUSED = {
    "os.fork": "starts a process",
    "os.forkpty": "starts a process",
    "os.exec": "starts a process",
    "os.spawn": "starts a process",
    "os.posix_spawn": "starts a process",
    "os.system": "starts a process",
    "subprocess.Popen": "starts a process",
    "_thread.start_new_thread": "starts a thread",
    "os.kill": "sends a signal",
    "os.killpg": "sends a signal",
    "signal.pthread_kill": "sends a signal",
    "sys.settrace": "traces the house",
    "sys.setprofile": "traces the house",
    "sys.addaudithook": "traces the house",
    "resource.setrlimit": "changes its limits",
}
"""What the interpreter tells of before it is done, and a call may not do."""


class Fence:
    """One for the process, since nothing of it can be taken away; it stands while a call is on."""

    stands: ClassVar[bool] = False
    _built: ClassVar[bool] = False
    _start: ClassVar[Any] = None
    _deepen: ClassVar[Any] = sys.setrecursionlimit

    def __init__(self) -> None:
        self._process = os.getpid()
        if not Fence._built:
            Fence._built = True
            sys.addaudithook(_hook)
            if threads := sys.modules.get("threading"):  # The sockets need it: it is there.
                Fence._start, threads.Thread.start = threads.Thread.start, _start
            sys.setrecursionlimit = _deepen

    def raised(self) -> Context:
        """Stand, and return what a call is to run in: a decimal or numpy setting ends with it."""
        context = copy_context()
        context.run(setcontext, getcontext().copy())
        Fence.stands = True
        return context

    def lowered(self) -> bool:
        """Stand no more; False in a copy of the process, which a call has made all the same."""
        Fence.stands = False
        return os.getpid() == self._process


def _hook(event: str, _args: tuple[Any, ...]) -> None:
    if Fence.stands and event in REFUSED:
        raise PermissionError(f"a strategy {REFUSED[event]}: {event}")


def _start(thread: Any) -> None:
    # Python 3.11 does not tell of it before.
    if Fence.stands:
        raise PermissionError(f"a strategy starts a thread: {thread.name}")
    Fence._start(thread)  # noqa: SLF001 - of this file


def _deepen(limit: int) -> None:
    # To call back from a million frames takes longer than the process has.
    if Fence.stands:
        raise PermissionError(f"a strategy sets the recursion limit to {limit}")
    Fence._deepen(limit)  # noqa: SLF001 - of this file
