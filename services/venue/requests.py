"""What was asked of the venue and what became of it, one line each, for whoever proves something.

It is written as it happens and never synced; two files of bounded size are kept.
"""

import os
from pathlib import Path

import msgspec

from bus.disk import make_directory
from services.venue.faults import Asked

FILE_BYTES = 16 << 20


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One request."""

    at_ms: int  # the wall's time at which it had come
    done_ms: int
    call: str
    signed: bool
    symbol: str
    client_id: str
    agent: str
    status: int  # 0: the connection was cut
    fault: str


def requests_path(folder: Path) -> Path:
    """Return the file of the requests in the venue's own folder."""
    return folder / "requests.jsonl"


class Requests:
    """The open file."""

    def __init__(self, path: Path, file_bytes: int = FILE_BYTES) -> None:
        self._path = path
        self._file_bytes = file_bytes
        make_directory(path.parent)
        self._fd = self._open()
        self._size = os.fstat(self._fd).st_size

    def put(self, asked: Asked, times_ms: tuple[int, int], status: int, fault: str) -> None:
        """Write one request down; a full disk loses the line, and nothing else."""
        line = Line(
            at_ms=times_ms[0],
            done_ms=times_ms[1],
            call=asked.call,
            signed=asked.signed,
            symbol=asked.symbol,
            client_id=asked.client_id,
            agent=asked.agent,
            status=status,
            fault=fault,
        )
        data = msgspec.json.encode(line) + b"\n"
        try:
            self._size += os.write(self._fd, data)
            if self._size > self._file_bytes:
                self._turn()
        except OSError:
            return

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _turn(self) -> None:
        self._path.replace(self._path.with_suffix(".1.jsonl"))
        os.close(self._fd)
        self._fd, self._size = self._open(), 0

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def read(path: Path) -> list[Line]:
    """Return all lines that are kept, the oldest first; a torn last one is left out."""
    decode = msgspec.json.Decoder(Line).decode
    files = [path.with_suffix(".1.jsonl"), path]
    lines = [line for one in files if one.exists() for line in one.read_bytes().split(b"\n")]
    return [decode(line) for line in lines if line.startswith(b"{") and line.endswith(b"}")]
