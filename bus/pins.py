"""Who holds a shard's write-ahead log back: the processes that have a read mark of it.

A reader in the middle of a transaction holds a POSIX lock on one of five bytes of the shard's
`-shm` file. To open that file and close it again drops the locks that a process has on it, so here
the kernel is asked instead, where it tells (Linux); elsewhere nobody is named.
"""

import os
from pathlib import Path

import msgspec

from bus.plain import printable

LOCKS = Path("/proc/locks")
MARKS = range(123, 128)
"""The bytes of a `-shm` file that readers lock, one each."""

PROGRAM_CHARS = 80


class Pin(msgspec.Struct, frozen=True, order=True):
    """A process that holds a log back, and what it was started as."""

    pid: int
    program: str


def pinned_by(path: Path, own_pid: int) -> list[Pin]:
    """Return who holds the log of a shard back, without its own process; asks the kernel alone.

    Empty where the kernel does not tell, and for processes that it does not show to this user.
    """
    try:
        found = os.stat(f"{path}-shm")  # noqa: PTH116 - asked by name: to open it would drop locks
        lines = LOCKS.read_text().splitlines()
    except OSError:
        return []
    inode = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    pids = {pid for line in lines if (pid := _holder(line.split(), inode)) not in {0, own_pid}}
    return sorted(Pin(pid, program_of(pid)) for pid in pids)


def program_of(pid: int) -> str:
    """Return what a process was started as, or nothing where that is not told."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    shown = [Path(words[0]).name, *words[1:]]
    return printable(" ".join(shown).strip())[:PROGRAM_CHARS]


def _holder(words: list[str], inode: str) -> int:
    """Return the process of one line of the kernel's locks when it holds a read mark; else 0."""
    if "->" in words or len(words) != 8 or words[1] != "POSIX" or words[5] != inode:
        return 0
    first, last = int(words[6]), MARKS[-1] if words[7] == "EOF" else int(words[7])
    return int(words[4]) if first <= MARKS[-1] and last >= MARKS[0] and int(words[4]) > 0 else 0
