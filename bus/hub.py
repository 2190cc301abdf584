"""The wire within one process: simulation, backtest and tests speak over it."""

from collections import deque

from bus.transport import FRAMES_MAX, Transport
from schema.frame import unpack
from schema.house import Command, CommandDone


class Hub:
    """All places of one memory bus; delivery is at once and complete unless a test cuts it."""

    def __init__(self) -> None:
        self.places: list[Place] = []

    def join(self, hears: tuple[str, ...]) -> "Place":
        """Return a new place that hears some streams."""
        place = Place(self, frozenset(hears))
        self.places.append(place)
        return place


class Place(Transport):
    """One service's place on a hub."""

    def __init__(self, hub: Hub, hears: frozenset[str]) -> None:
        self._hub = hub
        self.hears = hears
        self.inbox: deque[bytes] = deque()
        self.asked: deque[Command] = deque()
        self.answers: list[CommandDone] = []

    def send(self, frame: bytes) -> None:
        stream = unpack(frame).stream
        for place in self._hub.places:
            if place is not self and stream in place.hears:
                place.inbox.append(frame)

    def watch(self, fd: int) -> None:
        raise AssertionError("a memory bus has no file descriptors")

    def unwatch(self, fd: int) -> None:
        raise AssertionError("a memory bus has no file descriptors")

    def wait(self, timeout_ms: int) -> frozenset[int]:
        return frozenset()

    def receive(self) -> list[bytes]:
        return [self.inbox.popleft() for _ in range(min(len(self.inbox), FRAMES_MAX))]

    def commands(self) -> list[Command]:
        found = list(self.asked)
        self.asked.clear()
        return found

    def reply(self, done: CommandDone) -> None:
        self.answers.append(done)

    def close(self) -> None:
        if self in self._hub.places:
            self._hub.places.remove(self)
