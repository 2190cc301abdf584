"""Which files and folders the checkout has, and that each is there for somebody."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.tidy.imports import imports
from tests.tidy.source import GENERATED, Source

TOP = frozenset(
    {
        *("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE", "Makefile"),
        *("pyproject.toml", "requirements.lock", "lab.lock", "settings.toml", "supervisord.conf"),
        *("schema", "bus", "services", "strategies"),
        *("launchd", "data", "logs", "docs", "tests"),
        *(".ci", ".gitignore"),
    }
)
"""The front door; a new entry needs an ADR."""

OWN = frozenset({"settings.local.toml", ".DS_Store", ".idea", ".vscode", ".python-version"})
"""What a person may have there and git does not keep."""

KEPT = (
    *("data/historical", "data/models", "data/run"),
    *("logs/archive", "logs/audit", "logs/system", "logs/trading"),
)
"""Folders that supervisord.conf or a service names: git keeps them, empty."""


def entries(root: Path) -> Iterator[str]:
    """Refuse what stands at the top and is not in the list."""
    for entry in sorted(root.iterdir()):
        known = entry.name in TOP | OWN | GENERATED or entry.name.endswith(".egg-info")
        if not known:
            yield f"{entry.name}: not in the list of tests/tidy/layout.py; write an ADR first"


def empty_folders(root: Path) -> Iterator[str]:
    """Refuse folders of the product, the tests or the docs that hold no file."""
    for top in sorted(TOP - {"data", "logs"}):
        for folder in sorted((root / top).rglob("*/")):
            parts = folder.relative_to(root).parts
            if not folder.is_dir() or GENERATED & set(parts) or _holds_a_file(folder):
                continue
            yield f"{'/'.join(parts)}: an empty folder; remove it"


def _holds_a_file(folder: Path) -> bool:
    return any(
        path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
        for path in folder.rglob("*")
    )


def missing_folders(root: Path) -> Iterator[str]:
    """Refuse a checkout whose house would find no place to write to."""
    for folder in KEPT:
        if not (root / folder / ".gitkeep").is_file():
            yield f"{folder}/.gitkeep: missing; supervisord refuses to start without the folder"


def unread_modules(files: Sequence[Source]) -> Iterator[str]:
    """Refuse a product module that nobody imports and that is no way in."""
    used: set[str] = set()
    for source in files:
        if source.suffix == ".py":
            used.update(module for _, module in imports(source))
            used.update(_named(source))
    for source in files:
        module = source.path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        if not source.product or source.suffix != ".py" or source.name.startswith("__"):
            continue
        if source.layer == "strategies":
            continue  # Settings name them.
        if module not in used:
            yield f"{source.path}: nobody imports it; remove it or use it"


def _named(source: Source) -> Iterator[str]:
    # Lazy imports name their modules as text: whole, or behind the folder that they stand in.
    folder = source.path.rpartition("/")[0].replace("/", ".")
    for node in source.walk(ast.Constant):
        if isinstance(node.value, str) and node.value.isascii() and len(node.value) < 80:
            word = node.value.partition(":")[0]
            yield word
            yield f"{folder}.{word}"
