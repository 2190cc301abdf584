"""Where an export or an import goes: into a draft beside its place, renamed when it is whole.

A run that was killed leaves a draft and no more; the next run to the same place clears it away.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from bus.disk import sync_directory, sync_path
from bus.errors import HouseError
from bus.lease import Lease
from services.rrr.db_export_manifest import BESIDE, NAME

LEASE = ".lease"
OLD = ".old"
ROOM_HINT = "Make room there, mend its permissions, or name another place"


@contextmanager
def draft_for(place: Path) -> Iterator[Path]:
    """Make an empty directory beside a place, and remove what is left of it in the end."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _clear_dead(place)
        draft = Path(mkdtemp(prefix=_prefix(place), dir=place.parent))
        draft.chmod(0o755)
        lease = Lease(draft / LEASE)
        lease.take()
    except OSError as error:
        raise _unwritable(place, error) from error
    try:
        yield draft
    except OSError as error:
        raise _unwritable(place, error) from error
    finally:
        with suppress(OSError):
            lease.release()
        shutil.rmtree(draft, ignore_errors=True)


def require_free(place: Path, *, force: bool, single: bool = False) -> None:
    """Refuse a place where something is; with `force` an earlier export may be."""
    if single:
        if place.is_dir():
            raise HouseError(f"{place} is a directory", "Name a file in it, or leave out its end")
        if place.exists() and not force:
            raise HouseError(f"{place} is there already", "Name another file, or add --force")
        return
    if not place.exists() or (place.is_dir() and not _names(place)):
        return
    if not place.is_dir():
        raise HouseError(f"{place} is no directory", "Name a directory that is new or empty")
    if not force:
        raise HouseError(f"{place} is not empty", "Name another directory, or add --force")
    if not (place / NAME).is_file():
        raise HouseError(
            f"{place} holds something that is no export, which --force does not remove",
            "Name another directory",
        )


def publish(draft: Path, place: Path, *, replaces: bool = False) -> None:
    """Let a draft reach the disk, and take its place in one step; it may replace an export."""
    sync_tree(draft)
    old = draft.with_name(draft.name + OLD)
    if place.exists():
        if _names(place) and not replaces:  # It was free at the start.
            raise HouseError(f"{place} is not empty: another run was faster", "Look at it first")
        place.rename(old)
    try:
        (draft / LEASE).unlink(missing_ok=True)
        draft.rename(place)
    except OSError as error:
        if old.exists():
            old.rename(place)
        what = f"{place} cannot be put in place: {error.strerror}"
        raise HouseError(what, "Another run may have been faster: look at it") from error
    sync_directory(place.parent)
    shutil.rmtree(old, ignore_errors=True)


def publish_file(draft: Path, name: str, place: Path) -> None:
    """Let one file of a draft and its manifest take their places; the manifest comes last."""
    sync_tree(draft)
    beside = place.with_name(place.name + BESIDE)
    beside.unlink(missing_ok=True)
    (draft / name).replace(place)
    (draft / NAME).replace(beside)
    sync_directory(place.parent)


def sync_tree(root: Path) -> None:
    """Let all files and directories under a root reach the disk."""
    for folder, _, names in os.walk(root, topdown=False):
        for name in names:
            sync_path(Path(folder) / name)
        sync_directory(Path(folder))


def _prefix(place: Path) -> str:
    return f".{place.name}.part-"


def _clear_dead(place: Path) -> None:
    for path in list(place.parent.iterdir()):
        if not path.name.startswith(_prefix(place)):
            continue
        if path.name.endswith(OLD):
            _put_back(path, place)
        elif Lease(path / LEASE).clear():
            shutil.rmtree(path, ignore_errors=True)


def _put_back(old: Path, place: Path) -> None:
    # Killed between the two renames: the earlier export stands again, or the new one stands.
    if place.exists():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.rename(place)


def _names(place: Path) -> bool:
    return next(place.iterdir(), None) is not None


def _unwritable(place: Path, error: OSError) -> HouseError:
    return HouseError(f"{place} cannot be written: {error.strerror or error}", ROOM_HINT)
