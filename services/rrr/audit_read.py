"""Reads the streams of the order path for the audit, each from its first byte to its end."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import msgspec

from bus.audit import audit
from bus.errors import HouseError
from bus.intake import read_frame
from bus.record import JournalReader
from schema.approval import order_hash
from schema.frame import HEADER_BYTES, Kind, epoch_of
from schema.head import Message
from schema.house import EpochOpened, Inputs
from schema.streams import STREAMS, Stream
from schema.trading import OrderIntent, Position, RiskState, Verdict
from services.rrr.audit_fold import Fold
from services.rrr.digging import directory_of

ORDER, INTENT, VERDICT, EVENT, BOOKS = (
    "gateway.order",
    "engine.intent",
    "risk.verdict",
    "risk.event",
    "engine.portfolio",
)
PATH = (ORDER, VERDICT, EVENT, INTENT, BOOKS)
"""In this order: what led to an order is read after it, so that nothing seems to lack a cause."""

READ_BYTES = 1 << 20
KINDS = frozenset({Kind.DATA, Kind.EPOCH, Kind.SNAPSHOT})

Passed = Callable[[int], None]
Opens = Callable[[Stream], JournalReader]
Cuts = Mapping[int, Callable[[Fold], None]]


class Wish(msgspec.Struct):
    """An order that somebody asked for."""

    pos: int
    order_hash: bytes


class Word(msgspec.Struct):
    """A verdict, without what nobody compares."""

    pos: int
    approved: bool
    order_hash: bytes
    when: tuple[int, int]  # risk's epoch, and its monotonic clock: nobody sets that one
    at_ns: int
    expires_ns: int
    cause: tuple[int, int]


class Asked:
    """What the engine wanted, what risk said of it, and what was lost with the power."""

    def __init__(self) -> None:
        self.wishes: dict[str, Wish] = {}
        self.words: dict[str, list[Word]] = {}
        self.states: list[tuple[tuple[int, int], int, str]] = []  # risk's own: when, and which
        self.positions: list[tuple[int, Position]] = []
        self.newest: dict[tuple[str, str], tuple[int, Position]] = {}
        self.begun: dict[str, bool] = {}  # streams that are kept from their first word on
        self.cut: set[str] = set()  # streams whose tail a power cut may have taken
        self.faults: list[str] = []
        self.records = 0
        self.opened: dict[str, EpochOpened] = {}

    def take(self, name: str, message: Message, pos: int, mono_ns: int) -> None:
        """Take one message of any stream but the gateway's."""
        self.records += 1
        match message:
            case OrderIntent():
                if message.client_order_id not in self.wishes:
                    wish = Wish(pos, order_hash(message))
                    self.wishes[message.client_order_id] = wish
            case Verdict():
                word = Word(
                    pos, message.approved, message.order_hash, (epoch_of(pos), mono_ns),
                    message.ts_event, message.expires_ns, message.cause,
                )  # fmt: skip
                self.words.setdefault(message.client_order_id, []).append(word)
            case RiskState():
                when = epoch_of(pos), mono_ns
                self.states.append((when, message.ts_event, message.state))
            case Position():
                self.newest[message.symbol, message.strategy] = (pos, message)
                if not message.strategy and message.cause[0] == STREAMS[ORDER].number:
                    self.positions.append((pos, message))
            case EpochOpened():
                self.open(name, message, pos)

    def open(self, name: str, message: EpochOpened, pos: int) -> None:
        """Note how a life of a stream's owner began."""
        before = self.opened.get(name)
        self.begun.setdefault(name, not message.prev_pos or epoch_of(pos) == 1)
        if before is not None and before.boot_id != message.boot_id and not message.clean:
            self.cut.add(name)
        self.opened[name] = message


def messages(opens: Opens, name: str, passed: Passed) -> Iterator[tuple[int, int, Message]]:
    """Yield position, monotonic time and message of all of a stream, the bus's own included."""
    stream = STREAMS[name]
    pos = 0
    with closing(opens(stream)) as reader:
        while frames := reader.read(pos, READ_BYTES):
            pos = frames[-1].last
            for frame in frames:
                passed(HEADER_BYTES + len(frame.body))
                if frame.kind not in KINDS:
                    continue
                for at, message in enumerate(read_frame(stream, frame), frame.pos):
                    if message is not None:
                        yield at, frame.mono_ns, message


def read_all(opens: Opens, fold: Fold, cuts: Cuts, passed: Passed) -> Asked:
    """Fold every stream; at each position of `cuts` its function sees the fold as it stands."""
    asked = Asked()
    _read_orders(opens, fold, (cuts, passed), asked)
    for name in PATH[1:]:
        try:
            for pos, mono_ns, message in messages(opens, name, passed):
                if type(message) is not Inputs:
                    asked.take(name, message, pos, mono_ns)
        except HouseError as error:
            asked.faults.append(f"{name}: {error.what}")
    return asked


def prove(directory: Path, asked: Asked, passed: Passed) -> None:
    """Note whatever is wrong with the files of the streams: gaps, damage, a broken chain."""
    for name in PATH:
        _prove(directory, name, asked, passed)


def _read_orders(opens: Opens, fold: Fold, told: tuple[Cuts, Passed], asked: Asked) -> None:
    cuts, passed = told
    due = sorted(cuts, reverse=True)
    try:
        for pos, _, message in messages(opens, ORDER, passed):
            while due and pos > due[-1]:
                cuts[due.pop()](fold)
            if type(message) is EpochOpened:
                asked.open(ORDER, message, pos)
            fold.take(message, pos)
    except HouseError as error:
        asked.faults.append(f"{ORDER}: {error.what}")
    while due:
        cuts[due.pop()](fold)


def _prove(directory: Path, name: str, asked: Asked, passed: Passed) -> None:
    stream = STREAMS[name]
    try:
        found = audit(directory_of(directory, stream), stream, passed)
    except HouseError as error:
        asked.faults.append(f"{name}: {error.what}")
        return
    asked.faults += [f"{name}: {problem}" for problem in found.problems]
    if found.ahead:
        asked.cut.add(name)
    if name == ORDER and found.records and not asked.begun.get(name, False):
        asked.faults.append(
            f"{name} is kept from {found.first} on only: what was before is not in any sum"
        )
