"""The supervisor as `rrr` sees it: one call, one connection on its UNIX socket."""

import os
import socket
from pathlib import Path
from typing import Any

from bus.errors import SettingsError, UnreachableError
from bus.house import House
from services.warden import rpc

TIMEOUT_S = 60.0
LOOK_S = 3.0
"""How long a mere question waits: a supervisor that hangs must not hang `rrr status`."""

SOCKET_PATH_BYTES_MAX = 95
"""The supervisor binds `<path>.<pid>` first; macOS takes 103 bytes, Linux 107."""


class Supervisor:
    """Calls supervisord; every call raises UnreachableError when there is none."""

    def __init__(self, house: House) -> None:
        self.directory = house.root / "data" / "run"
        self.socket = self.directory / rpc.SOCKET
        self.pid_file = self.directory / "supervisord.pid"

    def call(self, method: str, *params: str | bool) -> Any:
        """Return the answer to one call."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(LOOK_S if method.startswith("get") else TIMEOUT_S)
            try:
                line.connect(str(self.socket))
                line.sendall(rpc.request(method, params))
                return rpc.answer(method, _read_all(line))
            except OSError as error:
                raise UnreachableError(
                    f"no supervisor at {self.socket} ({error})", "Start the house: `rrr up`"
                ) from error

    def alive(self) -> bool:
        """Return whether a supervisor answers."""
        try:
            self.call("getState")
        except UnreachableError:
            return False
        return True

    def processes(self) -> dict[str, dict[str, Any]]:
        """Return what the supervisor knows of each program; empty when there is none."""
        try:
            return {info["name"]: info for info in self.call("getAllProcessInfo")}
        except UnreachableError:
            return {}

    def pid(self) -> int:
        """Return its process id, 0 when unknown."""
        try:
            return int(self.call("getPID"))
        except UnreachableError:
            return self._filed_pid()

    def _filed_pid(self) -> int:
        try:
            return int(self.pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def refuse_long_path(self) -> None:
        """Raise SettingsError when its socket has no room at this path."""
        length = len(os.fsencode(self.socket))
        if length > SOCKET_PATH_BYTES_MAX:
            raise SettingsError(
                f"the supervisor's socket {self.socket} has {length} bytes, "
                f"at most {SOCKET_PATH_BYTES_MAX} fit",
                "Move the checkout to a shorter path",
            )


def supervisord_command(root: Path) -> list[str]:
    """Return the command line that starts the supervisor of a checkout."""
    python = str(root / ".venv" / "bin" / "python")
    return [python, "-m", "supervisor.supervisord", "-c", str(root / "supervisord.conf")]


def _read_all(line: socket.socket) -> bytes:
    parts = []
    while part := line.recv(65536):
        parts.append(part)
    return b"".join(parts)
