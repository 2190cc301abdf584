"""Whom the last lives of this process died in: a file that the death of a process does not lose."""

import contextlib
import os
from pathlib import Path

import msgspec

from bus.process import Exit
from services.engine.boundary import DEATHS

RECORD_BYTES = 128
IN, OUT = b"in  ", b"out "
"""How a record begins: inside a call, or behind it."""

WITHIN_NS = 3_600_000_000_000
"""A death counts for an hour: what kills now and then is still in the log."""

Deaths = dict[str, list[int]]


class Crumb:
    """The name of the strategy that is called, and the deaths before; times are wall time."""

    def __init__(self, run: Path, now_ns: int) -> None:
        path = run / "engine.crumb"
        self._path, self._draft = run / "engine.deaths", run / "engine.tmp"
        self._records: dict[str, bytes] = {}
        self.broke = _broke(run / "engine.exit", path)
        self._known = _recent(_read(self._path), now_ns)
        if name := _unfinished(path):
            self._known.setdefault(name, []).append(now_ns)
            self._save()
        self.deaths = tuple(sorted((name, len(times)) for name, times in self._known.items()))
        self._held = {name for name, count in self.deaths if count >= DEATHS}
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.pwrite(self._fd, OUT.ljust(RECORD_BYTES), 0)

    def enter(self, name: str) -> None:
        """Write down who is called."""
        record = self._records.get(name)
        if record is None:
            record = self._records[name] = _record(name)
        os.pwrite(self._fd, record, 0)

    def leave(self) -> None:
        """Write down that the process outlived the call."""
        os.pwrite(self._fd, OUT, 0)

    def forgive(self, name: str) -> None:
        """Forget the deaths in a strategy that began paused: somebody resumed it, and it works.

        One that was not paused keeps them. A call for one symbol may work each time before the one
        for another kills.
        """
        if name in self._held:
            self._held.remove(name)
            del self._known[name]
            self._save()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def _save(self) -> None:
        with contextlib.suppress(OSError):  # A full disk must not keep the house from starting.
            self._draft.write_bytes(msgspec.json.encode(self._known))
            self._draft.replace(self._path)


def _record(name: str) -> bytes:
    return IN + name.encode(errors="replace")[: RECORD_BYTES - len(IN)].ljust(
        RECORD_BYTES - len(IN)
    )


def _unfinished(path: Path) -> str:
    try:
        record = path.read_bytes()
    except FileNotFoundError:
        return ""
    return record[len(IN) :].decode(errors="replace").strip() if record.startswith(IN) else ""


def _read(path: Path) -> Deaths:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Deaths)
    except (FileNotFoundError, msgspec.MsgspecError):
        return {}


def _broke(word: Path, crumb: Path) -> bool:
    """Return whether the last life met an error, and not one that has come back from it since."""
    try:
        said = msgspec.json.decode(word.read_bytes(), type=Exit)
    except (FileNotFoundError, msgspec.MsgspecError):
        return False
    # Each life writes its crumb when it begins.
    begun_ns = crumb.stat().st_mtime_ns if crumb.exists() else 0
    return said.code == 1 and said.at_ns >= begun_ns


def _recent(deaths: Deaths, now_ns: int) -> Deaths:
    kept = {name: [at for at in times if now_ns - at < WITHIN_NS] for name, times in deaths.items()}
    return {name: times for name, times in kept.items() if times}
