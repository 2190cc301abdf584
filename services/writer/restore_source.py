"""Which backups are put back: the newest proven one of each file, from wherever a person points."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bus.migrations import KINDS
from bus.month_names import ARCHIVED
from schema.units import iso
from services.writer.backup_archives import archives_in, sealed_of
from services.writer.backup_manifest import (
    PACKED,
    SUFFIX,
    BackupError,
    Name,
    name_of,
    shard_of,
)
from services.writer.backup_places import FOLDERS, Place
from services.writer.restore_bundle import SUFFIXES, is_bundle, unpack_bundle

NONE_HINT = "`rrr db backup --list` shows what there is; `rrr db backup` makes one now"


class Source(msgspec.Struct, frozen=True):
    """One backup that is put back."""

    packed: Path
    manifest: Path


class Chosen(msgspec.Struct, frozen=True):
    """All that is put back."""

    sources: list[Source]
    archives: list[Path]


def choose(
    source: Path, stage: Path, world: str, shards: Sequence[str], at_ns: int | None
) -> Chosen:
    """Return what is put back; BackupError when there is nothing, or not of every shard asked for.

    A bundle is unpacked into the stage.
    """
    if source.is_file() and not is_bundle(source):
        return _single(source, shards, at_ns)
    if source.is_file():
        unpack_bundle(source, stage / "bundle", lambda _share: None)
        place = Place(stage / "bundle")
    else:
        place = _place_in(source, world)
    return _newest(place, source, shards, at_ns)


def _single(source: Path, shards: Sequence[str], at_ns: int | None) -> Chosen:
    name = name_of(source.name.removesuffix(PACKED)) if source.name.endswith(PACKED) else None
    if name is None:
        raise BackupError(
            f"{source} is no backup: expected a name such as trading@20261130T030000Z{PACKED}, "
            f"or a bundle ({' '.join(SUFFIXES)})",
            NONE_HINT,
        )
    manifest = source.with_name(f"{name.text}{SUFFIX}")
    if not manifest.is_file():
        raise BackupError(
            f"the manifest {manifest} is missing: nothing else tells what {source.name} holds",
            "Copy it beside the backup, from where that came from",
        )
    if shards and shard_of(name.file) not in shards:
        raise BackupError(f"{source} is no backup of {' or '.join(shards)}", NONE_HINT)
    if at_ns is not None and name.wall_ns > at_ns:
        raise BackupError(f"{source} is of after {iso(at_ns)}", NONE_HINT)
    return Chosen([Source(source, manifest)], [])


def _place_in(source: Path, world: str) -> Place:
    """Return the place that a person means: a world's, a target of several, or a plain folder."""
    if not source.is_dir():
        raise BackupError(
            f"{source} is not there: expected backups",
            f"Is its drive plugged in? {NONE_HINT}",
        )
    for root in (source / world, source):
        if any((root / folder).is_dir() for folder in FOLDERS):
            return Place(root)
    return Place(source, ("",))


def _newest(place: Place, source: Path, shards: Sequence[str], at_ns: int | None) -> Chosen:
    wanted = set(shards or KINDS)
    archives = _archives(place, at_ns) if "market" in wanted else []
    sealed_ns = {path.name.removesuffix(ARCHIVED): sealed_of(path).made_ns for path in archives}
    found: list[tuple[str, Name]] = []
    for file in place.files():
        newest = place.newest(file, at_ns) if shard_of(file) in wanted else None
        # A month's file that was taken before its archive was made holds nothing more.
        if newest is not None and newest[1].wall_ns >= sealed_ns.get(file, 0):
            found.append(newest)
    there = {shard_of(name.file) for _, name in found} | ({"market"} if archives else set())
    _require_all(source, shards, there, at_ns)
    sources = [Source(place.packed(*one), place.manifest(*one)) for one in found]
    return Chosen(sources, archives)


def _archives(place: Place, at_ns: int | None) -> list[Path]:
    """Return the archives as of a moment; what was sealed later, live backups hold."""
    found = [*archives_in(place.archive()), *(archives_in(place.root) if place.is_plain else ())]
    return [path for path in found if at_ns is None or sealed_of(path).made_ns <= at_ns]


def _require_all(source: Path, shards: Sequence[str], found: set[str], at_ns: int | None) -> None:
    missing = [shard for shard in shards if shard not in found]
    when = "" if at_ns is None else f" of {iso(at_ns)} or before"
    if missing or not found:
        what = ", ".join(missing) or "any shard"
        raise BackupError(f"there is no proven backup of {what}{when} in {source}", NONE_HINT)
