"""Takes one backup: a snapshot of a live shard, packed, restored once, and only then put in place.

Every step leaves what was there as it is; a kill between any two of them leaves files in the
scratch folder alone, which the next run clears away.
"""

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import msgspec

from bus import checksums, migrations
from bus.clock import Clock
from bus.disk import file_bytes, sync_directory, sync_file, write_whole
from bus.migrations import KINDS, refused
from bus.shard import failure
from schema.units import iso
from services.writer.backup_keeping import place_pair
from services.writer.backup_manifest import (
    PACKED,
    PLACE_HINT,
    BackupError,
    Manifest,
    encoded,
    failing,
    name_at,
    shard_of,
)
from services.writer.backup_places import Order, Place
from services.writer.backup_proof import (
    Tell,
    described,
    examine,
    opened,
    require_room,
    require_sound,
    unpack,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE_BYTES = 1 << 18
FLUSH_BYTES = 4 << 20
"""Written before it goes to the disk: an order's sync waits for no more."""

OPTIONS: dict[int, int] = {
    zstd.CompressionParameter.compression_level: 3,
    zstd.CompressionParameter.checksum_flag: 1,
}
SECOND_MS = 1000
PROOF = "proof"
PLAIN_VFS = "unix"
STEPS = 20_000
COPIES = 2  # A snapshot lies unpacked beside its backup.

Step = Callable[[str], None]
"""Is told the step that was just done; a test dies in it."""


def take(order: Order, place: Place, path: Path, clock: Clock, tell: Tell) -> Manifest:
    """Back up one live file of a shard, and return what was kept; HouseError why it was not."""
    return Taking(order, place, path, clock, tell).run()


class Taking:
    """One backup that is under way."""

    def __init__(
        self,
        order: Order,
        place: Place,
        path: Path,
        clock: Clock,
        tell: Tell,
        done: Step = lambda _step: None,
    ) -> None:
        self._order, self._place, self._path = order, place, path
        self._clock, self._tell, self._done = clock, tell, done
        self._scratch = place.scratch(order.shard)
        self._copy = self._scratch / f"{path.stem}.db"

    def run(self) -> Manifest:
        """Do it all."""
        with failing(self._scratch):
            self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
            require_room(self._scratch, COPIES * _size(self._path), self._order.spare_bytes)
            moment = self._snapshot()
            self._done("snapshot")
            draft = self._describe(*moment)
            self._done("described")
            packed = self._scratch / f"{draft.name.text}{PACKED}"
            manifest = self._pack(packed, draft)
            self._copy.unlink()
            self._done("packed")
            self._prove(packed, manifest)
            self._done("proven")
            manifest = msgspec.structs.replace(manifest, verified_at=iso(self._clock.wall_ns()))
            place_pair(self._place, self._order.shard, manifest.name, encoded(manifest), self._done)
        return manifest

    def _snapshot(self) -> tuple[int, int]:
        """Copy the shard as of one moment; return wall and market time of it."""
        times: list[tuple[int, int]] = []

        def going_on() -> bool:
            # The snapshot is taken before the first of many steps, and never later than this.
            if not times:
                times.append((self._clock.wall_ns(), self._clock.market_ns()))
            self._tell(0.1)
            return False

        self._copy.unlink(missing_ok=True)
        with opened(self._path, self._tell) as db:
            if migrations.is_new(db):
                raise refused(f"{self._path} holds nothing yet", "Its writer is making it: wait", 1)
            migrations.check_identity(KINDS[self._order.shard], self._path, db)
            checksums.reserve(db)
            db.pragma("synchronous", 0)  # Of the copy: it is packed, and gone.
            db.set_progress_handler(going_on, STEPS)
            try:
                # What is read is checked page by page; the copy gets its checksums afterwards.
                target = f"{self._copy.absolute().as_uri()}?vfs={PLAIN_VFS}"
                db.execute("VACUUM INTO ?", (target,))
            except apsw.Error as error:
                raise self._unwritten(error, db.system_errno) from error
        checksums.seal(self._copy, KINDS[self._order.shard].application_id, durable=False)
        return times[0] if times else (self._clock.wall_ns(), self._clock.market_ns())

    def _unwritten(self, error: apsw.Error, number: int) -> Exception:
        """Return whose fault it is that there is no copy: that of the shard, or of the target."""
        if isinstance(error, apsw.CorruptError | apsw.NotADBError) or checksums.is_mismatch(error):
            return failure(self._path, error)
        if isinstance(error, apsw.InterruptError):
            return BackupError(f"the backup of {self._path} was ended", "Begin it again")
        why = f"{error} ({os.strerror(number)})" if number else str(error)
        return BackupError(f"{self._copy} cannot be written: {why}", PLACE_HINT)

    def _describe(self, wall_ns: int, market_ns: int) -> Manifest:
        with opened(self._copy, self._tell) as db:
            require_sound(db, self._copy)
            version, world, positions, head, held = described(db, self._order.shard)
        if world != self._order.world:
            raise refused(
                f"{self._path} belongs to world {world}, this house runs world {self._order.world}",
                "Worlds never meet: move the file back to the world that made it",
            )
        return Manifest(
            file=self._path.stem,
            shard=shard_of(self._path.stem),
            world=world,
            application_id=KINDS[self._order.shard].application_id,
            user_version=version,
            sqlite=apsw.sqlite_lib_version(),
            bytes=self._copy.stat().st_size,
            unpacked_sha256="",
            packed_bytes=0,
            sha256="",
            contents=held,
            positions=positions,
            audit_head=head,
            wall_ns=self._free_moment_ns(wall_ns),
            market_ns=market_ns,
            verified_at="",
        )

    def _free_moment_ns(self, wall_ns: int) -> int:
        """Return a moment whose name is not taken: two backups within one second are possible."""
        while self._place.manifest("daily", name_at(self._path.stem, wall_ns)).exists():
            self._clock.pause_ms(SECOND_MS // 10)
            wall_ns = max(wall_ns + SECOND_MS * 100_000, self._clock.wall_ns())
        return wall_ns

    def _pack(self, packed: Path, draft: Manifest) -> Manifest:
        packer = zstd.ZstdCompressor(options=OPTIONS)
        unpacked, digest, size = hashlib.sha256(), hashlib.sha256(), 0
        fd = os.open(packed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)

        def write(data: bytes) -> None:
            nonlocal size
            write_whole(fd, data)
            digest.update(data)
            size += len(data)

        try:
            with self._copy.open("rb") as file:
                while data := file.read(PIECE_BYTES):
                    unpacked.update(data)
                    write(packer.compress(data))
                    self._tell(0.4 + 0.2 * file.tell() / draft.bytes)
                    if file.tell() % FLUSH_BYTES == 0:
                        os.fsync(fd)
            write(packer.flush())
            sync_file(fd)
        finally:
            os.close(fd)
        return msgspec.structs.replace(
            draft,
            unpacked_sha256=unpacked.hexdigest(),
            packed_bytes=size,
            sha256=digest.hexdigest(),
        )

    def _tell_unpacking(self, share: float) -> None:
        self._tell(0.6 + 0.1 * share)

    def _prove(self, packed: Path, manifest: Manifest) -> None:
        target = self._scratch / PROOF / "db" / f"{manifest.file}.db"
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        unpack(packed, target, manifest, self._tell_unpacking, durable=False)
        self._done("unpacked")
        examine(target, manifest, lambda _share: self._tell(0.8))
        for path in target.parent.iterdir():
            path.unlink()
        sync_directory(self._scratch)


def _size(path: Path) -> int:
    """Return how large a shard may be, with what only its write-ahead log holds."""
    return path.stat().st_size + file_bytes(path.with_name(f"{path.name}-wal"))
