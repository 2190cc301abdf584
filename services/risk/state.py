"""What risk remembers: books, by what stands on streams, and windows, which quotes fill again."""

import msgspec

from schema.head import Side
from schema.house import PeerSeen
from schema.ledger import Ledger, Money
from schema.market import FeedStatus, Instrument, Quote
from schema.orders import InstrumentHalted, KillLevel
from schema.trading import (
    DayOpened,
    LimitBreached,
    LimitChanged,
    OrderIntent,
    RiskState,
    Verdict,
)
from services.risk.curve import Curve
from services.risk.protecting import Protections


class Order(msgspec.Struct):
    """An order that may still fill: approved, open, or of unknown fate."""

    symbol: str
    side: Side
    leaves: int
    px: int  # what one unit may cost at most
    px_exp: int
    qty_exp: int
    waits: bool  # as a stop does: an exit may take its place
    expires_ns: int  # when its approval ends
    cost: int = 0  # cash held for it
    submitted: bool = False  # until then it is a reservation
    replaces: str = ""  # the order whose place it takes, …
    successor: str = ""  # … and the one that is to take its own
    spared: int = 0  # of `leaves`, what counts already as its predecessor's
    spared_cost: int = 0  # and of `cost`

    @property
    def counted(self) -> int:
        return self.leaves - self.spared


class Line(msgspec.Struct):
    """The sums of one symbol's orders that may still fill."""

    buys: Money = msgspec.field(default_factory=Money)
    sells: Money = msgspec.field(default_factory=Money)
    stops: Money = msgspec.field(default_factory=Money)  # sells that give a position up


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """What there was to lose at a time, in MONEY_EXP; `deposits` had been put in by then."""

    at_ns: int
    equity: int
    deposits: int = 0

    @property
    def earned(self) -> int:
        return self.equity - self.deposits


class Change(msgspec.Struct):
    """What a person has made of one limit: what holds, and what will from a time on."""

    current: LimitChanged | None = None
    pending: LimitChanged | None = None


class Marks(msgspec.Struct):
    """What losses are measured from."""

    peak: Mark | None = None
    hours: list[Mark] = []  # one an hour at least, the newest last
    days: dict[str, Mark] = {}  # of each strategy's tag, when its day began
    since_ns: dict[str, int] = {}  # limits that a person released: what was before counts no more


class Pace(msgspec.Struct):
    """How often was traded, in market time."""

    cancels: list[int] = []
    day: int = 0  # of the counts below, in days since 1970 UTC
    orders: int = 0
    canceled: int = 0
    fills: int = 0
    trips: dict[str, list[int]] = {}  # when the round trips of each strategy's tag ended
    alike: dict[str, tuple[int, str]] = {}  # orders by what they are: when approved, and the id
    names: dict[str, str] = {}  # of the strategies, by tag


class Books(msgspec.Struct):
    """Changed by `apply` alone."""

    ledger: Ledger = msgspec.field(default_factory=Ledger)
    asked: dict[str, OrderIntent] = {}  # intents without a verdict
    early: dict[str, Verdict] = {}  # approvals whose intents were not folded yet
    known: dict[str, bool] = {}  # ids judged before; True: the gateway has answered
    orders: dict[str, Order] = {}
    lines: dict[str, Line] = {}
    held: int = 0  # cash held for all open buys
    approvals: list[int] = []  # when the last orders that add risk were approved
    approved: int = 0
    refused: int = 0
    reconciled_ns: int = 0
    kill: KillLevel | None = None
    halted: dict[str, InstrumentHalted] = {}
    anchor: DayOpened | None = None
    latched: dict[str, LimitBreached] = {}
    standing: RiskState | None = None
    protections: Protections = msgspec.field(default_factory=Protections)
    changes: dict[str, Change] = {}  # by the limit's name, and its scope behind a blank
    marks: Marks = msgspec.field(default_factory=Marks)
    pace: Pace = msgspec.field(default_factory=Pace)


class Windows(msgspec.Struct):
    """What the market and the house were last heard to be."""

    epoch: int = 0
    quotes: dict[str, Quote] = {}  # the last of each symbol that has two sides
    instruments: dict[str, Instrument] = {}
    feeds: dict[str, FeedStatus] = {}
    behind: PeerSeen | None = None  # the writer of the trading shard, while it is
    behind_since_ns: int = 0
    loss: int = 0  # since the day's anchor or in 24 hours, the worse, as of the last look
    looked_ns: int = 0
    week_loss: int = 0
    equity: int = 0
    high: int = 0  # of equity, since money was last moved in or out
    drawdown_bps: int = 0
    losses: dict[str, int] = {}  # of each strategy's tag since its day began
    lost: tuple[str, str, str] | None = None  # in the day, the week, from the peak: as told
    bare: dict[str, int] = {}  # symbols held without a stop, and since when
    told: dict[str, int] = {}  # when it was last said that a pace was too quick
    curve: Curve = msgspec.field(default_factory=Curve)  # of equity, by every look


class State(msgspec.Struct):
    """All that a snapshot keeps."""

    books: Books = msgspec.field(default_factory=Books)
    windows: Windows = msgspec.field(default_factory=Windows)
