"""Strategies and tests that stand in a text, made into modules for as long as they are needed."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType, ModuleType

from services.engine.strategy import Strategy


def blocks(page: Path) -> list[str]:
    """Return the Python of a page, each block one text."""
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@contextmanager
def loaded(name: str, text: str) -> Iterator[ModuleType]:
    """Let a text be a module that can be imported by its name."""
    assert name not in sys.modules
    module = ModuleType(name)
    sys.modules[name] = module
    try:
        exec(compile(text, f"<{name}>", "exec"), module.__dict__)
        yield module
    finally:
        del sys.modules[name]


def strategy_in(module: ModuleType) -> type[Strategy] | None:
    """Return the strategy that a module defines."""
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Strategy) and value is not Strategy:
            return value
    return None


def checks_in(module: ModuleType) -> list[FunctionType]:
    """Return the tests that a module defines."""
    return [
        value
        for name, value in vars(module).items()
        if name.startswith("test_") and isinstance(value, FunctionType)
    ]
