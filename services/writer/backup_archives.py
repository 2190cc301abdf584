"""Copies archived months beside the backups: they never change, so each is copied once.

A copy is read back and has the sha256 that the archive's own manifest says before it counts.
"""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from bus.disk import sync_directory, sync_file, write_synced, write_whole
from bus.month_names import ARCHIVED
from services.writer.archive_files import sha256_of
from services.writer.backup_manifest import DamagedError, failing
from services.writer.backup_places import Place
from services.writer.backup_proof import require_room

MANIFEST = ".json"
READ_ONLY = 0o444
PIECE_BYTES = 1 << 18
FLUSH_BYTES = 4 << 20
MANIFEST_BYTES_MAX = 1 << 20

Tell = Callable[[float], None]


class Sealed(msgspec.Struct, frozen=True):
    """What the manifest of an archive says that a copy needs."""

    sha256: str
    bytes: int
    made_ns: int


def manifest_of(path: Path) -> Path:
    """Return where the manifest of an archive lies."""
    return path.with_name(path.name.removesuffix(ARCHIVED) + MANIFEST)


def archives_in(directory: Path) -> list[Path]:
    """Return the archives in a folder that have their manifest, oldest month first."""
    return sorted(path for path in directory.glob(f"*{ARCHIVED}") if manifest_of(path).is_file())


def copy_archives(
    place: Place, shard: str, directory: Path, spare_bytes: int, tell: Tell
) -> list[Path]:
    """Copy the archives of a folder that are not there yet; return the copies made."""
    made = []
    with failing(place.archive()):
        place.archive().mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in archives_in(directory):
            if is_copied(place.archive(), path):
                continue
            require_room(place.archive(), path.stat().st_size, spare_bytes)
            made.append(copy_archive(path, place.archive(), place.scratch(shard), tell))
    return made


def is_copied(target: Path, path: Path) -> bool:
    """Return whether a folder has a copy of an archive as it is now."""
    copy = target / path.name
    if not (copy.is_file() and manifest_of(copy).is_file()):
        return False
    same = manifest_of(copy).read_bytes() == manifest_of(path).read_bytes()
    return same and copy.stat().st_size == path.stat().st_size


def copy_archive(path: Path, target: Path, scratch: Path, tell: Tell) -> Path:
    """Copy one archive and its manifest into a folder; return the copy."""
    sealed = sealed_of(path)
    draft, placed = scratch / path.name, target / path.name
    _copy(path, draft, sealed.sha256, tell)
    told = scratch / manifest_of(path).name
    write_synced(told, manifest_of(path).read_bytes())
    draft.chmod(READ_ONLY)
    draft.rename(placed)
    sync_directory(target)
    told.rename(manifest_of(placed))
    sync_directory(target)
    return placed


def sealed_of(path: Path) -> Sealed:
    """Return what the manifest of an archive says; DamagedError when it says nothing."""
    manifest = manifest_of(path)
    try:
        with manifest.open("rb") as file:
            return msgspec.json.decode(file.read(MANIFEST_BYTES_MAX), type=Sealed)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DamagedError(f"{manifest} is no manifest of an archive: {error}", HINT) from error


HINT = "`rrr db archive --verify` looks at the archives; a backup of that month may be whole"


def require_whole(path: Path, sha256: str, tell: Tell) -> None:
    """Refuse an archive that has not the sha256 it was sealed with."""
    if sha256_of(path, lambda: tell(0.0)) != sha256:
        raise DamagedError(f"{path} is damaged: its sha256 is not the one in its manifest", HINT)


def _copy(path: Path, draft: Path, sha256: str, tell: Tell) -> None:
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with path.open("rb") as file:
            while data := file.read(PIECE_BYTES):
                write_whole(fd, data)
                tell(0.0)
                if file.tell() % FLUSH_BYTES == 0:
                    os.fsync(fd)
        sync_file(fd)
    finally:
        os.close(fd)
    require_whole(draft, sha256, tell)
