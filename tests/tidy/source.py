"""What the rules read: the files of the checkout, each with its text and its syntax tree."""

import ast
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TypeVar

Node = TypeVar("Node", bound=ast.AST)

ROOT = Path(__file__).parents[2]

PRODUCT = ("schema", "bus", "services", "strategies")

GENERATED = frozenset(
    {".git", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", "__pycache__"}
)
"""Folders that a tool makes; git ignores them and so do the rules."""

TEXTS = frozenset({".py", ".sql", ".md", ".toml", ".conf", ".plist", ".service", ".in", ".sh", ""})


class Source:
    """One file: where it stands in the checkout, and what it says."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.path).suffix

    @property
    def layer(self) -> str:
        return self.path.partition("/")[0]

    @property
    def product(self) -> bool:
        return self.layer in PRODUCT

    @property
    def service(self) -> str:
        """The folder in services/ that the file belongs to; empty elsewhere."""
        parts = PurePosixPath(self.path).parts
        return parts[1] if len(parts) > 2 and parts[0] == "services" else ""

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree))

    def walk(self, kind: type[Node]) -> Iterator[Node]:
        for node in self.nodes:
            if isinstance(node, kind):
                yield node

    def at(self, line: int, what: str) -> str:
        """Return a finding as editors read it."""
        return f"{self.path}:{line}: {what}"


Rule = Callable[[Source], Iterable[str]]


def walk(root: Path = ROOT) -> Iterator[Path]:
    """Yield the files of a checkout, without what tools and the running house make."""
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        top = here == root
        folders[:] = sorted(
            name
            for name in folders
            if name not in GENERATED
            and not name.endswith(".egg-info")
            and not (top and name in {"data", "logs"})
        )
        yield from (here / name for name in sorted(files))


def sources(root: Path = ROOT) -> list[Source]:
    """Return every text file that people wrote."""
    return [
        Source(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
        for path in walk(root)
        if path.suffix in TEXTS
        and path.name not in {*GENERATED, "settings.local.toml", ".DS_Store"}
    ]
