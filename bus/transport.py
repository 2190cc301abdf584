"""The contract of the bus as the runner uses it: `wire` between processes, `hub` within one.

Nothing that matters hangs on delivery here: a frame may be lost, doubled or late, and the journal
says what is missing.
"""

from abc import ABC, abstractmethod

from schema.house import Command, CommandDone

FRAMES_MAX = 256
"""Frames taken in one pass, so that a flood cannot keep the loop from its heartbeat."""


class Transport(ABC):
    """One service's place on the bus."""

    @abstractmethod
    def send(self, frame: bytes) -> None:
        """Publish a frame; never waits, and a slow subscriber loses it."""

    @abstractmethod
    def watch(self, fd: int) -> None:
        """Let `wait` return when a file descriptor can be read, or has reached its end."""

    @abstractmethod
    def unwatch(self, fd: int) -> None:
        """Forget a file descriptor."""

    @abstractmethod
    def wait(self, timeout_ms: int) -> frozenset[int]:
        """Wait until something is here or time is up; return the watched descriptors that are."""

    @abstractmethod
    def receive(self) -> list[bytes]:
        """Return the frames that the last `wait` found here, at most FRAMES_MAX."""

    @abstractmethod
    def commands(self) -> list[Command]:
        """Return the commands that the last `wait` found here, each to be answered once."""

    @abstractmethod
    def reply(self, done: CommandDone) -> None:
        """Answer a command; an asker that has left is no error."""

    def counters(self) -> tuple[tuple[str, int], ...]:
        """Return how often something came that is no request, or one that came before."""
        return ()

    @abstractmethod
    def close(self) -> None:
        """Leave the bus."""
