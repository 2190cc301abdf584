"""The journals within one process: simulation, backtest and tests remember with these.

The same contract as on the disk, and the same faults on demand: a power cut takes what was not
synced, retention takes the oldest.
"""

from bisect import bisect_right
from collections.abc import Generator, Sequence

import msgspec

from bus.clock import Clock
from bus.errors import JournalError
from bus.journals import Journals
from bus.record import Before, JournalReader, JournalWriter
from schema.frame import HEADER_BYTES, Frame, Kind, unpack
from schema.streams import Stream


class Tape(msgspec.Struct):
    """What is remembered of one stream."""

    frames: list[Frame] = []
    synced: int = 0  # how many frames a power cut leaves
    sync_fails: bool = False  # the next sync fails, and with it what it was to bring to the disk
    doomed: int | None = None  # no sync after a failed one helps the frames from this one on

    def first(self) -> int:
        """Return the first position kept; 0 while there is none."""
        return self.frames[0].pos if self.frames else 0

    def last(self) -> int:
        """Return the last position kept; 0 while there is none."""
        return self.frames[-1].last if self.frames else 0

    def sync(self) -> None:
        """Bring all frames to the disk; after a failure the system says yes and has lost them."""
        if self.sync_fails:
            self.sync_fails, self.doomed = False, self.synced
            raise JournalError("the disk did not take what was appended", "Start again")
        self.synced = len(self.frames) if self.doomed is None else self.doomed

    def cut_power(self, keep: int = 0) -> list[Frame]:
        """Lose the frames that were not synced, but for `keep` of them; return the lost ones."""
        written = len(self.frames) if self.doomed is None else self.doomed
        kept = min(self.synced + keep, written)
        lost = self.frames[kept:]
        del self.frames[kept:]
        self.synced, self.doomed = kept, None
        return lost

    def forget(self, before: int) -> None:
        """Drop the frames that end before a position, as retention does."""
        gone = sum(frame.last < before for frame in self.frames)
        del self.frames[:gone]
        self.synced = max(0, self.synced - gone)
        self.doomed = None if self.doomed is None else max(0, self.doomed - gone)


class MemoryJournals(Journals):
    """All journals of one world, in memory; it outlives the services that are killed in it."""

    def __init__(self, clock: Clock) -> None:
        self.boot_id = "memory"
        self.tapes: dict[int, Tape] = {}
        self._clock = clock
        self._epochs: dict[str, int] = {}
        self._snapshots: dict[str, bytes] = {}

    def open_epoch(self, service: str) -> int:
        self._epochs[service] = self._epochs.get(service, 0) + 1
        return self._epochs[service]

    def writer(self, stream: Stream, epoch: int, code: str) -> JournalWriter:
        writer = MemoryWriter(self.tape(stream), stream, epoch, self._clock)
        writer.begin(self.boot_id, code)
        return writer

    def reader(self, stream: Stream) -> JournalReader:
        return MemoryReader(self.tape(stream), stream)

    def load_snapshot(self, service: str) -> bytes | None:
        return self._snapshots.get(service)

    def save_snapshot(self, service: str, data: bytes) -> None:
        self._snapshots[service] = data

    def tape(self, stream: Stream) -> Tape:
        """Return the tape of a stream."""
        return self.tapes.setdefault(stream.number, Tape())


class MemoryWriter(JournalWriter):
    """Appends to a tape."""

    def __init__(self, tape: Tape, stream: Stream, epoch: int, clock: Clock) -> None:
        clean = bool(tape.frames) and tape.frames[-1].kind == Kind.BYE
        super().__init__(stream, epoch, clock, Before(last=tape.last(), clean=clean))
        self._tape = tape

    def begin(self, boot_id: str, code: str) -> None:
        """Put the epoch record onto the tape."""
        self._tape.doomed = None  # As `mend` does: what the system still shows is written anew.
        self._open(boot_id, 0, code)

    def _write(self, frames: Sequence[bytes], wall_ns: int) -> None:
        self._tape.frames += map(unpack, frames)

    def _flush(self) -> None:
        try:
            self._tape.sync()
        except JournalError as error:
            raise self.fail(error) from error

    def _duplicate(self) -> int:
        self._flush()
        return -1

    def _seal(self) -> None:
        self._flush()

    def _release(self) -> None:
        pass


class MemoryReader(JournalReader):
    """Reads a tape."""

    def __init__(self, tape: Tape, stream: Stream) -> None:
        self.stream = stream
        self._tape = tape

    def read(self, after: int, max_bytes: int = 1 << 18) -> list[Frame]:
        frames = self._tape.frames
        found: list[Frame] = []
        size = 0
        for index in range(bisect_right(frames, after, key=lambda f: f.last), len(frames)):
            if size >= max_bytes:
                break
            found.append(frames[index])
            size += HEADER_BYTES + len(frames[index].body)
        if found and self.stream.durability == "A":
            self._tape.sync()
        return found

    def first(self) -> int:
        return self._tape.first()

    def last(self) -> int:
        return self._tape.last()

    def _snapshots(self) -> Generator[Frame]:
        yield from (f for f in reversed(self._tape.frames) if f.kind == Kind.SNAPSHOT)
