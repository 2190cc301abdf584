"""The one who says `cli.note` now: a person's mouth on the bus, one at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from bus.clock import Clock
from bus.house import House
from bus.journals import DiskJournals
from bus.lease import hold_place
from bus.outlet import Outlet
from bus.wire import Wire
from schema.house import Note
from schema.streams import PERSON
from services.rrr.survey import NotReadyError

STREAM = f"{PERSON}.note"
POLL_MS = 10
GRACE_MS = 150
"""How long those who listen already need to find the socket; they look for it every 20 ms."""


class Speaker:
    """Says notes, as fast as it is told to."""

    def __init__(self, house: House, clock: Clock) -> None:
        self.said = 0
        self._clock = clock
        self._due_ns = 0
        self._wire = Wire(house.run, PERSON, counting=True)
        self._outlet = Outlet(PERSON, self._wire, clock)
        journals = DiskJournals(house.journal_dir, clock)
        self._outlet.open(journals, journals.open_epoch(PERSON), "")

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return self._wire.listeners(STREAM)

    def wait_for(self, listeners: int, timeout_s: float) -> None:
        """Wait until as many listen; NotReadyError when they do not come in time."""
        if not listeners:
            self._clock.pause_ms(GRACE_MS)
        begun_ns = self._clock.mono_ns()
        while (there := self.listeners) < listeners:
            if timeout_s and self._clock.mono_ns() - begun_ns >= timeout_s * 1e9:
                raise NotReadyError(
                    f"{there} of {listeners} subscribers to {STREAM} came within {timeout_s:g} s",
                    f"`rrr bus watch {STREAM}` is one",
                )
            self._clock.pause_ms(POLL_MS)

    def say(self, topic: str, body: str) -> None:
        """Say one note."""
        self._due_ns = self._due_ns or self._clock.mono_ns()
        self._outlet.say([Note(ts_event=self._clock.market_ns(), topic=topic, body=body)])
        self.said += 1

    def rest(self, pause_s: float) -> None:
        """Wait for the time of the next note; what was late is not made good for."""
        now_ns = self._clock.mono_ns()
        self._due_ns = max(now_ns, self._due_ns + int(pause_s * 1e9))
        left_ms = (self._due_ns - now_ns) // 1_000_000
        if left_ms:
            self._clock.pause_ms(left_ms)

    def close(self) -> None:
        """Leave the bus; what was said is still delivered."""
        self._wire.close()


@contextmanager
def speaking(house: House, clock: Clock) -> Iterator[Speaker]:
    """Be the one who speaks; BusyError when another one does not end in time."""
    lease = hold_place(house.run, PERSON, clock)
    speaker = None
    try:
        speaker = Speaker(house, clock)
        yield speaker
    finally:
        if speaker is not None:
            speaker.close()
        lease.release()
