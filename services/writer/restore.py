"""Puts backups back into a new directory, never over one that lives.

All of it is made beside the directory and gets its name when the whole is proven, so a refusal or a
kill leaves nothing under that name.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from bus.archive import bases
from bus.disk import sync_directory
from bus.errors import BusyError
from bus.history import exchange_of
from bus.lease import Lease
from bus.month_names import archive_dir
from schema.streams import STREAMS
from services.writer.backup_archives import copy_archive
from services.writer.backup_manifest import (
    BackupError,
    Manifest,
    failing,
    read_manifest,
    require_known,
)
from services.writer.backup_proof import (
    examine,
    opened,
    positions_of,
    require_room,
    unpack,
)
from services.writer.restore_source import Chosen, Source, choose

RESTORE_HINT = "Name another directory with --to, on a volume with room"

Tell = Callable[[float], None]
Fold = Callable[[Path, int, Tell], str]
"""Folds the journals up to a wall time onto the shards in a directory; returns what it did."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wants back."""

    source: Path  # a backup, a folder of them, or a bundle
    to: Path
    world: str
    shards: tuple[str, ...] = ()
    at_ns: int | None = None
    now_ns: int | None = None  # what was taken later was taken while the clock was wrong
    forbidden: tuple[Path, ...] = ()  # directories that live
    journals: Path | None = None


class Restored(msgspec.Struct):
    """What was put back."""

    to: str
    world: str
    shards: list[Manifest]
    archives: list[str]
    folded: str
    missing: list[str]
    positions: dict[str, dict[str, int]]


def restore(wanted: Wanted, tell: Tell, fold: Fold | None = None) -> Restored:
    """Put back what is wanted; HouseError says why not, and leaves nothing."""
    until_ns = wanted.now_ns if wanted.at_ns is None else wanted.at_ns
    with failing(wanted.to, RESTORE_HINT), _stage(wanted) as stage:
        chosen = choose(wanted.source, stage, wanted.world, wanted.shards, until_ns)
        made = stage / "made"
        (made / "db").mkdir(parents=True, mode=0o700)
        shards = _unpack_all(chosen, made, wanted.world, tell)
        archives = _copy_archives(chosen, made, stage, tell)
        folded = _folded(wanted, made / "db", shards, tell, fold)
        positions = {path.stem: _positions(path) for path in sorted((made / "db").glob("*.db"))}
        _put_in_place(made, wanted.to)
    missing = missing_of(positions, wanted.journals)
    world = next((manifest.world for manifest in shards), wanted.world)
    return Restored(str(wanted.to), world, shards, archives, folded, missing, positions)


def _folded(
    wanted: Wanted, db_dir: Path, shards: Sequence[Manifest], tell: Tell, fold: Fold | None
) -> str:
    ours = bool(shards) and all(one.world == wanted.world for one in shards)
    if wanted.at_ns is None or fold is None or not ours:
        return ""  # No journal tells of what was imported.
    return fold(db_dir, wanted.at_ns, tell)


def _positions(path: Path) -> dict[str, int]:
    with opened(path, lambda _share: None) as db:
        found = positions_of(db)
    for suffix in ("-shm", "-wal"):  # A reader leaves them behind, empty, where a fold wrote.
        beside = path.with_name(f"{path.name}{suffix}")
        if suffix == "-shm" or (beside.exists() and not beside.stat().st_size):
            beside.unlink(missing_ok=True)
    return found


def missing_of(positions: Mapping[str, Mapping[str, int]], journals: Path | None) -> list[str]:
    """Return which streams the journals no longer hold from where the shards go on."""
    found: dict[str, str] = {}
    for held in positions.values() if journals is not None else ():
        for name, pos in held.items():
            if journals is None or name not in STREAMS:
                continue
            begin = bases(journals / STREAMS[name].owner / STREAMS[name].channel)
            if not begin and not pos:
                continue  # Nothing was ever said on it.
            if not begin:
                found[name] = f"{name}: there is no journal; what followed {pos} is gone"
            elif begin[0] > pos + 1:
                found[name] = f"{name}: the journals begin at {begin[0]}, the shard ends at {pos}"
    return [found[name] for name in sorted(found)]


@contextlib.contextmanager
def _stage(wanted: Wanted) -> Iterator[Path]:
    """Hold a folder beside the new directory, empty, and gone afterwards."""
    to = wanted.to
    require_new(to, wanted.forbidden)
    lease = Lease(to.with_name(f".{to.name}.restore.lease"))
    if not lease.take():
        raise BusyError(
            f"another restore to {to} is under way: {lease.whose()}",
            "Wait for its end, or name another directory",
        )
    stage = to.with_name(f".{to.name}.restoring")
    try:
        shutil.rmtree(stage, ignore_errors=True)  # Of one that was killed.
        stage.mkdir(mode=0o700)
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        lease.release()


def require_new(to: Path, forbidden: Sequence[Path]) -> None:
    """Refuse a directory that is there and not empty, or that lies in one that lives."""
    if any(live in (to, *to.parents) for live in forbidden):
        raise BackupError(f"{to} lies among live shards", "Restore to a new directory elsewhere")
    if to.is_symlink() or (to.exists() and not to.is_dir()):
        raise BackupError(f"{to} is there and no directory", "Name a new directory with --to")
    if to.is_dir() and any(to.iterdir()):
        raise BackupError(
            f"{to} is not empty: expected a new or an empty directory",
            "Name a new directory with --to; what is restored is put into place by hand",
        )
    if not to.parent.is_dir():
        raise BackupError(
            f"{to.parent} is no directory", "Make it first, or name another with --to"
        )


def _unpack_all(chosen: Chosen, made: Path, world: str, tell: Tell) -> list[Manifest]:
    found = []
    manifests = [(source, read_manifest(source.manifest)) for source in chosen.sources]
    for source, manifest in manifests:
        require_known(manifest, source.packed)
        _require_world(manifest, source, world)
    require_room(made, sum(manifest.bytes for _, manifest in manifests), 0)
    for index, (source, manifest) in enumerate(manifests):
        first, count = index, len(manifests)

        def told(share: float, first: int = first, count: int = count) -> None:
            tell((first + share) / count)

        target = made / "db" / f"{manifest.file}.db"
        unpack(source.packed, target, manifest, told)
        examine(target, manifest, lambda _share: tell(0.0))
        found.append(manifest)
    return found


def _require_world(manifest: Manifest, source: Source, world: str) -> None:
    if manifest.world != world and not exchange_of(manifest.world):
        raise BackupError(
            f"{source.packed} is of world {manifest.world}, this house runs world {world}",
            "Worlds never meet: restore it in the house of that world, or set its mode, exchange "
            "and market first (`rrr settings`)",
        )


def _copy_archives(chosen: Chosen, made: Path, stage: Path, tell: Tell) -> list[str]:
    if not chosen.archives:
        return []
    target = archive_dir(made)
    target.mkdir(parents=True, mode=0o700)
    require_room(made, sum(path.stat().st_size for path in chosen.archives), 0)
    for path in chosen.archives:
        copy_archive(path, target, stage, tell)
    return [path.name for path in chosen.archives]


def _put_in_place(made: Path, to: Path) -> None:
    for folder in [made, *(path for path in made.rglob("*") if path.is_dir())]:
        sync_directory(folder)
    made.replace(to)
    sync_directory(to.parent)
