"""The strategy boundary: whatever somebody's code does, the engine gets an answer or a failure.

Everything that could run somebody's code stands under the guard: the call, what an exception says
of itself, and the look at an answer that is not made of plain numbers.
"""

import re
import sysconfig
from collections.abc import Callable
from math import isfinite
from numbers import Integral, Real
from types import FrameType, TracebackType
from typing import Any, ClassVar, Protocol

import msgspec
import numpy as np

from schema.units import INT64_LIMIT
from services.engine.plain import TEXT_MAX, plain
from services.engine.strategy import Target

SIZED = frozenset({"weight", "qty", "notional"})
TIFS = ("GTC", "IOC", "FOK")
KINDS = ("weight", "qty", "notional", "flat", "keep")
PRICES = ("limit", "stop", "take", "trigger", "stop_limit")

RAISED, NO_TARGET, NONSENSE = "it raised", "it returned no target", "it returned nonsense"
OVERRAN, STARVED = "it took too long", "it wanted too much memory"
DEATHS = 2
"""After so many deaths of the process in calls of one strategy it starts paused."""

_MARK = re.compile(r"@[0-9a-f]{8}$")
"""What the loading of a strategy puts behind the names of its files."""

HOUSE = ("services", "schema", "bus")
LIBRARIES = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib"))


class Overran(BaseException):
    """A call took longer than it may; no Exception, so that it is not swallowed by accident."""


class Guard(Protocol):
    """What stands around a call of a strategy; `passes` is raised by people and goes through."""

    @property
    def passes(self) -> tuple[type[BaseException], ...]: ...

    def run(self, name: str, call: Callable[[], object]) -> object:
        """Return what a call of a strategy returns; raise what it raises, or `Overran`."""


class Bare:
    """Just calls: a backtest has a person in front of it, whose Ctrl-C ends it."""

    passes: ClassVar[tuple[type[BaseException], ...]] = (KeyboardInterrupt,)

    def run(self, name: str, call: Callable[[], object]) -> object:
        return call()


class Failure(msgspec.Struct, frozen=True):
    """What a strategy did wrong."""

    reason: str
    detail: str


class _Raised(msgspec.Struct, frozen=True):
    error: BaseException


def ask(guard: Guard, name: str, call: Callable[[], object]) -> Target | Failure | None:
    """Return a strategy's answer; a Failure when it raises or answers with nonsense."""
    answer = _attempt(guard, name, call)
    if answer is None:
        return None
    if type(answer) is Target and _is_plain(answer):
        nonsense = _nonsense(answer)
        return Failure(NONSENSE, nonsense) if nonsense else answer
    if type(answer) is not _Raised:
        found = answer  # What it is made of may be somebody's code, too.
        answer = _attempt(guard, name, lambda: _converted(found))
    if type(answer) is _Raised:
        return _told(guard, name, answer.error)
    if type(answer) is Target:
        return _judged(answer)
    assert isinstance(answer, Failure), f"found {answer}"
    return answer


def _attempt(guard: Guard, name: str, call: Callable[[], object]) -> object:
    try:
        return guard.run(name, call)
    except guard.passes:
        raise
    except BaseException as error:  # noqa: BLE001 - the strategy boundary: it is somebody's code
        return _Raised(error)


def _is_plain(target: Target) -> bool:
    return (
        type(target.size) is float
        and type(target.stop) is float
        and type(target.take) is float
        and type(target.limit) is float
        and type(target.trigger) is float
        and type(target.stop_limit) is float
        and type(target.tif) is str
        and type(target.post_only) is bool
        and type(target.expires) is int
        and type(target.kind) is str
        and _is_plain_text(target.why)
    )


def _is_plain_text(text: object) -> bool:
    return type(text) is str and len(text) <= TEXT_MAX and text.isascii() and "0x" not in text


def _judged(target: Target) -> Target | Failure:
    nonsense = _nonsense(target)
    return Failure(NONSENSE, nonsense) if nonsense else target


def tried(guard: Guard, name: str, call: Callable[[], object]) -> object:
    """Return what a call of somebody's code returns, or a Failure."""
    answer = _attempt(guard, name, call)
    return _told(guard, name, answer.error) if type(answer) is _Raised else answer


def _nonsense(target: Target) -> str:
    kind, size = target.kind, target.size
    limit, stop, take = target.limit, target.stop, target.take
    if not isfinite(size):
        return _not_a_number(target)
    if limit or stop or take or target.trigger or target.stop_limit:
        positive = min(limit, stop, take, target.trigger, target.stop_limit) >= 0
        if not (positive and isfinite(limit + stop + take + target.trigger + target.stop_limit)):
            return _not_a_number(target)
    if not 0 <= target.expires < INT64_LIMIT:  # It may have more digits than Python writes.
        return "expires: expected a market time in ns, found one below 0 or beyond 2^63"
    if kind not in SIZED:
        return _of_no_size(target)
    if kind == "weight" and not -1 <= size <= 1:
        return f"size: expected a weight from -1 to 1, found {size}"
    if target.trigger or target.stop_limit or target.post_only or target.tif != "GTC":
        return _at_odds(target)
    return ""


def _at_odds(target: Target) -> str:
    """Return which of its fields do not go together; nothing when they do."""
    if target.tif not in TIFS:
        return f"tif: expected one of {' '.join(TIFS)}, found {plain(target.tif)}"
    if not target.limit and (target.tif != "GTC" or target.post_only):
        name = "post_only" if target.post_only else f"tif {target.tif}"
        return f"{name}: expected a limit beside it, found none"
    if target.post_only and target.tif != "GTC":
        return f"post_only: expected tif GTC, for it waits in the book, found {target.tif}"
    if target.post_only and target.trigger:
        return f"post_only: a limit behind a trigger may take, found trigger {target.trigger}"
    if target.stop_limit and not target.stop:
        return "stop_limit: expected a stop beside it, found none"
    beyond = (target.stop_limit - target.stop) * (1 if target.size > 0 else -1) > 0
    if target.stop_limit and beyond:
        side = "below" if target.size > 0 else "above"
        return (
            f"stop_limit: expected at the stop {target.stop} or {side}, found {target.stop_limit}"
        )
    return ""


def _not_a_number(target: Target) -> str:
    if not isfinite(target.size):
        return f"size: expected a finite number, found {target.size}"
    for name in PRICES:
        value = getattr(target, name)
        if not 0 <= value < float("inf"):
            return f"{name}: expected a finite price or 0, found {value}"
    found = ", ".join(str(getattr(target, name)) for name in PRICES)
    return f"prices: expected finite ones, found {found}"


def _of_no_size(target: Target) -> str:
    if target.kind not in KINDS:
        return f"kind: expected one of {' '.join(KINDS)}, found {plain(target.kind)}"
    for name in ("size", *PRICES, "expires"):
        if value := getattr(target, name):
            return f"{name}: {target.kind} takes none, found {value}"
    if target.post_only or target.tif != "GTC":
        name = "post_only" if target.post_only else "tif"
        return f"{name}: {target.kind} takes none, found {plain(getattr(target, name))}"
    return ""


def _converted(answer: object) -> Target | Failure:
    if type(answer) is not Target:
        found = plain(type(answer).__name__)
        return Failure(NO_TARGET, f"expected a Target or None, found {found}")
    for name in ("kind", "why", "tif"):
        if not isinstance(getattr(answer, name), str):
            return _another(name, "text", getattr(answer, name))
    numbers: dict[str, Any] = {}
    for name in ("size", *PRICES):
        value = getattr(answer, name)
        number = value if type(value) is float else _plain_number(value)
        if number is None:
            return _another(name, "a number", value)
        numbers[name] = number
    if not isinstance(answer.post_only, bool | np.bool_):
        return _another("post_only", "True or False", answer.post_only)
    expires, why = answer.expires, answer.why
    if type(expires) is not int:
        if isinstance(expires, bool) or not isinstance(expires, Integral):
            return _another("expires", "a market time in ns", expires)
        expires = int(expires)
    kind: Any = answer.kind if type(answer.kind) is str else plain(answer.kind)
    why = why if _is_plain_text(why) else plain(why)
    rest: Any = {"tif": plain(answer.tif), "post_only": bool(answer.post_only)}
    return Target(kind, why=why, expires=expires, **numbers, **rest)


def _another(name: str, expected: str, found: object) -> Failure:
    kind = type(found).__name__
    return Failure(NONSENSE, plain(f"{name}: expected {expected}, found {kind} {found}"))


def _plain_number(value: object) -> float | None:
    if type(value) is not int and (isinstance(value, bool) or not isinstance(value, Real)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _told(guard: Guard, name: str, error: BaseException) -> Failure:
    reason = RAISED
    if isinstance(error, Overran):
        reason = OVERRAN
    elif isinstance(error, MemoryError):
        reason = STARVED
    said = _attempt(guard, name, lambda: plain(f"{type(error).__name__}: {error}"))
    text = said if type(said) is str else "what it raised cannot tell what it is"
    where = _where(error.__traceback__)
    return Failure(reason, f"{text.removesuffix(': ')} ({where})" if where else text)


def _where(trace: TracebackType | None) -> str:
    """Return file and line of the innermost frame of somebody's own code."""
    found = ""
    while trace is not None:
        if is_foreign(trace.tb_frame) and not is_library(trace.tb_frame):
            file = _MARK.sub("", trace.tb_frame.f_code.co_filename)
            found = f"{plain(file)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def is_foreign(frame: FrameType) -> bool:
    """Return whether a frame is not of the house's own code."""
    name = frame.f_globals.get("__name__")
    if type(name) is not str or name.partition(".")[0] not in HOUSE:
        return True
    return _MARK.search(frame.f_code.co_filename) is not None


def is_library(frame: FrameType) -> bool:
    """Return whether a frame is of the interpreter's or an installed library."""
    return frame.f_code.co_filename.startswith((*LIBRARIES, "<frozen"))
