"""A disk that dies at a chosen operation: from then on nothing more reaches it.

What lies on it is then what a process leaves that was killed at that instruction. It stands below
the VFS that checks pages, so it must be made before the first shard of its process is opened.
"""

from typing import Any

import apsw

from bus import checksums

NAME = "dying"


class Disk(apsw.VFS):
    """Counts what changes the disk, and refuses all of it once `left` is used up."""

    def __init__(self) -> None:
        super().__init__(NAME, "unix", makedefault=True)
        self.left: int | None = None
        self.done = 0

    def spend(self) -> None:
        """Count one change; raise apsw.IOError when the disk is dead."""
        self.done += 1
        if self.left is None:
            return
        if self.left <= 0:
            raise apsw.IOError("the disk is dead")
        self.left -= 1

    def xOpen(self, name: Any, flags: list[int]) -> "File":  # noqa: N802 - SQLite's name
        return File(name, flags, self)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802, FBT001 - SQLite's
        self.spend()
        super().xDelete(filename, syncdir)


class File(apsw.VFSFile):
    """One file on it."""

    def __init__(self, name: Any, flags: list[int], disk: Disk) -> None:
        super().__init__("unix", name, flags)
        self._disk = disk

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.spend()
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.spend()
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.spend()
        super().xSync(flags)


def below_the_checksums() -> Disk:
    """Return the disk that all shards of this process are on from now on."""
    assert checksums.VFS not in apsw.vfs_names(), "a shard was opened before"
    disk = Disk()
    checksums.load()
    return disk
