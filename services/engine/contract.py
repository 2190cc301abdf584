"""What the class of a strategy must declare, looked at before it is asked anything."""

import difflib
import inspect
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any, ClassVar

import msgspec

from schema.setting_types import TIMEFRAMES_NS
from services.engine.bundle import LoadError
from services.engine.plain import plain
from services.engine.strategy import Params, State, Strategy

BARS_MAX = 5_000
EVENTS = tuple(name for name in vars(Strategy) if name.startswith("on_"))
_ALSO = re.compile(r"(?:[A-Z0-9]{1,15}/[A-Z0-9]{1,15} )?(\w+)")


def strategy_in(module: ModuleType) -> type[Strategy]:
    """Return the one strategy that a module defines; parents in the same module do not count."""
    classes = [value for value in vars(module).values() if isinstance(value, type)]
    own = [kind for kind in dict.fromkeys(classes) if kind.__module__ == module.__name__]
    kinds = [kind for kind in own if issubclass(kind, Strategy)]
    found = [k for k in kinds if not any(k is not other and k in other.__mro__ for other in kinds)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"class {kind.__name__}" for kind in found or own) or "no class of its own"
    raise LoadError(f"expected one class derived from Strategy, found {names}")


def require_contract(kind: type[Strategy]) -> None:
    """Refuse a class that declares nonsense."""
    if not isinstance(kind.timeframe, str) or kind.timeframe not in TIMEFRAMES_NS:
        raise _wrong(kind, "timeframe", kind.timeframe, f"one of {' '.join(TIMEFRAMES_NS)}")
    _require_bars(kind, "warmup", kind.warmup)
    _require_also(kind)
    for name, parent in (("Params", Params), ("State", State)):
        found = getattr(kind, name)
        if not isinstance(found, type) or not issubclass(found, parent):
            raise LoadError(f"{kind.__name__}.{name}: expected a class derived from {name}")
        settle_types(found)
    if not kind.Params.__struct_config__.frozen:  # type: ignore[attr-defined]
        raise LoadError(f"{kind.__name__}.Params: expected it frozen, as its parent is")


def require_instance(strategy: Strategy) -> None:
    """Refuse an instance whose timer is nonsense, or that cannot answer what it is asked."""
    kind = type(strategy)
    every_s: Any = strategy.every_s
    if not _is_whole(every_s) or every_s < 0:
        raise _wrong(kind, "every_s", every_s, "whole seconds, or 0 for no timer")
    for name in dir(kind):
        if name.startswith("on_") and callable(getattr(kind, name)):
            _require_event(strategy, name)
    if all(getattr(kind, name) is getattr(Strategy, name) for name in EVENTS):
        raise LoadError(f"{kind.__name__} answers to nothing: expected one of {' '.join(EVENTS)}")


def settle_types(kind: type[msgspec.Struct]) -> None:
    """Put types in place of their names, while the modules that know them are there."""
    for layer in kind.__mro__:
        written = vars(layer).get("__annotations__", {})
        named = any(isinstance(value, str) for value in written.values())
        if named and issubclass(layer, msgspec.Struct):
            hints = {field.name: field.type for field in msgspec.structs.fields(layer)}
            written.update((name, hints.get(name, ClassVar)) for name in written)


def _require_also(kind: type[Strategy]) -> None:
    also: Any = kind.also
    if not isinstance(also, Mapping):
        raise _wrong(kind, "also", also, 'bars by timeframe, as in {"1h": 100}')
    for name, bars in also.items():
        found = _ALSO.fullmatch(name) if isinstance(name, str) else None
        if found is None or found[1] not in TIMEFRAMES_NS:
            raise LoadError(
                f"{kind.__name__}.also names {plain(repr(name))}: "
                'expected a timeframe or a symbol and one, as in "1h" or "ETH/USDT 5m"'
            )
        _require_bars(kind, f'also["{name}"]', bars)


def _require_bars(kind: type[Strategy], name: str, found: object) -> None:
    if not _is_whole(found) or not 1 <= found <= BARS_MAX:  # type: ignore[operator]
        raise _wrong(kind, name, found, f"whole bars from 1 to {BARS_MAX}")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _wrong(kind: type[Strategy], name: str, found: object, expected: str) -> LoadError:
    return LoadError(f"{kind.__name__}.{name} is {plain(repr(found))}: expected {expected}")


def _require_event(strategy: Strategy, name: str) -> None:
    shown = f"{type(strategy).__name__}.{name}"
    if name not in EVENTS:
        nearest = difflib.get_close_matches(name, EVENTS, n=1, cutoff=0.0)[0]
        raise LoadError(f"{shown} is never asked: the nearest event is {nearest}")
    call = getattr(strategy, name)
    if inspect.iscoroutinefunction(call) or inspect.isgeneratorfunction(call):
        raise LoadError(f"{shown} answers later: expected a plain function")
    first, second = list(inspect.signature(getattr(Strategy, name)).parameters)[1:3]
    try:
        inspect.signature(call).bind(None, None)
    except TypeError as error:
        raise LoadError(f"{shown}: {error}; expected (self, {first}, {second})") from error
