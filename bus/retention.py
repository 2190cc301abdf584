"""Which segments of a stream are compressed, and which are deleted: a pure plan.

The newest segment and whatever is not sealed are left alone. What goes, goes from the old end, so
that no hole opens in the middle; and it goes only once its days are over and every registered
consumer is behind it. A consumer that nobody heard of holds everything. Beyond the cap of a stream
the oldest go all the same, which somebody is told; class A never does, and somebody is told.

A processor that is not registered needs what it heard since its last snapshot, half a minute; no
retention of days takes that. After a longer rest it comes back folded, or meets a hole.
"""

from collections.abc import Mapping, Sequence
from itertools import takewhile

import msgspec

from schema.streams import Stream
from schema.units import DAY_NS


class Kept(msgspec.Struct, frozen=True):
    """One segment as it lies on the disk."""

    base: int
    last: int  # no position in it is higher
    newest_ns: int  # wall time of its last record or later
    size: int  # bytes that it takes
    archived: bool = False
    sealed: bool = True
    doubled: bool = False  # it is in the archive, and the plain file is still there


class Limits(msgspec.Struct, frozen=True):
    """How long, and up to which size, segments stay as they were written, and at all."""

    archive_after_ns: int
    plain_bytes: int  # of one stream that stay uncompressed
    cap_bytes: int  # of one stream, compressed or not


class Plan(msgspec.Struct, frozen=True):
    """What to do with the segments of one stream; each is named by its first position."""

    archive: tuple[int, ...] = ()
    delete: tuple[int, ...] = ()  # oldest first
    forced: tuple[int, ...] = ()  # those of `delete` that only the cap lets go
    held_by: tuple[str, ...] = ()  # consumers for whom something stays that is old enough to go
    over_bytes: int = 0  # beyond the cap, and staying

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.archive or self.delete)


def plan(
    stream: Stream,
    kept: Sequence[Kept],
    cursors: Mapping[str, int | None],
    now_wall_ns: int,
    limits: Limits,
    *,
    archiving: bool = True,
) -> Plan:
    """Return what to do with all segments of a stream, oldest first, by the cursors that are known.

    Without `archiving`, because the last try failed, the cap does not wait for compression.
    """
    old_ns = now_wall_ns - stream.retention_days * DAY_NS
    sealed = list(takewhile(lambda one: one.sealed, kept[:-1]))
    old = list(takewhile(lambda one: one.newest_ns < old_ns, sealed))
    free = list(takewhile(lambda one: not _waiting(one, cursors), old))
    stays = kept[len(free) :]
    archive = _to_archive(stays[:-1], now_wall_ns, limits)
    excess = sum(one.size for one in stays) - limits.cap_bytes
    forced: list[Kept] = []
    if excess > 0 and stream.durability != "A" and not (archive and archiving):
        forced = _beyond(sealed[len(free) :], excess)
    gone = {one.base for one in forced}
    over = excess - sum(one.size for one in forced)
    return Plan(
        archive=tuple(base for base in archive if base not in gone),
        delete=tuple(one.base for one in (*free, *forced)),
        forced=tuple(one.base for one in forced),
        held_by=_waiting(old[len(free)], cursors) if len(free) < len(old) else (),
        over_bytes=0 if archive and archiving else max(0, over),
    )


def _waiting(one: Kept, cursors: Mapping[str, int | None]) -> tuple[str, ...]:
    return tuple(name for name, cursor in cursors.items() if cursor is None or cursor < one.last)


def _to_archive(stays: Sequence[Kept], now_wall_ns: int, limits: Limits) -> list[int]:
    # One that lacks its end is named, too: it stays as it is, and somebody is told.
    plain = [one for one in stays if not one.archived]
    excess = sum(one.size for one in plain) - limits.plain_bytes
    chosen = []
    for one in plain:
        aged = one.newest_ns < now_wall_ns - limits.archive_after_ns
        if aged or one.doubled or not one.sealed or excess > 0:
            chosen.append(one.base)
        excess -= one.size
    return chosen


def _beyond(sealed: Sequence[Kept], excess: int) -> list[Kept]:
    taken = []
    for one in sealed:
        if excess <= 0:
            break
        taken.append(one)
        excess -= one.size
    return taken
