"""One life of a simulated service, and what its journal says since the last look."""

import msgspec

from bus.hub import Place
from bus.record import JournalReader
from bus.runner import Runner
from bus.service import Service
from schema.frame import Kind
from schema.head import Message
from schema.messages import decode
from tests.sim.venue_edge import VenueEdge


class Live(msgspec.Struct):
    """One service that runs."""

    core: Service
    runner: Runner
    place: Place
    edge: VenueEdge | None = None


class Tail:
    """What was said on a stream since the last look."""

    def __init__(self, reader: JournalReader) -> None:
        self._reader = reader
        self._pos = 0

    def news(self) -> list[Message]:
        found: list[Message] = []
        while frames := self._reader.read(self._pos):
            self._pos = frames[-1].last
            for frame in frames:
                if frame.kind == Kind.DATA:
                    found += decode(self._reader.stream.number, frame.body)
        return found
