"""Proves a backup: unpacks it, and compares what comes out with what its manifest says.

Nothing is believed: sizes bound what is unpacked, the sha256 is compared before, the contents
after.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw

from bus import checksums, migrations
from bus.disk import free_bytes, sync_file, write_whole
from bus.errors import ShardError
from bus.migrations import KINDS
from bus.rows import Reader
from bus.shard import Connection, failure
from services.writer.archive_files import sha256_of
from services.writer.backup_manifest import (
    OTHER_HINT,
    BackupError,
    DamagedError,
    Manifest,
    failing,
)
from services.writer.content import Content, contents
from services.writer.soundness import faults

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE_BYTES = 1 << 18
STEPS = 20_000
FLAGS = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
PROBLEMS_MAX = 5

Tell = Callable[[float], None]
"""Is told the share of one step that is done; may raise to end the work."""


@contextmanager
def opened(path: Path, tell: Tell) -> Iterator[Connection]:
    """Open a file read-only, each page checked; long statements tell that they go on."""

    def going_on() -> bool:
        tell(0.0)
        return False

    uri = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with closing(Connection(uri, flags=FLAGS, vfs=checksums.load())) as db:
            db.set_busy_timeout(5000)
            db.execute("PRAGMA trusted_schema = OFF")
            db.set_progress_handler(going_on, STEPS)
            yield db
    except apsw.Error as error:
        raise failure(path, error) from error


def require_room(path: Path, need_bytes: int, spare_bytes: int) -> None:
    """Refuse work that would fill a volume."""
    with failing(path):
        free = free_bytes(path)
    if free < need_bytes + spare_bytes:
        raise BackupError(
            f"{need_bytes >> 20} MiB are needed at {path}, beside {spare_bytes >> 20} MiB that "
            f"stay free; {free >> 20} MiB are free",
            "Free space there, or choose another place",
        )


def unpack(
    packed: Path, target: Path, manifest: Manifest, tell: Tell, *, durable: bool = True
) -> None:
    """Unpack a backup to a file that is not there yet; DamagedError where it is not what it was.

    Its sha256 is compared first, and no more is written than the manifest says. One that is not
    `durable` is soon gone: to sync it would hold up others who wait for the disk.
    """
    _require_packed(packed, manifest, tell)
    unpacker, digest, size = zstd.ZstdDecompressor(), hashlib.sha256(), 0
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with packed.open("rb") as file:
            while not unpacker.eof:
                data = file.read(PIECE_BYTES) if unpacker.needs_input else b""
                if not data and unpacker.needs_input:
                    raise _damaged(packed, f"it ends after {size} unpacked bytes")
                piece = unpacker.decompress(data, PIECE_BYTES)
                size += len(piece)
                if size > manifest.bytes:
                    raise _damaged(packed, f"it unpacks to more than {manifest.bytes} bytes")
                digest.update(piece)
                write_whole(fd, piece)
                tell(size / manifest.bytes)
            if unpacker.unused_data or file.read(1):
                raise _damaged(packed, "something follows its end")
        if durable:
            sync_file(fd)
    except zstd.ZstdError as error:
        raise _damaged(packed, f"it does not unpack: {error}") from error
    finally:
        os.close(fd)
    if size != manifest.bytes or digest.hexdigest() != manifest.unpacked_sha256:
        raise _damaged(packed, f"it unpacks to {size} bytes that are not those of the snapshot")


def examine(path: Path, manifest: Manifest, tell: Tell) -> None:
    """Compare an unpacked shard with its manifest, and open it as every reader does.

    It lies in a folder of its own, under the name that it has in the house.
    """
    kind = KINDS[manifest.shard]
    with opened(path, tell) as db:
        migrations.check_identity(kind, path, db)
        require_sound(db, path)
        found = described(db, kind.name)
    expected = (manifest.user_version, manifest.world, manifest.positions, manifest.audit_head)
    if found[:4] != expected:
        raise _damaged(path, f"it is of {found[:4]}, its manifest of {expected}")
    _compare(path, manifest.contents, found[4])
    with Reader(path.parent, manifest.shard) as reader:
        sql = f'SELECT value FROM "{path.stem}".meta'  # noqa: S608 - a name of ours
        if not list(reader.rows(sql)):
            raise _damaged(path, "no reader takes it for a shard")


def require_sound(db: Connection, path: Path) -> None:
    """Refuse a file in which SQLite finds a fault, or a page without its checksum."""
    problems = faults(db) or checksums.checksums_ok(path)  # It looks several times at a bad page.
    if problems:
        raise ShardError(
            f"{path} is damaged: {'; '.join(problems[:PROBLEMS_MAX])}",
            "See docs/runbook.md, ShardDamaged",
        )


Described = tuple[int, str, dict[str, int], str, dict[str, Content]]
"""Version, world, stream positions, last link of the audit, and what each table holds."""


def described(db: Connection, shard: str) -> Described:
    """Return what a manifest tells of the shard that is open."""
    (world,) = next(iter(db.execute("SELECT value FROM meta WHERE key = 'world'")), ("",))
    held = contents(db, KINDS[shard])
    return db.pragma("user_version"), str(world), positions_of(db), _audit_head(db), held


def positions_of(db: Connection) -> dict[str, int]:
    """Return how far the shard that is open has read each stream."""
    rows: list[Any] = db.execute("SELECT stream, pos FROM stream_position").fetchall()
    return dict(rows)


def _audit_head(db: Connection) -> str:
    columns = [name for (name,) in db.execute("SELECT name FROM pragma_table_info('audit')")]
    if "hash" not in columns:
        return ""
    rows = db.execute("SELECT hash FROM audit ORDER BY id DESC LIMIT 1").fetchall()
    head = rows[0][0] if rows else ""
    return head.hex() if isinstance(head, bytes) else str(head or "")


def _require_packed(packed: Path, manifest: Manifest, tell: Tell) -> None:
    size = packed.stat().st_size
    if size != manifest.packed_bytes:
        raise _damaged(packed, f"it has {size} bytes, its manifest says {manifest.packed_bytes}")
    if sha256_of(packed, lambda: tell(0.0)) != manifest.sha256:
        raise _damaged(packed, "its sha256 is not the one in its manifest")


def _compare(path: Path, expected: dict[str, Content], found: dict[str, Content]) -> None:
    for name in sorted({*expected, *found}):
        if expected.get(name) != found.get(name):
            raise _damaged(
                path, f"{name} holds {found.get(name)}, its manifest says {expected.get(name)}"
            )


def _damaged(path: Path, why: str) -> DamagedError:
    return DamagedError(f"{path} is damaged: {why}", OTHER_HINT)
