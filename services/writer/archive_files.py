"""Where a place keeps the archives of its months, and what the manifest beside each says of it.

A place is a directory with `db/` and, maybe, `archive/market/`. Nothing here needs numpy: the
running writer reads manifests too.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from bus.errors import ShardError
from bus.migrations import refused
from bus.month_names import ARCHIVED, archive_dir, month_name, month_named

TRASH = ".trash"
DRAFT = ".tmp"
LEASE = ".lease"
META = "archive"
"""The key in an archive's `meta` of what it holds: the file proves itself without its manifest."""

VERSION = 1
PIECE_BYTES = 1 << 20
LATER_CODE = 75

MANIFEST_HINT = (
    "Move the manifest away: `rrr db archive` proves the archive anew and writes another one"
)
NEWER_HINT = "Update this checkout to the code that made the archive"
LOST_HINT = "Restore the archive from a backup (`rrr db restore`); without one, move {} away"
CHANGED_HINT = "Move it away and restore it from a backup: `rrr db restore`; the rows stay"
ROOM_HINT = "Free disk space; the rows stay where they are, and it is tried again"
AGAIN_HINT = "Nothing was moved; it is archived again by itself, or by `rrr db archive`"


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows of one series were when they were archived; keys are those of `series`."""

    id: int
    symbol: str
    timeframe: str
    rows: int
    first: int
    last: int
    hash: str  # BLAKE2b-256 over its rows in key order, little-endian int64


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive holds, as it says itself."""

    version: int = VERSION
    month: int
    rev: int  # grows by one with each archive of the month
    edits: str  # the last edit of the live month that is in it
    made_ns: int
    bars: tuple[Proof, ...]
    ticks: tuple[Proof, ...]

    @property
    def rows(self) -> int:
        """All bars and ticks."""
        return sum(one.rows for one in (*self.bars, *self.ticks))


Said = TypeVar("Said", bound=Contents)


class Manifest(Contents, frozen=True, kw_only=True):
    """What lies beside an archive: its contents, and the hash of the file."""

    sha256: str
    bytes: int


def live_path(place: Path, month: int) -> Path:
    """Return the file that the writer of a month writes."""
    return place / "db" / f"{month_name(month)}.db"


def archive_path(place: Path, month: int) -> Path:
    """Return the archive of a month."""
    return archive_dir(place) / f"{month_name(month)}{ARCHIVED}"


def manifest_path(place: Path, month: int) -> Path:
    """Return the manifest of a month's archive."""
    return archive_dir(place) / f"{month_name(month)}.json"


def trash_dir(place: Path) -> Path:
    """Return where retired months lie until they are deleted."""
    return place / "db" / TRASH


def archived_months(place: Path) -> list[int]:
    """Return the months that have an archive, oldest first."""
    return _months(archive_dir(place), archived=True)


def live_months(place: Path) -> list[int]:
    """Return the months that have a file to write to, oldest first."""
    return _months(place / "db", archived=False)


def read_manifest(place: Path, month: int) -> Manifest | None:
    """Return the manifest of a month's archive; None without one, ShardError for a spoiled one."""
    path = manifest_path(place, month)
    try:
        found = readable(msgspec.json.decode(path.read_bytes(), type=Manifest), path)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ShardError(f"the manifest {path} cannot be read: {error}", MANIFEST_HINT) from error
    if found.month != month:
        raise ShardError(f"{path} is of the month {found.month}, not {month}", MANIFEST_HINT)
    return found


def readable(found: Said, path: Path) -> Said:
    """Return what a file says of itself; ShardError when newer code says it."""
    if found.version > VERSION:
        what = f"{path} has the version {found.version}, this code knows {VERSION}"
        raise refused(what, NEWER_HINT)
    return found


def require_unchanged(place: Path, manifest: Manifest) -> None:
    """Read an archive whole and raise ShardError unless it is the one that its manifest names."""
    path = archive_path(place, manifest.month)
    try:
        size, digest = path.stat().st_size, sha256_of(path)
    except FileNotFoundError as error:
        hint = LOST_HINT.format(manifest_path(place, manifest.month))
        raise ShardError(f"{path} is gone, its manifest is there", hint) from error
    except OSError as error:
        raise ShardError(f"{path} cannot be read: {error}", CHANGED_HINT) from error
    if size != manifest.bytes:
        what = f"{path} has {size} bytes, its manifest names {manifest.bytes}"
        raise ShardError(what, CHANGED_HINT)
    if digest != manifest.sha256:
        what = f"{path} has the hash {digest[:16]}, its manifest names {manifest.sha256[:16]}"
        raise ShardError(what, CHANGED_HINT)


def sha256_of(path: Path, told: Callable[[], None] = lambda: None) -> str:
    """Return the hash of a file that nobody writes; `told` is called after each piece."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            told()
    return digest.hexdigest()


def _months(directory: Path, *, archived: bool) -> list[int]:
    names: list[str] = []
    with suppress(FileNotFoundError):
        names = [path.name for path in directory.iterdir()]
    found = (month_named(name) for name in names if name.endswith(ARCHIVED) is archived)
    return sorted(month for month in found if month)
