"""What may lie in a bundle of backups, by its name alone: everything else is refused.

A bundle may come from anybody. Its names say where things would go, so they are taken apart, never
followed: what is unpacked gets a name of ours, in a folder of ours.
"""

import re

import msgspec

from bus.month_names import ARCHIVED, MONTH
from services.writer.backup_archives import MANIFEST
from services.writer.backup_manifest import PACKED, SUFFIX, DamagedError, name_of

INDEX = "bundle.json"
DAILY, ARCHIVE = "daily", "archive"
ENTRIES_MAX = 100_000
PATH_CHARS_MAX = 1000
_archive = re.compile(MONTH + r"\.(arc\.db|json)", re.ASCII)

BUNDLE_HINT = "Take another bundle: `rrr db backup --bundle FILE` makes one"


class Index(msgspec.Struct, frozen=True):
    """The first file of a bundle that we made: what else is in it."""

    world: str
    files: tuple[str, ...]


class Names:
    """The names in one bundle so far."""

    def __init__(self, bundle: str) -> None:
        self._bundle = bundle
        self._taken: dict[str, str] = {}
        self._count = 0

    def place(self, name: str) -> str:
        """Return where an entry goes, below a folder of ours; DamagedError refuses it."""
        self._count += 1
        if self._count > ENTRIES_MAX:
            raise self.refusal(name, f"it is one of more than {ENTRIES_MAX} entries")
        parts = self._parts(name)
        placed = _placed(parts[-1])
        if placed is None:
            raise self.refusal(name, "it is no backup, no manifest and no archive")
        before = self._taken.get(placed.casefold())
        if before is not None:
            raise self.refusal(name, f"it is there twice, before as {before!r}")
        self._taken[placed.casefold()] = name
        return placed

    def pass_folder(self, name: str) -> None:
        """Refuse a folder that leads elsewhere; others need not be made."""
        self._count += 1
        if self._count > ENTRIES_MAX:
            raise self.refusal(name, f"it is one of more than {ENTRIES_MAX} entries")
        self._parts(name.rstrip("/") or "/")

    def refusal(self, name: str, why: str) -> DamagedError:
        """Return what is raised for an entry."""
        return DamagedError(f"{self._bundle} is refused for its entry {name!r}: {why}", BUNDLE_HINT)

    def _parts(self, name: str) -> list[str]:
        if len(name) > PATH_CHARS_MAX or not name.isprintable() or "\\" in name or ":" in name:
            raise self.refusal(name[:PATH_CHARS_MAX], "it is no name that we write")
        if name.startswith("/"):
            raise self.refusal(name, "it is an absolute path")
        parts = [part for part in name.split("/") if part != "."]
        if ".." in parts:
            raise self.refusal(name, "it leads out of the folder with `..`")
        if not parts:
            parts = ["."]  # The folder itself.
        if not all(parts):
            raise self.refusal(name, "it is no name that we write")
        return parts


def _placed(last: str) -> str | None:
    if last == INDEX:
        return INDEX
    if _archive.fullmatch(last):
        return f"{ARCHIVE}/{last}"
    for suffix in (PACKED, SUFFIX):
        if last.endswith(suffix) and name_of(last.removesuffix(suffix)) is not None:
            return f"{DAILY}/{last}"
    return None


def owner_of(placed: str) -> str:
    """Return the manifest that must be there before a file; empty for what needs none."""
    if placed.endswith(PACKED):
        return placed.removesuffix(PACKED) + SUFFIX
    if placed.endswith(ARCHIVED):
        return placed.removesuffix(ARCHIVED) + MANIFEST
    return ""
