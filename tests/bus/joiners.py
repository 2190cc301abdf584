"""Random schedules of those who join late: a snapshot, then what follows it, is the whole story.

The publisher folds what it says and says now and then what all of it comes to; it comes back as a
joiner does. Whoever joins must stand where one stands that heard everything.
"""

import zlib
from collections import deque
from collections.abc import Callable, Sequence

from bus.errors import JournalError
from bus.intake import Lane
from bus.memory import MemoryJournals
from bus.record import JournalWriter
from bus.service import Run
from schema.frame import unpack
from schema.head import Message
from schema.orders import AccountSnapshot, RequestWeight
from tests.bus.mutants import Rules
from tests.bus.rigs import A, MemoryRig
from tests.bus.schedules import Action, World

Fold = tuple[int, int]
"""How many words were heard, and a checksum of all of them in their order."""

NOTHING: Fold = (0, 0)


def word(n: int) -> RequestWeight:
    return RequestWeight(ts_event=n, used=n, limit=0)


def folded(fold: Fold, heard: Sequence[Message]) -> Fold:
    """Return a fold after some messages; a snapshot is all that there is to know."""
    count, digest = fold
    for message in heard:
        if isinstance(message, AccountSnapshot):
            if message.part == message.parts:
                count, digest = message.since_ns, message.reconciled_ns
        elif isinstance(message, RequestWeight):
            count, digest = count + 1, zlib.crc32(message.used.to_bytes(8, "little"), digest)
    return count, digest


def snapshot(fold: Fold, parts: int) -> list[Message]:
    """Return the word that says all of a fold, in some parts."""
    return [
        AccountSnapshot(
            ts_event=0, level="ACTIVE", by="", reason="", since_ns=fold[0], reconciled_ns=fold[1],
            part=part, parts=parts,
        )
        for part in range(1, parts + 1)
    ]  # fmt: skip


class Apart:
    """Where a wrong publisher keeps its snapshot: beside the journal, where no power cut comes."""

    def __init__(self) -> None:
        self.kept: tuple[int, Fold] = (0, NOTHING)


class Joiner:
    """Follows the stream from its last snapshot on, by the shipped lane."""

    def __init__(self, rig: MemoryRig, apart: Apart | None) -> None:
        self.rig, self.apart = rig, apart
        self.inbox: deque[bytes] = deque()
        self.join()

    def join(self) -> None:
        """Begin anew: a joiner remembers nothing."""
        self.inbox.clear()
        self.fold = NOTHING
        pos = 0
        if self.apart is not None:
            pos, self.fold = self.apart.kept
        self.lane = Lane(A, self.rig.journals, pos)
        if self.apart is None:
            self.lane.join()
        self.catch_up()

    def take(self) -> None:
        self._hear(self.lane.live(unpack(self.inbox.popleft())))
        if self.lane.behind:
            self.catch_up()

    def catch_up(self) -> None:
        self.lane.behind = True
        while self.lane.behind:
            self._hear(self.lane.catch_up())

    def _hear(self, runs: Sequence[Run]) -> None:
        self.fold = folded(self.fold, [message for run in runs for message in run.messages])


class Teller:
    """Says words and snapshots, and may die between any two of its steps."""

    def __init__(self, world: "JoinWorld") -> None:
        self.world, self.rng, self.rules = world, world.rng, world.rules
        self.writer: JournalWriter | None = None
        self.fold = NOTHING
        self.said = 0

    def start(self) -> None:
        own = Joiner(self.world.rig, self.world.apart)
        self.writer = self.world.rig.start()
        self.fold = own.fold
        self.world.send([self.writer.opened])

    def say(self) -> None:
        assert self.writer is not None
        words: list[Message] = [word(self.said + n) for n in range(1, self.rng.randint(2, 5))]
        self.said += len(words)
        fold = folded(self.fold, words)
        if self.rules.snapshot_early and self.rng.random() < 0.2:
            frames = self.writer.append(snapshot(fold, 1))  # Of what is appended next.
            if self.rng.random() < 0.5:
                self.die()
                return
            self._send(frames)
        frames = self.writer.append(words)
        self.world.note(frames, words)
        if self.world.apart is not None and self.rng.random() < 0.2:
            self.world.apart.kept = (self.writer.last, fold)  # On the disk, and its words are not.
        if self.rng.random() < 0.05:
            self.die()
            return
        self.fold = fold
        self._send(frames)

    def tell(self) -> None:
        """Say how things stand; a kill may leave only some parts of it."""
        assert self.writer is not None
        parts = snapshot(self.fold, self.rng.choice((1, 1, 2, 3)))
        whole = self.rng.random() < 0.8
        frames = self.writer.append(parts if whole else parts[: self.rng.randrange(len(parts))])
        if whole:
            self._send(frames)
        else:
            self.die()

    def die(self) -> None:
        self.writer = None

    def _send(self, frames: list[bytes]) -> None:
        assert self.writer is not None
        self.writer.sync()
        self.world.send(frames)


class JoinWorld(World):
    """One schedule."""

    rig: MemoryRig

    def __init__(self, rig: MemoryRig, rules: Rules, seed: int) -> None:
        super().__init__(rig, rules, seed)
        self.apart = Apart() if rules.snapshot_apart else None
        self.teller = Teller(self)
        self.joiners = [Joiner(rig, self.apart) for _ in range(2)]
        self.truth: list[tuple[int, int]] = []
        self.joined = 0  # how many began with a snapshot

    def start(self) -> None:
        if self.teller.writer is None:
            self.teller.start()

    def send(self, frames: list[bytes]) -> None:
        for raw in frames:
            for one in self.joiners:
                if len(one.inbox) < self.cap and self.rng.random() >= self.drop:
                    one.inbox.append(raw)

    def note(self, frames: list[bytes], words: Sequence[Message]) -> None:
        """Remember what was said where."""
        first = unpack(frames[0]).pos
        self.truth += [(first + n, one.ts_event) for n, one in enumerate(words)]

    def actions(self) -> list[Action]:
        alive = self.teller.writer is not None
        one = self.rng.choice(self.joiners)
        found: list[tuple[int, bool, Callable[[], None]]] = [
            (40, alive, self.teller.say),
            (8, alive, self.teller.tell),
            (30, bool(one.inbox), one.take),
            (10, True, one.catch_up),
            (10, True, lambda: self._join(one)),
            (4, alive, self.teller.die),
            (8, not alive, self.start),
            (4, True, self._lose_power),
            (3, True, self._retain),
        ]
        return found

    def _join(self, one: Joiner) -> None:
        one.join()
        self.joined += bool(self.rig.journals.reader(A).snapshot())

    def _lose_power(self) -> None:
        self.teller.die()
        before = self.rig.positions()
        self.rig.cut_power(self.rng)
        gone = before - self.rig.positions()
        self.truth = [(pos, n) for pos, n in self.truth if pos not in gone]
        for one in self.joiners:
            one.join()

    def _retain(self) -> None:
        """Let retention take what stands before a snapshot that no power cut can take."""
        tape = self.rig.memory.tape(A)
        pos = self.rig.journals.reader(A).snapshot()
        if pos and pos <= max((frame.last for frame in tape.frames[: tape.synced]), default=0):
            for one in self.joiners:
                one.catch_up()
            tape.forget(pos)

    def _check(self) -> None:
        """Hold everybody against the truth up to where he stands."""
        for one in self.joiners:
            words = [n for pos, n in self.truth if pos <= one.lane.merge.pos]
            expected = folded(NOTHING, [word(n) for n in words])
            assert one.fold == expected, f"{one.fold}, expected {expected}"

    def _settle(self) -> None:
        self.start()
        for one in self.joiners:
            one.inbox.clear()
            one.catch_up()
            assert one.lane.merge.pos == self.rig.journals.reader(A).last()
        self._check()


def rig() -> MemoryRig:
    """Return a world with one stream that tells snapshots."""
    assert A.snapshot is AccountSnapshot
    made = MemoryRig(A)
    assert isinstance(made.journals, MemoryJournals)
    return made


def caught(rules: Rules, seed: int, steps: int) -> bool:
    """Return whether a schedule tells a system from the right one."""
    try:
        JoinWorld(rig(), rules, seed).run(steps)
    except (AssertionError, JournalError):
        return True
    return False
