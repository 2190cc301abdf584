"""Two places to remember a stream in, with the faults that a machine can have: memory and disk."""

import random
from abc import ABC, abstractmethod
from pathlib import Path

from bus.clock import ManualClock
from bus.journals import DiskJournals, Journals
from bus.memory import MemoryJournals
from bus.record import JournalWriter
from bus.segments import bases, segment_path
from schema.house import Recovered
from schema.messages import decode
from schema.streams import STREAMS, Stream

NOON_NS = 1_700_000_000_000_000_000
A = STREAMS["gateway.order"]
B = STREAMS["ingest.feed"]
C = STREAMS["ingest.trade"]


def said(n: int) -> Recovered:
    """Return a message that any stream takes and that only its number tells apart."""
    return Recovered(ts_event=n, grade="fresh", from_turn=n)


def numbers(stream: Stream, body: bytes) -> list[int]:
    """Return what tells the messages of a body apart."""
    return [message.ts_event for message in decode(stream.number, body)]


class Rig(ABC):
    """One world with one stream in it."""

    journals: Journals
    sync_can_fail = False

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.clock = ManualClock(NOON_NS)

    def start(self, epoch: int | None = None) -> JournalWriter:
        """Open the stream as its owner does."""
        if epoch is None:
            epoch = self.journals.open_epoch(self.stream.owner)
        return self.journals.writer(self.stream, epoch, "code")

    def positions(self) -> set[int]:
        """Return every position that can be read."""
        reader = self.journals.reader(self.stream)
        found: set[int] = set()
        after = 0
        while frames := reader.read(after):
            found.update(pos for frame in frames for pos in range(frame.pos, frame.last + 1))
            after = frames[-1].last
        reader.close()
        return found

    def note_sync(self) -> None:
        """Remember what a power cut leaves for certain."""

    def break_next_sync(self) -> None:
        """Let the next sync fail and lose what it was to keep."""
        raise AssertionError("this rig cannot let a sync fail")

    @abstractmethod
    def cut_power(self, rng: random.Random) -> None:
        """Lose some or all of what was not synced."""

    @abstractmethod
    def forget_all(self) -> None:
        """Drop every record, as retention does to a stream that was silent for long."""


class MemoryRig(Rig):
    """The fakes that ship."""

    sync_can_fail = True

    def __init__(self, stream: Stream = B) -> None:
        super().__init__(stream)
        self.journals = self.memory = MemoryJournals(self.clock)

    def cut_power(self, rng: random.Random) -> None:
        self.memory.tape(self.stream).cut_power(rng.randint(0, 3))

    def forget_all(self) -> None:
        self.memory.tape(self.stream).forget(1 << 62)

    def break_next_sync(self) -> None:
        self.memory.tape(self.stream).sync_fails = True


class DiskRig(Rig):
    """Real files; a power cut tears the newest one anywhere behind its last sync."""

    def __init__(self, root: Path, stream: Stream = B) -> None:
        super().__init__(stream)
        self.journals = DiskJournals(root, self.clock)
        self.folder = root / stream.owner / stream.channel
        self.synced: dict[Path, int] = {}

    def newest(self) -> Path:
        """Return the segment that is written to."""
        return segment_path(self.folder, bases(self.folder)[-1])

    def start(self, epoch: int | None = None) -> JournalWriter:
        writer = super().start(epoch)
        self.note_sync()
        return writer

    def note_sync(self) -> None:
        self.synced[self.newest()] = self.newest().stat().st_size

    def cut_power(self, rng: random.Random) -> None:
        if not bases(self.folder):
            return
        path = self.newest()
        size = path.stat().st_size
        kept = rng.randint(min(self.synced.get(path, size), size), size)
        with path.open("r+b") as file:
            file.truncate(kept)
            file.seek(kept)
            # Blocks that the file system gave out and the disk never got.
            file.write(bytes(rng.choice((0, 1, 40, 700)) if kept < size else 0))

    def forget_all(self) -> None:
        for base in bases(self.folder):
            segment_path(self.folder, base).unlink()
