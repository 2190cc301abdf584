"""Where the backups of a world lie: `{daily,weekly,monthly}/<file>@<UTC>.db.zst`, and `archive/`.

A target on another volume serves several worlds, each in a folder of its own; a world without a
target keeps them itself. Looking here is cheap: a running writer does it every minute.
"""

from pathlib import Path

import msgspec

from bus.clock import Clock
from bus.migrations import KINDS
from bus.rows import shard_files
from schema.units import SECOND_NS
from services.writer.backup_manifest import (
    PACKED,
    SUFFIX,
    Name,
    name_of,
)

FOLDERS = ("daily", "weekly", "monthly")
ARCHIVE = "archive"
SCRATCH = "tmp"
OWN = "backups"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be backed up, and where to."""

    shard: str
    world: str
    db_dir: str
    place: str  # the folder of the world …
    target: str  # … in one that a person made; empty: the world's own
    market: str = ""  # the house's clock, as JSON
    older_s: int = 0  # only files whose last backup is as old as this; 0: all of them
    keep: tuple[int, int, int] = (7, 4, 12)
    spare_bytes: int = 0  # of the volume's free space, what must stay


class Place(msgspec.Struct, frozen=True):
    """The backups of one world."""

    root: Path
    folders: tuple[str, ...] = FOLDERS

    @property
    def is_plain(self) -> bool:
        """Whether it is one folder with whatever somebody put there."""
        return self.folders == ("",)

    def names(self, folder: str, file: str = "", until_ns: int | None = None) -> list[Name]:
        """Return the proven backups in a folder that were taken until a time, oldest first."""
        paths = _files(self.root / folder, f"{file}*@*{SUFFIX}")
        found = (name for path in paths if (name := self._named(path)) is not None)
        return sorted(
            name
            for name in found
            if (not file or name.file == file) and (until_ns is None or name.wall_ns <= until_ns)
        )

    def newest(self, file: str, until_ns: int | None = None) -> tuple[str, Name] | None:
        """Return folder and name of the newest proven backup of a file until a time."""
        found = [
            (name, folder) for folder in self.folders for name in self.names(folder, file, until_ns)
        ]
        if not found:
            return None
        best = max(name for name, _ in found)
        return next(folder for name, folder in found if name == best), best

    def files(self) -> list[str]:
        """Return the files of which there is a backup."""
        return sorted({name.file for folder in self.folders for name in self.names(folder)})

    def packed(self, folder: str, name: Name) -> Path:
        """Return where a backup lies."""
        return self.root / folder / f"{name.text}{PACKED}"

    def manifest(self, folder: str, name: Name) -> Path:
        """Return where the manifest of a backup lies."""
        return self.root / folder / f"{name.text}{SUFFIX}"

    def scratch(self, shard: str) -> Path:
        """Return where a backup of a shard is made; what lies there is nobody's."""
        return self.root / SCRATCH / shard

    def archive(self) -> Path:
        """Return where copies of archived months lie."""
        return self.root / ARCHIVE

    @staticmethod
    def _named(path: Path) -> Name | None:
        return name_of(path.name.removesuffix(SUFFIX))


def place_root(target: Path | None, own: Path, world: str) -> Path:
    """Return the folder of a world's backups; `own` is the world's own folder."""
    return own / OWN if target is None else target / world


def sources(db_dir: Path, shard: str) -> list[Path]:
    """Return the live files of a shard, oldest month first."""
    return shard_files(db_dir, KINDS[shard])[::-1]


def age_s(place: Place, path: Path, clock: Clock) -> int:
    """Return how old the last proven backup of a file is; -1 when there is none.

    One from the future was taken while the clock was wrong: nobody knows how old it is.
    """
    newest = place.newest(path.stem, clock.wall_ns())
    if newest is None:
        return -1
    return max(0, clock.wall_ns() - newest[1].wall_ns) // SECOND_NS


def on_same_volume(place: Path, db_dir: Path, world_dir: Path) -> bool:
    """Return whether one broken drive takes the shards and their backups."""
    there = next((path for path in (place, *place.parents) if path.exists()), place.parents[-1])
    try:
        same = there.stat().st_dev == db_dir.stat().st_dev
    except OSError:
        return False
    return same or world_dir in (place, *place.parents)


def _files(directory: Path, pattern: str) -> list[Path]:
    try:
        return [path for path in directory.glob(pattern) if path.is_file()]
    except OSError:
        return []
