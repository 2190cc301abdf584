"""Random schedules over files whose bytes go bad: a tail that tears, a bit that turns over.

A tear costs only what nobody was promised. Damage stops whoever has to read through it, says so,
and takes nothing that stands before it.
"""

import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import msgspec

from bus.journal import DiskWriter, open_writer
from bus.record import Before, JournalReader, JournalWriter
from bus.repair import DamageError, survey
from bus.segments import HASH_BYTES, bases, end_of_segment, segment_path
from schema.frame import HEADER_BYTES, position, unpack
from schema.streams import Stream
from tests.bus.mutants import Rules
from tests.bus.rigs import DiskRig
from tests.bus.schedules import Action, Subscriber, World

PARTS = (1, 24, 40, 71, 72, 80, 101)
"""How much of a record a kill or a full disk may leave."""


class ByteRig(DiskRig):
    """Files that tear and rot."""

    def __init__(self, root: Path, stream: Stream, rules: Rules) -> None:
        super().__init__(root, stream)
        self.rules = rules
        self.rotten: tuple[int, int] | None = None  # the positions that damage took

    def start(self, epoch: int | None = None) -> JournalWriter:
        if epoch is None:
            epoch = self.journals.open_epoch(self.stream.owner)
        writer = self._opened(epoch)
        self.note_sync()
        return writer

    def _opened(self, epoch: int) -> JournalWriter:
        if self.rules.skip_damage:
            lenient = msgspec.structs.replace(self.stream, durability="C")
            return open_writer(self.folder, lenient, epoch, self.clock, "code")
        if self.rules.skip_tail and bases(self.folder):
            return self._skipping_tail(epoch)
        return self.journals.writer(self.stream, epoch, "code")

    def _skipping_tail(self, epoch: int) -> JournalWriter:
        path, base = self.newest(), bases(self.folder)[-1]
        data = path.read_bytes()
        found = survey(data, self.stream.name, base)
        digest = hashlib.blake2b(data, digest_size=HASH_BYTES).digest()
        if not found.sealed:
            last = found.last or base - 1
            seal = end_of_segment(self.stream, last + 1, digest, position(epoch, 0), self.clock)
            path.write_bytes(data + seal)
        before = Before(last=self.journals.reader(self.stream).last())
        writer = DiskWriter(self.folder, self.stream, epoch, self.clock, before)
        writer.begin(digest, "code")
        return writer

    def tear(self, rng: random.Random) -> None:
        """Leave a part of one more record, as somebody who dies inside of a write does."""
        path = self.newest()
        data = path.read_bytes()
        size = HEADER_BYTES + len(unpack(data).body)
        path.write_bytes(data + data[: min(rng.choice(PARTS), size - 1)])

    def rot(self, rng: random.Random) -> None:
        """Turn one bit over in a record that has a whole one behind it."""
        base = rng.choice(bases(self.folder))
        path = segment_path(self.folder, base)
        data = bytearray(path.read_bytes())
        starts = _starts(bytes(data))
        if len(starts) < 4:
            return
        index = rng.randrange(1, len(starts) - 2)  # Not its first mark: that holds no position.
        frame = unpack(bytes(data), starts[index])
        if not frame.count:
            return
        bit = rng.randrange(starts[index] * 8, starts[index + 1] * 8)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        self.rotten = (frame.pos, frame.last)


def _starts(data: bytes) -> list[int]:
    found = [0]
    while found[-1] < len(data):
        try:
            found.append(found[-1] + HEADER_BYTES + len(unpack(data, found[-1]).body))
        except ValueError:
            break
    return found


class ByteSubscriber(Subscriber):
    """Stops where it meets damage, as a service does."""

    told = False

    def open(self) -> JournalReader:
        if not self.rules.skip_damage:
            return super().open()
        stream = msgspec.structs.replace(self.rig.stream, durability="C")
        return self.rig.journals.reader(stream)

    def take(self) -> None:
        if self.told:
            self.inbox.popleft()
        else:
            super().take()

    def crash(self) -> None:
        super().crash()
        self.told = False

    def catch_up(self) -> None:
        if self.told:
            return
        try:
            super().catch_up()
        except DamageError:
            self.told = True


class ByteWorld(World):
    """One schedule over files."""

    rig: ByteRig
    subscribers: list[ByteSubscriber]  # type: ignore[assignment]  # of this kind alone

    def __init__(self, rig: ByteRig, rules: Rules, seed: int) -> None:
        super().__init__(rig, rules, seed)
        self.subscribers = [ByteSubscriber(rig, rules) for _ in range(3)]
        self.refused = False  # its owner met the damage at its start: now a person looks

    def actions(self) -> list[Action]:
        sound = self.rig.rotten is None
        possible = super().actions()
        possible = [one for one in possible if sound or one[2] not in self._losing()]
        return [
            *possible,
            (4, sound and self.publisher.writer is not None, self._tear),
            (2, sound and bool(bases(self.rig.folder)), lambda: self.rig.rot(self.rng)),
        ]

    def start(self) -> None:
        if self.refused:
            return
        try:
            super().start()
        except DamageError:
            assert self.rig.rotten, "a tear is no damage"
            self.refused = True

    def _losing(self) -> list[Callable[[], None]]:
        return [self._cut_power, self._forget]

    def _tear(self) -> None:
        self._kill()
        self.rig.tear(self.rng)

    def _settle(self) -> None:
        self.start()
        for one in self.subscribers:
            one.inbox.clear()
            one.catch_up()
        self._check()
        rotten = self.rig.rotten
        for one in self.subscribers:
            assert isinstance(one, ByteSubscriber)
            assert rotten or not one.told, "a tear is no damage"
            missed = self.publisher.truth.keys() - {pos for pos, _ in one.rows} - self.lost
            if one.told and rotten:
                missed = {pos for pos in missed if pos < rotten[0]}
            assert not missed, f"missed {sorted(missed)[:5]} in silence"
