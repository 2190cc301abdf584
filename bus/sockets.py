"""Where the sockets of a service stand: their paths, and what may lie there before they do."""

import os
import stat
from pathlib import Path

from bus.errors import SettingsError

SOCKET_PATH_BYTES_MAX = 100
"""Linux takes 107 bytes and macOS 103."""


def socket_path(run: Path, service: str, kind: str) -> Path:
    """Return the path of a service's socket; SettingsError when the system cannot bind it."""
    path = run / f"{service}.{kind}"
    length = len(os.fsencode(path))
    if length > SOCKET_PATH_BYTES_MAX:
        raise SettingsError(
            f"socket path {path} has {length} bytes, at most {SOCKET_PATH_BYTES_MAX} fit",
            "Set RRR_RUN to a short directory on the internal disk, e.g. ~/.rrr",
        )
    return path


def inode_of(path: Path) -> int:
    """Return what tells the file at a path from another one there; -1 where there is none."""
    try:
        return os.lstat(path).st_ino
    except FileNotFoundError:
        return -1


def refuse_foreign(path: Path) -> None:
    """Raise SettingsError when no socket stands at a path, but something else.

    libzmq unlinks whatever stands there, a database as readily as a stale socket.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SettingsError(
            f"{path} is needed for a socket, and something else is there",
            "Move that file away: binding would delete it",
        )
