"""A till that tells how it stands, who follows it, who joins late, and the house they are in."""

from pathlib import Path
from typing import ClassVar

import msgspec

from bus.clock import ManualClock
from bus.hub import Hub
from bus.journals import DiskJournals, Journals
from bus.memory import MemoryJournals
from bus.service import Parts, Said, Service
from schema.frame import Kind
from schema.head import Message
from schema.house import SnapshotDue, Started
from schema.orders import AccountSnapshot, KillLevel
from schema.streams import STREAMS
from schema.trading import OrderIntent
from tests.bus.toy import Source, launch, settle

ORDER = STREAMS["gateway.order"]


def standing(n: int, part: int = 1, parts: int = 1) -> AccountSnapshot:
    return AccountSnapshot(
        ts_event=n, level="ACTIVE", by="", reason="", since_ns=0, reconciled_ns=0,
        part=part, parts=parts,
    )  # fmt: skip


class Sums(msgspec.Struct):
    """What the till remembers."""

    total: int = 0
    orders: int = 0


class Till(Service):
    """Says a level for every intent, its sum so far in it, and how it stands when asked."""

    name: ClassVar[str] = "gateway"
    hears: ClassVar[tuple[str, ...]] = ("engine.intent",)
    says: ClassVar[tuple[str, ...]] = ("gateway.order",)
    snapshots: ClassVar[tuple[str, ...]] = ("gateway.order",)

    def __init__(self) -> None:
        self.state = Sums()
        self.heard: list[list[Said]] = [[]]

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        self.heard[-1].append(message)
        match message:
            case OrderIntent(qty=qty):
                return [KillLevel(ts_event=now_ns, level="ACTIVE", by="till", reason=str(qty))]
            case SnapshotDue():
                return [self._standing(part, now_ns) for part in (1, 2)]
        return []

    def apply(self, message: Message) -> None:
        if isinstance(message, KillLevel):
            self.state.total += int(message.reason)
            self.state.orders += 1

    def _standing(self, part: int, now_ns: int) -> AccountSnapshot:
        told = (self.state.total, self.state.orders)[part - 1]
        return msgspec.structs.replace(standing(told, part, 2), reconciled_ns=now_ns)


class Follower(Service):
    """A processor that hears the orders, and says a verdict's worth of what it heard."""

    name: ClassVar[str] = "risk"
    hears: ClassVar[tuple[str, ...]] = ("gateway.order",)
    says: ClassVar[tuple[str, ...]] = ("risk.verdict", "risk.event")
    folds: ClassVar[tuple[str, ...]] = ("gateway.order",)

    def __init__(self) -> None:
        self.state = Sums()

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        assert not isinstance(message, AccountSnapshot)
        return []

    def apply(self, message: Message) -> None:
        assert isinstance(message, KillLevel)
        self.state.total += int(message.reason)
        self.state.orders += 1


class Joiner(Service):
    """A late joiner: it keeps nothing, and begins with how things stand."""

    name: ClassVar[str] = "web"
    hears: ClassVar[tuple[str, ...]] = ("gateway.order",)
    joins: ClassVar[tuple[str, ...]] = ("gateway.order",)

    def __init__(self) -> None:
        self.state = Sums()
        self.first: Said | None = None

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        if not isinstance(message, Started):
            self.first = self.first or message
        match message:
            case AccountSnapshot(part=1, ts_event=told):
                self.state.total = told
            case AccountSnapshot(part=2, ts_event=told):
                self.state.orders = told
            case KillLevel(reason=reason):
                self.state.total += int(reason)
                self.state.orders += 1
        return []


class House:
    """An engine that speaks, and the till."""

    def __init__(self, path: Path, kind: str = "memory") -> None:
        self.path, self.clock, self.hub = path, ManualClock(1_000), Hub()
        disk = DiskJournals(path / "journal", self.clock)
        self.journals: Journals = disk if kind == "disk" else MemoryJournals(self.clock)
        self.source = Source(self.journals, self.hub, self.clock)

    def start(self, journals: Journals | None = None, code: str = "one") -> "House":
        self.till = Till()
        self.place = len(self.hub.places)
        self.runner = launch(
            Parts(self.till), journals or self.journals, self.hub, self.clock, self.path, code
        )
        settle(self.runner)
        return self

    def say(self, *quantities: int) -> None:
        self.source.say(*quantities)
        self.till.heard.append([])
        settle(self.runner)

    def wait(self, ns: int) -> None:
        self.clock.advance(ns)
        settle(self.runner)

    def told(self) -> list[AccountSnapshot]:
        reader, after, found = self.journals.reader(ORDER), 0, []
        while frames := reader.read(after):
            after = frames[-1].last
            for frame in frames:
                if frame.kind == Kind.SNAPSHOT:
                    found += msgspec.msgpack.decode(frame.body, type=list[AccountSnapshot])
        return found

    def join(self) -> Joiner:
        made = Joiner()
        runner = launch(Parts(made), self.journals, self.hub, self.clock, self.path)
        settle(runner)
        self.hub.places[-1].close()
        return made

    def asks(self) -> int:
        return sum(isinstance(one, SnapshotDue) for turn in self.till.heard for one in turn)
