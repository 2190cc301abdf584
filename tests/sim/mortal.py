"""Clock and journals of a house that can be killed at every append, and whose clock can be set."""

from collections.abc import Callable, Sequence
from random import Random

from bus.clock import Clock
from bus.memory import MemoryJournals, MemoryWriter
from bus.record import JournalWriter
from schema.streams import Stream


class Killed(Exception):  # noqa: N818 - it is no failure: it is what a test does to a service
    """A service died in the middle of a turn."""


class HouseClock(Clock):
    """Wall and market time are tied to each other, and part from the monotonic one when set."""

    def __init__(self, start_ns: int, scale: float) -> None:
        self.scale = scale
        self._start_ns = start_ns
        self._mono_ns = 0
        self._set_ns = 0
        self._looks = 0
        self.went_back = False

    def market_ns(self) -> int:
        return self._start_ns + int((self._mono_ns + self._set_ns) * self.scale)

    def wall_ns(self) -> int:
        self._looks += 1  # No two looks at it find the same: journals are ordered by it.
        return self._start_ns + self._mono_ns + self._set_ns + self._looks

    def mono_ns(self) -> int:
        return self._mono_ns

    def pause_ms(self, ms: int) -> None:
        self.advance_ms(ms)

    def advance_ms(self, ms: int) -> None:
        """Let time pass."""
        self._mono_ns += ms * 1_000_000

    def set_ms(self, ms: int) -> None:
        """Let the machine sleep, or somebody set its clock."""
        self.went_back = self.went_back or ms < 0
        self._set_ns += ms * 1_000_000


class MortalJournals(MemoryJournals):
    """Memory journals with a fuse for each service: it dies at one of its next appends."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._time = clock
        self.fuses: dict[str, int] = {}
        self.after = False  # it dies when the append is done, and before anybody heard of it
        self.heard: Callable[[Stream, Sequence[bytes]], None] = lambda _stream, _frames: None

    def writer(self, stream: Stream, epoch: int, code: str) -> JournalWriter:
        writer = MortalWriter(self, stream, epoch, self._time)
        writer.begin(self.boot_id, code)
        return writer

    def cut_power(self, chance: Random) -> int:
        """Lose a tail of what no sync has brought to the disk; return how many records.

        The last one that is lost was written in part; what mends a journal cuts it off whole.
        """
        lost = 0
        for tape in self.tapes.values():
            loose = len(tape.frames) - tape.synced
            lost += len(tape.cut_power(chance.randint(0, loose) if loose else 0))
        self.boot_id += "'"
        return lost

    def burn(self, service: str) -> bool:
        """Return whether a service's fuse ends with this append."""
        if service not in self.fuses:
            return False
        self.fuses[service] -= 1
        return self.fuses[service] < 0


class MortalWriter(MemoryWriter):
    """Appends, until the fuse of its service has burnt down."""

    def __init__(self, journals: MortalJournals, stream: Stream, epoch: int, clock: Clock) -> None:
        super().__init__(journals.tape(stream), stream, epoch, clock)
        self._journals = journals

    def due(self, now_mono_ns: int) -> bool:
        if super().due(now_mono_ns):
            self.sync()  # At once: no thread has to bring it there.
        return False

    def _write(self, frames: Sequence[bytes], wall_ns: int) -> None:
        dies = self._journals.burn(self.stream.owner)
        if not dies or self._journals.after:
            super()._write(frames, wall_ns)
            self._journals.heard(self.stream, frames)
        if dies:
            raise Killed(self.stream.owner)
