"""What risk remembers: books, by what stands on streams, and windows, which quotes fill again."""

import msgspec

from schema.head import Side
from schema.house import PeerSeen
from schema.ledger import Ledger, Money
from schema.market import FeedStatus, Instrument, Quote
from schema.orders import InstrumentHalted, KillLevel
from schema.trading import DayOpened, LimitBreached, OrderIntent, RiskState, Verdict


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


class Line(msgspec.Struct):
    """The sums of one symbol's orders that may still fill."""

    buys: Money = msgspec.field(default_factory=Money)
    sells: Money = msgspec.field(default_factory=Money)
    stops: Money = msgspec.field(default_factory=Money)  # sells that give a position up


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


class Windows(msgspec.Struct):
    """What the market and the house were last heard to be."""

    epoch: int = 0
    quotes: dict[str, Quote] = {}  # the last of each symbol that has two sides
    instruments: dict[str, Instrument] = {}
    feeds: dict[str, FeedStatus] = {}
    behind: PeerSeen | None = None  # the writer of the trading shard, while it is
    behind_since_ns: int = 0
    loss: int = 0  # since the day's anchor, as of the last look
    looked_ns: int = 0


class State(msgspec.Struct):
    """All that a snapshot keeps."""

    books: Books = msgspec.field(default_factory=Books)
    windows: Windows = msgspec.field(default_factory=Windows)
