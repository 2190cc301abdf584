"""Makes one file of many backups, for another machine: `.tar`, `.tar.zst` or `.zip`.

The list of what is in it comes first and each manifest before its file, so that whoever unpacks it
knows how large everything may be.
"""

import io
import os
import sys
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import msgspec

from bus.disk import sync_directory, sync_path
from services.writer.backup_archives import archives_in, manifest_of
from services.writer.backup_manifest import BackupError, failing, shard_of
from services.writer.backup_places import Place
from services.writer.backup_proof import require_room
from services.writer.restore_bundle import SUFFIXES, is_bundle
from services.writer.restore_names import INDEX, Index

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEVEL = 1  # What is in it is compressed already.
BUNDLE_HINT = "Name another file with --bundle"
MODE = 0o600

Tell = Callable[[float], None]


def require_bundle_name(path: Path) -> None:
    """Refuse a name that says no kind of bundle, or that is taken."""
    if not is_bundle(path):
        raise BackupError(
            f"{path} is no name of a bundle: expected one that ends in {' '.join(SUFFIXES)}",
            BUNDLE_HINT,
        )
    if path.exists() or path.is_symlink():
        raise BackupError(f"{path} is there already", BUNDLE_HINT)
    if not path.parent.is_dir():
        raise BackupError(f"{path.parent} is no directory", BUNDLE_HINT)


def bundled(place: Place, shards: Sequence[str]) -> list[Path]:
    """Return what a bundle of some shards holds: the newest backup of each file, and archives."""
    manifests, files = [], []
    for file in place.files():
        newest = place.newest(file) if _is_of(file, shards) else None
        if newest is not None:
            manifests.append(place.manifest(*newest))
            files.append(place.packed(*newest))
    for path in archives_in(place.archive()) if "market" in shards else ():
        manifests.append(manifest_of(path))
        files.append(path)
    return [*manifests, *files]


def write_bundle(place: Place, shards: Sequence[str], world: str, path: Path, tell: Tell) -> int:
    """Write a bundle, whole or not at all; return its size."""
    require_bundle_name(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with failing(path, BUNDLE_HINT):
        paths = bundled(place, shards)
        require_room(path.parent, sum(one.stat().st_size for one in paths), 0)
        index = Index(world, tuple(_name(place, one) for one in paths))
        try:
            if path.name.lower().endswith(".zip"):
                _zip(place, paths, index, draft, tell)
            else:
                _tar(place, paths, index, draft, packed=path.name.lower().endswith(".zst"))
            sync_path(draft)
            draft.rename(path)
        finally:
            draft.unlink(missing_ok=True)
        sync_directory(path.parent)
        return path.stat().st_size


def _is_of(file: str, shards: Sequence[str]) -> bool:
    return shard_of(file) in shards


def _name(place: Place, path: Path) -> str:
    folder = "archive" if path.parent == place.archive() else "daily"
    return f"{folder}/{path.name}"


def _tar(place: Place, paths: Sequence[Path], index: Index, draft: Path, *, packed: bool) -> None:
    with draft.open("xb") as plain:
        if not packed:
            _fill(plain, place, paths, index)
            return
        with closing(zstd.ZstdFile(plain, "wb", level=LEVEL)) as file:
            _fill(file, place, paths, index)


def _fill(
    file: "BinaryIO | zstd.ZstdFile", place: Place, paths: Sequence[Path], index: Index
) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
        first = msgspec.json.encode(index)
        tar.addfile(_entry(INDEX, len(first)), io.BytesIO(first))
        for path in paths:
            with path.open("rb") as source:
                tar.addfile(_entry(_name(place, path), path.stat().st_size), source)


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, MODE
    return entry


def _zip(place: Place, paths: Sequence[Path], index: Index, draft: Path, tell: Tell) -> None:
    with zipfile.ZipFile(draft, "x", zipfile.ZIP_STORED) as archive:
        archive.writestr(INDEX, msgspec.json.encode(index))
        for number, path in enumerate(paths):
            archive.write(path, _name(place, path))
            tell(number / len(paths))
