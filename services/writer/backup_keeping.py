"""Puts proven backups in place, lets them grow old, and clears away what a kill left.

A manifest never stands without its file: the file comes first and goes last. What is being placed
or removed has its manifest in the scratch folder, so that the next run ends either of them.
"""

import re
import shutil
from collections.abc import Callable, Hashable
from pathlib import Path

from bus.disk import sync_directory, sync_path, write_synced
from services.writer.backup_manifest import PACKED, SUFFIX, Name, name_of
from services.writer.backup_places import FOLDERS, Place

DAILY, WEEKLY, MONTHLY = FOLDERS
PERIODS: dict[str, Callable[[Name], Hashable]] = {
    DAILY: lambda name: name.day,
    WEEKLY: lambda name: name.day.isocalendar()[:2],
    MONTHLY: lambda name: (name.day.year, name.day.month),
}
_draft = re.compile(rf"({'|'.join(FOLDERS)})\.(.+){re.escape(SUFFIX)}")

Step = Callable[[str], None]


def silent(_step: str) -> None:
    """Take no note of a step."""


def place_pair(place: Place, shard: str, name: Name, manifest: bytes, done: Step = silent) -> None:
    """Give a proven backup in the scratch folder its name among the daily ones."""
    draft = _draft_of(place, shard, DAILY, name)
    write_synced(draft, manifest)
    done("drafted")
    packed = place.packed(DAILY, name)
    (place.scratch(shard) / packed.name).rename(packed)
    sync_directory(packed.parent)
    done("named")
    draft.rename(place.manifest(DAILY, name))
    sync_directory(packed.parent)
    done("placed")


def clear(place: Place, shard: str) -> None:
    """End what an earlier run began, and remove all else that it left; for the lease's holder."""
    scratch = place.scratch(shard)
    for path in sorted(scratch.glob(f"*{SUFFIX}")):
        found = _draft.fullmatch(path.name)
        name = name_of(found[2]) if found else None
        if found and name and place.packed(found[1], name).exists():
            path.rename(place.manifest(found[1], name))
            sync_directory(place.root / found[1])
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)


def promote(
    place: Place,
    shard: str,
    file: str,
    keep: tuple[int, int, int],
    done: Step = silent,
    until_ns: int | None = None,
) -> None:
    """Let the first backup of each week and month be kept for longer.

    What was taken after `until_ns`, while the clock was wrong, waits for its time.
    """
    for folder, count in zip((WEEKLY, MONTHLY), keep[1:], strict=True):
        if not count:
            continue
        period = PERIODS[folder]
        there = place.names(folder, file, until_ns)
        known = {period(name) for name in there}
        for name in place.names(DAILY, file, until_ns):
            if period(name) not in known and (not there or name > there[-1]):
                known.add(period(name))
                _double(place, shard, folder, name, done)


def rotate(
    place: Place,
    shard: str,
    file: str,
    keep: tuple[int, int, int],
    done: Step = silent,
    until_ns: int | None = None,
) -> list[Path]:
    """Remove what is older than is kept, never the newest until a time; return what went."""
    gone = []
    for folder, count in zip(FOLDERS, keep, strict=True):
        names = place.names(folder, file, until_ns)
        kept = _kept(names, PERIODS[folder], count)
        for name in names:
            if name not in kept and not (folder == DAILY and name == names[-1]):
                gone.append(place.packed(folder, name))
                _remove(place, shard, folder, name, done)
    return gone


def _kept(names: list[Name], period: Callable[[Name], Hashable], count: int) -> set[Name]:
    """Return the newest backup of each of the newest periods."""
    newest = {period(name): name for name in names}  # Oldest first: the last one stands.
    return set(sorted(newest.values())[-count:]) if count else set()


def _double(place: Place, shard: str, folder: str, name: Name, done: Step) -> None:
    source, target = place.packed(DAILY, name), place.packed(folder, name)
    target.unlink(missing_ok=True)  # Of a run that was killed before its manifest came.
    draft = _draft_of(place, shard, folder, name)
    write_synced(draft, place.manifest(DAILY, name).read_bytes())
    _link(source, target, place.scratch(shard) / f"{folder}.{source.name}")
    sync_directory(target.parent)
    done("doubled")
    draft.rename(place.manifest(folder, name))
    sync_directory(target.parent)
    done("promoted")


def _link(source: Path, target: Path, draft: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # A file system without links has copies.
        shutil.copyfile(source, draft)
        sync_path(draft)
        draft.rename(target)


def _remove(place: Place, shard: str, folder: str, name: Name, done: Step) -> None:
    scratch = place.scratch(shard)
    draft, packed = _draft_of(place, shard, folder, name), place.packed(folder, name)
    place.manifest(folder, name).rename(draft)
    done("withdrawn")
    grave = scratch / f"{folder}.{name.text}{PACKED}"
    packed.rename(grave)
    done("moved")
    draft.unlink()
    grave.unlink()
    done("removed")


def _draft_of(place: Place, shard: str, folder: str, name: Name) -> Path:
    return place.scratch(shard) / f"{folder}.{name.text}{SUFFIX}"
