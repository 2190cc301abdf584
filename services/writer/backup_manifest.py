"""What is known of one backup: the file that lies beside it, and what it is called.

A backup without its manifest was never proven, so it counts for nothing; a manifest is written
when its file is in place and has been restored once.
"""

import contextlib
import datetime as dt
import errno
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bus.errors import HouseError
from bus.migrations import KINDS, NEWER_HINT, steps
from bus.month_names import MONTH, PREFIX
from schema.units import SECOND_NS
from services.writer.content import Content

PACKED = ".db.zst"
SUFFIX = ".json"
MANIFEST_BYTES_MAX = 1 << 20
STAMP = "%Y%m%dT%H%M%SZ"
SHA256_CHARS = 64

FILE = f"(?P<file>trading|analytics|backtest|{MONTH})"
_name = re.compile(FILE + r"@(?P<stamp>[0-9]{8}T[0-9]{6}Z)", re.ASCII)
_epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

PLACE_HINT = "Look at `backup.target`: is the drive plugged in, may this user write, is there room?"
OTHER_HINT = "Take another backup: `rrr db backup --list` shows them; `rrr db backup` makes one now"


class BackupError(HouseError):
    """A backup that cannot be made, found or put back; nothing that was there is touched."""


class DamagedError(BackupError):
    """A backup that is not what its manifest says."""

    exit_code = 5


class Name(msgspec.Struct, frozen=True, order=True):
    """What a backup is called: the moment first, so that names sort by it."""

    stamp: str
    file: str

    @property
    def text(self) -> str:
        return f"{self.file}@{self.stamp}"

    @property
    def day(self) -> dt.date:
        """The UTC day of the snapshot."""
        return self._at().date()

    @property
    def wall_ns(self) -> int:
        """The second of the snapshot, by the wall."""
        return int((self._at() - _epoch).total_seconds()) * SECOND_NS

    def _at(self) -> dt.datetime:
        return dt.datetime.strptime(self.stamp, STAMP).replace(tzinfo=dt.UTC)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """All that is told of one backup."""

    file: str
    shard: str
    world: str
    application_id: int
    user_version: int
    sqlite: str
    bytes: int  # of the shard's file, unpacked …
    unpacked_sha256: str
    packed_bytes: int  # … and of the backup
    sha256: str
    contents: dict[str, Content]
    positions: dict[str, int]
    audit_head: str  # the last link of the audit's chain
    wall_ns: int
    market_ns: int
    verified_at: str

    @property
    def name(self) -> Name:
        return name_at(self.file, self.wall_ns)


def name_at(file: str, wall_ns: int) -> Name:
    """Return what a backup of some moment is called."""
    moment = _epoch + dt.timedelta(seconds=wall_ns // SECOND_NS)
    return Name(moment.strftime(STAMP), file)


def name_of(text: str) -> Name | None:
    """Return the name that a text is; None for every other text."""
    found = _name.fullmatch(text)
    if found is None:
        return None
    try:
        name = Name(found["stamp"], found["file"])
        _ = name.day
    except ValueError:  # No such day.
        return None
    return name


def shard_of(file: str) -> str:
    """Return the shard that a file belongs to."""
    return "market" if file.startswith(PREFIX) else file


def encoded(manifest: Manifest) -> bytes:
    """Return a manifest as it is written."""
    return msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"


def read_manifest(path: Path) -> Manifest:
    """Return what a file says; DamagedError when it is no manifest, or one of another backup."""
    with failing(path), path.open("rb") as file:
        data = file.read(MANIFEST_BYTES_MAX + 1)
    return decoded(data, path)


def decoded(data: bytes, path: Path) -> Manifest:
    """Return what the bytes of a manifest say; they were read at a path."""
    try:
        manifest = msgspec.json.decode(data[:MANIFEST_BYTES_MAX], type=Manifest)
        _require_sense(manifest, path.name.removesuffix(SUFFIX))
    except (msgspec.MsgspecError, ValueError, OverflowError) as error:
        raise DamagedError(f"{path} is no manifest of a backup: {error}", OTHER_HINT) from error
    return manifest


def _require_sense(manifest: Manifest, called: str) -> None:
    if manifest.name.text != called:
        raise ValueError(f"it is of {manifest.name.text}, expected of {called}")
    kind = KINDS.get(manifest.shard)
    if kind is None or name_of(called) is None or shard_of(manifest.file) != manifest.shard:
        raise ValueError(f"it is of a shard {manifest.shard!r} and a file {manifest.file!r}")
    if manifest.application_id != kind.application_id:
        raise ValueError(f"its application id {manifest.application_id} is no {kind.name} shard's")
    if min(manifest.bytes, manifest.packed_bytes) <= 0 or manifest.user_version <= 0:
        raise ValueError("it has a size or a version that nothing has")
    if len(manifest.sha256) != SHA256_CHARS or len(manifest.unpacked_sha256) != SHA256_CHARS:
        raise ValueError("it has no whole sha256")


def require_known(manifest: Manifest, path: Path) -> None:
    """Refuse a backup of newer code."""
    known = len(steps(KINDS[manifest.shard]))
    if manifest.user_version > known:
        raise DamagedError(
            f"{path} was made by newer code: its version is {manifest.user_version}, "
            f"this code knows {known}",
            NEWER_HINT,
        )


@contextlib.contextmanager
def failing(path: Path, hint: str = PLACE_HINT) -> Iterator[None]:
    """Turn what the system says of a place into a BackupError."""
    try:
        yield
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else path
        what = "is full" if error.errno in FULL else f"fails: {error.strerror or error}"
        raise BackupError(f"{where} {what}", hint).of_disk(error) from error


FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
