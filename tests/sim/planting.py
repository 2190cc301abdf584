"""How a bug is planted: one function or constant of the shipped code gives way to another, here.

It is for processes that find bugs on purpose, and for as long as the planting lasts.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

ROOTS = ("services.", "schema.", "bus.")


class Mutant(msgspec.Struct, frozen=True):
    """A bug: what it replaces, and by what."""

    name: str
    target: str  # module:name or module:Class.name
    body: Callable[..., Any]
    constant: bool = False

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Let the house run with this bug."""
        where, _, name = self.target.partition(":")
        holder: Any = importlib.import_module(where)
        *classes, last = name.split(".")
        for part in classes:
            holder = getattr(holder, part)
        original = getattr(holder, last)
        new = self.body(original) if self.constant else _around(self.body, original)
        places = [(vars(holder), last)] if not classes else []
        places += _uses(original) if callable(original) and not classes else []
        if classes:
            setattr(holder, last, new)
        for table, key in places:
            table[key] = new
        try:
            yield
        finally:
            if classes:
                setattr(holder, last, original)
            for table, key in places:
                table[key] = original


def _around(body: Callable[..., Any], original: Any) -> Callable[..., Any]:
    def planted(*args: Any, **named: Any) -> Any:
        return body(original, *args, **named)

    return planted


def _uses(original: Any) -> list[tuple[Any, Any]]:
    """Return every place where modules, or tables in them, name a function."""
    found: list[tuple[Any, Any]] = []
    for name, module in list(sys.modules.items()):
        if not name.startswith(ROOTS):
            continue
        for key, value in vars(module).items():
            if value is original:
                found.append((vars(module), key))
            elif type(value) is dict:
                found += [(value, inner) for inner, one in value.items() if one is original]
    return found


MUTANTS: dict[str, Mutant] = {}


def plant(target: str, *, constant: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Declare the decorated function a bug; it is given what it replaces as its first argument."""

    def declare(body: Callable[..., Any]) -> Callable[..., Any]:
        MUTANTS[body.__name__] = Mutant(body.__name__, target, body, constant)
        return body

    return declare
