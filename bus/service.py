"""The contract of a service: what the runner asks of a core, an edge and a store.

A core decides in `handle` and changes its books in `apply`, and does nothing else: no I/O, no
clock, no randomness, no log, no thread. The runner owns the loop, the journal, the sockets, the
timers and the shutdown; an edge owns the outside world; a store owns a sink's shard.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import msgspec

from bus.clock import Clock
from schema.head import Effect, Local, Message


class Heard(msgspec.Struct, frozen=True, gc=False):
    """One input: a message, where it stood, and when it was put there.

    A local message stood nowhere (0, 0). The times are those of the frame, wall and monotonic; they
    are no part of a recorded turn, so a processor must not decide by them.
    """

    message: Message | Local
    stream: int = 0
    pos: int = 0
    ts_ns: int = 0
    mono_ns: int = 0

    @property
    def messages(self) -> tuple[Message | Local]:
        """The one message, as of a run of one."""
        return (self.message,)

    def at(self, index: int) -> "Heard":
        """Return the one input that this is."""
        assert not index
        return self


class Run(msgspec.Struct, frozen=True, gc=False):
    """Inputs side by side on one stream, as a frame brought them: each is looked at when needed."""

    messages: Sequence[Message]
    stream: int
    pos: int  # of the first one
    ts_ns: int
    mono_ns: int

    def at(self, index: int) -> Heard:
        """Return one of them with its place."""
        pos = self.pos + index
        return Heard(self.messages[index], self.stream, pos, self.ts_ns, self.mono_ns)


Input = Heard | Run


class Limited(str):
    """A trouble in spite of which a service does all but a part of its work, from its start on."""

    __slots__ = ()


def each(inputs: Iterable[Input]) -> list[Heard]:
    """Return all inputs one by one."""
    return [one.at(index) for one in inputs for index in range(len(one.messages))]


Said = Message | Local
"""What a core returns: messages for its streams, effects for its edge, `Wake`, `CommandDone`, and
of a processor what it `Noticed`."""


class Service(ABC):
    """A pure state machine; the runner calls it from one thread."""

    name: ClassVar[str]
    hears: ClassVar[tuple[str, ...]] = ()
    says: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[Mapping[str, int]] = {}  # services told of as `PeerSeen`: ms of silence borne
    folds: ClassVar[tuple[str, ...]] = ()  # streams heard whose messages go through `apply` too
    rereads: ClassVar[tuple[str, ...]] = ()
    """Streams that a sink without a store reads from their beginning at each start, and the others
    from their end. Its turns are not recorded, so what it folds of them is no part of `state`."""
    joins: ClassVar[tuple[str, ...]] = ()
    """Streams that a service without a cursor hears from their last snapshot on, given first, and
    not from their end; from their beginning while nothing was said of how they stand. Turns of who
    joins are not recorded, so its books are a fold of its own streams alone."""
    snapshots: ClassVar[tuple[str, ...]] = ()
    """Own streams of which it says how they stand when it hears `SnapshotDue`."""
    foreign: ClassVar[bool] = False
    """It runs somebody's code, so a turn may decide otherwise when it is run again: no defect of
    the house, which then comes back without running turns again."""
    whole: ClassVar[bool] = False
    """A sink that hears messages side by side on a stream as one, in `hear_run`: it has so many."""
    niceness: ClassVar[int] = 0
    """How far it stands back once it is up: all hear a bar at once, and orders go first."""
    state: Any  # one msgspec Struct of all that a snapshot keeps: books and windows

    @abstractmethod
    def handle(self, message: Said, now_ns: int) -> list[Said]:
        """Decide on one input: a message heard, `Started`, `Timer`, `Command` or an answer."""

    def hear(self, heard: Heard, now_ns: int) -> list[Said]:
        """Decide on one input with its place; only a sink has reason to look at that."""
        return self.handle(heard.message, now_ns)

    def hear_run(self, run: Run, now_ns: int) -> list[Said]:
        """Decide on messages as a frame brought them; only a sink that is `whole` is asked."""
        return [
            out for index in range(len(run.messages)) for out in self.hear(run.at(index), now_ns)
        ]

    def apply(self, message: Message) -> None:
        """Change the books by one message of an own stream, or of a stream in `folds`."""

    def forget(self) -> None:
        """Empty the windows, before a folded recovery fills them anew."""

    def refill(self, message: Message) -> None:
        """Change the windows alone, after a folded recovery, by one message heard before."""

    def trouble(self, now_ns: int) -> str | None:
        """Return why the service is not READY, or None; `Limited` where it does all the rest."""
        return None

    def counters(self) -> tuple[tuple[str, int], ...]:
        """Return the core's figures for the heartbeat."""
        return ()


class Bridge(Protocol):
    """What an edge may do towards its core; everything else is forbidden to its thread."""

    clock: Clock

    async def hear(self, message: Local) -> None:
        """Hand the core one input; waits while the inbox is full, so that TCP holds back."""

    def ready(self, why_not: str | None) -> None:
        """Say why the edge cannot work yet, or None once it can."""

    def note(self, event: str, **fields: object) -> None:
        """Write one line to the service's log, through the main thread."""


class Edge(ABC):
    """The one place where a service touches the world; lives in the edge thread's asyncio loop."""

    stdin: ClassVar[bool] = False  # True: the edge reads standard input itself

    @abstractmethod
    async def run(self, bridge: Bridge) -> None:
        """Watch the outside until cancelled; to return or to raise is `EdgeFailed`."""

    async def perform(self, effect: Effect) -> Local:
        """Do one effect and return its answer; EdgeError becomes `Unanswered`."""
        raise AssertionError(f"this edge performs no {type(effect).__name__}")


class Store(ABC):
    """Where a sink keeps its effects and its positions, in one transaction."""

    @abstractmethod
    def cursors(self) -> Mapping[int, int]:
        """Return the last position committed, by stream number."""

    @abstractmethod
    def commit(self, effects: Sequence[Local], cursors: Mapping[int, int]) -> None:
        """Write all effects and positions, or nothing."""

    def held(self) -> bool:
        """Return whether nothing is to be heard for now: what is said waits in the journals."""
        return False

    def answers(self) -> Sequence[Local]:
        """Return the answers to commands among the effects of the last commit, each once."""
        return ()

    def idle(self) -> None:
        """Do housekeeping; called when nothing is waiting."""

    def counters(self) -> tuple[tuple[str, int], ...]:
        """Return the store's figures for the heartbeat."""
        return ()

    def close(self) -> None:
        """Release the shard."""


class Parts(msgspec.Struct):
    """One service, composed: what `__main__` hands to the runner."""

    core: Service
    edge: Edge | None = None
    store: Store | None = None
    first: tuple[Local, ...] = ()  # heard right after `Started`, before everything else
    fold: str = ""  # why no turn is to be run again at this start; empty: nothing speaks against it
