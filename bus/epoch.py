"""How often a service has started: the number that keeps the positions of two lives apart."""

import ctypes
import sys
from pathlib import Path

from bus.archive import archive_of
from bus.disk import make_directory, put_whole
from bus.errors import JournalError
from bus.repair import DamageError
from bus.segments import bases, failing
from schema.frame import epoch_of

EPOCH_MAX = (1 << 23) - 1
DIGITS_MAX = 20
"""Of the counter: bytes that are longer are no number of starts."""


class EpochCounter:
    """The number of starts of one service, never derived from what a power cut may take back."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "EPOCH"

    def open(self, found: int = 0) -> int:
        """Begin an epoch larger than every earlier one; synced before anything is written in it."""
        with failing(self.path):
            make_directory(self.path.parent)
            epoch = max(self._stored(), self._named(), found) + 1
            if epoch > EPOCH_MAX:
                raise JournalError(f"{self.path}: no epoch is left", "Move this world away")
            self._store(epoch)
        return epoch

    def _stored(self) -> int:
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return 0
        if not text.strip().isdigit() or len(text) > DIGITS_MAX:
            raise DamageError(
                f"{self.path}: expected a whole number, found {text[:40]!r}",
                "Write a number into it that is larger than any epoch `rrr bus list` ever showed",
            )
        return int(text)

    def _named(self) -> int:
        own = self.path.parent
        tops = (own, archive_of(own / "*").parent)  # Of a lost journal the archive still tells.
        entries = (path for top in tops if top.is_dir() for path in top.iterdir())
        names = {path.name for path in entries if path.is_dir()}
        return max((epoch_of(base) for name in names for base in bases(own / name)), default=0)

    def _store(self, epoch: int) -> None:
        put_whole(self.path, f"{epoch}\n".encode())


def boot_id() -> str:
    """Return what changes when the machine starts: after a power cut, unsynced bytes are gone."""
    linux = Path("/proc/sys/kernel/random/boot_id")
    if sys.platform != "darwin":
        return linux.read_text().strip()
    text = ctypes.create_string_buffer(64)
    size = ctypes.c_size_t(len(text))
    libc = ctypes.CDLL(None)
    libc.sysctlbyname(b"kern.bootsessionuuid", text, ctypes.byref(size), None, 0)
    return text.value.decode()
