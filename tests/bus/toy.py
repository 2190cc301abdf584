"""A small processor and a small sink for the runner's tests, and the desk they stand on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import msgspec

from bus.clock import ManualClock
from bus.hub import Hub, Place
from bus.intake import wanted
from bus.journals import DiskJournals, Journals
from bus.log import Log
from bus.memory import MemoryJournals
from bus.pulse import Pulse
from bus.runner import Runner
from bus.service import Parts, Said, Service, Store
from schema.frame import Kind
from schema.head import Local, Message
from schema.house import Alert, Command, CommandDone, Timer, Wake
from schema.messages import decode, encode
from schema.streams import STREAMS, TURNS
from schema.trading import OrderIntent, RiskState, Verdict


class Books(msgspec.Struct):
    """What the toy remembers: money as books, the last quantities as windows."""

    total: int = 0
    states: int = 0
    window: list[int] = []


class Toy(Service):
    """Approves every intent, says its state at every third, and sums what it approved."""

    name: ClassVar[str] = "risk"
    hears: ClassVar[tuple[str, ...]] = ("engine.intent",)
    says: ClassVar[tuple[str, ...]] = ("risk.verdict", "risk.event")

    def __init__(self) -> None:
        self.state = Books()
        self.heard: list[Said] = []

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        self.heard.append(message)
        match message:
            case OrderIntent():
                return self._judge(message, now_ns)
            case Timer(name=name):
                return [RiskState(ts_event=now_ns, state="ACTIVE", reason=f"timer {name}")]
            case Command(request_id=request_id):
                return [CommandDone(request_id=request_id, ok=True, text=str(self.state.total))]
            case _:
                return []

    def _judge(self, intent: OrderIntent, now_ns: int) -> list[Said]:
        self.state.window = [*self.state.window, intent.qty][-5:]
        said: list[Said] = [
            Verdict(
                ts_event=now_ns,
                client_order_id=intent.client_order_id,
                order_hash=b"h",
                approved=True,
                code="OK",
                detail=str(sum(self.state.window)),
                epoch=1,
                expires_ns=now_ns,
            )
        ]
        if intent.qty % 3 == 0:
            said.append(RiskState(ts_event=now_ns, state="ACTIVE", reason=str(self.state.total)))
            said.append(Wake(name=f"after {intent.qty}", at_ns=now_ns + 50))
        return said

    def apply(self, message: Message) -> None:
        match message:
            case Verdict():
                self.state.total += 1
            case RiskState():
                self.state.states += 1

    def forget(self) -> None:
        self.state.window = []

    def refill(self, message: Message) -> None:
        if isinstance(message, OrderIntent):
            self.state.window = [*self.state.window, message.qty][-5:]


class Watch(Service):
    """A sink without a store, that says what it thinks of every intent."""

    name: ClassVar[str] = "monitor"
    hears: ClassVar[tuple[str, ...]] = ("engine.intent", "risk.verdict")
    says: ClassVar[tuple[str, ...]] = ("monitor.alert",)
    rereads: ClassVar[tuple[str, ...]] = ("engine.intent",)

    def __init__(self) -> None:
        self.state = Books()
        self.seen: list[int] = []
        self.verdicts = 0

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        if isinstance(message, Verdict):
            self.verdicts += 1
        if not isinstance(message, OrderIntent):
            return []
        self.seen.append(message.qty)
        summary = str(message.qty)
        return [
            Alert(
                ts_event=now_ns,
                name="Seen",
                severity="info",
                state="firing",
                scope="",
                summary=summary,
            )
        ]

    def apply(self, message: Message) -> None:
        self.state.total += isinstance(message, Alert)


class Row(Local, tag=249, frozen=True, kw_only=True):
    qty: int


class Ledger(Service):
    """A sink: one row for each intent."""

    name: ClassVar[str] = "writer_trading"
    hears: ClassVar[tuple[str, ...]] = ("engine.intent",)

    def handle(self, message: Said, now_ns: int) -> list[Said]:
        return [Row(qty=message.qty)] if isinstance(message, OrderIntent) else []


class Shelf(Store):
    """A store that outlives its sink, and can break before a commit."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.kept: dict[int, int] = {}
        self.break_at = -1

    def cursors(self) -> Mapping[int, int]:
        return self.kept

    def commit(self, effects: Sequence[Local], cursors: Mapping[int, int]) -> None:
        if len(self.rows) == self.break_at:
            self.break_at = -1
            raise OSError("killed before its commit")
        self.rows += [effect.qty for effect in effects if isinstance(effect, Row)]
        self.kept = dict(cursors)


class Source:
    """The engine's side: says intents on `engine.intent`."""

    def __init__(self, journals: Journals, hub: Hub, clock: ManualClock) -> None:
        self._place = hub.join(())
        self._writer = journals.writer(STREAMS["engine.intent"], journals.open_epoch("engine"), "")
        self._clock = clock

    def say(self, *quantities: int) -> None:
        """Say one frame of intents."""
        for frame in self._writer.append([intent(qty) for qty in quantities]):
            self._place.send(frame)


class Desk:
    """One world with an engine that speaks and a risk toy that answers."""

    def __init__(self, path: Path, kind: str = "memory") -> None:
        self.path = path
        self.clock = ManualClock(1_000)
        self.hub = Hub()
        disk = DiskJournals(path / "journal", self.clock)
        self.journals: Journals = disk if kind == "disk" else MemoryJournals(self.clock)
        self.source = Source(self.journals, self.hub, self.clock)
        self.toy = Toy()

    def start(
        self, journals: Journals | None = None, code: str = "one", settings: str = ""
    ) -> "Desk":
        self.toy = Toy()
        self.runner = launch(
            Parts(self.toy),
            journals or self.journals,
            self.hub,
            self.clock,
            self.path,
            code,
            settings,
        )
        return self

    def story(self, first: int, last: int) -> None:
        """Say intents one frame after the other, with time passing between."""
        for qty in range(first, last):
            self.source.say(qty, qty + 100)
            self.clock.advance(20)
            settle(self.runner)


def intent(qty: int) -> OrderIntent:
    return OrderIntent(
        ts_event=qty,
        trace=1000 + qty,
        client_order_id=f"{qty:032x}",
        strategy="toy",
        symbol="BTC/USDT",
        side="buy",
        order_type="market",
        qty=qty,
        px_exp=2,
        qty_exp=8,
    )


def verdict(detail: str) -> Verdict:
    return Verdict(
        ts_event=0,
        client_order_id="f" * 32,
        order_hash=b"h",
        approved=True,
        code="OK",
        detail=detail,
        epoch=1,
        expires_ns=0,
    )


def launch(
    parts: Parts,
    journals: Journals,
    hub: Hub,
    clock: ManualClock,
    logs: Path,
    code: str = "one",
    settings: str = "",
) -> Runner:
    """Start a service on a hub, as its process would."""
    place: Place = hub.join(wanted(parts.core))
    pulse = Pulse(parts.core.name, place, clock)
    pulse.code, pulse.settings = code, settings
    log = Log(logs, parts.core.name, "test", clock, (1 << 20, 2))
    log.console = -1
    runner = Runner(parts, place, journals, pulse, log)
    runner.start()
    return runner


def settle(runner: Runner, passes: int = 50) -> None:
    """Let a runner work until it has nothing left to do."""
    for _ in range(passes):
        if not runner.turn() and not runner.behind:
            return
    raise AssertionError("it never comes to rest")


def records(journals: Journals, name: str) -> list[Message]:
    """Return every message of a stream, the bus's own records included."""
    reader = journals.reader(STREAMS[name])
    found: list[Message] = []
    pos = 0
    while frames := reader.read(pos):
        for frame in frames:
            pos = max(pos, frame.last)
            if frame.kind == Kind.DATA:
                found += decode(STREAMS[name].number, frame.body)
    return found


def said(journals: Journals, name: str) -> list[bytes]:
    """Return what a service said on a stream, message by message."""
    return [encode([m]) for m in records(journals, name) if type(m) not in TURNS]
