"""Each page of a shard ends in its checksum, so that a flipped bit is found when it is read.

SQLite's own checks say `ok` to a changed value. Its checksum VFS keeps eight bytes at the end of
every page of a file that reserved them, computes them as a page goes to the file, and refuses a
page that does not match. Files without the reserve go through it as if it were not there.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import apsw

from bus.clock import SystemClock
from bus.errors import ShardError

VFS = "cksmvfs"
RESERVED_BYTES = 8
HEADER_BYTES = 100
LOOKS_MAX = 5
LOOK_AGAIN_MS = 20
PAGES_NAMED_MAX = 20
MAGIC = b"SQLite format 3\0"
AT_REST = b"\1\1"
"""What a header says of a file that has no write-ahead log, as copies have none."""


def load() -> str:
    """Make the VFS known to this process, and return its name; who names none goes without."""
    if VFS not in apsw.vfs_names():
        usual = apsw.vfs_names()[0]
        carrier = apsw.Connection(":memory:")
        carrier.enable_load_extension(enable=True)
        carrier.load_extension(_extension())
        carrier.close()
        apsw.set_default_vfs(usual)  # It made itself the default, and takes mmap from readers.
    return VFS


def _extension() -> str:
    # Looked for by name: to ask apsw.sqlite_extra would cost each writer eight MiB.
    folder = Path(apsw.__file__).parent / "sqlite_extra_binaries"
    found = next(folder.glob("cksumvfs.*"), None)
    if found is None:
        raise ShardError(
            f"{folder} has no cksumvfs", "Run `make up`, which installs the locked apsw"
        )
    return str(found)


def reserve(db: apsw.Connection) -> None:
    """Let a file that holds nothing yet, or a copy that is made next, keep checksums."""
    db.reserve_bytes(reserve=RESERVED_BYTES)


def kept_in(db: apsw.Connection) -> bool:
    """Return whether the file of a connection keeps checksums."""
    return db.reserve_bytes() == RESERVED_BYTES


def is_mismatch(error: Exception) -> bool:
    """Return whether SQLite refused a page for its checksum."""
    return getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_DATA


def seal(path: Path, application_id: int, *, durable: bool = True) -> bool:
    """Compute the checksums of a copy of a shard that has none yet; True when that was needed.

    VACUUM INTO keeps the reserve and leaves it empty: through this VFS, too, which learns from the
    first page, that is written last, what a file is. Nobody may have the copy open. One that is not
    `durable` is soon gone: to sync it would hold up others who wait for the disk.
    """
    with _open(path, "unix") as plain:
        header = plain.xRead(HEADER_BYTES, 0) if plain.xFileSize() > HEADER_BYTES else b""
        page_bytes = _page_bytes(header)
        ours = header[68:72] == application_id.to_bytes(4, "big")
        if not (ours and _reserves(header) and header[18:20] == AT_REST):
            return False
        if any(plain.xRead(RESERVED_BYTES, page_bytes - RESERVED_BYTES)):
            return False
        with _open(path, load()) as sealed:
            sealed.xRead(HEADER_BYTES, 0)  # Thereby it learns that it is to compute.
            for offset in range(page_bytes, plain.xFileSize(), page_bytes):
                sealed.xWrite(plain.xRead(page_bytes, offset), offset)
            if durable:
                sealed.xSync(apsw.SQLITE_SYNC_FULL)
            sealed.xWrite(plain.xRead(page_bytes, 0), 0)  # Last: a kill before leaves it unsealed.
            if durable:
                sealed.xSync(apsw.SQLITE_SYNC_FULL)
    return True


def checksums_ok(path: Path) -> list[str]:
    """Return what is wrong with the pages of a file, each in one line; empty when all match.

    Every page is read, also those that no row is in; a file without checksums has nothing wrong.
    What only the write-ahead log holds has checksums of its own and is not looked at.
    """
    if path.stat().st_size < HEADER_BYTES:
        return []
    with _open(path, load(), apsw.SQLITE_OPEN_READONLY) as file:
        return _problems(file, path)


@contextlib.contextmanager
def _open(path: Path, vfs: str, flags: int = apsw.SQLITE_OPEN_READWRITE) -> Iterator[apsw.VFSFile]:
    file = apsw.VFSFile(vfs, str(path.absolute()), [apsw.SQLITE_OPEN_MAIN_DB | flags, 0])
    try:
        yield file
    finally:
        file.xClose()


def _problems(file: apsw.VFSFile, path: Path) -> list[str]:
    header = file.xRead(HEADER_BYTES, 0)
    if not _reserves(header):
        return []
    page_bytes = _page_bytes(header)
    bad = [
        number
        for number in range(1, file.xFileSize() // page_bytes + 1)
        if not _matches(file, number, page_bytes)
    ]
    lines = [f"page {number} of {path} does not match its checksum" for number in bad]
    more = len(lines) - PAGES_NAMED_MAX
    return [*lines[:PAGES_NAMED_MAX], f"and {more} more pages"] if more > 0 else lines


def _reserves(header: bytes) -> bool:
    return header[: len(MAGIC)] == MAGIC and header[20] == RESERVED_BYTES


def _page_bytes(header: bytes) -> int:
    found = int.from_bytes(header[16:18], "big")
    return 65_536 if found == 1 else found


def _matches(file: apsw.VFSFile, number: int, page_bytes: int) -> bool:
    # A page that its writer is just writing may be read half: it is looked at again.
    for look in range(LOOKS_MAX):
        try:
            file.xRead(page_bytes, (number - 1) * page_bytes)
        except apsw.IOError:
            if look < LOOKS_MAX - 1:
                SystemClock().pause_ms(LOOK_AGAIN_MS)
        else:
            return True
    return False
