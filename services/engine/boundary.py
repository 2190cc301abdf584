"""The strategy boundary: whatever somebody's code does, the engine gets an answer or a failure.

Everything that could run somebody's code stands under the guard: the call, what an exception says
of itself, and the look at an answer that is not made of plain numbers.
"""

import re
import sysconfig
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from types import FrameType, TracebackType
from typing import Any, ClassVar, Protocol

import msgspec
import numpy as np

from services.engine.nonsense import LADDERS, PRICES, TIMES, nonsense
from services.engine.plain import TEXT_MAX, plain
from services.engine.strategy import Target

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
        return _judged(answer)
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
        and type(target.trail) is float
        and type(target.trail_bps) is float
        and type(target.trail_from) is float
        and type(target.good_till) is int
        and type(target.ladder) is tuple
        and type(target.takes) is tuple
        and not (target.ladder or target.takes)
        and type(target.tif) is str
        and type(target.post_only) is bool
        and type(target.expires) is int
        and type(target.kind) is str
        and _is_plain_text(target.why)
    )


def _is_plain_text(text: object) -> bool:
    return type(text) is str and len(text) <= TEXT_MAX and text.isascii() and "0x" not in text


def _judged(target: Target) -> Target | Failure:
    found = nonsense(target)
    return Failure(NONSENSE, found) if found else target


def tried(guard: Guard, name: str, call: Callable[[], object]) -> object:
    """Return what a call of somebody's code returns, or a Failure."""
    answer = _attempt(guard, name, call)
    return _told(guard, name, answer.error) if type(answer) is _Raised else answer


def _converted(answer: object) -> Target | Failure:
    if type(answer) is not Target:
        found = plain(type(answer).__name__)
        return Failure(NO_TARGET, f"expected a Target or None, found {found}")
    for name in ("kind", "why", "tif"):
        if not isinstance(getattr(answer, name), str):
            return _another(name, "text", getattr(answer, name))
    if not isinstance(answer.post_only, bool | np.bool_):
        return _another("post_only", "True or False", answer.post_only)
    values: dict[str, Any] = {"tif": plain(answer.tif), "post_only": bool(answer.post_only)}
    for names, convert, expected in _CONVERSIONS:
        for name in names:
            value = values[name] = convert(getattr(answer, name))
            if value is None:
                return _another(name, expected, getattr(answer, name))
    kind: Any = answer.kind if type(answer.kind) is str else plain(answer.kind)
    why = answer.why if _is_plain_text(answer.why) else plain(answer.why)
    return Target(kind, why=why, **values)


def _another(name: str, expected: str, found: object) -> Failure:
    kind = type(found).__name__
    return Failure(NONSENSE, plain(f"{name}: expected {expected}, found {kind} {found}"))


def _plain_number(value: object) -> float | None:
    if type(value) is float:
        return value
    if type(value) is not int and (isinstance(value, bool) or not isinstance(value, Real)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _plain_whole(value: object) -> int | None:
    if type(value) is int:
        return value
    if isinstance(value, bool) or not isinstance(value, Integral):
        return None
    return int(value)


def _plain_pairs(value: object) -> tuple[tuple[float, float], ...] | None:
    if not isinstance(value, tuple | list):
        return None
    found: list[tuple[float, float]] = []
    for pair in value:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            return None
        price, share = _plain_number(pair[0]), _plain_number(pair[1])
        if price is None or share is None:
            return None
        found.append((price, share))
    return tuple(found)


_CONVERSIONS: tuple[tuple[Sequence[str], Callable[[Any], Any], str], ...] = (
    (("size", *PRICES), _plain_number, "a number"),
    (TIMES, _plain_whole, "a market time in ns"),
    (LADDERS, _plain_pairs, "pairs of a price and a share"),
)
"""Fields, what makes plain values of them, and what they are expected to be."""


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
