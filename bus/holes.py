"""What was decided about damage in one stream: where it was cut out, which holes may be passed.

`repairs.json` stands beside the segments and is looked at only where a journal lacks something.
Nothing in it moves a position: a hole stays where it is, and a reader stops at it until a person
has accepted exactly this one.
"""

from pathlib import Path

import msgspec

from bus.disk import put_whole
from bus.errors import JournalError
from bus.merge import Step
from bus.repair import DamageError
from bus.segments import failing
from schema.frame import N_MASK, epoch_of
from schema.messages import UNREADABLE
from schema.streams import Stream

NAME = "repairs.json"

Gap = tuple[int, int]
"""First and last position that are missing."""


class Salvaged(msgspec.Struct, frozen=True):
    """A segment that damage was cut out of, as it has been since."""

    base: int
    blake2b: str  # of all bytes before its end mark, which still holds the hash from before
    gaps: tuple[Gap, ...]  # what its records step over
    cut_bytes: int
    at_ns: int


class Accepted(msgspec.Struct, frozen=True):
    """A hole that a person lets every reader pass."""

    first: int
    last: int
    by: str
    why: str
    at_ns: int


class Repairs(msgspec.Struct, frozen=True):
    """All that was decided about one stream."""

    salvaged: tuple[Salvaged, ...] = ()
    accepted: tuple[Accepted, ...] = ()

    def gaps(self, base: int) -> frozenset[Gap]:
        """Return what is known to be missing inside one segment."""
        return frozenset(gap for one in self.salvaged if one.base == base for gap in one.gaps)

    def explains(self, base: int, digest: bytes) -> bool:
        """Return whether a segment was salvaged into bytes of this hash."""
        return any(one.base == base and one.blake2b == digest.hex() for one in self.salvaged)

    def accept(self, first: int, last: int) -> bool:
        """Return whether this hole was accepted; who was inside it has to pass only its rest."""
        return any(one.first <= first and one.last == last for one in self.accepted)


def repairs(directory: Path) -> Repairs:
    """Return what was decided about the stream of a directory."""
    path = directory / NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Repairs)
    except FileNotFoundError:
        return Repairs()
    except UNREADABLE as error:
        raise DamageError(
            f"{path} cannot be read: {error}",
            "Bring it back from a copy, or move it away: then every hole is met again",
        ) from error


def keep_repairs(directory: Path, decided: Repairs) -> None:
    """Replace what was decided, whole or not at all."""
    replace(directory / NAME, msgspec.json.format(msgspec.json.encode(decided)) + b"\n")


def replace(path: Path, data: bytes) -> None:
    """Put bytes in the place of a file, on the disk too, whole or not at all."""
    with failing(path):
        put_whole(path, data)


def place(pos: int) -> str:
    """Return a position as people read it: the epoch, and the place in it."""
    return f"{epoch_of(pos)}:{pos & N_MASK}"


def missing(stream: Stream, step: Step) -> JournalError:
    """Return the failure of whoever meets a hole that nobody has accepted."""
    first, last = step.expected, step.found - 1
    return JournalError(
        f"{stream.name}: a hole after position {first - 1}, the journal goes on at {step.found}: "
        f"{first} to {last} ({place(first)} to {place(last)}) are missing",
        "Money may hang on what is missing: see docs/runbook.md, JournalHole. To go on without: "
        f"`rrr bus journal repair {stream.name} --accept-hole {first}-{last}`",
    )
