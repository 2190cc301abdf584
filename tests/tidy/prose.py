"""How the documents are written, and whether what they name is there."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.tidy.source import ROOT, Source

FENCE = re.compile(r"^ *```", re.MULTILINE)
LINK = re.compile(r"\[[^\]]+\]\(([^)#]+)(?:#[^)]*)?\)")
PATH = re.compile(
    r"`((?:schema|bus|services|strategies|tests|docs|launchd)/[\w./-]*"
    r"|[\w.]+\.(?:md|toml|lock|conf))`"
)
PARTS = ("Status: ", "## Context", "## Decision", "## Consequences")
ADR_LINES_MAX = 60
NOT_YET_MADE = frozenset({"settings.local.toml", "secrets.toml"})


def documents(root: Path = ROOT) -> list[Path]:
    """Return every page that people read."""
    return sorted(
        [
            *root.glob("*.md"),
            *root.glob("docs/**/*.md"),
            *root.glob("launchd/*.md"),
            *root.glob("strategies/*.md"),
        ]
    )


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines of a page that are neither code nor table."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if FENCE.match(line):
            inside = not inside
        elif not inside and not line.lstrip().startswith("|"):
            yield number, line


def crowded(text: str) -> Iterator[str]:
    """Refuse a line with more than one sentence, so that a change is one line of a diff."""
    for number, line in prose(text):
        plain = re.sub(r"`[^`]*`", "code", line)
        if re.search(r"\w[)\"*]*[.!?] +[\"(*]*[A-Z]", plain) and not _listed(plain):
            yield f"{number}: more than one sentence; one line for each"


def _listed(line: str) -> bool:
    # A step of a list may have a second sentence: Markdown would end the item.
    return bool(re.match(r" *(?:\d+\.|-) ", line))


def missing(text: str, page: Path, root: Path = ROOT) -> Iterator[str]:
    """Refuse a link, or a path in backticks, to nothing."""
    for target in LINK.findall(text):
        if not target.startswith("http") and not (page.parent / target).exists():
            yield f"links to {target}, which is not there"
    for path in PATH.findall(text):
        if path not in NOT_YET_MADE and not (root / path).exists():
            yield f"names {path}, which is not there"


def misshapen(text: str) -> Iterator[str]:
    """Refuse a decision that lacks a part, or that nobody will read to its end."""
    for part in PARTS:
        if f"\n{part}" not in text:
            yield f"has no {part!r}"
    if text.count("\n") > ADR_LINES_MAX:
        yield f"has {text.count(chr(10))} lines; one page is {ADR_LINES_MAX}"


def headings(text: str) -> list[str]:
    """Return the headings of the second level."""
    return re.findall(r"^## (.+)$", text, re.MULTILINE)


def alerts(files: Iterable[Source]) -> set[str]:
    """Return the names of all alerts that some service can raise."""
    return {
        name
        for source in files
        if source.service and source.suffix == ".py"
        for call in source.walk(ast.Call)
        if isinstance(call.func, ast.Name) and call.func.id in {"Alert", "Condition"}
        for name in _first_name(call)
    }


def _first_name(call: ast.Call) -> Iterator[str]:
    named = [keyword.value for keyword in call.keywords if keyword.arg == "name"]
    for node in named or call.args[:1]:
        if isinstance(node, ast.Constant):
            yield str(node.value)


def sent_to(files: Iterable[Source]) -> set[str]:
    """Return the pages of the runbook that messages and comments name."""
    text = "\n".join(source.text for source in files if source.product)
    return set(re.findall(r"docs/runbook\.md, (\w+)", text))


def decisions(files: Iterable[Source]) -> set[str]:
    """Return the numbers of the decisions that the code names."""
    text = "\n".join(source.text for source in files if source.product)
    return set(re.findall(r"docs/adr/(\d{4})", text))
