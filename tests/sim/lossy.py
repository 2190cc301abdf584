"""The bus of the simulator: it drops, doubles and delays frames, and the journals have to heal it.

It lets nothing pass that stands in no journal, so that a message that is heard before it is written
down is found by whoever says it.
"""

from functools import partial
from typing import Protocol

from bus.hub import Hub, Place
from bus.journals import Journals
from schema.frame import Frame, Kind, unpack
from schema.streams import STREAMS
from tests.sim.odds import Dice

DELAY_MS = (1, 20, 200, 3_000)
ONCE_MORE = 0.5
"""How often what comes twice does so at once."""


class Later(Protocol):
    """What lets something happen after some milliseconds."""

    def __call__(self, ms: int, work: "partial[None]", /) -> None: ...


class LossyHub(Hub):
    """A hub whose every delivery is at the mercy of dice."""

    def __init__(self, dice: Dice, journals: Journals, later: Later) -> None:
        super().__init__()
        self.dice = dice
        self.later = later
        self.beats: dict[str, int] = {}  # when each service was last READY, monotonic
        self._journals = journals

    def join(self, hears: tuple[str, ...]) -> Place:
        """Return a new place that hears some streams, more or less."""
        place = LossyPlace(self, frozenset(hears))
        self.places.append(place)
        return place

    def note(self, frame: Frame) -> None:
        """Hold what is said against the journal, and note who lives."""
        if frame.kind == Kind.HEARTBEAT:
            self.beats[frame.stream.removesuffix(".hb")] = frame.mono_ns
            return
        stream = STREAMS[frame.stream]
        if stream.journaled:
            last = self._journals.reader(stream).last()
            assert last >= frame.last, f"I22: {frame.stream} {frame.pos} is said, not journaled"


class LossyPlace(Place):
    """A place whose words may be lost on the way."""

    def __init__(self, hub: LossyHub, hears: frozenset[str]) -> None:
        super().__init__(hub, hears)
        self._lossy = hub

    def send(self, frame: bytes) -> None:
        hub = self._lossy
        said = unpack(frame)
        hub.note(said)
        for place in hub.places:
            if place is self or said.stream not in place.hears:
                continue
            match hub.dice.first(("bus_drop", "bus_double", "bus_delay")):
                case "bus_double":
                    place.inbox.append(frame)
                    if hub.dice.of("doubles").random() < ONCE_MORE:
                        place.inbox.append(frame)
                    else:
                        self._send_later(place, frame)
                case "bus_delay":
                    self._send_later(place, frame)
                case "":
                    place.inbox.append(frame)

    def _send_later(self, place: Place, frame: bytes) -> None:
        ms = self._lossy.dice.of("bus delays").choice(DELAY_MS)
        self._lossy.later(ms, partial(place.inbox.append, frame))
