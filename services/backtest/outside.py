"""What a strategy reaches for beyond its view: files, the network, processes, the clock.

The interpreter tells of each; nothing is forbidden here, only written down.
"""

import datetime as dt
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any

from services.engine.boundary import LIBRARIES, is_library

CALLING, LOADING = "called", "loaded"
EVENTS = {
    "open": "opens",
    "socket.": "uses the network:",
    "subprocess.": "starts a process:",
    "os.system": "starts a process:",
    "os.exec": "starts a process:",
    "os.fork": "starts a process:",
    "os.posix_spawn": "starts a process:",
    "os.listdir": "looks into the folder",
    "os.scandir": "looks into the folder",
    "os.remove": "removes",
    "os.rename": "renames",
    "os.mkdir": "makes the folder",
    "sqlite3.": "opens a database:",
    "urllib.": "uses the network:",
    "ctypes.": "calls the system:",
    "time.sleep": "sleeps",
    "builtins.input": "asks at the terminal",
    "_thread.start_new_thread": "starts a thread",
}
CLOCKS = frozenset(
    {
        *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
        *("process_time", "process_time_ns", "clock_gettime"),
    }
)
TODAY = frozenset({"now", "utcnow", "today"})
KNOWN = frozenset({"numpy", "schema", "services", "bus", "msgspec"})
"""What a strategy has anyway; numpy imports parts of itself when they are first used."""

FOUND_MAX = 5
TEXT_MAX = 160


class Outside:
    """One list of what was reached for; while it is active, the interpreter tells it."""

    def __init__(self) -> None:
        self.found: dict[str, None] = {}
        self._during = ""

    def call(self, call: Callable[[], object]) -> object:
        """Make a call that is watched."""
        with self.watched(CALLING):
            return call()

    @contextmanager
    def watched(self, during: str) -> Iterator[None]:
        """Watch what is done within, by this thread."""
        before, was, collects = _active.get(), self._during, gc.isenabled()
        gc.disable()  # What somebody else has left behind is not cleared away in their name.
        _watch(self, during)
        try:
            yield
        finally:
            _watch(before, was)
            if collects:
                gc.enable()

    def timed(self, call: Callable[[], object]) -> object:
        """Make a call that is watched, its looks at the clock too."""
        sys.setprofile(self._profile)
        try:
            return self.call(call)
        finally:
            sys.setprofile(None)

    def tell(self, event: str, args: tuple[Any, ...]) -> None:
        """Hear of an event of the interpreter's."""
        during = self._during
        self._during = ""  # What is done here is not theirs.
        try:
            if text := _told(event, args, during):
                self._add(f"{text}, when it is {during}")
        finally:
            self._during = during

    def _profile(self, frame: FrameType, event: str, arg: Any) -> None:
        if event != "c_call" or not self._during or _is_collecting(frame):
            return
        name = getattr(arg, "__name__", "")
        if name in CLOCKS and getattr(arg, "__module__", "") == "time":
            self._add(f"looks at the clock: time.{name}()")
        elif name in TODAY and _is_date(getattr(arg, "__self__", None)):
            self._add(f"looks at the clock: {name}()")

    def _add(self, text: str) -> None:
        if len(self.found) < FOUND_MAX:
            self.found[text[:TEXT_MAX]] = None


_active: ContextVar[Outside | None] = ContextVar("outside", default=None)
"""Whom to tell; another thread has a context of its own, and nobody to tell."""

_hooked = False


def _watch(outside: Outside | None, during: str) -> None:
    # A hook cannot be taken out again: there is one, and it asks whom to tell.
    global _hooked  # noqa: PLW0603 - as the interpreter has one list of hooks
    if not _hooked:
        _hooked = True
        sys.addaudithook(_hook)
    _active.set(outside)
    if outside is not None:
        outside._during = during  # noqa: SLF001 - of this file


def _hook(event: str, args: tuple[Any, ...]) -> None:
    outside = _active.get()
    if outside is not None and outside._during:  # noqa: SLF001 - of this file
        outside.tell(event, args)


def _is_collecting(frame: FrameType) -> bool:
    # Somebody may measure the collector, which runs when it likes.
    return any(getattr(one, "__code__", None) is frame.f_code for one in gc.callbacks)


def _told(event: str, args: tuple[Any, ...], during: str) -> str:
    if event == "import":
        name = str(args[0])
        known = name.partition(".")[0] in KNOWN or name.startswith("_")
        return f"imports {name}" if during == CALLING and not known and _by_them() else ""
    if event == "open":
        return "" if _is_library(args) else f"opens {args[0]}"
    for prefix, text in EVENTS.items():
        if event.startswith(prefix):
            return f"{text} {args[0] if args else ''}".strip()
    return ""


def _by_them() -> bool:
    # A library may put off an import of its own until it is used.
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - there is no other way to ask
    while frame is not None and (frame.f_globals is globals() or _is_importing(frame)):
        frame = frame.f_back
    return frame is not None and not is_library(frame)


def _is_importing(frame: FrameType) -> bool:
    return "importlib" in frame.f_code.co_filename or frame.f_code.co_name == "_import"


def _is_library(args: tuple[Any, ...]) -> bool:
    path = args[0]
    if isinstance(path, bytes):
        path = path.decode(errors="replace")
    return isinstance(path, str) and path.startswith(LIBRARIES)


def _is_date(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, dt.date)
