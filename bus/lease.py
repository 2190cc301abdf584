"""One holder at a time: a lock that the kernel frees on any death, kill -9 included."""

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

from bus.clock import Clock
from bus.errors import BusyError, SettingsError

WAIT_NS = 8_000_000_000
"""An orphan of a killed supervisor needs at most five seconds to leave; three more to be sure."""

RETRY_MS = 50


class Lease:
    """An exclusive flock on a file that tells people who holds it; never inherited by children."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    def take(self) -> bool:
        """Take the lease and return True, or return False while another process holds it."""
        if not self._lock():
            return False
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            self.release()
            raise
        return True

    def clear(self) -> bool:
        """Remove a lease that nobody holds, a full disk or not; False while somebody does."""
        if not self._lock():
            return False
        self.release()
        return True

    def wait(self, clock: Clock, wait_ns: int = WAIT_NS) -> None:
        """Take the lease; BusyError when its holder does not leave in time."""
        deadline_ns = clock.mono_ns() + wait_ns
        while not self.take():
            if clock.mono_ns() >= deadline_ns:
                raise BusyError(
                    f"the lease {self.path} is held by {self.whose()}",
                    "Stop that process, or leave it the work: `rrr status` names it",
                )
            clock.pause_ms(RETRY_MS)

    def holder(self) -> str:
        """Return the process id that the file names; empty when nobody wrote one."""
        try:
            return self.path.read_text().strip()
        except FileNotFoundError:
            return ""

    def whose(self) -> str:
        """Return who holds it, in words for people."""
        return f"process {self.holder() or 'unknown'}"

    def alive(self) -> str:
        """Return the process id of a holder that runs; empty where none does."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self.holder()
        finally:
            os.close(fd)
        return ""

    def held(self) -> bool:
        """Return whether the file that we hold is still the one that others would open."""
        if self._fd < 0:
            return False
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        return there.st_ino == os.fstat(self._fd).st_ino

    def release(self) -> None:
        """Give the lease back; the file goes first, so that nobody locks one that is going."""
        if self._fd < 0:
            return
        if self.held():
            self.path.unlink()
        self._close()

    def _lock(self) -> bool:
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._fd = fd
        if not self.held():  # Its last holder removed the file between our open and our lock.
            self._close()
            return False
        return True

    def _close(self) -> None:
        os.close(self._fd)
        self._fd = -1


def hold_place(run: Path, name: str, clock: Clock) -> Lease:
    """Hold the place of one who speaks, in a directory that is made private where it is ours."""
    _make_private(run)
    return hold(run / f"{name}.lease", clock, "RRR_RUN moves it elsewhere")


def hold(path: Path, clock: Clock, otherwise: str) -> Lease:
    """Take a lease; BusyError while another has it, SettingsError where none can be written."""
    lease = Lease(path)
    try:
        lease.wait(clock)
    except OSError as error:
        raise SettingsError(
            f"the lease {path} cannot be written: {error}",
            f"Free space or mend its permissions; {otherwise}",
        ).of_disk(error) from error
    return lease


def _make_private(run: Path) -> None:
    # A fresh clone has it open to all; what is shared on purpose, as /tmp is, stays as it is.
    with suppress(OSError):  # The lease, which follows, says what is wrong.
        run.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = run.stat()
        if found.st_uid == os.geteuid() and not found.st_mode & stat.S_ISVTX:
            run.chmod(0o700)
