"""What the process that writes a shard must not do: close a descriptor of it that SQLite lacks.

POSIX drops all locks of a process on a file as soon as it closes any descriptor of that file. So
whoever runs beside a shard's one connection asks for names and sizes alone, and what it does open
stands here, with what that is.
"""

import ast
from collections.abc import Iterator
from functools import cache

from tests.tidy.calls import dotted
from tests.tidy.imports import imports
from tests.tidy.source import ROOT, Source

BEGINNING = "services/writer/__main__.py"

OPENS = frozenset(
    {
        *("open", "read_bytes", "read_text", "write_bytes", "write_text", "file_digest"),
        *("copy2", "copyfile", "copyfileobj", "sendfile", "mmap", "fromfile", "memmap"),
    }
)

OTHER_FILES = {
    "bus/shard.py": ("Path(f'{self.path}{SUSPECT}').write_text",),
    "services/writer/archive_files.py": ("path.read_bytes()", "path.open('rb')"),
    "services/writer/backup_manifest.py": ("path.open('rb')",),
    "services/writer/backup_seen.py": ("read_bytes()", "draft.write_bytes("),
    "services/writer/ballast.py": ("os.open(self.path",),
}
"""The mark of a suspect; archives and manifests; copies; notes; the ballast."""

NEAR = ("bus/shard", "bus/checksums", "bus/reading", "bus/rows", "services/writer/")


def lock_drops(source: Source) -> Iterator[str]:
    """Refuse to open files where a shard's locks are held, but those that are named here."""
    if not source.path.startswith(NEAR) or source.suffix != ".py":
        return
    if (ROOT / source.path).exists() and source.path not in beside_the_writer():
        return
    known = OTHER_FILES.get(source.path, ())
    for call in source.walk(ast.Call):
        if dotted(call.func).rpartition(".")[2] in OPENS:
            text = ast.unparse(call)
            if not any(one in text for one in known):
                yield source.at(call.lineno, f"{text[:40]}: closing it could drop a shard's locks")


@cache
def beside_the_writer() -> frozenset[str]:
    """Return the files that the process of a running writer imports."""
    found: set[str] = set()
    waiting = [BEGINNING]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            text = (ROOT / path).read_text()
            waiting += [one for _, module in imports(Source(path, text)) for one in _files(module)]
    return frozenset(found)


def _files(module: str) -> list[str]:
    path = module.replace(".", "/")
    return [one for one in (f"{path}.py", f"{path}/__init__.py") if (ROOT / one).is_file()]
