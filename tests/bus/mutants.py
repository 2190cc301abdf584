"""What a wrong system does differently: each mutant turns one decision of the bus round.

The names are those of the decisions; a test for each shows that the schedules tell it from the
system as it ships.
"""

import msgspec

from bus.merge import Merge, Step
from schema.frame import N_MASK, Frame, Kind, epoch_of


class Rules(msgspec.Struct, frozen=True):
    """The system as it ships; a mutant differs in one of these."""

    merge: type[Merge] = Merge
    epoch_from_journal: bool = False
    send_before_append: bool = False
    send_before_sync: bool = False
    commit_apart: bool = False
    retry_sync: bool = False
    publish_first: bool = False
    skip_tail: bool = False
    skip_damage: bool = False
    snapshot_early: bool = False
    snapshot_apart: bool = False


class AcceptsGap(Merge):
    def _follows(self, frame: Frame) -> bool:
        return epoch_of(frame.pos) == epoch_of(self.pos)


class IgnoresEpoch(Merge):
    def _follows(self, frame: Frame) -> bool:
        return frame.pos & N_MASK <= (self.pos & N_MASK) + 1


class NoDedupe(Merge):
    def live(self, frame: Frame) -> Step:
        if frame.kind != Kind.DATA or frame.pos > self.pos + 1:
            return super().live(frame)
        self.pos = frame.last
        return Step("deliver")


class NoHeartbeat(Merge):
    def heartbeat(self, last_pos: int) -> bool:
        return False


class SkipsHoles(Merge):
    def journal(self, frame: Frame) -> Step:
        step = super().journal(frame)
        if step.action != "hole":
            return step
        self.jump(frame)
        return super().journal(frame)


MUTANTS: dict[str, Rules] = {
    "accepts a gap": Rules(merge=AcceptsGap),
    "does not check the epoch": Rules(merge=IgnoresEpoch),
    "does not drop repeats": Rules(merge=NoDedupe),
    "has no heartbeat": Rules(merge=NoHeartbeat),
    "takes the epoch from the journal": Rules(epoch_from_journal=True),
    "sends before it appends": Rules(send_before_append=True),
    "sends before it syncs": Rules(send_before_sync=True),
    "commits position and rows apart": Rules(commit_apart=True),
    "retries a failed sync": Rules(retry_sync=True),
    "publishes before it journals": Rules(publish_first=True),
}

BYTE_MUTANTS: dict[str, Rules] = {
    "skips a torn tail instead of cutting it": Rules(skip_tail=True),
    "skips damage in the middle of a file": Rules(skip_damage=True, merge=SkipsHoles),
}
"""Caught where bytes go bad: byte_schedules.py."""

JOIN_MUTANTS: dict[str, Rules] = {
    "says a snapshot of what it has not appended": Rules(snapshot_early=True),
    "keeps its snapshot apart from its journal": Rules(snapshot_apart=True),
}
"""Their snapshots are newer than their journals; caught where somebody joins: joiners.py."""
