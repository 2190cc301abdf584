"""What a service does for its streams beside its work: old segments are put away.

A failure of that is told and tried again, and ends no service. A durable consumer also tells here
how far it has come, so that the owners of what it hears know what they may delete.
"""

from collections import deque
from contextlib import suppress
from pathlib import Path

from bus.clock import Clock
from bus.cursors import registered, write_cursors
from bus.janitor import Janitor, Look
from bus.log import Log
from bus.retention import Limits
from schema.house import Positions
from schema.streams import owned_by
from schema.units import DAY_NS, MINUTE_NS, SECOND_NS

LOOK_NS = SECOND_NS
MIRROR_NS = 10 * SECOND_NS


class Upkeep:
    """Nothing to do: what is remembered in memory is not kept that long."""

    def tick(self, committed: Positions, log: Log) -> None:
        """Start what is due and tell what was done; `committed` is what a restart begins behind."""

    def counters(self) -> tuple[tuple[str, int], ...]:
        """Return figures for the heartbeat."""
        return ()

    def stop(self, committed: Positions) -> None:
        """Tell for the last time how far the service came, and end what is under way."""


class DiskUpkeep(Upkeep):
    """Of the streams that a service owns: once a minute, and when a segment was made."""

    def __init__(self, journals: Path, service: str, limits: Limits, clock: Clock) -> None:
        self._streams = tuple(stream for stream in owned_by(service) if stream.journaled)
        self._folders = [journals / stream.owner / stream.channel for stream in self._streams]
        self._home = journals / service
        self._clock = clock
        self.janitor = Janitor(journals, self._streams, limits, clock)
        self._mirrors = registered(service)
        self._mirrored: Positions = ()
        self._mirror_ns = self._look_ns = self._due_ns = 0
        self._changed: list[int] = []
        self._looks: dict[str, Look] = {}
        self._archived = 0
        self._forced: deque[tuple[int, int]] = deque()

    def tick(self, committed: Positions, log: Log) -> None:
        now_ns = self._clock.mono_ns()
        if now_ns >= self._mirror_ns:
            self._mirror_ns = now_ns + MIRROR_NS
            self._mirror(committed)
        if self._streams and now_ns >= self._look_ns:
            self._look_ns = now_ns + LOOK_NS
            for look in self.janitor.looks():
                self._note(look, log, now_ns)
            if (self._rolled() or now_ns >= self._due_ns) and self.janitor.look():
                self._due_ns = now_ns + MINUTE_NS

    def counters(self) -> tuple[tuple[str, int], ...]:
        if not self._streams:
            return ()
        day_ago_ns, looks = self._clock.mono_ns() - DAY_NS, self._looks.values()
        while self._forced and self._forced[0][0] <= day_ago_ns:
            self._forced.popleft()
        return (
            ("archived_segments", self._archived),
            ("archive_failed", sum(bool(look.done.failure) for look in looks)),
            ("retention_held", sum(bool(look.plan.held_by) for look in looks)),
            ("retention_over", sum(bool(look.plan.over_bytes) for look in looks)),
            ("retention_forced", sum(n for _, n in self._forced)),
        )

    def stop(self, committed: Positions) -> None:
        self.janitor.stop()
        self._mirror(committed)

    def _mirror(self, committed: Positions) -> None:
        if self._mirrors and committed and committed != self._mirrored:
            with suppress(OSError):  # An older one only keeps more.
                write_cursors(self._home, committed)
                self._mirrored = committed

    def _rolled(self) -> bool:
        # The folder of a stream changes only when a file is made in it, or goes.
        before = self._changed
        self._changed = [path.stat().st_mtime_ns for path in self._folders if path.exists()]
        return before != self._changed

    def _note(self, look: Look, log: Log, now_ns: int) -> None:
        name, done, forced = look.stream.name, look.done, look.plan.forced
        before = self._looks.get(name)
        self._looks[name] = look
        self._archived += done.archived
        if done.archived or done.deleted:
            archived, deleted = done.archived, done.deleted
            log.event("journal_put_away", stream=name, archived=archived, deleted=deleted)
        if forced:
            self._forced.append((now_ns, len(forced)))
            log.say("retention_forced", stream=name, segments=len(forced))
        if done.failure and (before is None or before.done.failure != done.failure):
            log.say("archive_failed", stream=name, why=done.failure)
