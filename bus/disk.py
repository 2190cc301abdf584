"""What must outlast a loss of power is brought to the disk itself here."""

import errno
import fcntl
import os
import sys
from pathlib import Path


def make_directory(path: Path) -> None:
    """Make a directory that only its owner may enter, and its parents, and keep their entries."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_directory(path.parent)


def sync_file(fd: int) -> None:
    """Bring a file to the disk itself; on macOS a plain fsync stops at the drive's cache."""
    if sys.platform != "darwin":
        os.fdatasync(fd)
        return
    try:
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.ENOTTY, errno.EINVAL):
            raise
        os.fsync(fd)  # A file system that does not know the stronger word.


def sync_path(path: Path) -> None:
    """Bring a file that is written and closed to the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync_file(fd)
    finally:
        os.close(fd)


def sync_directory(path: Path) -> None:
    """Bring the entries of a directory to the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_whole(fd: int, data: bytes | memoryview) -> None:
    """Write all bytes; a system call may take fewer."""
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, memoryview(data)[written:])


def write_synced(path: Path, data: bytes) -> None:
    """Write a file anew, down to the disk."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_whole(fd, data)
        sync_file(fd)
    finally:
        os.close(fd)


def put_whole(path: Path, data: bytes) -> None:
    """Put bytes in the place of a file that one process writes, whole or not at all."""
    draft = path.with_name(f"{path.name}.tmp")
    write_synced(draft, data)
    draft.replace(path)
    sync_directory(path.parent)


def file_bytes(path: Path) -> int:
    """Return the size of a file; 0 for one that is gone, or was never there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def free_bytes(path: Path) -> int:
    """Return how much this user may still write on the volume of a path."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


VOLATILE = frozenset({"tmpfs", "ramfs", "overlay", "aufs", "devtmpfs"})
MOUNTS = Path("/proc/self/mountinfo")


def volatile(path: Path, mounts: Path = MOUNTS) -> str:
    """Return the kind of the file system of a path, where it does not outlive the machine's end.

    Only Linux has such ones, and tells where they are; elsewhere nothing is returned.
    """
    try:
        lines = mounts.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    real, best, kind = os.path.realpath(path), "", ""
    for line in lines:
        place, _, source = line.partition(" - ")
        words, kinds = place.split(), source.split()
        if len(words) < 5 or not kinds:
            continue
        mounted = words[4].encode().decode("unicode_escape")
        within = real == mounted or real.startswith(mounted.rstrip("/") + "/")
        if within and len(mounted) >= len(best):
            best, kind = mounted, kinds[0]
    return kind if kind in VOLATILE else ""
