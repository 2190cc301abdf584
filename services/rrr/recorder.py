"""Copies streams into a directory while they grow: from their files, and E from its sockets.

Reading files costs the publishers nothing. What is copied is written at once, so that whatever ends
the recorder leaves a directory that can be played as far as it goes.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from bus.clock import Clock
from bus.copy import Copy
from bus.house import House
from bus.journal import open_reader
from bus.wire import Subscriber
from schema.frame import Frame, FrameError, unpack
from schema.streams import STREAMS
from services.rrr.places import read_place
from services.rrr.recording import Recorded, folder_in
from services.rrr.signals import Ending
from services.rrr.starts import start_of

READ_BYTES = 1 << 18
WAIT_MS = 50
GRACE_NS = 250_000_000
"""How long after a last moment something may still come that was said before it."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Where a recording begins and ends; 0 is no bound."""

    offset: str = "end"
    until_ns: int = 0  # wall time
    duration_ns: int = 0
    size_bytes: int = 0
    follow: bool = True


class Track:
    """One journaled stream and how far it has been copied."""

    def __init__(self, house: House, target: Copy, bounds: Bounds, now_ns: int) -> None:
        self.copy = target
        stream = target.stream
        self._reader = open_reader(folder_in(house.journal_dir, stream), stream)
        start = start_of(house.journal_dir, stream, read_place(bounds.offset), now_ns)
        self._after, self._since_ns = start.after, start.since_ns
        self._until_ns = bounds.until_ns
        self._over = False

    def take(self, max_bytes: int) -> bool:
        """Copy one bounded slice; False when there is nothing to copy now."""
        frames = [] if self._over else self._reader.read(self._after, max_bytes)
        if not frames:
            return False
        self._after = frames[-1].last
        self._over = any(self._is_late(frame) for frame in frames)
        self.copy.add([frame for frame in frames if self._is_wanted(frame)])
        return True

    def close(self) -> None:
        """Let go of the journal."""
        self._reader.close()

    def _is_wanted(self, frame: Frame) -> bool:
        return frame.ts_ns >= self._since_ns and not self._is_late(frame)

    def _is_late(self, frame: Frame) -> bool:
        return bool(self._until_ns) and frame.ts_ns > self._until_ns


class Recorder:
    """All streams of one recording."""

    def __init__(
        self, house: House, directory: Path, streams: Sequence[str], bounds: Bounds, clock: Clock
    ) -> None:
        self._bounds = bounds
        self._clock = clock
        self._begun_ns = clock.mono_ns()
        self._copies = {
            name: Copy(folder_in(directory, STREAMS[name]), STREAMS[name], clock)
            for name in streams
        }
        kept = [copy for copy in self._copies.values() if copy.stream.journaled]
        spoken = [name for name in streams if not STREAMS[name].journaled]
        self._tracks = [Track(house, copy, bounds, clock.wall_ns()) for copy in kept]
        self._subscriber = Subscriber(house.run, spoken) if spoken else None

    def run(self, ending: Ending) -> str:
        """Copy until a bound is met, or somebody wants the end; return which one."""
        while not (why := self._over(ending)):
            moved = sum(track.take(self._slice()) for track in self._tracks)
            self._listen(0 if moved else WAIT_MS)
            if moved:
                continue
            if not self._bounds.follow:
                return "the end was reached"
            if self._past_until():
                return "the last moment was reached"
            if self._subscriber is None:
                self._clock.pause_ms(WAIT_MS)
        return why

    def close(self) -> list[Recorded]:
        """Seal all files; return what each stream holds."""
        for track in self._tracks:
            track.close()
        if self._subscriber is not None:
            self._subscriber.close()
        return list(self._recorded())

    @property
    def size(self) -> int:
        """How many bytes of frames have been copied."""
        return sum(copy.done.size for copy in self._copies.values())

    def _slice(self) -> int:
        left = self._bounds.size_bytes - self.size if self._bounds.size_bytes else READ_BYTES
        return max(1, min(READ_BYTES, left))

    def _over(self, ending: Ending) -> str:
        bounds = self._bounds
        if ending.wanted:
            return "somebody ended it"
        if bounds.size_bytes and self.size >= bounds.size_bytes:
            return "its size was reached"
        if bounds.duration_ns and self._clock.mono_ns() - self._begun_ns >= bounds.duration_ns:
            return "its time was over"
        return ""

    def _past_until(self) -> bool:
        until_ns = self._bounds.until_ns
        return bool(until_ns) and self._clock.wall_ns() > until_ns + GRACE_NS

    def _listen(self, timeout_ms: int) -> None:
        raws = self._subscriber.receive(timeout_ms) if self._subscriber is not None else []
        for frame in _whole(raws):
            copy = self._copies.get(frame.stream)
            if copy is not None and not 0 < self._bounds.until_ns < frame.ts_ns:
                copy.add([frame])

    def _recorded(self) -> Iterator[Recorded]:
        for name, copy in self._copies.items():
            done = msgspec.structs.asdict(copy.close())
            yield Recorded(stream=name, durability=copy.stream.durability, **done)


def _whole(raws: Sequence[bytes]) -> Iterator[Frame]:
    for raw in raws:
        with suppress(FrameError):
            yield unpack(raw)
