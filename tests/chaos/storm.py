"""Random kills of all three while they work, and what is there when the storm is over."""

import random
import signal
from collections.abc import Iterator

import msgspec

from bus.house import House
from bus.journals import DiskJournals
from schema.frame import Kind
from schema.house import Heartbeat
from schema.streams import STREAMS
from tests.chaos.parts import Mint, Sieve, Tally
from tests.chaos.proof import differences
from tests.chaos.shelf import counted
from tests.chaos.troupe import ROLES, Troupe

POLL_MS = 5
PATIENCE_S = 600
SNAPSHOT_NS = 2_000_000_000


class Storm(msgspec.Struct, frozen=True):
    """How much is said, how often somebody dies meanwhile, and by which dice."""

    messages: int
    kills: int
    seed: int
    every_ms: int = 1000  # from one kill to the next, on the average

    @property
    def rate(self) -> int:
        """How many trades a second, so that they last as long as the kills."""
        return max(1000, self.messages * 1000 // (self.kills * self.every_ms))


class Report(msgspec.Struct):
    """What came of it."""

    name: str
    seed: int
    messages: int
    kills: dict[str, int]
    held: int
    seconds: float
    lost: int
    doubled: int
    reordered: int
    differences: list[str]


class Killer:
    """Kills one or more whenever enough was said since the last time."""

    def __init__(self, troupe: Troupe, storm: Storm) -> None:
        self._chance = random.Random(storm.seed)
        self._troupe = troupe
        points = [self._chance.randrange(storm.messages) for _ in range(storm.kills)]
        self._points = sorted(points, reverse=True)
        self.kills = dict.fromkeys(ROLES, 0)
        self.held = 0

    @property
    def done(self) -> bool:
        return not self._points

    def look(self, said: int) -> None:
        """Kill whoever is due, once as many messages were said."""
        if not self._points or said < self._points[-1]:
            return
        together = self._chance.choice((1, 1, 1, 1, 2, 3))
        for role in self._chance.sample(ROLES, min(together, len(self._points))):
            self._points.pop()
            self._die(role)

    def _die(self, role: str) -> None:
        if self._chance.random() < 0.1:  # What it did not hear meanwhile has to come later.
            self._troupe.send(role, signal.SIGSTOP)
            self._troupe.clock.pause_ms(self._chance.randrange(200))
            self.held += 1
        self._troupe.kill(role)
        self.kills[role] += 1


def rage(house: House, storm: Storm) -> Report:
    """Let all of it happen; return what is there afterwards."""
    troupe = Troupe(house, storm.messages, storm.rate)
    began_ns = troupe.clock.mono_ns()
    try:
        troupe.start_all()
        killer = Killer(troupe, storm)
        _live(troupe, killer, storm)
        troupe.stop_all()
    finally:
        troupe.close()
    seconds = (troupe.clock.mono_ns() - began_ns) / 1e9
    journals = DiskJournals(troupe.house.journal_dir, troupe.clock)
    rows = counted(troupe.house.db_dir)
    return Report(
        name="bus.chaos",
        seed=storm.seed,
        messages=sum(row.count for row in rows.values()),
        kills=killer.kills,
        held=killer.held,
        seconds=round(seconds, 1),
        lost=sum(row.lost for row in rows.values()),
        doubled=sum(row.doubled for row in rows.values()),
        reordered=sum(row.reordered for row in rows.values()),
        differences=differences(storm.messages, troupe.house, journals),
    )


def _live(troupe: Troupe, killer: Killer, storm: Storm) -> None:
    deadline_ns = troupe.clock.mono_ns() + PATIENCE_S * 1_000_000_000
    snapshot_ns = troupe.clock.mono_ns()
    said = 0
    progress = trades_said(DiskJournals(troupe.house.journal_dir, troupe.clock))
    while not (said >= storm.messages and killer.done and _at_rest(troupe)):
        now_ns = troupe.clock.mono_ns()
        assert now_ns < deadline_ns, f"not in time: {said} trades; {troupe.errors()}"
        said = next(progress)
        troupe.revive()
        killer.look(said)
        if now_ns > snapshot_ns:
            snapshot_ns = now_ns + SNAPSHOT_NS
            for role in (Mint.name, Sieve.name):
                troupe.keep_snapshot(role)
        troupe.clock.pause_ms(POLL_MS)


def trades_said(journals: DiskJournals) -> Iterator[int]:
    """Yield how many trades stand in the journal, as often as it is asked."""
    reader, after, said = journals.reader(STREAMS["ingest.trade"]), 0, 0
    while True:
        for frame in reader.read(after, 4 << 20):
            after = frame.last
            said += frame.count if frame.kind == Kind.DATA else 0
        yield said


def _at_rest(troupe: Troupe) -> bool:
    beats = {role: troupe.status(role) for role in ROLES}
    if None in beats.values():
        return False
    known = [beat for beat in beats.values() if beat is not None]
    lasts = {number: pos for beat in known for number, pos in beat.last}
    return all(_has_all(beat, lasts) for beat in known)


def _has_all(beat: Heartbeat, lasts: dict[int, int]) -> bool:
    wanted = {Tally.name: Tally.hears, Sieve.name: Sieve.hears}.get(beat.service, ())
    cursors = dict(beat.cursors)
    numbers = [STREAMS[name].number for name in wanted]
    return all(cursors.get(number) == lasts.get(number) for number in numbers)
