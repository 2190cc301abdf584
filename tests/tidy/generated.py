"""The tables of ARCHITECTURE.md that the code writes itself: `python -m tests.tidy.generated`."""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

from schema.streams import HEARTBEATS, STREAMS, Stream
from tests.tidy.cards import JOBS, folders, processes, read
from tests.tidy.source import ROOT

PAGE = ROOT / "ARCHITECTURE.md"
BLOCK = re.compile(r"(<!-- begin (\w+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    columns = list(head)
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def first_sentence(path: Path) -> str:
    """Return why a file exists, as it says itself."""
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(said.partition("\n\n")[0].split())
    return re.split(r"(?<=[.!?]) |:$", paragraph)[0].rstrip(".").replace("|", "\\|")


def files(folder: str) -> str:
    """Return the files of a layer, with their first sentences."""
    paths = sorted((ROOT / folder).glob("*.py"))
    rows = (
        (f"`{folder}/{path.name}`", first_sentence(path))
        for path in paths
        if path.name != "__init__.py"
    )
    return table(("file", "why it is there"), rows)


def services() -> str:
    """Return the services by their cards."""
    rows = []
    for folder in folders():
        card = read(folder)
        names = [f"`{name}`" for name in processes(folder) if folder not in JOBS] or ["none: a job"]
        says = ", ".join(f"`{name}`" for name in card.says) or "none"
        rows.append((f"`services/{folder}`", ", ".join(names), card.says_what.rstrip("."), says))
    return table(("folder", "processes", "what it does", "says"), rows)


def streams() -> str:
    """Return the registry of streams, heartbeats in one row."""
    rows = [_row(stream) for stream in STREAMS.values() if not stream.name.endswith(".hb")]
    numbers = f"{min(HEARTBEATS.values())} to {max(HEARTBEATS.values())}"
    rows.append((numbers, "`<service>.hb`", "E", "Heartbeat", "none", "none"))
    return table(("number", "stream", "class", "messages", "kept for", "days"), rows)


def _row(stream: Stream) -> tuple[str, ...]:
    return (
        str(stream.number),
        f"`{stream.name}`",
        stream.durability,
        ", ".join(kind.__name__ for kind in stream.messages),
        ", ".join(stream.durable) or "none",
        str(stream.retention_days) if stream.journaled else "none",
    )


def render(page: str) -> str:
    """Return a page with its tables made anew."""
    made = {
        "schema": files("schema"),
        "bus": files("bus"),
        "services": services(),
        "streams": streams(),
    }
    return BLOCK.sub(lambda block: block[1] + made[block[2]] + block[3], page)


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
