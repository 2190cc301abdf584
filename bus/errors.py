"""Failures, each with what to do. A refusal is a message; a defect is an assert and a crash.

HouseError
  x SettingsError   fix a file or a variable, then start again   exit 78, not restarted
                    (75 when the disk is full)
  x BusyError       another process holds the lease or the port  exit 75, tried again later
  x DisplacedError  its lease or socket was removed under it     exit 73, started again at once
  x JournalError    a journal cannot be written                  exit 74, a person looks
                    (75 when the disk is full, 78 when it may not be written)
      x DamageError (bus/repair.py)  bytes that no tear explains exit 78, not restarted
  x ShardError      a shard is damaged, foreign or from newer code  exit 74 (78 when newer)
  x ProtocolError   bytes, or an order of bytes, that we do not speak  crash: never guess
  x EdgeError       the outside world failed                     retried by the edge
  x UnreachableError  a service does not answer                  rrr exits 4
"""

import errno
from typing import Self

_DISK = {errno.ENOSPC: 75, errno.EDQUOT: 75, errno.EROFS: 78, errno.EACCES: 78, errno.EPERM: 78}


class HouseError(Exception):
    """A failure: what failed, expected, found, where; and what to do."""

    exit_code = 1

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}. {self.hint}"

    def of_disk(self, error: OSError) -> Self:
        """Return this failure with the exit code of what the disk said: room comes again."""
        self.exit_code = _DISK.get(error.errno or 0, self.exit_code)
        return self


class SettingsError(HouseError):
    """Settings, files or a machine that the house cannot start with."""

    exit_code = 78


class BusyError(HouseError):
    """A lease, a socket or a port that another process holds."""

    exit_code = 75


class DisplacedError(HouseError):
    """A lease or a socket that somebody removed: another may take the place of its holder."""

    exit_code = 73


class JournalError(HouseError):
    """A journal that cannot be read or written as it must be."""

    exit_code = 74


class ShardError(HouseError):
    """A shard that cannot be read or written as it must be."""

    exit_code = 74


class ProtocolError(HouseError):
    """A publisher and a subscriber that do not speak the same."""

    exit_code = 70


class EdgeError(HouseError):
    """The outside world failed; the edge tries again or says so."""

    exit_code = 69


class UnreachableError(HouseError):
    """A service that does not answer on its control socket."""

    exit_code = 4
