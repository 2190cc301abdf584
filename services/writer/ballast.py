"""Who stops first when a disk fills: every other shard pauses early, trading's has a reserve.

The reserve is a file that is given up when a commit finds no room. A pause moves nothing: what is
said meanwhile stands in the journals, and is read from there.
"""

import contextlib
import os
from pathlib import Path

from bus.clock import Clock
from bus.disk import free_bytes

NAME = ".ballast"
MIB = 1 << 20
SHARE = 10
"""A small volume is not full as long as a tenth of it is free."""

LOOK_NS = 1_000_000_000
PIECE = bytes(MIB)
START_BYTES = 1 << 20
"""What an open needs: the index of the write-ahead log, and some of that."""


def floor_bytes(directory: Path, wanted_mib: int) -> int:
    """Return below how much free space the lesser shards pause."""
    found = os.statvfs(directory)
    return min(wanted_mib * MIB, found.f_blocks * found.f_frsize // SHARE)


class Ballast:
    """Space that is kept for a shard: there, given up, or made again."""

    def __init__(self, directory: Path, size_mib: int, floor_mib: int) -> None:
        self.path = directory / NAME
        self.given = False
        self._size_bytes = size_mib * MIB
        self._floor_mib = floor_mib

    def make(self) -> None:
        """Take the space, if it leaves enough to everybody else; else take none."""
        directory = self.path.parent
        needed = self._size_bytes + floor_bytes(directory, self._floor_mib)
        if not self._size_bytes or self._whole() or free_bytes(directory) < needed:
            return
        try:
            self._write()
        except OSError:  # Somebody else took the room meanwhile.
            self.path.unlink(missing_ok=True)
            return
        self.given = False

    def give(self) -> bool:
        """Give the space up; False when there was none."""
        try:
            self.path.unlink()
        except OSError:
            return False
        self.given = True
        return True

    def give_to_start(self) -> None:
        """Give the space up where a shard could not even be opened without it."""
        with contextlib.suppress(OSError):
            if free_bytes(self.path.parent) < START_BYTES:
                self.give()

    def trouble(self) -> str | None:
        """Return what a person must know, or None."""
        if not self.given:
            return None
        free_mib = free_bytes(self.path.parent) // MIB
        return (
            f"the disk was full, and the ballast of {self._size_bytes // MIB} MiB beside the shard "
            f"was given up for it: {free_mib} MiB are free, make room"
        )

    def _whole(self) -> bool:
        try:
            return self.path.stat().st_size >= self._size_bytes
        except FileNotFoundError:
            return False

    def _write(self) -> None:
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(fd, 0, self._size_bytes)
            else:  # Not sparse: a hole keeps no space.
                for offset in range(0, self._size_bytes, MIB):
                    os.pwrite(fd, PIECE, offset)
        finally:
            os.close(fd)


class Gate:
    """Whether a lesser shard may write: it looks at the volume once a second."""

    def __init__(self, directory: Path, floor_mib: int, clock: Clock) -> None:
        self._directory = directory
        self._floor_mib = floor_mib
        self._clock = clock
        self._looked_ns = clock.mono_ns() - LOOK_NS
        self._why: str | None = None

    def shut(self) -> str | None:
        """Return why nothing is to be written now, or None."""
        now_ns = self._clock.mono_ns()
        if now_ns - self._looked_ns >= LOOK_NS:
            self._looked_ns = now_ns
            self._why = self._look()
        return self._why

    def _look(self) -> str | None:
        free, floor = free_bytes(self._directory), floor_bytes(self._directory, self._floor_mib)
        if free >= floor:
            return None
        return (
            f"it pauses: {self._directory} has {free // MIB} MiB free, less than {floor // MIB}; "
            "the journals keep what is said, make room"
        )
