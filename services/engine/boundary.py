"""The strategy boundary: whatever somebody's code does, the engine gets an answer or a failure."""

from collections.abc import Callable
from math import isfinite

import msgspec

from schema.units import INT64_LIMIT
from services.engine.strategy import Target, plain

KINDS = ("enter", "flat", "keep")


class Failure(msgspec.Struct, frozen=True):
    """What a strategy did wrong."""

    reason: str
    detail: str


def ask(call: Callable[[], object], price: float) -> Target | Failure | None:
    """Return a strategy's answer; a Failure when it raises or answers with nonsense."""
    try:
        return _judged(call(), price)
    except Exception as error:  # noqa: BLE001 - the strategy boundary: it is somebody's code
        return Failure("it raised", plain(f"{type(error).__name__}: {error}"))


def _judged(answer: object, price: float) -> Target | Failure | None:
    if answer is None:
        return None
    if not isinstance(answer, Target):
        found = type(answer).__name__
        return Failure("it returned no target", f"expected a Target or None, found {found}")
    nonsense = _nonsense(answer, price)
    if nonsense:
        return Failure("it returned nonsense", nonsense)
    return msgspec.structs.replace(answer, why=plain(answer.why))


def _nonsense(target: Target, price: float) -> str:
    if target.kind not in KINDS:
        return f"kind: expected one of {' '.join(KINDS)}, found {plain(target.kind)}"
    if not isinstance(target.why, str):
        return f"why: expected text, found {type(target.why).__name__}"
    if not isinstance(target.until_ns, int) or not 0 <= target.until_ns < INT64_LIMIT:
        return f"until_ns: expected a market time in ns, found {plain(target.until_ns)}"
    for name in ("notional", "stop"):
        value = getattr(target, name)
        if not isinstance(value, int | float) or not isfinite(value) or value < 0:
            return f"{name}: expected a finite number that is not negative, found {plain(value)}"
    if target.stop >= price:
        return f"stop: expected a price below the market's {price}, found {plain(target.stop)}"
    return ""
