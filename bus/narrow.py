"""Imports of ccxt without its other hundred exchanges: half the memory, the same unmodified code.

`import ccxt.pro` imports every exchange three times. While `narrow()` lasts, the modules of those
that the house does not speak to are empty ones, each with the name that ccxt's own packages import
from it. What is imported already stays as it is.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

PACKAGES = frozenset({"ccxt", "ccxt.async_support", "ccxt.pro", "ccxt.prediction"})
WANTED = frozenset(
    {"abstract", "async_support", "base", "binance", "prediction", "pro", "static_dependencies"}
)


class Skipper(MetaPathFinder, Loader):
    """Finds an empty module for every exchange but the wanted one."""

    def find_spec(
        self, fullname: str, _path: object = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parent, _, leaf = fullname.rpartition(".")
        return ModuleSpec(fullname, self) if parent in PACKAGES and leaf not in WANTED else None

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make the module."""

    def exec_module(self, module: ModuleType) -> None:
        setattr(module, module.__name__.rpartition(".")[2], None)


@contextmanager
def narrow() -> Iterator[None]:
    """Leave the exchanges that nobody asked for out of what is imported meanwhile."""
    skipper = Skipper()
    sys.meta_path.insert(0, skipper)
    try:
        yield
    finally:
        sys.meta_path.remove(skipper)
