"""Runs the text of a bundle as modules: none of it comes from the disk, none of it stays behind.

Every load makes its modules anew, so a changed parent is read again, while a class of an earlier
load goes on with the parent that it had.
"""

import builtins
import linecache
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from schema.strategy import Offer
from services.engine.boundary import Overran
from services.engine.bundle import LoadError, packages, path_of
from services.engine.plain import plain

_MARKED = re.compile(r"^(.*)@[0-9a-f]{8}$", re.DOTALL)
"""A file as tracebacks name it: with the beginning of its bundle's digest."""


class Modules(MetaPathFinder, Loader):
    """The modules of one load, and the way to them."""

    def __init__(self, offer: Offer) -> None:
        self._own = offer.files[0][0]
        self._texts = dict(offer.files)
        self._packages = packages(offer.files)
        self._names = self._packages | self._texts.keys()
        self._tops = frozenset(name.partition(".")[0] for name in self._names)
        self._paths = {name: _marked(offer, name) for name in self._texts}
        self._made: dict[str, ModuleType] = {}

    @contextmanager
    def present(self) -> Iterator[None]:
        """Let imports find these modules; what had their names before has them again after."""
        if self in sys.meta_path:
            yield
            return
        aside = {name: sys.modules.pop(name) for name in self._names if name in sys.modules}
        sys.modules.update(self._made)
        sys.meta_path.insert(0, self)
        try:
            yield
        finally:
            sys.meta_path.remove(self)
            self._made = {n: sys.modules.pop(n) for n in self._names if n in sys.modules}
            sys.modules.update(aside)

    def load(self) -> ModuleType:
        """Run the strategy's own module, and with it what it imports."""
        return import_module(self._own)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer for the names of the bundle alone."""
        if fullname not in self._names:
            return None
        inner = fullname in self._packages
        return ModuleSpec(fullname, self, origin=self._paths.get(fullname), is_package=inner)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave the making to Python."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run a text in its module; a folder without a text is an empty one."""
        text = self._texts.get(module.__name__)
        if text is None:
            return
        path = module.__file__ = self._paths[module.__name__]
        linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
        space = vars(module)
        space["__builtins__"] = {**vars(builtins), "__import__": self._import}
        exec(compile(text, path, "exec", dont_inherit=True), space)  # noqa: S102 - it is the task

    def _import(
        self,
        name: str,
        space: Any = None,
        inner: Any = None,
        wanted: Sequence[str] = (),
        level: int = 0,
    ) -> ModuleType:
        # An import inside of a function happens long after the load: it finds the bundle as well.
        if not level and name.partition(".")[0] not in self._tops:
            return __import__(name, space, inner, wanted, level)
        with self.present():
            return __import__(name, space, inner, wanted, level)


@contextmanager
def theirs(file: str) -> Iterator[None]:
    """Turn whatever somebody's code raises into a LoadError that says where."""
    try:
        yield
    except LoadError as error:
        what = error.what if error.what.startswith(file) else f"{file}: {error.what}"
        raise LoadError(what, error.hint) from error.__cause__
    except Overran:
        raise  # It may come out otherwise when it is run again, so whoever asked records it.
    except BaseException as error:  # It may even exit.
        name, said = type(error).__name__, error.msg if isinstance(error, SyntaxError) else error
        raise LoadError(f"{where(error) or file}: {name}: {plain(said)}".rstrip(": ")) from error


def where(error: BaseException) -> str:
    """Return the last line of a strategy that an error passed, as `FILE line N`; else nothing."""
    if isinstance(error, SyntaxError) and not (error.filename or "<").startswith("<"):
        found = _MARKED.match(error.filename or "")
        return f"{found[1] if found else error.filename} line {error.lineno or 1}"
    place, step = "", error.__traceback__
    while step is not None:
        if found := _MARKED.match(step.tb_frame.f_code.co_filename):
            place = f"{found[1]} line {step.tb_lineno}"
        step = step.tb_next
    return place


def _marked(offer: Offer, name: str) -> str:
    return f"{path_of(offer, name)}@{offer.digest[:8]}"
