"""The source of one strategy as it travels: modules by name, and what each of them imports.

Text alone: nothing here reads a file or runs what it reads.
"""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import PurePosixPath

import msgspec

from bus.errors import HouseError
from schema.strategy import Offer

Files = tuple[tuple[str, str], ...]
"""Module name and text; the strategy's own module first."""

BUNDLE_BYTES_MAX = 262_144
FOLDER = "strategies"
HOUSE = frozenset({"schema", "bus", "services", "tests"})
INTERFACE = "services.engine.strategy"
MEND = "Mend the strategy's file; one that already runs keeps its old source"


class LoadError(HouseError):
    """A strategy that cannot run as it is written, set, or remembered."""

    def __init__(self, what: str, hint: str = MEND) -> None:
        super().__init__(what, hint)


def digest_of(files: Files) -> str:
    """Return what a bundle is known by."""
    return hashlib.sha256(msgspec.msgpack.encode(files)).hexdigest()


def bytes_in(files: Files) -> int:
    """Return how much a bundle weighs on a stream."""
    return sum(len(name.encode()) + len(text.encode()) for name, text in files)


def prefixes(name: str) -> tuple[str, ...]:
    """Return a dotted name and the packages that it lies in, the outermost first."""
    parts = name.split(".")
    return tuple(".".join(parts[: end + 1]) for end in range(len(parts)))


def packages(files: Files) -> frozenset[str]:
    """Return the modules that others of the bundle lie in, with and without a text."""
    return frozenset(outer for name, _ in files for outer in prefixes(name)[:-1])


def imported(tree: ast.Module, module: str, *, package: bool) -> Iterator[tuple[int, str]]:
    """Yield line and whole name of every import, those inside of functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, module, package=package)
            names = (alias.name for alias in node.names)
            yield from ((node.lineno, _joined(base, name)) for name in names)


def _base(node: ast.ImportFrom, module: str, *, package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    up = node.level - package
    return _joined(".".join(parts[: max(0, len(parts) - up)]), node.module or "")


def _joined(base: str, name: str) -> str:
    return ".".join(part for part in (base, name) if part and part != "*")


def path_of(offer: Offer, module: str) -> str:
    """Return where the text of a module was read, as far as its name says it."""
    own, file = offer.files[0][0], PurePosixPath(offer.file)
    if module == own:
        return offer.file
    top = module.partition(".")[0]
    if top == own.partition(".")[0]:
        depth = own.count(".") + (file.name == "__init__.py")
        base = [file, *file.parents][min(depth + 1, len(file.parents))]
    else:
        base = PurePosixPath() if top == FOLDER else file.parent
    leaf = "/__init__.py" if module in packages(offer.files) else ".py"
    return f"{base / module.replace('.', '/')}{leaf}"


def require_whole(offer: Offer) -> None:
    """Refuse an offer without its source, or with another than its digest says."""
    if offer.trouble or not offer.files:
        raise LoadError(offer.trouble or f"{offer.file}: no source was offered")
    size = bytes_in(offer.files)
    if size > BUNDLE_BYTES_MAX:
        raise LoadError(f"{offer.file}: {too_big(size)}")
    if digest_of(offer.files) != offer.digest:
        raise LoadError(f"{offer.file}: its source is another than the one that was offered")


def too_big(size: int) -> str:
    """Return why a bundle does not travel."""
    return f"it has {size} bytes with all that it imports, at most {BUNDLE_BYTES_MAX} travel"


def require_own_imports(offer: Offer) -> None:
    """Refuse a module of the house in a strategy, but the one that is made for it."""
    inner = packages(offer.files)
    for module, text in offer.files:
        tree = ast.parse(text, path_of(offer, module))
        for line, name in imported(tree, module, package=module in inner):
            if name.partition(".")[0] in HOUSE and not f"{name}.".startswith(f"{INTERFACE}."):
                raise LoadError(
                    f"{path_of(offer, module)} line {line} imports {name}: "
                    f"a strategy imports only {INTERFACE} of the house"
                )
